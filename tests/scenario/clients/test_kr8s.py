"""kr8s, unchanged, in both its forms: objects, lists, watches, waits, scale, labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import kr8s
import lightkube
import pytest
from kr8s._async_utils import Portal
from kr8s.asyncio import api as async_api
from kr8s.asyncio.objects import ConfigMap as AsyncConfigMap
from kr8s.asyncio.objects import Deployment as AsyncDeployment
from kr8s.asyncio.objects import Pod as AsyncPod
from kr8s.objects import ConfigMap, Deployment, Pod, Service, new_class
from lightkube.resources.core_v1 import ConfigMap as LightConfigMap

from tests.scenario.clients.manifests import config_map, deployment
from tests.scenario.kubectl.world import World

pytestmark = [
    pytest.mark.filterwarnings("ignore:Kubernetes version .* is not supported:UserWarning"),  # it knows up to 1.35
]


@pytest.fixture
def api(place: World, namespace: str) -> Iterator[Any]:
    made = kr8s.api(kubeconfig=str(place.kubeconfig), namespace=namespace)
    made.namespace = namespace
    yield made
    Portal().call(made._session.aclose)  # it never closes its connections itself
    kr8s.Api._instances.clear()


def test_the_server(api: Any) -> None:
    assert api.version()["gitVersion"].startswith("v1.36.")
    assert api.whoami() == "admin"
    resources = {(item["name"], item["version"]) for item in api.api_resources()}
    assert {("pods", "v1"), ("deployments", "apps/v1"), ("leases", "coordination.k8s.io/v1")} <= resources
    assert {"v1", "apps/v1", "autoscaling/v2"} <= set(api.api_versions())


def test_life_of_an_object(api: Any) -> None:
    item = ConfigMap(config_map("c", a="b"), namespace=api.namespace, api=api)
    item.create()
    assert item.exists()
    item.patch({"data": {"b": "c"}})
    assert item.raw["data"] == {"a": "b", "b": "c"}
    item.patch([{"op": "remove", "path": "/data/a"}], type="json")
    assert item.raw["data"] == {"b": "c"}
    item.label({"tier": "front"})
    item.annotate({"note": "x"})
    item.refresh()
    assert (dict(item.labels), dict(item.annotations)) == ({"tier": "front"}, {"note": "x"})
    assert [found.name for found in api.get("configmaps", label_selector={"tier": "front"})] == ["c"]
    assert [found.name for found in api.get("cm", field_selector="metadata.name=c")] == ["c"]
    item.remove_label("tier")
    assert dict(item.labels) == {}
    item.delete()
    assert not item.exists()
    with pytest.raises(kr8s.NotFoundError):
        ConfigMap.get("c", namespace=api.namespace, api=api)


def test_deployments(api: Any) -> None:
    web = Deployment(deployment("web", 2), namespace=api.namespace, api=api)
    web.create()
    web.wait("condition=Available", timeout=60)
    assert len(list(api.get("pods", label_selector="app=web"))) == 2
    web.scale(3)
    web.wait("jsonpath='{.status.availableReplicas}'=3", timeout=60)
    pods = web.pods()
    assert {pod.status.phase for pod in pods} == {"Running"}
    assert all(pod.ready() for pod in pods)
    service = Service(
        {"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}},
        namespace=api.namespace,
        api=api,
    )
    service.create()
    assert len(service.ready_pods()) == 3
    web.delete()
    web.wait("delete", timeout=60)


def test_watches(place: World, api: Any) -> None:
    ConfigMap(config_map("c", {"set": "x"}), namespace=api.namespace, api=api).create()
    seen: list[tuple[str, Any]] = []
    with lightkube.Client(lightkube.KubeConfig.from_file(str(place.kubeconfig)).get()) as other:
        for kind, found in api.watch("configmaps", namespace=api.namespace, label_selector={"set": "x"}):
            seen.append((kind, found.raw.get("data")))
            if kind == "MODIFIED":
                break
            other.patch(LightConfigMap, "c", {"data": {"a": "b"}}, namespace=api.namespace)
    assert seen == [("ADDED", None), ("MODIFIED", {"a": "b"})]


def test_kinds_it_does_not_know(api: Any) -> None:
    lease = new_class("Lease", version="coordination.k8s.io/v1", namespaced=True)
    made = lease(
        {"metadata": {"name": "l"}, "spec": {"holderIdentity": "me", "leaseDurationSeconds": 5}},
        namespace=api.namespace,
        api=api,
    )
    made.create()
    (found,) = api.get("leases.coordination.k8s.io")
    assert found.spec.holderIdentity == "me"


async def test_the_asynchronous_form(place: World, namespace: str) -> None:
    api = await async_api(kubeconfig=str(place.kubeconfig), namespace=namespace)
    item = await AsyncConfigMap(config_map("c", {"set": "x"}, a="b"), namespace=namespace, api=api)
    await item.create()
    assert await item.exists()
    assert [found.name async for found in api.get("configmaps", label_selector="set=x", namespace=namespace)] == ["c"]
    web = await AsyncDeployment(deployment("web", 1), namespace=namespace, api=api)
    await web.create()
    await web.wait("condition=Available", timeout=60)
    async for kind, found in api.watch("configmaps", label_selector="set=x", namespace=namespace):
        assert (kind, found.name) == ("ADDED", "c")
        break
    pod = await AsyncPod(
        {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "app:1"}]}},
        namespace=namespace,
        api=api,
    )
    await pod.create()
    await pod.wait("condition=Ready", timeout=60)
    await pod.delete(force=True)
    await web.delete(propagation_policy="Foreground")
    await api._session.aclose()


def test_pods(api: Any) -> None:
    pod = Pod.gen(name="p", image="app:1", namespace=api.namespace)
    pod = Pod(pod.raw, namespace=api.namespace, api=api)
    pod.create()
    pod.wait(["condition=Ready", "jsonpath='{.status.phase}'=Running"], timeout=60)
    pod.delete(grace_period=0)
    pod.wait("delete", timeout=60)
