"""What every door to an API server promises: verbs, errors, selectors, patches, ways of deletion."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api import codec, kinds
from api.core_v1 import Binding, ConfigMap, Container, Event, Node, ObjectReference, Pod, PodSpec
from api.meta_v1 import ObjectMeta
from client import Client, errors
from client.transport import JSON

NS = "default"


def a_pod(name: str = "web", node: str | None = None, **meta: Any) -> Pod:
    spec = PodSpec(containers=[Container(name="c", image="demo:1")], node_name=node)
    return Pod(metadata=ObjectMeta(name=name, namespace=NS, **meta), spec=spec)


def a_map(name: str = "settings", namespace: str = NS, **meta: Any) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace=namespace, **meta), data={"a": "1"})


async def test_create_and_get(client: Client) -> None:
    made = await client.create(kinds.POD, a_pod(labels={"app": "web"}, annotations={"note": "ü\n"}))
    meta = made.metadata
    assert meta.uid and len(meta.uid) == 36 and meta.creation_timestamp and meta.creation_timestamp.endswith("Z")
    assert int(meta.resource_version or "") > 0 and meta.generation == 1
    assert made.status.phase == "Pending" and made.spec.restart_policy == "Always"
    assert await client.get(kinds.POD, "web", NS) == made
    assert made.metadata.annotations == {"note": "ü\n"}


async def test_cluster_scoped(client: Client) -> None:
    node = await client.create(kinds.NODE, Node(metadata=ObjectMeta(name="n1")))
    assert node.metadata.namespace is None
    assert [item.metadata.name for item in await client.list(kinds.NODE)] == ["n1"]


async def test_what_only_the_server_sets_is_not_taken_from_the_client(client: Client) -> None:
    wanted = a_map(
        uid="mine", creation_timestamp="2001-01-01T00:00:00Z", deletion_timestamp="2001-01-01T00:00:00Z", generation=7
    )
    made = (await client.create(kinds.CONFIG_MAP, wanted)).metadata
    assert made.uid != "mine" and made.creation_timestamp != "2001-01-01T00:00:00Z"
    assert made.deletion_timestamp is None and made.generation == 7  # which nobody counts for such a kind


async def test_create_refusals(client: Client) -> None:
    await client.create(kinds.POD, a_pod())
    with pytest.raises(errors.AlreadyExists) as exists:
        await client.create(kinds.POD, a_pod())
    assert (exists.value.code, exists.value.reason, str(exists.value)) == (
        409,
        "AlreadyExists",
        'pods "web" already exists',
    )
    assert exists.value.status.details and (exists.value.status.details.name, exists.value.status.details.kind) == (
        "web",
        "pods",
    )
    with pytest.raises(errors.BadRequest):
        await client.create(kinds.CONFIG_MAP, a_map(name="x", resource_version="5"))
    with pytest.raises(errors.BadRequest):  # the body says another namespace than the path
        await client.create_raw(kinds.CONFIG_MAP, codec.encode(a_map(namespace="elsewhere")), NS)
    with pytest.raises(errors.BadRequest):  # the body is of another kind
        await client.create_raw(kinds.CONFIG_MAP, codec.encode(a_pod()), NS)
    with pytest.raises(errors.BadRequest):
        await client.create_raw(kinds.CONFIG_MAP, b"{nonsense", NS)


@pytest.mark.parametrize("name", ["Upper", "a_b", "-a", "a" * 254, ""])
async def test_invalid_names(client: Client, name: str) -> None:
    with pytest.raises(errors.Invalid) as refused:
        await client.create(kinds.CONFIG_MAP, a_map(name=name))
    assert refused.value.code == 422 and "metadata.name" in str(refused.value)
    assert refused.value.status.details and refused.value.status.details.causes[0].field == "metadata.name"


async def test_an_invalid_object_names_its_fields(client: Client) -> None:
    pod = a_pod()
    pod.spec.containers[0].name = ""
    with pytest.raises(errors.Invalid) as refused:
        await client.create(kinds.POD, pod)
    details = refused.value.status.details
    assert details is not None and "spec.containers[0].name" in [cause.field for cause in details.causes]


async def test_generate_name(client: Client) -> None:
    made = {
        (
            await client.create(kinds.CONFIG_MAP, ConfigMap(metadata=ObjectMeta(generate_name="x-", namespace=NS)))
        ).metadata.name
        or ""
        for _ in range(5)
    }
    assert len(made) == 5 and all(name.startswith("x-") and len(name) == 7 for name in made)


async def test_not_found(client: Client) -> None:
    for attempt in (
        client.get(kinds.POD, "none", NS),
        client.update(kinds.POD, a_pod("none")),
        client.patch(kinds.POD, "none", {}, NS, type="merge"),
        client.delete(kinds.POD, "none", NS),
    ):
        with pytest.raises(errors.NotFound, match='pods "none" not found') as missing:
            await attempt
        assert missing.value.code == 404
    with pytest.raises(errors.NotFound):
        await client.transport.request("GET", "/apis/nope/v1/things", {})


async def test_update_wants_the_revision_that_was_read(client: Client) -> None:
    first = await client.create(kinds.CONFIG_MAP, a_map())
    first.data["a"] = "2"
    second = await client.update(kinds.CONFIG_MAP, first)
    assert second.metadata.resource_version != first.metadata.resource_version and second.data == {"a": "2"}
    assert second.metadata.uid == first.metadata.uid
    with pytest.raises(
        errors.Conflict, match=r'Operation cannot be fulfilled on configmaps "settings": the object has been modified'
    ):
        await client.update(kinds.CONFIG_MAP, first)
    first.metadata.resource_version = None
    first.data["a"] = "3"
    assert (await client.update(kinds.CONFIG_MAP, first)).data == {"a": "3"}
    first.metadata.uid = "11111111-1111-4111-8111-111111111111"
    with pytest.raises(errors.Conflict, match="UID in precondition"):
        await client.update(kinds.CONFIG_MAP, first)


async def test_a_write_that_changes_nothing_writes_nothing(client: Client) -> None:
    made = await client.create(kinds.POD, a_pod())
    assert (await client.update(kinds.POD, made)).metadata.resource_version == made.metadata.resource_version
    same = await client.patch(kinds.POD, "web", {"metadata": {"labels": None}}, NS, type="merge")
    assert same.metadata.resource_version == made.metadata.resource_version


async def test_status_and_spec_have_their_own_doors(client: Client) -> None:
    pod = await client.create(kinds.POD, a_pod())
    pod.status.phase = "Running"
    pod.metadata.labels = {"through": "object"}
    by_object = await client.update(kinds.POD, pod)
    assert by_object.status.phase == "Pending" and by_object.metadata.labels == {"through": "object"}
    by_object.status.phase = "Running"
    by_object.spec.containers[0].image = "other:1"
    by_object.metadata.annotations = {"noted": "through status"}
    by_status = await client.update(kinds.POD, by_object, subresource="status")
    assert by_status.status.phase == "Running" and by_status.spec.containers[0].image == "demo:1"
    assert by_status.metadata.annotations == {"noted": "through status"}
    assert by_status.metadata.generation == 1
    patched = await client.patch(
        kinds.POD,
        "web",
        {"status": {"podIP": "10.0.0.1"}, "spec": {"nodeName": "x"}},
        NS,
        type="merge",
        subresource="status",
    )
    assert (patched.status.pod_ip, patched.status.phase, patched.spec.node_name) == ("10.0.0.1", "Running", None)


async def test_generation_counts_changes_of_the_spec(client: Client) -> None:
    pod = await client.create(kinds.POD, a_pod())
    pod.metadata.labels = {"a": "b"}
    pod = await client.update(kinds.POD, pod)
    assert pod.metadata.generation == 1
    pod.spec.containers[0].image = "other:1"
    assert (await client.update(kinds.POD, pod)).metadata.generation == 2


async def test_patches(client: Client) -> None:
    await client.create(kinds.POD, a_pod(labels={"a": "1", "b": "2"}))
    merged = await client.patch(kinds.POD, "web", {"metadata": {"labels": {"a": None, "c": "3"}}}, NS, type="merge")
    assert merged.metadata.labels == {"b": "2", "c": "3"}
    strategic = {"spec": {"containers": [{"name": "c", "image": "new:2"}]}}
    assert (await client.patch(kinds.POD, "web", strategic, NS)).spec.containers[0].image == "new:2"
    steps = [
        {"op": "test", "path": "/metadata/labels/b", "value": "2"},
        {"op": "replace", "path": "/metadata/labels/b", "value": "x"},
    ]
    assert (await client.patch(kinds.POD, "web", steps, NS, type="json")).metadata.labels == {"b": "x", "c": "3"}
    with pytest.raises(errors.Invalid):  # the test no longer holds
        await client.patch(kinds.POD, "web", steps, NS, type="json")
    with pytest.raises(errors.BadRequest):
        await client.patch_raw(kinds.POD, "web", b"{nonsense", NS, type="merge")
    with pytest.raises(errors.ApiError) as unknown:
        await client.transport.request("PATCH", kinds.POD.path(NS, "web"), {}, b"{}", "text/plain")
    assert unknown.value.code == 415


async def test_a_patch_with_a_revision_is_conditional(client: Client) -> None:
    made = await client.create(kinds.CONFIG_MAP, a_map())
    revision = made.metadata.resource_version
    await client.patch(kinds.CONFIG_MAP, "settings", {"data": {"a": "2"}}, NS, type="merge")
    with pytest.raises(errors.Conflict):
        change = {"metadata": {"resourceVersion": revision}, "data": {"a": "3"}}
        await client.patch(kinds.CONFIG_MAP, "settings", change, NS, type="merge")


async def test_list_and_selectors(client: Client) -> None:
    await client.create(kinds.POD, a_pod("b", labels={"app": "web", "tier": "front"}))
    await client.create(kinds.POD, a_pod("a", node="n1", labels={"app": "web"}))
    await client.create(kinds.POD, a_pod("c", labels={"app": "db"}))

    async def names(**selectors: str) -> list[str | None]:
        return [pod.metadata.name for pod in await client.list(kinds.POD, NS, **selectors)]

    assert await names() == ["a", "b", "c"] and await client.list(kinds.POD, "kube-system") == []
    assert await names(labels="app=web") == ["a", "b"] and await names(labels="app in (db),!tier") == ["c"]
    assert await names(labels="tier") == ["b"] and await names(labels="app!=web") == ["c"]
    assert await names(fields="spec.nodeName=n1") == ["a"] and await names(fields="spec.nodeName=") == ["b", "c"]
    assert await names(fields="metadata.name!=a,status.phase=Pending", labels="app=web") == ["b"]
    assert len(await client.list(kinds.POD)) == 3
    with pytest.raises(errors.BadRequest, match=r"field label not supported: spec\.nope"):
        await names(fields="spec.nope=1")
    with pytest.raises(errors.BadRequest):
        await names(labels="a in b")


async def test_raw_lists_hold_complete_objects(client: Client) -> None:
    made = await client.create(kinds.POD, a_pod())
    listing = await client.list_raw(kinds.POD, NS)
    (item,) = listing.items
    said = json.loads(item)
    assert (said["kind"], said["apiVersion"]) == ("Pod", "v1") and codec.decode(kinds.POD, item) == made
    assert int(listing.revision) >= int(made.metadata.resource_version or "")
    got = json.loads(await client.transport.request("GET", kinds.POD.path(NS), {}))
    assert (got["kind"], got["metadata"]["resourceVersion"], len(got["items"])) == ("PodList", listing.revision, 1)


async def test_delete_at_once(client: Client) -> None:
    made = await client.create(kinds.CONFIG_MAP, a_map())
    with pytest.raises(errors.Conflict, match="UID in precondition"):
        await client.delete(kinds.CONFIG_MAP, "settings", NS, uid="11111111-1111-4111-8111-111111111111")
    await client.delete(kinds.CONFIG_MAP, "settings", NS, uid=made.metadata.uid or "")
    with pytest.raises(errors.NotFound):
        await client.get(kinds.CONFIG_MAP, "settings", NS)


async def test_finalizers_hold_an_object(client: Client) -> None:
    await client.create(kinds.CONFIG_MAP, a_map(finalizers=["example.com/hold"]))
    await client.delete(kinds.CONFIG_MAP, "settings", NS)
    held = await client.get(kinds.CONFIG_MAP, "settings", NS)
    assert held.metadata.deletion_timestamp and held.metadata.deletion_grace_period_seconds == 0
    await client.delete(kinds.CONFIG_MAP, "settings", NS)  # again is harmless
    held = await client.get(kinds.CONFIG_MAP, "settings", NS)
    held.metadata.finalizers = []
    await client.update(kinds.CONFIG_MAP, held)
    with pytest.raises(errors.NotFound):
        await client.get(kinds.CONFIG_MAP, "settings", NS)


async def test_a_pod_on_a_node_is_deleted_with_grace(client: Client) -> None:
    await client.create(kinds.POD, a_pod(node="n1"))
    await client.delete(kinds.POD, "web", NS)
    meta = (await client.get(kinds.POD, "web", NS)).metadata
    assert meta.deletion_grace_period_seconds == 30 and meta.deletion_timestamp and meta.generation == 2
    await client.delete(kinds.POD, "web", NS, grace=5)  # shorter is possible ...
    shorter = (await client.get(kinds.POD, "web", NS)).metadata
    assert shorter.deletion_grace_period_seconds == 5
    await client.delete(kinds.POD, "web", NS, grace=60)  # ... longer is not
    assert (await client.get(kinds.POD, "web", NS)).metadata.deletion_grace_period_seconds == 5
    await client.delete(kinds.POD, "web", NS, grace=0)
    with pytest.raises(errors.NotFound):
        await client.get(kinds.POD, "web", NS)


@pytest.mark.parametrize("phase", ["unscheduled", "Succeeded", "Failed"])
async def test_a_pod_that_does_not_run_is_deleted_at_once(client: Client, phase: str) -> None:
    pod = await client.create(kinds.POD, a_pod(node=None if phase == "unscheduled" else "n1"))
    if phase != "unscheduled":
        pod.status.phase = phase
        await client.update(kinds.POD, pod, subresource="status")
    await client.delete(kinds.POD, "web", NS)
    with pytest.raises(errors.NotFound):
        await client.get(kinds.POD, "web", NS)


async def test_delete_collection(client: Client) -> None:
    for name, app in (("a", "x"), ("b", "x"), ("c", "y")):
        await client.create(kinds.CONFIG_MAP, a_map(name, labels={"app": app}))
    await client.transport.request("DELETE", kinds.CONFIG_MAP.path(NS), {"labelSelector": "app=x"}, b"", JSON)
    assert [item.metadata.name for item in await client.list(kinds.CONFIG_MAP, NS, labels="app")] == ["c"]


async def test_binding(client: Client) -> None:
    await client.create(kinds.POD, a_pod())
    binding = codec.encode(
        Binding(metadata=ObjectMeta(name="web", namespace=NS), target=ObjectReference(kind="Node", name="n1"))
    )
    await client.create_raw(kinds.POD, binding, NS, name="web", subresource="binding")
    pod = await client.get(kinds.POD, "web", NS)
    assert pod.spec.node_name == "n1"
    assert [(item.type, item.status) for item in pod.status.conditions] == [("PodScheduled", "True")]
    with pytest.raises(errors.Conflict, match="already assigned to node"):
        await client.create_raw(kinds.POD, binding, NS, name="web", subresource="binding")


async def test_unknown_fields_are_pruned_and_nulls_are_absence(client: Client) -> None:
    body = b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"x","namespace":"default","labels":null},"data":{"a":"1"},"bogus":1}'
    stored = json.loads(await client.create_raw(kinds.CONFIG_MAP, body, NS))
    assert "bogus" not in stored and "labels" not in stored["metadata"] and stored["data"] == {"a": "1"}


async def test_large_objects(client: Client) -> None:
    data = {f"k{i}": "x" * 100_000 for i in range(8)}
    made = await client.create(kinds.CONFIG_MAP, ConfigMap(metadata=ObjectMeta(name="large", namespace=NS), data=data))
    assert made.data == data and (await client.get(kinds.CONFIG_MAP, "large", NS)).data == data


async def test_events_can_be_selected_by_what_they_are_about(client: Client) -> None:
    about = ObjectReference(kind="Pod", namespace=NS, name="web", uid="u")
    event = Event(
        metadata=ObjectMeta(name="web.1", namespace=NS), involved_object=about, reason="Pulled", type="Normal"
    )
    await client.create(kinds.EVENT, event)
    assert len(await client.list(kinds.EVENT, NS, fields="involvedObject.name=web,involvedObject.kind=Pod")) == 1
    assert await client.list(kinds.EVENT, NS, fields="involvedObject.name=db") == []
