"""The official `kubernetes` client, unchanged: typed calls, patches, watches, pages, the dynamic client, locks, and its asyncio twin."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import aio, client, config, dynamic, utils, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.configmaplock import ConfigMapLock
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

from tests.scenario.clients.manifests import config_map, deployment
from tests.scenario.kubectl.world import World

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning:kubernetes"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]


@pytest.fixture
def api(place: World) -> Iterator[client.ApiClient]:
    with config.new_client_from_config(str(place.kubeconfig)) as made:
        yield made


@pytest.fixture
def core(api: client.ApiClient) -> client.CoreV1Api:
    return client.CoreV1Api(api)


@pytest.fixture
def apps(api: client.ApiClient) -> client.AppsV1Api:
    return client.AppsV1Api(api)


def until(what: Any, seconds: float = 180.0) -> Any:
    """Ask again until the answer is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError("not in time")


def test_life_of_a_config_map(core: client.CoreV1Api, namespace: str) -> None:
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="c"), data={"a": "b"})
    made = core.create_namespaced_config_map(namespace, body)
    assert (made.metadata.namespace, made.data) == (namespace, {"a": "b"})
    assert made.metadata.creation_timestamp.tzinfo is not None
    made.data["a"] = "c"
    replaced = core.replace_namespaced_config_map("c", namespace, made)
    assert int(replaced.metadata.resource_version) > int(made.metadata.resource_version)
    with pytest.raises(ApiException) as refused:
        core.replace_namespaced_config_map("c", namespace, made)
    assert (refused.value.status, refused.value.reason) == (409, "Conflict")
    assert core.read_namespaced_config_map("c", namespace).data == {"a": "c"}
    status = core.delete_namespaced_config_map("c", namespace)
    assert (status["status"], status["details"]["name"]) == ("Success", "c")
    with pytest.raises(ApiException) as refused:
        core.read_namespaced_config_map("c", namespace)
    assert refused.value.status == 404
    assert '"reason":"NotFound"' in refused.value.body


def test_patches(core: client.CoreV1Api, apps: client.AppsV1Api, namespace: str) -> None:
    apps.create_namespaced_deployment(namespace, deployment("web", 1))
    side = {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": "side:1"}]}}}}
    strategic = apps.patch_namespaced_deployment("web", namespace, side)
    assert [c.name for c in strategic.spec.template.spec.containers] == ["side", "app"]
    merged = apps.patch_namespaced_deployment(
        "web", namespace, side, _content_type="application/merge-patch+json", field_manager="me"
    )
    assert [c.name for c in merged.spec.template.spec.containers] == ["side"]
    core.create_namespaced_config_map(namespace, config_map("c", a="b"))
    operations = [{"op": "add", "path": "/data/z", "value": "1"}, {"op": "remove", "path": "/data/a"}]
    assert core.patch_namespaced_config_map("c", namespace, operations).data == {"z": "1"}
    applied = core.patch_namespaced_config_map(
        "c",
        namespace,
        config_map("c", y="2"),
        field_manager="suite",
        force=True,
        _content_type="application/apply-patch+yaml",
    )
    assert applied.data == {"y": "2", "z": "1"}
    assert ("suite", "Apply") in [(m.manager, m.operation) for m in applied.metadata.managed_fields]
    dry = core.patch_namespaced_config_map("c", namespace, {"data": {"y": "9"}}, dry_run="All")
    assert (dry.data["y"], core.read_namespaced_config_map("c", namespace).data["y"]) == ("9", "2")


def test_objects_have_the_parts_that_programs_reach_into(
    core: client.CoreV1Api, apps: client.AppsV1Api, namespace: str
) -> None:
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "app:1"}]}}
    made = core.create_namespaced_pod(namespace, pod)
    assert made.spec.containers[0].resources.limits is None
    assert made.status.phase == "Pending"
    service = core.create_namespaced_service(
        namespace, {"metadata": {"name": "s"}, "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]}}
    )
    assert service.status.load_balancer.ingress is None
    assert (service.spec.cluster_ips, service.spec.ip_families) == ([service.spec.cluster_ip], ["IPv4"])
    running = until(lambda: (p := core.read_namespaced_pod("p", namespace)).status.phase == "Running" and p)
    assert running.status.container_statuses[0].last_state.terminated is None
    node = core.read_node("n1")
    assert (node.status.node_info.operating_system, node.spec.unschedulable) == ("linux", None)


def test_status_and_scale(apps: client.AppsV1Api, namespace: str) -> None:
    apps.create_namespaced_deployment(namespace, deployment("web", 2))
    until(lambda: apps.read_namespaced_deployment_status("web", namespace).status.available_replicas == 2)
    scale = apps.read_namespaced_deployment_scale("web", namespace)
    assert (scale.kind, scale.spec.replicas, scale.status.selector) == ("Scale", 2, "app=web")
    scale.spec.replicas = 1
    assert apps.replace_namespaced_deployment_scale("web", namespace, scale).spec.replicas == 1
    assert apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 3}}).spec.replicas == 3
    until(lambda: apps.read_namespaced_deployment("web", namespace).status.available_replicas == 3)


