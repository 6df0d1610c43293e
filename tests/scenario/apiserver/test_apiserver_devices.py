"""What the server sets, keeps and takes out of devices, claims to them and what is stored by drivers."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from api import kinds
from client.errors import Invalid

MERGE = "application/merge-patch+json"
NS = "default"
POOL = {"name": "p", "generation": 1, "resourceSliceCount": 1}
DEVICE = {"driver": "d.example.com", "pool": "p", "device": "gpu0"}
WHY = "admin access to devices requires the `resource.kubernetes.io/admin-access: true` label"


@pytest.fixture
def ask(cluster):
    admin = cluster.server.client("admin", "system:masters")

    async def request(method: str, path: str, document: Any = None, media: str = "application/json") -> Any:
        body = b"" if document is None else msgspec.json.encode(document)
        return msgspec.json.decode(await admin.transport.request(method, path, {}, body, media))

    return request


async def make(ask, kind: kinds.Kind[Any], spec: Any, **meta: Any) -> Any:
    document = {"metadata": {"name": "x", **meta}, "spec": spec}
    return await ask("POST", kind.path(NS if kind.namespaced else ""), document)


def slice_of(**device: Any) -> dict[str, Any]:
    devices = [{"name": "gpu0", **device}]
    return {"driver": "d.example.com", "allNodes": True, "pool": POOL, "devices": devices}


async def test_taints_are_dated(ask):
    kind, taint = kinds.RESOURCE_SLICE, {"key": "a", "effect": "NoSchedule"}
    made = await make(ask, kind, slice_of(taints=[taint, {**taint, "timeAdded": "2020-01-01T00:00:00Z"}]))
    first, second = made["spec"]["devices"][0]["taints"]
    assert (first["timeAdded"], second["timeAdded"]) == (made["metadata"]["creationTimestamp"], "2020-01-01T00:00:00Z")
    made["spec"]["devices"][0]["taints"] = [taint]
    changed = await ask("PUT", kind.path(name="x"), made)
    assert changed["spec"]["devices"][0]["taints"][0]["timeAdded"] >= first["timeAdded"]


async def test_what_is_switched_off_is_taken_out(ask):
    device = {"attributes": {"a": {"int": 1, "ints": [2]}}, "nodeAllocatableResourceMappings": {"cpu": {}}}
    made = await make(ask, kinds.RESOURCE_SLICE, slice_of(**device))
    assert made["spec"]["devices"] == [{"name": "gpu0", "attributes": {"a": {"int": 1}}}]
    made["spec"]["devices"][0] |= device
    changed = await ask("PUT", kinds.RESOURCE_SLICE.path(name="x"), made)
    assert (changed["spec"]["devices"], changed["metadata"]["generation"]) == (
        [{"name": "gpu0", "attributes": {"a": {"int": 1}}}],
        1,
    )
    with pytest.raises(Invalid, match="exactly one value must be specified"):
        await make(ask, kinds.RESOURCE_SLICE, slice_of(attributes={"a": {"ints": [2]}}), name="y")
    made = await make(ask, kinds.CSI_DRIVER, {"preventPodSchedulingIfMissing": True})
    assert "preventPodSchedulingIfMissing" not in made["spec"]
    made["spec"]["preventPodSchedulingIfMissing"] = True
    changed = await ask("PUT", kinds.CSI_DRIVER.path(name="x"), made)
    assert "preventPodSchedulingIfMissing" not in changed["spec"]


async def test_sources_in_other_namespaces_are_taken_out(ask):
    kind = kinds.PERSISTENT_VOLUME_CLAIM
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    ref = {"apiGroup": "example.com", "kind": "Odd", "name": "o", "namespace": "other"}
    made = await make(ask, kind, spec | {"dataSourceRef": ref})
    assert not {"dataSource", "dataSourceRef"} & made["spec"].keys()


async def test_some_generations_are_as_clients_say(ask):
    assert (await make(ask, kinds.CSI_DRIVER, {}, generation=7))["metadata"]["generation"] == 7
    assert (await make(ask, kinds.CSI_NODE, {"drivers": []}, generation=7))["metadata"]["generation"] == 7
    assert (await make(ask, kinds.RESOURCE_SLICE, slice_of(), generation=7))["metadata"]["generation"] == 1
    changed = await ask("PATCH", kinds.CSI_DRIVER.path(name="x"), {"spec": {"podInfoOnMount": True}}, MERGE)
    assert changed["metadata"]["generation"] == 8


@pytest.mark.parametrize("kind", [kinds.RESOURCE_CLAIM, kinds.RESOURCE_CLAIM_TEMPLATE], ids=lambda kind: kind.plural)
async def test_devices_in_use_are_for_administrators(ask, kind):
    requests = [{"name": name, "exactly": {"deviceClassName": "c", "adminAccess": name == "b"}} for name in ("a", "b")]
    spec: dict[str, Any] = {"devices": {"requests": requests}}
    spec = spec if kind is kinds.RESOURCE_CLAIM else {"spec": spec}
    with pytest.raises(Invalid, match=r"spec\.devices\.requests\[1\]\.adminAccess: Forbidden: " + WHY):
        await make(ask, kind, spec)
    label = {"metadata": {"labels": {"resource.kubernetes.io/admin-access": "true"}}}
    await ask("PATCH", kinds.NAMESPACE.path(name=NS), label, MERGE)
    await make(ask, kind, spec)


async def test_nothing_is_told_of_devices_that_are_given_back(ask):
    kind, path = kinds.RESOURCE_CLAIM, kinds.RESOURCE_CLAIM.path(NS, "x", "status")
    spec = {"devices": {"requests": [{"name": "a", "exactly": {"deviceClassName": "c"}}]}}
    await make(ask, kind, spec)
    result = {**DEVICE, "request": "a"}
    with pytest.raises(Invalid, match=r"status\.allocation\.devices\.results\[0\]\.adminAccess: Forbidden: " + WHY):
        allocation = {"devices": {"results": [{**result, "adminAccess": True}]}}
        await ask("PATCH", path, {"status": {"allocation": allocation}}, MERGE)
    status = {"allocation": {"devices": {"results": [result]}}, "devices": [{**DEVICE, "conditions": []}]}
    made = await ask("PATCH", path, {"status": status}, MERGE)
    assert [device["device"] for device in made["status"]["devices"]] == ["gpu0"]
    made = await ask("PATCH", path, {"status": {"allocation": None}}, MERGE)
    assert made["status"] == {}
