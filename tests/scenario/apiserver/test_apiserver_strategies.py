"""What the server sets and keeps in objects by itself, kind by kind."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
import pytest

from api import kinds
from client.errors import Invalid
from tests.samples import GOOD

MERGE = "application/merge-patch+json"
NS = "default"


@pytest.fixture
def ask(cluster):
    admin = cluster.server.client("admin", "system:masters")

    async def request(method: str, path: str, document: Any = None, media: str = "application/json") -> Any:
        body = b"" if document is None else msgspec.json.encode(document)
        return msgspec.json.decode(await admin.transport.request(method, path, {}, body, media))

    return request


def sample(kind: kinds.Kind[Any], **spec: Any) -> Any:
    document = copy.deepcopy(GOOD[kind])
    document["metadata"].pop("resourceVersion", None)
    document["metadata"]["name"] = GOOD[kind]["metadata"]["name"]
    if spec:
        document["spec"] = document.get("spec", {}) | spec
    return document


def place(kind: kinds.Kind[Any], part: str = "") -> str:
    return kind.path(NS if kind.namespaced else "", GOOD[kind]["metadata"]["name"], part)


async def make(ask, kind: kinds.Kind[Any], **spec: Any) -> Any:
    return await ask("POST", kind.path(NS if kind.namespaced else ""), sample(kind, **spec))


async def test_since_when_a_volume_is_what_it_is(ask):
    kind = kinds.PERSISTENT_VOLUME
    made = await make(ask, kind)
    assert made["status"]["lastPhaseTransitionTime"] == made["metadata"]["creationTimestamp"]
    path = place(kind, "status")
    changed = await ask("PATCH", path, {"status": {"lastPhaseTransitionTime": "2020-01-01T00:00:00Z"}}, MERGE)
    assert changed["status"]["lastPhaseTransitionTime"] == "2020-01-01T00:00:00Z"
    changed = await ask("PATCH", path, {"status": {"phase": "Available"}}, MERGE)
    assert changed["status"]["lastPhaseTransitionTime"] > "2021"
    kept = await ask("PATCH", path, {"status": {"lastPhaseTransitionTime": None, "message": "x"}}, MERGE)
    assert kept["status"]["lastPhaseTransitionTime"] == changed["status"]["lastPhaseTransitionTime"]
    given = {"status": {"phase": "Bound", "lastPhaseTransitionTime": "2022-01-01T00:00:00Z"}}
    assert (await ask("PATCH", path, given, MERGE))["status"]["lastPhaseTransitionTime"] == "2022-01-01T00:00:00Z"


async def test_times_of_conditions_of_requests(ask):
    kind = kinds.CERTIFICATE_SIGNING_REQUEST
    await make(ask, kind)
    approval = {"status": {"conditions": [{"type": "Approved", "status": "True", "reason": "Me"}]}}
    approved = await ask("PATCH", place(kind, "approval"), approval, MERGE)
    (condition,) = approved["status"]["conditions"]
    assert condition["lastUpdateTime"] == condition["lastTransitionTime"] > "2020"
    old = {**condition, "lastTransitionTime": "2020-01-01T00:00:00Z"}
    await ask("PATCH", place(kind, "approval"), {"status": {"conditions": [old]}}, MERGE)
    again = await ask("PATCH", place(kind, "approval"), approval, MERGE)
    assert again["status"]["conditions"][0]["lastTransitionTime"] == "2020-01-01T00:00:00Z"
    failed = {"type": "Failed", "status": "True", "reason": "No"}
    told = await ask("PATCH", place(kind, "status"), {"status": {"conditions": [failed]}}, MERGE)
    assert [c["type"] for c in told["status"]["conditions"]] == ["Approved", "Failed"]
    assert told["status"]["conditions"][1]["lastUpdateTime"] > "2020"


async def test_both_names_of_a_claims_source(ask):
    kind = kinds.PERSISTENT_VOLUME_CLAIM
    other = {"kind": "PersistentVolumeClaim", "name": "other"}
    made = await make(ask, kind, dataSource=other)
    assert made["spec"]["dataSourceRef"] == made["spec"]["dataSource"] == other
    await ask("PATCH", place(kind), {"metadata": {"labels": {"a": "b"}}}, MERGE)
    await ask("DELETE", place(kind))
    made = await make(ask, kind, dataSourceRef=other)
    assert made["spec"]["dataSource"] == other
    await ask("DELETE", place(kind))
    made = await make(ask, kind, dataSource={"apiGroup": "example.com", "kind": "Odd", "name": "x"})
    assert "dataSource" not in made["spec"]
    assert "dataSourceRef" not in made["spec"]


async def test_templates_of_daemon_sets_are_counted(ask):
    kind = kinds.DAEMON_SET
    note = "deprecated.daemonset.template.generation"
    made = await make(ask, kind)
    assert made["metadata"]["annotations"] == {note: "1"}
    made = await ask("PATCH", place(kind), {"spec": {"minReadySeconds": 3}}, MERGE)
    assert (made["metadata"]["annotations"][note], made["metadata"]["generation"]) == ("1", 2)
    change = {
        "spec": {"template": {"spec": {"terminationGracePeriodSeconds": 3}}},
        "metadata": {"annotations": {note: "9"}},
    }
    made = await ask("PATCH", place(kind), change, MERGE)
    assert (made["metadata"]["annotations"][note], made["metadata"]["generation"]) == ("2", 3)


async def test_versions_of_definitions_are_remembered(ask):
    kind = kinds.CUSTOM_RESOURCE_DEFINITION
    made = await make(ask, kind)
    assert made["status"]["storedVersions"] == ["v1"]
    first = made["spec"]["versions"][0]
    second = {**first, "name": "v2", "storage": True}
    made["spec"]["versions"] = [{**first, "storage": False}, second]
    made = await ask("PUT", place(kind), made)
    assert made["status"]["storedVersions"] == ["v1", "v2"]
    made["spec"]["versions"] = [second]
    with pytest.raises(Invalid, match="v1 was previously a storage version"):
        await ask("PUT", place(kind), made)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (kinds.SERVICE_CIDR, {"conditions": []}),
        (kinds.VOLUME_ATTACHMENT, {"attached": True}),
        (kinds.FLOW_SCHEMA, {"conditions": []}),
        (kinds.RESOURCE_CLAIM, {}),
    ],
    ids=lambda value: getattr(value, "plural", ""),
)
async def test_some_statuses_leave_labels_alone(ask, kind, status):
    await make(ask, kind)
    changed = await ask("PATCH", place(kind, "status"), {"metadata": {"labels": {"x": "y"}}, "status": status}, MERGE)
    assert "x" not in changed["metadata"].get("labels", {})
    changed = await ask("PATCH", place(kind), {"metadata": {"labels": {"x": "y"}}}, MERGE)
    assert changed["metadata"]["labels"] == {"x": "y"}


async def test_a_zero_that_tells_nothing_is_no_change(ask):
    kind = kinds.DEPLOYMENT
    await make(ask, kind)
    made = await ask(
        "PATCH", place(kind), {"spec": {"paused": False, "template": {"spec": {"hostNetwork": False}}}}, MERGE
    )
    assert made["metadata"]["generation"] == 1
    made = await ask("PATCH", place(kind), {"spec": {"paused": True}}, MERGE)
    assert made["metadata"]["generation"] == 2


async def test_conditions_keep_the_generation_they_were_seen_at(ask):
    kind = kinds.POD
    await make(ask, kind)
    path = place(kind, "status")
    ready = {"type": "Ready", "status": "True", "observedGeneration": 1}
    await ask("PATCH", path, {"status": {"observedGeneration": 1, "conditions": [ready]}}, MERGE)
    again = {"status": {"observedGeneration": None, "conditions": [{"type": "Ready", "status": "False"}]}}
    made = await ask("PATCH", path, again, MERGE)
    assert made["status"]["observedGeneration"] == 1
    assert made["status"]["conditions"] == [{"type": "Ready", "status": "False", "observedGeneration": 1}]


@pytest.mark.parametrize("part", ["", "status"])
async def test_no_update_says_that_an_object_is_being_deleted(ask, part):
    kind, then = kinds.PERSISTENT_VOLUME, {"deletionTimestamp": "2020-01-01T00:00:00Z"}
    made = await make(ask, kind)
    for meta in (then, {"deletionGracePeriodSeconds": 3}):
        with pytest.raises(Invalid, match="field is immutable"):
            await ask("PUT", place(kind, part), {**made, "metadata": made["metadata"] | meta})
    changed = await ask("PATCH", place(kind), {"metadata": {"finalizers": ["example.com/hold"]}}, MERGE)
    gone = await ask("DELETE", place(kind))
    kept = await ask("PUT", place(kind, part), {**changed, "metadata": changed["metadata"] | {"resourceVersion": ""}})
    assert kept["metadata"]["deletionTimestamp"] == gone["metadata"]["deletionTimestamp"] > "2021"


async def test_some_statuses_do_not_even_look_at_it(ask):
    kind = kinds.VOLUME_ATTACHMENT
    made = await make(ask, kind)
    asked = {**made, "metadata": made["metadata"] | {"deletionTimestamp": "2020-01-01T00:00:00Z"}}
    assert "deletionTimestamp" not in (await ask("PUT", place(kind, "status"), asked))["metadata"]
