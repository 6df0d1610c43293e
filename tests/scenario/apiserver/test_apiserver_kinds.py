"""Every kind there is, through the whole life of one object: what must hold for all of them, so that none is forgotten."""

import json
from typing import Any

import msgspec
import pytest

from api import codec, kinds, zeros
from api.fields import fields_of
from client.errors import AlreadyExists, NotFound
from controlplane.apiserver import tables
from tests.samples import GOOD
from tests.unit.api import protobuf_writer as writer

PROTOBUF = "application/vnd.kubernetes.protobuf"
DRY = {"dryRun": "All"}
CONDITION = {
    "type": "Good",
    "status": "True",
    "reason": "Why",
    "message": "so",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}


def sample(kind: kinds.Kind[Any]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(GOOD[kind]))
    del document["metadata"]["resourceVersion"]
    return {"apiVersion": kind.api_version, "kind": kind.name, **document}


def place(kind: kinds.Kind[Any]) -> tuple[str, str]:
    return GOOD[kind]["metadata"]["name"], "default" if kind.namespaced else ""


@pytest.fixture
def admin(cluster):
    return cluster.server.client("admin", "system:masters")


async def answer(admin, method: str, path: str, query: dict[str, str], document: Any, media: str = "application/json"):
    body = document if isinstance(document, bytes) else msgspec.json.encode(document)
    return msgspec.json.decode(await admin.transport.request(method, path, query, body, media))


@pytest.mark.parametrize("kind", kinds.ALL, ids=lambda kind: kind.resource)
async def test_a_life(admin, kind):
    name, namespace = place(kind)
    if kind is kinds.NAMESPACE:
        name = "y"  # what is in a namespace's way stands elsewhere
    document = sample(kind)
    document["metadata"]["name"] = name
    collection, path = kind.path(namespace), kind.path(namespace, name)

    tried = await answer(admin, "POST", collection, DRY, document)
    assert tried["metadata"]["uid"]
    with pytest.raises(NotFound):
        await admin.get(kind, name, namespace)

    created = await answer(admin, "POST", collection, {}, document)
    assert (created["apiVersion"], created["kind"], created["metadata"]["name"]) == (kind.api_version, kind.name, name)
    got = msgspec.json.decode(await admin.get_raw(kind, name, namespace))
    assert got == created
    listing = await admin.list_raw(kind, namespace, fields=f"metadata.name={name}")
    assert [msgspec.json.decode(item) for item in listing.items] == [created]
    table = msgspec.json.decode(tables.render(kind, listing.items, 2e9))
    assert len(table["rows"][0]["cells"]) == len(table["columnDefinitions"])

    labelled = await answer(
        admin, "PATCH", path, {}, {"metadata": {"labels": {"l": "m"}}}, "application/merge-patch+json"
    )
    assert labelled["metadata"]["labels"]["l"] == "m"
    same = {**labelled, "metadata": {**labelled["metadata"]}}
    replaced = await answer(admin, "PUT", path, {}, same)
    assert replaced == labelled, "a write that changes nothing changes nothing"
    if "status" in kind.subresources:
        await _through_status(admin, kind, path, labelled)

    at_once = {"gracePeriodSeconds": 0} if kind is kinds.POD else {"propagationPolicy": "Background"}
    await answer(admin, "DELETE", path, {}, at_once)
    if kind is not kinds.NAMESPACE:  # its finalizer is the namespace controller's
        with pytest.raises(NotFound):
            await admin.get(kind, name, namespace)


async def _through_status(admin, kind, path: str, before: dict[str, Any]) -> None:
    """A write to the status changes nothing else, a write to the object does not change the status."""
    conditions = fields_of(fields_of(kind.type)["status"].item).get("conditions")
    change = {"metadata": {"annotations": {"by": "status"}}, "spec": {"nonsense": True}, "status": {}}
    if conditions is not None and kind.name != "CertificateSigningRequest":
        change["status"] = {"conditions": [{k: v for k, v in CONDITION.items() if k in fields_of(conditions.struct)}]}
    after = await answer(admin, "PATCH", f"{path}/status", {}, change, "application/merge-patch+json")
    assert after.get("spec") == before.get("spec")
    assert after["metadata"].get("generation") == before["metadata"].get("generation")
    if change["status"]:
        assert [c["type"] for c in after["status"]["conditions"]] == ["Good"]
    again = await answer(admin, "PATCH", path, {}, {"status": {"conditions": []}}, "application/merge-patch+json")
    assert again.get("status") == after.get("status")