def test_selectors_and_pages(core: client.CoreV1Api, namespace: str) -> None:
    for number in range(7):
        core.create_namespaced_config_map(namespace, config_map(f"c{number}", {"odd": str(number % 2), "set": "x"}))
    odd = core.list_namespaced_config_map(namespace, label_selector="odd=1")
    assert [item.metadata.name for item in odd.items] == ["c1", "c3", "c5"]
    one = core.list_namespaced_config_map(namespace, field_selector="metadata.name=c2")
    assert [item.metadata.name for item in one.items] == ["c2"]
    names, pages, token = [], 0, None
    while True:
        page = core.list_namespaced_config_map(namespace, label_selector="set=x", limit=3, _continue=token)
        names += [item.metadata.name for item in page.items]
        pages += 1
        if not (token := page.metadata._continue):
            break
    assert (names, pages) == ([f"c{number}" for number in range(7)], 3)
    deleted = core.delete_collection_namespaced_config_map(namespace, label_selector="odd=0")
    assert deleted.kind in ("Status", "ConfigMapList")
    left = core.list_namespaced_config_map(namespace, label_selector="set=x").items
    assert [item.metadata.name for item in left] == ["c1", "c3", "c5"]


def test_watches(core: client.CoreV1Api, namespace: str) -> None:
    first = core.create_namespaced_config_map(namespace, config_map("one", {"set": "x"}))

    def later() -> None:
        core.patch_namespaced_config_map("one", namespace, {"data": {"a": "b"}})
        core.delete_namespaced_config_map("one", namespace)

    thread = threading.Thread(target=later)
    thread.start()
    seen = []
    watcher = watch.Watch()
    stream = watcher.stream(
        core.list_namespaced_config_map,
        namespace,
        label_selector="set=x",
        resource_version=first.metadata.resource_version,
        timeout_seconds=60,
    )
    for event in stream:
        seen.append((event["type"], event["object"].metadata.name, event["object"].data))
        if event["type"] == "DELETED":
            watcher.stop()
    thread.join()
    assert seen == [("MODIFIED", "one", {"a": "b"}), ("DELETED", "one", {"a": "b"})]


def test_a_watch_that_times_out_goes_on(core: client.CoreV1Api, namespace: str) -> None:
    core.create_namespaced_config_map(namespace, config_map("one", {"set": "x"}))
    watcher = watch.Watch()
    seen = 0
    for _ in watcher.stream(core.list_namespaced_config_map, namespace, label_selector="set=x", timeout_seconds=1):
        seen += 1
    assert seen == 1
    assert watcher.resource_version


def test_the_dynamic_client(api: client.ApiClient, namespace: str) -> None:
    dyn = dynamic.DynamicClient(api)
    config_maps = dyn.resources.get(api_version="v1", kind="ConfigMap")
    deployments = dyn.resources.get(api_version="apps/v1", kind="Deployment")
    assert deployments.subresources["scale"] is not None
    made = config_maps.create(body=config_map("c", a="b"), namespace=namespace)
    assert made.data.a == "b"
    patched = config_maps.patch(
        name="c", namespace=namespace, body={"data": {"b": "c"}}, content_type="application/merge-patch+json"
    )
    assert patched.to_dict()["data"] == {"a": "b", "b": "c"}
    applied = config_maps.server_side_apply(
        namespace=namespace, body=config_map("c", a="z"), name="c", field_manager="dyn", force_conflicts=True
    )
    assert applied.data.a == "z"
    deployments.create(body=deployment("web", 1), namespace=namespace)
    assert deployments.scale.get(name="web", namespace=namespace).spec.replicas == 1
    listed = config_maps.get(namespace=namespace, field_selector="metadata.name=c")
    assert [item.metadata.name for item in listed.items] == ["c"]
    for event in config_maps.watch(namespace=namespace, name="c", timeout=60):
        assert (event["type"], event["object"].metadata.name) == ("ADDED", "c")
        break
    config_maps.delete(name="c", namespace=namespace)
    with pytest.raises(dynamic.exceptions.NotFoundError):
        config_maps.get(name="c", namespace=namespace)


def test_create_from_yaml(api: client.ApiClient, apps: client.AppsV1Api, namespace: str, tmp_path: Path) -> None:
    file = tmp_path / "all.yaml"
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}}
    file.write_text(yaml.safe_dump_all([deployment("web", 1), service]))
    made = utils.create_from_yaml(api, str(file), namespace=namespace)
    assert [item[0].kind for item in made] == ["Deployment", "Service"]
    with pytest.raises(utils.FailToCreateError, match="AlreadyExists"):
        utils.create_from_yaml(api, str(file), namespace=namespace)
    again = utils.create_from_yaml(api, str(file), namespace=namespace, apply=True)
    assert len(again) == 2


