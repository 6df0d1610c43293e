"""lightkube, unchanged: typed calls, apply, watches, waits, pages, and its asyncio client."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from lightkube import ApiError, AsyncClient, Client, KubeConfig, codecs
from lightkube.models.autoscaling_v1 import ScaleSpec
from lightkube.models.core_v1 import Container, PodSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.operators import exists, in_, not_in
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Namespace, Node, Pod, Secret
from lightkube.types import CascadeType, PatchType

from tests.scenario.clients.manifests import config_map, deployment
from tests.scenario.kubectl.world import World


@pytest.fixture
def client(place: World, namespace: str) -> Iterator[Client]:
    settings = KubeConfig.from_file(str(place.kubeconfig)).get()
    with Client(settings, namespace=namespace, field_manager="suite") as made:
        yield made


def a_config_map(name: str, labels: dict[str, str] | None = None, **data: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, labels=labels), data=data)


def test_life_of_an_object(client: Client) -> None:
    made = client.create(a_config_map("c", a="b"))
    assert made.metadata is not None and made.metadata.uid
    made.data = {"a": "c"}
    assert client.replace(made).data == {"a": "c"}
    with pytest.raises(ApiError) as refused:
        client.replace(made)
    assert (refused.value.status.code, refused.value.status.reason) == (409, "Conflict")
    with pytest.raises(ApiError, match='configmaps "c" already exists'):
        client.create(a_config_map("c"))
    assert client.get(ConfigMap, "c").data == {"a": "c"}
    client.delete(ConfigMap, "c")
    with pytest.raises(ApiError, match='configmaps "c" not found'):
        client.get(ConfigMap, "c")


def test_patches_and_apply(client: Client) -> None:
    client.create(a_config_map("c", a="b"))
    assert client.patch(ConfigMap, "c", {"data": {"b": "c"}}).data == {"a": "b", "b": "c"}
    assert client.patch(ConfigMap, "c", {"data": {"a": None}}, patch_type=PatchType.MERGE).data == {"b": "c"}
    operations = [{"op": "add", "path": "/data/z", "value": "1"}]
    assert client.patch(ConfigMap, "c", operations, patch_type=PatchType.JSON).data == {"b": "c", "z": "1"}
    with pytest.raises(ApiError, match="conflict"):
        client.apply(a_config_map("c", z="2"), field_manager="other")
    assert client.apply(a_config_map("c", z="2"), field_manager="other", force=True).data == {"b": "c", "z": "2"}
    assert client.apply(a_config_map("new", a="b"), dry_run=True).data == {"a": "b"}
    with pytest.raises(ApiError, match="not found"):
        client.get(ConfigMap, "new")


def test_lists(client: Client) -> None:
    for number in range(6):
        client.create(a_config_map(f"c{number}", {"odd": str(number % 2), "set": "x"}))
    names = [item.metadata.name for item in client.list(ConfigMap, labels={"set": "x"}, chunk_size=2)]
    assert names == [f"c{number}" for number in range(6)]
    odd = client.list(ConfigMap, labels={"set": exists(), "odd": in_(["1", "2"])})
    assert [item.metadata.name for item in odd] == ["c1", "c3", "c5"]
    even = client.list(ConfigMap, labels={"set": "x", "odd": not_in(["1"])})
    assert [item.metadata.name for item in even] == ["c0", "c2", "c4"]
    one = client.list(ConfigMap, fields={"metadata.name": "c3"})
    assert [item.metadata.name for item in one] == ["c3"]
    client.deletecollection(ConfigMap)
    assert [item.metadata.name for item in client.list(ConfigMap, labels={"set": "x"})] == []
    assert [node.metadata.name for node in client.list(Node)] == ["n1"]
    assert {"default", "kube-system"} <= {item.metadata.name for item in client.list(Namespace)}


def test_watches(client: Client) -> None:
    listed = client.list(ConfigMap, labels={"set": "x"})
    assert list(listed) == []
    client.create(a_config_map("c", {"set": "x"}))
    client.patch(ConfigMap, "c", {"data": {"a": "b"}})
    client.patch(ConfigMap, "c", {"metadata": {"labels": {"set": "y"}}})
    seen = []
    for kind, item in client.watch(
        ConfigMap, labels={"set": "x"}, resource_version=listed.resourceVersion, server_timeout=60
    ):
        seen.append((kind, item.data))
        if kind == "DELETED":  # it went out of the selection
            break
    assert seen == [("ADDED", None), ("MODIFIED", {"a": "b"}), ("DELETED", {"a": "b"})]


def test_waits_and_subresources(client: Client) -> None:
    client.create(codecs.from_dict(deployment("web", 2)))
    done = client.wait(Deployment, "web", for_conditions=["Available"])
    assert done.status is not None and done.status.observedGeneration == 1
    scaled = client.replace(Deployment.Scale(metadata=ObjectMeta(name="web"), spec=ScaleSpec(replicas=1)), "web")
    assert scaled.spec is not None and scaled.spec.replicas == 1
    assert client.get(Deployment.Scale, "web").status.selector == "app=web"
    pod = client.create(
        Pod(metadata=ObjectMeta(generateName="p-"), spec=PodSpec(containers=[Container(name="c", image="app:1")]))
    )
    running = client.wait(Pod, pod.metadata.name, for_conditions=["Ready"])
    assert running.status.podIP
    client.delete(Deployment, "web", cascade=CascadeType.FOREGROUND)
    client.delete(Pod, pod.metadata.name, grace_period=0)
    while [item.metadata.name for item in client.list(Pod, labels={"app": "web"})]:
        time.sleep(0.05)


def test_secrets_are_read_back(client: Client) -> None:
    made = client.create(Secret(metadata=ObjectMeta(name="s"), stringData={"a": "hello"}))
    assert (made.type, made.data, made.stringData) == ("Opaque", {"a": "aGVsbG8="}, None)


async def test_the_asynchronous_client(place: World, namespace: str) -> None:
    settings = KubeConfig.from_file(str(place.kubeconfig)).get()
    async with AsyncClient(settings, namespace=namespace, field_manager="suite") as client:
        await client.create(codecs.from_dict(config_map("c", {"set": "x"}, a="b")))
        async for kind, item in client.watch(ConfigMap, labels={"set": "x"}, server_timeout=60):
            assert (kind, item.metadata.name) == ("ADDED", "c")
            break
        await client.apply(codecs.from_dict(deployment("web", 1)))
        done = await client.wait(Deployment, "web", for_conditions=["Available"])
        assert done.status.availableReplicas == 1
        assert [item.metadata.name async for item in client.list(ConfigMap, labels={"set": "x"})] == ["c"]
        await client.delete(ConfigMap, "c")
        with pytest.raises(ApiError, match="not found"):
            await client.get(ConfigMap, "c")