@pytest.mark.parametrize("kind", kinds.ALL, ids=lambda kind: kind.resource)
async def test_protobuf_bodies(admin, kind):
    _, namespace = place(kind)
    document = sample(kind)
    obj = zeros.without_zeros(codec.from_dict(kind, document))
    plain = await answer(admin, "POST", kind.path(namespace), DRY, document)
    packed = await answer(admin, "POST", kind.path(namespace), DRY, writer.body(obj), PROTOBUF)
    for made in (plain, packed):
        for field in ("uid", "creationTimestamp"):
            del made["metadata"][field]
    if kind is kinds.SERVICE:  # each gets another address
        for made in (plain, packed):
            del made["spec"]["clusterIP"], made["spec"]["clusterIPs"]
    assert packed == plain


@pytest.mark.parametrize("kind", kinds.ALL, ids=lambda kind: kind.resource)
async def test_generation(admin, kind):
    name, namespace = place(kind)
    if kind is kinds.NAMESPACE:
        return
    created = await answer(admin, "POST", kind.path(namespace), {}, sample(kind))
    generation = created["metadata"].get("generation")
    labelled = await answer(
        admin,
        "PATCH",
        kind.path(namespace, name),
        {},
        {"metadata": {"annotations": {"a": "b"}}},
        "application/merge-patch+json",
    )
    expected = 2 if kind is kinds.DEPLOYMENT else generation  # its annotations go on to replica sets
    assert labelled["metadata"].get("generation") == expected


async def test_a_job_selects_its_pods_by_its_uid(admin):
    document = sample(kinds.JOB)
    del document["spec"]["selector"], document["spec"]["manualSelector"]
    job = await answer(admin, "POST", kinds.JOB.path("default"), {}, document)
    uid, name = job["metadata"]["uid"], job["metadata"]["name"]
    assert job["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    assert job["spec"]["template"]["metadata"]["labels"] == {
        "a": "b",
        "controller-uid": uid,
        "batch.kubernetes.io/controller-uid": uid,
        "job-name": name,
        "batch.kubernetes.io/job-name": name,
    }


async def test_a_name_whose_holder_is_on_its_way_out(admin):
    document = sample(kinds.CONFIG_MAP)
    document["metadata"]["finalizers"] = ["a.b/c"]
    path = kinds.CONFIG_MAP.path("default")
    name = (await answer(admin, "POST", path, {}, document))["metadata"]["name"]
    with pytest.raises(AlreadyExists, match=f'^configmaps "{name}" already exists'):
        await answer(admin, "POST", path, {}, document)
    await admin.delete(kinds.CONFIG_MAP, name, "default")
    with pytest.raises(AlreadyExists, match=f'^object is being deleted: configmaps "{name}" already exists'):
        await answer(admin, "POST", path, {}, document)


@pytest.mark.parametrize("kind", [kinds.STATEFUL_SET, kinds.REPLICATION_CONTROLLER], ids=lambda kind: kind.name)
async def test_scale(admin, kind):
    await answer(admin, "POST", kind.path("default"), {}, sample(kind))
    path = kind.path("default", "x", "scale")
    scale = await answer(admin, "PATCH", path, {}, {"spec": {"replicas": 3}}, "application/merge-patch+json")
    assert (scale["kind"], scale["spec"], scale["status"]["selector"]) == ("Scale", {"replicas": 3}, "a=b")
    assert (await admin.get(kind, "x", "default")).spec.replicas == 3


async def test_decisions_about_certificates(admin):
    kind = kinds.CERTIFICATE_SIGNING_REQUEST
    await answer(admin, "POST", kind.path(), {}, sample(kind))
    approved = {"type": "Approved", "status": "True", "reason": "Why"}
    merge = "application/merge-patch+json"
    change = {"status": {"conditions": [approved]}, "spec": {"signerName": "example.com/other"}}
    for path in (kind.path(name="x"), kind.path(name="x", subresource="status")):
        assert "conditions" not in (await answer(admin, "PATCH", path, {}, change, merge))["status"]
    decided = await answer(admin, "PATCH", kind.path(name="x", subresource="approval"), {}, change, merge)
    approved |= dict.fromkeys(
        ("lastUpdateTime", "lastTransitionTime"), decided["status"]["conditions"][0]["lastUpdateTime"]
    )
    assert (decided["status"]["conditions"], decided["spec"]["signerName"]) == ([approved], "example.com/signer")
    signed = {"status": {"certificate": "YQ==", "conditions": []}}
    issued = await answer(admin, "PATCH", kind.path(name="x", subresource="status"), {}, signed, merge)
    assert issued["status"] == {"conditions": [approved], "certificate": "YQ=="}
