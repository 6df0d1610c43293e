"""Two views of one storage: Events of core/v1 and events.k8s.io/v1, autoscalers of v2 and v1. What is written by one is read by both."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
import yaml

from api import codec, kinds, protobuf
from api.autoscaling_v2 import HorizontalPodAutoscaler
from client.client import Client
from client.errors import ApiError, BadRequest, Conflict, Invalid, NotFound
from controlplane.apiserver.call import Call, User
from controlplane.apiserver.pipeline import handle
from controlplane.apiserver.steps.encode import encode

NS = "default"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
OLD, NEW = kinds.EVENT, kinds.EVENTS_EVENT
V1, V2 = kinds.HORIZONTAL_POD_AUTOSCALER_V1, kinds.HORIZONTAL_POD_AUTOSCALER
EVENT: dict[str, Any] = {
    "metadata": {"name": "e", "namespace": NS, "labels": {"a": "b"}},
    "eventTime": "2026-01-01T00:00:00.000001Z",
    "reportingController": "example.com/robot",
    "reportingInstance": "robot-1",
    "action": "Turning",
    "reason": "Turned",
    "regarding": {"kind": "Pod", "namespace": NS, "name": "p"},
    "note": "round and round",
    "type": "Normal",
}
SCALER: dict[str, Any] = {
    "metadata": {"name": "s", "namespace": NS, "annotations": {"mine": "1"}},
    "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"}, "maxReplicas": 3},
}
MEMORY = {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}}
NOTE = "autoscaling.alpha.kubernetes.io/"


@pytest.fixture
async def http(secure):
    """What goes over the wire, as plain data."""
    client = secure.http_client()
    yield client
    await client.close()


async def ask(
    client: Client, method: str, path: str, document: Any = None, media: str = "application/json", **query: str
) -> Any:
    body = b"" if document is None else msgspec.json.encode(document)
    return msgspec.json.decode(await client.transport.request(method, path, query, body, media))


async def test_an_event_by_its_two_names(http):
    made = await ask(http, "POST", NEW.path(NS), EVENT)
    assert (made["kind"], made["apiVersion"], made["note"]) == ("Event", "events.k8s.io/v1", "round and round")
    old = await ask(http, "GET", OLD.path(NS, "e"))
    assert (old["apiVersion"], old["message"], old["involvedObject"]["name"]) == ("v1", "round and round", "p")
    assert (old["reportingComponent"], old["eventTime"]) == ("example.com/robot", EVENT["eventTime"])
    assert old["metadata"] == made["metadata"]
    assert await ask(http, "GET", NEW.path(NS, "e")) == made
    listed = await ask(http, "GET", NEW.path())
    assert (listed["kind"], listed["apiVersion"], listed["items"]) == ("EventList", "events.k8s.io/v1", [made])


async def test_an_old_event_by_its_new_name(http):
    body = {
        "metadata": {"name": "o", "namespace": NS},
        "involvedObject": {"kind": "Pod", "namespace": NS, "name": "p"},
        "message": "hello",
        "source": {"component": "kubelet", "host": "n1"},
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "lastTimestamp": "2026-01-01T00:01:00Z",
        "count": 3,
        "series": {"count": 2, "lastObservedTime": "2026-01-01T00:00:00.000000Z"},
    }
    await ask(http, "POST", OLD.path(NS), body)
    new = await ask(http, "GET", NEW.path(NS, "o"))
    assert (new["note"], new["deprecatedCount"], new["deprecatedSource"]) == ("hello", 3, body["source"])
    assert new["deprecatedFirstTimestamp"] == body["firstTimestamp"]
    assert new["deprecatedLastTimestamp"] == body["lastTimestamp"]
    assert (new["series"], new["regarding"]) == (body["series"], body["involvedObject"])
    assert "message" not in new


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"eventTime": None}, "eventTime: Required value"),
        ({"type": "Odd"}, 'type: Invalid value: "": has invalid value: Odd'),
        ({"reportingController": ""}, "reportingController: Required value"),
        ({"action": ""}, "action: Required value"),
        ({"deprecatedCount": 2}, 'count: Invalid value: "": needs to be unset'),
        ({"deprecatedSource": {"host": "n"}}, 'source: Invalid value: "": needs to be unset'),
        ({"deprecatedFirstTimestamp": "2026-01-01T00:00:00Z"}, 'firstTimestamp: Invalid value: "": needs to be unset'),
        ({"series": {"count": 1}}, 'series.count: Invalid value: "": should be at least 2'),
        ({"note": "x" * 1025}, "can have at most 1024 characters"),
    ],
)
async def test_new_events_are_held_to_stricter_rules(cluster, change, says):
    admin = cluster.server.client("admin", "system:masters")
    body = {key: value for key, value in (EVENT | change).items() if value is not None}
    with pytest.raises(Invalid) as refused:
        await ask(admin, "POST", NEW.path(NS), body)
    assert says in str(refused.value)


async def test_changes_of_an_event_by_its_new_name(http):
    await ask(http, "POST", NEW.path(NS), EVENT)
    path = NEW.path(NS, "e")
    series = {"series": {"count": 2, "lastObservedTime": "2026-01-01T00:02:00.000000Z"}}
    made = await ask(http, "PATCH", path, series, STRATEGIC)
    assert made["series"] == series["series"]
    assert (await ask(http, "GET", OLD.path(NS, "e")))["series"] == series["series"]
    with pytest.raises(Invalid, match="message: Invalid value.*field is immutable"):
        await ask(http, "PATCH", path, {"note": "other"}, MERGE)
    made = await ask(
        http, "PATCH", path, [{"op": "replace", "path": "/series/count", "value": 3}], "application/json-patch+json"
    )
    assert made["series"]["count"] == 3
    stale = made | {"metadata": made["metadata"] | {"resourceVersion": "1"}}
    with pytest.raises(Conflict):
        await ask(http, "PUT", path, stale)
    made["series"]["count"] = 4
    assert (await ask(http, "PUT", path, made))["series"]["count"] == 4
    gone = await ask(http, "DELETE", path)
    assert gone["kind"] == "Status"
    with pytest.raises(NotFound):
        await ask(http, "GET", OLD.path(NS, "e"))


async def test_bodies_of_the_other_view_are_refused(http):
    with pytest.raises(BadRequest, match="does not match the expected API version"):
        await ask(http, "POST", NEW.path(NS), EVENT | {"apiVersion": "v1", "kind": "Event"})
    with pytest.raises(BadRequest, match="unknown field"):
        await ask(http, "POST", NEW.path(NS), EVENT | {"message": "x"}, fieldValidation="Strict")


async def test_selectors_name_fields_as_the_view_does(http):
    await ask(http, "POST", NEW.path(NS), EVENT)
    other = EVENT | {
        "metadata": {"name": "f", "namespace": NS},
        "regarding": {"kind": "Node", "namespace": NS, "name": "n"},
    }
    await ask(http, "POST", NEW.path(NS), other)

    async def names(kind: kinds.Kind[Any], **query: str) -> list[str]:
        return [item["metadata"]["name"] for item in (await ask(http, "GET", kind.path(NS), **query))["items"]]

    assert await names(NEW, fieldSelector="regarding.kind=Node") == ["f"]
    assert await names(OLD, fieldSelector="involvedObject.kind=Node") == ["f"]
    assert await names(NEW, fieldSelector="reportingController=example.com/robot,type=Normal") == ["e", "f"]
    assert await names(NEW, labelSelector="a=b") == ["e"]
    assert await names(NEW, fieldSelector="metadata.name=f") == ["f"]
    for kind, path in ((NEW, "involvedObject.kind"), (OLD, "regarding.kind"), (NEW, "source"), (NEW, "-")):
        with pytest.raises(BadRequest, match="field label not supported"):
            await names(kind, fieldSelector=f"{path}=x")
    gone = await ask(http, "DELETE", NEW.path(NS), fieldSelector="regarding.kind=Node")
    assert [(item["apiVersion"], item["metadata"]["name"]) for item in gone["items"]] == [("events.k8s.io/v1", "f")]
    assert await names(OLD) == ["e"]


async def test_watches_of_both_views(client: Client):
    async def see(kind: kinds.Kind[Any], query: dict[str, str]) -> list[Any]:
        seen = []
        async for type_, data in client.transport.watch(kind, NS, query):
            seen.append((type_, msgspec.json.decode(data)))
            if len(seen) == 3:
                return seen
        raise AssertionError("the watch ended early")

    start = (await client.transport.list(OLD, NS, {})).revision
    query = {"resourceVersion": start, "timeoutSeconds": "20"}
    watching = [asyncio.ensure_future(see(kind, query)) for kind in (NEW, OLD, NEW)]
    await client.create(NEW, codec.from_dict(NEW, EVENT))
    await ask(client, "PATCH", OLD.path(NS, "e"), {"metadata": {"labels": {"x": "y"}}}, MERGE)
    await client.delete(NEW, "e", NS)
    new, old, again = await asyncio.gather(*watching)
    assert new == again
    assert [type_ for type_, _ in new] == ["ADDED", "MODIFIED", "DELETED"]
    assert {event["apiVersion"] for _, event in new} == {"events.k8s.io/v1"}
    assert {event["note"] for _, event in new} == {"round and round"}
    assert {event["apiVersion"] for _, event in old} == {"v1"}
    assert [event["metadata"] for _, event in new] == [event["metadata"] for _, event in old]


async def test_initial_events_and_their_bookmark(client: Client):
    await client.create(NEW, codec.from_dict(NEW, EVENT))
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    seen = []
    async for type_, data in client.transport.watch(NEW, NS, query):
        seen.append((type_, msgspec.json.decode(data)))
        if type_ == "BOOKMARK":
            break
    (_, event), (_, mark) = seen
    assert (event["note"], mark["kind"], mark["apiVersion"]) == ("round and round", "Event", "events.k8s.io/v1")
    assert mark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_typed_clients_of_the_view(client: Client):
    made = await client.create(NEW, codec.from_dict(NEW, EVENT))
    assert (made.note, made.regarding.name) == ("round and round", "p")
    (listed,) = await client.list(NEW, NS)
    assert listed == made


TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"


@pytest.mark.parametrize("include", ["None", "Metadata", "Object"])
async def test_the_table_is_the_same(secure, include):
    core = secure.server.core
    admin = secure.server.client("admin", "system:masters")
    await ask(admin, "POST", NEW.path(NS), EVENT)
    tables = []
    for kind in (NEW, OLD):
        call = Call("GET", kind.path(NS), {"includeObject": include}, TABLE, user=User("admin", ("system:masters",)))
        tables.append(msgspec.json.decode(encode(call, core, handle(call, core)).body))
    new, old = tables
    assert new["columnDefinitions"] == old["columnDefinitions"]
    assert [row["cells"] for row in new["rows"]] == [row["cells"] for row in old["rows"]]
    if include == "Object":
        assert new["rows"][0]["object"]["note"] == old["rows"][0]["object"]["message"]
    else:
        assert new == old


FORMS = (
    "application/vnd.kubernetes.protobuf",
    "application/yaml",
    "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
)


@pytest.mark.parametrize("accept", FORMS)
@pytest.mark.parametrize("kind", [NEW, V1], ids=lambda kind: kind.resource)
async def test_other_forms(secure, kind, accept):
    core = secure.server.core
    admin = secure.server.client("admin", "system:masters")
    await ask(admin, "POST", kind.path(NS), EVENT if kind is NEW else SCALER)
    name = "e" if kind is NEW else "s"
    known = codec.decode(kind, await admin.transport.request("GET", kind.path(NS, name), {}))
    call = Call("GET", kind.path(NS, name), {}, accept, user=User("admin", ("system:masters",)))
    body = encode(call, core, handle(call, core)).body
    if "protobuf" in accept:
        assert protobuf.decode(kind, body) == known
    elif "yaml" in accept:
        assert yaml.safe_load(body)["apiVersion"] == kind.api_version
    else:
        assert msgspec.json.decode(body)["metadata"] == codec.to_dict(known)["metadata"]


async def test_a_large_list(secure, http):
    """Converted a part at a time, and whole for who reads it."""
    for number in range(400):
        await ask(http, "POST", NEW.path(NS), EVENT | {"metadata": {"name": f"e{number:03}"}, "note": "x" * 1000})
    listed = await ask(http, "GET", NEW.path(NS))
    assert [item["metadata"]["name"] for item in listed["items"]] == [f"e{number:03}" for number in range(400)]
    assert {(item["note"], item["apiVersion"]) for item in listed["items"]} == {("x" * 1000, "events.k8s.io/v1")}
    page = await ask(http, "GET", NEW.path(NS), limit="7")
    rest = await ask(http, "GET", NEW.path(NS), limit="500", **{"continue": page["metadata"]["continue"]})
    assert [len(page["items"]), len(rest["items"])] == [7, 393]


async def test_applying_by_the_views_own_names(http):
    body = SCALER | {"apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler"}
    body["spec"] = SCALER["spec"] | {"targetCPUUtilizationPercentage": 44}
    apply = "application/apply-patch+yaml"
    made = await ask(http, "PATCH", V1.path(NS, "s"), body, apply, fieldManager="me")
    assert (made["apiVersion"], made["spec"]["targetCPUUtilizationPercentage"]) == ("autoscaling/v1", 44)
    other = {
        "apiVersion": "autoscaling/v2",
        "kind": body["kind"],
        "metadata": {"name": "s"},
        "spec": {"maxReplicas": 9},
    }
    with pytest.raises(Conflict, match='conflict with "me": .spec.maxReplicas'):
        await ask(http, "PATCH", V2.path(NS, "s"), other, apply, fieldManager="other")


# autoscalers


async def test_an_autoscaler_by_its_two_versions(http):
    made = await ask(
        http, "POST", V1.path(NS), SCALER | {"spec": SCALER["spec"] | {"targetCPUUtilizationPercentage": 50}}
    )
    assert made["apiVersion"] == "autoscaling/v1"
    assert (made["spec"]["minReplicas"], made["spec"]["targetCPUUtilizationPercentage"]) == (1, 50)
    assert made["metadata"]["annotations"] == {"mine": "1"}
    new = await ask(http, "GET", V2.path(NS, "s"))
    (metric,) = new["spec"]["metrics"]
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
    patched = await ask(http, "PATCH", V1.path(NS, "s"), {"spec": {"maxReplicas": 9}}, STRATEGIC)
    assert (patched["spec"]["maxReplicas"], patched["spec"]["targetCPUUtilizationPercentage"]) == (9, 50)
    assert (await ask(http, "GET", V2.path(NS, "s")))["spec"]["metrics"] == [metric]


async def test_without_a_metric_there_is_one(http):
    made = await ask(http, "POST", V1.path(NS), SCALER)
    assert made["spec"]["targetCPUUtilizationPercentage"] == 80


async def test_what_v1_has_no_fields_for_stands_in_annotations(http):
    spec = SCALER["spec"] | {"metrics": [MEMORY], "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}}}
    await ask(http, "POST", V2.path(NS), SCALER | {"spec": spec})
    status = await ask(http, "GET", V2.path(NS, "s", "status"))
    status["status"] = {
        "desiredReplicas": 2,
        "currentReplicas": 1,
        "currentMetrics": [{"type": "Resource", "resource": {"name": "memory", "current": {"averageValue": "2Gi"}}}],
        "conditions": [{"type": "AbleToScale", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
    }
    kept = await ask(http, "PUT", V2.path(NS, "s", "status"), status)
    old = await ask(http, "GET", V1.path(NS, "s"))
    notes = {key.removeprefix(NOTE): text for key, text in old["metadata"]["annotations"].items()}
    assert notes.pop("mine") == "1"
    assert set(notes) == {"metrics", "current-metrics", "behavior", "conditions"}
    assert msgspec.json.decode(notes["metrics"]) == [
        {"type": "Resource", "resource": {"name": "memory", "targetAverageValue": "1Gi"}}
    ]
    behavior = msgspec.json.decode(notes["behavior"])
    assert behavior["ScaleDown"]["StabilizationWindowSeconds"] == 60
    assert "targetCPUUtilizationPercentage" not in old["spec"]
    assert old["status"]["desiredReplicas"] == 2
    again = await ask(http, "PUT", V1.path(NS, "s"), old)
    assert again == old
    found = await ask(http, "GET", V2.path(NS, "s"))
    assert found["spec"] == kept["spec"]
    assert found["status"] == kept["status"]
    assert found["metadata"]["annotations"] == {"mine": "1"}


async def test_rules_are_those_of_what_is_kept(http):
    bad = SCALER | {"spec": SCALER["spec"] | {"maxReplicas": 0, "targetCPUUtilizationPercentage": -1}}
    with pytest.raises(Invalid) as refused:
        await ask(http, "POST", V1.path(NS), bad)
    assert "spec.maxReplicas" in str(refused.value)
    assert "spec.metrics[0].resource.target.averageUtilization" in str(refused.value)


async def test_the_status_through_v1(http):
    made = await ask(http, "POST", V1.path(NS), SCALER)
    made["status"] = {"currentReplicas": 1, "desiredReplicas": 2, "currentCPUUtilizationPercentage": 40}
    made["spec"]["maxReplicas"] = 77
    kept = await ask(http, "PUT", V1.path(NS, "s", "status"), made)
    assert (kept["status"]["currentCPUUtilizationPercentage"], kept["spec"]["maxReplicas"]) == (40, 3)
    new = codec.from_dict(HorizontalPodAutoscaler, await ask(http, "GET", V2.path(NS, "s")))
    (metric,) = new.status.current_metrics
    assert metric.resource is not None
    assert metric.resource.current.average_utilization == 40


async def test_preferred_versions(http):
    groups = {group["name"]: group for group in (await ask(http, "GET", "/apis"))["groups"]}
    versions = [version["version"] for version in groups["autoscaling"]["versions"]]
    assert (groups["autoscaling"]["preferredVersion"]["version"], versions) == ("v2", ["v2", "v1"])
    assert groups["events.k8s.io"]["preferredVersion"]["groupVersion"] == "events.k8s.io/v1"
    with pytest.raises(ApiError):
        await ask(http, "GET", "/apis/autoscaling/v3")