@pytest.mark.parametrize("kind", [ConfigMapLock, LeaseLock])
def test_leader_election(place: World, namespace: str, kind: Any) -> None:
    config.load_kube_config(str(place.kubeconfig))
    led: list[str] = []

    class Lock(kind):  # type: ignore[misc]
        """A lock that its owner can be made to lose."""

        lost = False

        def update(self, *arguments: Any) -> bool:
            return not self.lost and super().update(*arguments)

    def candidate(name: str) -> tuple[Any, threading.Thread]:
        lock = Lock("lock", namespace, name)
        elected = electionconfig.Config(
            lock,
            lease_duration=9,  # so long may a busy machine keep who leads from saying so
            renew_deadline=7,
            retry_period=1,
            onstarted_leading=lambda: led.append(name),
            onstopped_leading=lambda: None,
        )
        thread = threading.Thread(target=leaderelection.LeaderElection(elected).run)
        thread.start()
        return lock, thread

    first, thread_of_first = candidate("one")
    until(lambda: led == ["one"])
    second, thread_of_second = candidate("two")
    if kind is LeaseLock:
        leases = client.CoordinationV1Api()
        before = leases.read_namespaced_lease("lock", namespace).spec
        assert before.holder_identity == "one"
        until(lambda: leases.read_namespaced_lease("lock", namespace).spec.renew_time > before.renew_time)
    else:
        lock = client.CoreV1Api().read_namespaced_config_map("lock", namespace)
        assert '"holderIdentity": "one"' in lock.metadata.annotations["control-plane.alpha.kubernetes.io/leader"]
    assert led == ["one"]
    first.lost = True
    thread_of_first.join(60)
    until(lambda: led == ["one", "two"])
    second.lost = True
    thread_of_second.join(60)
    assert not thread_of_first.is_alive() and not thread_of_second.is_alive()


def test_what_the_server_says_about_itself(api: client.ApiClient) -> None:
    assert client.VersionApi(api).get_code().git_version.startswith("v1.36.")
    assert client.CoreApi(api).get_api_versions().versions == ["v1"]
    groups = {group.name: group.preferred_version.version for group in client.ApisApi(api).get_api_versions().groups}
    assert (groups["apps"], groups["autoscaling"]) == ("v1", "v2")
    assert client.AppsApi(api).get_api_group().versions[0].group_version == "apps/v1"
    resources = client.AppsV1Api(api).get_api_resources().resources
    assert {"deployments", "deployments/scale", "deployments/status"} <= {item.name for item in resources}


def test_tokens_reviews_and_evictions(
    place: World, api: client.ApiClient, core: client.CoreV1Api, namespace: str
) -> None:
    core.create_namespaced_service_account(namespace, {"metadata": {"name": "robot"}})
    asked = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=600))
    token = core.create_namespaced_service_account_token("robot", namespace, asked).status.token
    own = client.Configuration()
    own.host, own.ssl_ca_cert = f"https://{place.address}", str(place.directory / "ca.crt")
    own.api_key = {"authorization": f"Bearer {token}"}
    with client.ApiClient(own) as robot:
        said = client.AuthenticationV1Api(robot).create_self_subject_review({})
        assert said.status.user_info.username == f"system:serviceaccount:{namespace}:robot"
        with pytest.raises(ApiException) as refused:
            client.CoreV1Api(robot).list_namespaced_secret(namespace)
        assert refused.value.status == 403
    spec = {"resourceAttributes": {"verb": "get", "resource": "pods", "namespace": namespace}}
    review = client.AuthorizationV1Api(api).create_self_subject_access_review({"spec": spec})
    assert review.status.allowed
    pod = {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "c", "image": "app:1"}]}}
    core.create_namespaced_pod(namespace, pod)
    core.create_namespaced_pod_eviction("p", namespace, client.V1Eviction(metadata=client.V1ObjectMeta(name="p")))
    until(lambda: not core.list_namespaced_pod(namespace).items)


async def test_the_asyncio_twin(place: World, namespace: str) -> None:
    configuration = aio.client.Configuration()
    await aio.config.load_kube_config(str(place.kubeconfig), client_configuration=configuration)
    async with aio.client.ApiClient(configuration) as api:
        core = aio.client.CoreV1Api(api)
        made = await core.create_namespaced_config_map(namespace, config_map("c", a="b"))
        assert made.data == {"a": "b"}
        watcher = aio.watch.Watch()
        async for event in watcher.stream(core.list_namespaced_config_map, namespace, timeout_seconds=60):
            if event["object"].metadata.name == "c":
                assert event["type"] == "ADDED"
                break
        await watcher.close()
        patched = await core.patch_namespaced_config_map("c", namespace, {"data": {"b": "c"}})
        assert patched.data == {"a": "b", "b": "c"}
        await core.delete_namespaced_config_map("c", namespace)
