"""The parts of a pod with paths of their own: eviction under budgets, resizing, ephemeral containers; and what stands beside them."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from api import codec, kinds, times
from api.meta_v1 import Condition
from client.client import Client
from client.errors import ApiError, BadRequest, Conflict, Forbidden, Invalid, NotFound

NS = "default"
JSON, MERGE = "application/json", "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
RUNNING = {"state": {"running": {}}, "name": "app", "image": "app:1", "imageID": "", "ready": True, "restartCount": 0}


@pytest.fixture
def admin(cluster) -> Client:
    return cluster.server.client("admin", "system:masters")


async def ask(admin: Client, method: str, path: str, document: Any = None, media: str = JSON, **query: str) -> Any:
    body = b"" if document is None else msgspec.json.encode(document)
    return msgspec.json.decode(await admin.transport.request(method, path, query, body, media))


async def make_pod(admin: Client, name: str, phase: str = "Running", ready: bool = True, **spec: Any) -> Any:
    container = {"name": "app", "image": "app:1", **spec.pop("container", {})}
    body = {
        "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {"nodeName": "n1", "containers": [container], **spec},
    }
    made = await ask(admin, "POST", kinds.POD.path(NS), body)
    made["status"]["phase"] = phase
    made["status"]["conditions"] = [{"type": "Ready", "status": str(ready)}]
    return await ask(admin, "PUT", kinds.POD.path(NS, name, "status"), made)


async def make_budget(admin: Client, name: str = "b", policy: str | None = None, **seen: Any) -> Any:
    body = {
        "metadata": {"name": name},
        "spec": {
            "minAvailable": 1,
            "selector": {"matchLabels": {"app": "web"}},
            **({"unhealthyPodEvictionPolicy": policy} if policy else {}),
        },
    }
    made = await ask(admin, "POST", kinds.POD_DISRUPTION_BUDGET.path(NS), body)
    made["status"] |= {"observedGeneration": 1, **seen}
    return await ask(admin, "PUT", kinds.POD_DISRUPTION_BUDGET.path(NS, name, "status"), made)


async def budget(admin: Client, name: str = "b") -> Any:
    return (await admin.get(kinds.POD_DISRUPTION_BUDGET, name, NS)).status


async def evict(admin: Client, name: str, version: str = "policy/v1", **options: Any) -> Any:
    query = options.pop("query", {})
    body = {"apiVersion": version, "kind": "Eviction", "metadata": {"name": name}}
    body |= {"deleteOptions": options} if options else {}
    return await ask(admin, "POST", kinds.POD.path(NS, name, "eviction"), body, **query)


async def gone(admin: Client, name: str) -> bool:
    try:
        return (await admin.get(kinds.POD, name, NS)).metadata.deletion_timestamp is not None
    except NotFound:
        return True


async def test_without_a_budget_a_pod_is_told_why_it_goes(admin):
    await make_pod(admin, "p")
    answer = await evict(admin, "p", gracePeriodSeconds=7)
    assert (answer["kind"], answer["status"], answer["code"]) == ("Status", "Success", 201)
    pod = await admin.get(kinds.POD, "p", NS)
    assert pod.metadata.deletion_grace_period_seconds == 7
    told = next(c for c in pod.status.conditions if c.type == "DisruptionTarget")
    assert (told.status, told.reason, told.message) == ("True", "EvictionByEvictionAPI", "Eviction API: evicting")
    with pytest.raises(NotFound, match='pods "nope" not found'):
        await evict(admin, "nope")


@pytest.mark.parametrize("version", ["policy/v1", "policy/v1beta1"])
async def test_a_budget_is_spent(admin, version):
    for name in "ab":
        await make_pod(admin, name)
    await make_budget(admin, disruptionsAllowed=1, currentHealthy=2, desiredHealthy=1, expectedPods=2)
    await evict(admin, "a", version)
    assert await gone(admin, "a")
    seen = await budget(admin)
    assert (seen.disruptions_allowed, list(seen.disrupted_pods)) == (0, ["a"])
    (told,) = seen.conditions
    assert (told.type, told.status, told.reason) == ("DisruptionAllowed", "False", "InsufficientPods")
    with pytest.raises(
        ApiError, match=r"Cannot evict pod as it would violate the pod's disruption budget\."
    ) as refused:
        await evict(admin, "b")
    status = refused.value.status
    assert (status.code, status.reason, status.details.retry_after_seconds) == (429, "TooManyRequests", None)
    (cause,) = status.details.causes
    assert cause.reason == "DisruptionBudget"
    assert cause.message == "The disruption budget b does not allow evicting pods currently"
    assert not await gone(admin, "b")


@pytest.mark.parametrize(
    ("seen", "code", "says"),
    [
        ({"currentHealthy": 1, "desiredHealthy": 1}, 429, "The disruption budget b needs 1 healthy pods and has 1 currently"),
        ({"observedGeneration": 0, "disruptionsAllowed": 5}, 429, "The disruption budget b is still being processed by the server."),
        (
            {
                "currentHealthy": 5,
                "conditions": [
                    {"type": "DisruptionAllowed", "status": "False", "reason": "SyncFailed", "message": "no scale",
                     "lastTransitionTime": "2026-01-01T00:00:00Z"},
                ],
            },
            429,
            "The disruption budget b does not allow evicting pods currently because it failed sync: no scale",
        ),
        (
            {
                "currentHealthy": 5,
                "conditions": [
                    {"type": "DisruptionAllowed", "status": "False", "reason": "Why", "message": "so",
                     "lastTransitionTime": "2026-01-01T00:00:00Z"},
                ],
            },
            429,
            "The disruption budget b does not allow evicting pods currently (Why): so",
        ),
    ],
)  # fmt: skip
async def test_why_a_budget_refuses(admin, seen, code, says):
    await make_pod(admin, "p")
    await make_budget(admin, **seen)
    with pytest.raises(ApiError) as refused:
        await evict(admin, "p")
    status = refused.value.status
    assert (status.code, [cause.message for cause in status.details.causes]) == (code, [says])
    assert (status.details.retry_after_seconds == 10) is ("processed" in says)


async def test_what_needs_no_budget(admin):
    await make_budget(admin)
    for phase in ("Pending", "Succeeded", "Failed"):
        await make_pod(admin, phase.lower(), phase)
        await evict(admin, phase.lower())
        assert await gone(admin, phase.lower())
    await make_pod(admin, "going", gracePeriodSeconds=30)
    await admin.delete(kinds.POD, "going", NS)
    await evict(admin, "going", gracePeriodSeconds=0)
    with pytest.raises(NotFound):
        await admin.get(kinds.POD, "going", NS)
    assert not (await budget(admin)).disrupted_pods


@pytest.mark.parametrize(
    ("policy", "healthy", "evicted"),
    [(None, 1, True), (None, 0, False), ("IfHealthyBudget", 1, True), ("IfHealthyBudget", 0, False), ("AlwaysAllow", 0, True)],
)  # fmt: skip
async def test_unready_pods(admin, policy, healthy, evicted):
    await make_pod(admin, "p", ready=False)
    await make_budget(admin, policy=policy, currentHealthy=healthy, desiredHealthy=1)
    if evicted:
        await evict(admin, "p")
        assert not (await budget(admin)).disrupted_pods
    else:
        with pytest.raises(ApiError, match="disruption budget"):
            await evict(admin, "p")
    assert await gone(admin, "p") is evicted


async def test_more_than_one_budget(admin):
    await make_pod(admin, "p")
    for name in "ab":
        await make_budget(admin, name, disruptionsAllowed=1)
    answer = await evict(admin, "p")
    assert (answer["status"], answer["code"]) == ("Failure", 500)
    assert answer["message"].startswith("This pod has more than one PodDisruptionBudget")
    assert not await gone(admin, "p")


async def test_a_dry_run_changes_nothing(admin):
    await make_pod(admin, "p")
    await make_budget(admin, disruptionsAllowed=1, currentHealthy=2, desiredHealthy=1)
    before = await admin.get(kinds.POD, "p", NS)
    await evict(admin, "p", query={"dryRun": "All"})
    await evict(admin, "p", dryRun=["All"])
    assert await admin.get(kinds.POD, "p", NS) == before
    assert (await budget(admin)).disruptions_allowed == 1


async def test_preconditions_of_an_eviction(admin):
    made = await make_pod(admin, "p")
    with pytest.raises(Conflict, match="the UID in the precondition"):
        await evict(admin, "p", preconditions={"uid": "another"})
    with pytest.raises(Conflict, match="the ResourceVersion in the precondition"):
        await evict(admin, "p", preconditions={"resourceVersion": "1"})
    meta = made["metadata"]
    await evict(admin, "p", preconditions={"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]})
    assert await gone(admin, "p")


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"metadata": {"name": "q"}}, "name in URL does not match name in Eviction object"),
        ({"metadata": {"name": "p", "namespace": "x"}}, "does not match the namespace sent on the request"),
        ({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}, "an Eviction was expected"),
    ],
)
async def test_bodies_that_are_no_eviction_of_this_pod(admin, body, says):
    await make_pod(admin, "p")
    with pytest.raises(BadRequest, match=says):
        await ask(admin, "POST", kinds.POD.path(NS, "p", "eviction"), body)


async def test_many_at_once_spend_no_more_than_there_is(admin):
    names = [f"p{number}" for number in range(12)]
    for name in names:
        await make_pod(admin, name)
    await make_budget(admin, disruptionsAllowed=5, currentHealthy=12, desiredHealthy=7)
    outcomes = await asyncio.gather(*(evict(admin, name) for name in names), return_exceptions=True)
    evicted = [name for name, outcome in zip(names, outcomes, strict=True) if isinstance(outcome, dict)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, ApiError)]
    assert (len(evicted), len(refused)) == (5, 7)
    seen = await budget(admin)
    assert (seen.disruptions_allowed, sorted(seen.disrupted_pods)) == (0, sorted(evicted))


async def test_a_budget_beyond_reason_is_forbidden(admin):
    await make_pod(admin, "p")
    many = {f"x{number}": "2026-01-01T00:00:00Z" for number in range(2001)}
    await make_budget(admin, disruptionsAllowed=1, disruptedPods=many)
    with pytest.raises(Forbidden, match="DisruptedPods map too big"):
        await evict(admin, "p")


# resize

AMOUNTS = {"resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "200m", "memory": "128Mi"}}}


def resources(**changed: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "app", "resources": changed}]}}


async def test_resizing_changes_amounts_and_nothing_else(admin):
    await make_pod(admin, "p", container=AMOUNTS)
    path = kinds.POD.path(NS, "p", "resize")
    change = resources(requests={"cpu": "150m"})
    change["metadata"] = {"labels": {"x": "y"}}
    change["spec"]["containers"][0]["image"] = "other:2"
    made = await ask(admin, "PATCH", path, change, STRATEGIC)
    container = made["spec"]["containers"][0]
    assert container["resources"]["requests"] == {"cpu": "150m", "memory": "64Mi"}
    assert (container["image"], made["metadata"]["labels"]) == ("app:1", {"app": "web"})
    assert (made["metadata"]["generation"], made["status"]["phase"]) == (2, "Running")
    assert (await ask(admin, "GET", path))["kind"] == "Pod"
    made["spec"]["containers"][0]["resources"]["limits"]["memory"] = "256Mi"
    made = await ask(admin, "PUT", path, made)
    assert made["metadata"]["generation"] == 3
    again = await ask(admin, "PUT", path, made)
    assert again["metadata"]["generation"] == 3
    with pytest.raises(Invalid, match="pod updates may not change fields other than"):
        await ask(admin, "PATCH", kinds.POD.path(NS, "p"), resources(requests={"cpu": "1m"}), STRATEGIC)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (resources(requests={"cpu": "200m", "memory": "128Mi"}), "Pod QOS Class may not change as a result of resizing"),
        (resources(requests={"cpu": "300m"}), "must be less than or equal to cpu limit of 200m"),
        (resources(requests={"ephemeral-storage": "1Gi"}), "spec: Forbidden: only cpu and memory resources are mutable"),
        (resources(requests={"memory": None}, limits={"memory": None}), "resource requests cannot be removed"),
        ({"spec": {"containers": [{"name": "more", "image": "x"}]}}, "containers may not be added or removed on resize"),
        (
            {"spec": {"containers": [{"name": "app", "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}]}]}},
            "only cpu and memory resources are mutable",
        ),
        (
            {"spec": {"containers": [{"name": "app", "resizePolicy": [{"resourceName": "gpu", "restartPolicy": "NotRequired"}]}]}},
            'Unsupported value: "gpu": supported values: "cpu", "memory"',
        ),
    ],
)  # fmt: skip
async def test_what_resizing_may_not_do(admin, change, says):
    await make_pod(admin, "p", container=AMOUNTS)
    with pytest.raises(Invalid) as refused:
        await ask(admin, "PATCH", kinds.POD.path(NS, "p", "resize"), change, STRATEGIC)
    assert says in str(refused.value)


async def test_a_node_that_cannot_resize_is_not_asked_to(admin):
    made = await make_pod(admin, "p", container=AMOUNTS)
    made["status"]["containerStatuses"] = [RUNNING]
    await ask(admin, "PUT", kinds.POD.path(NS, "p", "status"), made)
    path = kinds.POD.path(NS, "p", "resize")
    with pytest.raises(Invalid, match="Pod running on node without support for resize"):
        await ask(admin, "PATCH", path, resources(requests={"cpu": "1m"}), STRATEGIC)
    made = await ask(admin, "GET", kinds.POD.path(NS, "p"))
    made["status"]["containerStatuses"] = [RUNNING | AMOUNTS]
    await ask(admin, "PUT", kinds.POD.path(NS, "p", "status"), made)
    assert await ask(admin, "PATCH", path, resources(requests={"cpu": "1m"}), STRATEGIC)


# ephemeral containers

DEBUGGER = {"name": "debugger", "image": "busybox", "targetContainerName": "app", "stdin": True, "tty": True}


def ephemeral(*containers: Any) -> dict[str, Any]:
    return {"spec": {"ephemeralContainers": list(containers)}}


async def test_ephemeral_containers_are_added_and_stay(admin):
    await make_pod(admin, "p")
    path = kinds.POD.path(NS, "p", "ephemeralcontainers")
    made = await ask(admin, "PATCH", path, ephemeral(DEBUGGER), STRATEGIC)
    (container,) = made["spec"]["ephemeralContainers"]
    assert (container["name"], container["imagePullPolicy"], made["metadata"]["generation"]) == (
        "debugger",
        "Always",
        2,
    )
    made = await ask(admin, "PATCH", path, ephemeral({"name": "second", "image": "x:1"}), STRATEGIC)
    assert {c["name"] for c in made["spec"]["ephemeralContainers"]} == {"debugger", "second"}
    changed = msgspec.json.decode(msgspec.json.encode(made))
    changed["spec"]["ephemeralContainers"][0]["command"] = ["sh"]
    with pytest.raises(Invalid, match='existing ephemeral containers ".*" may not be changed'):
        await ask(admin, "PUT", path, changed)
    made["spec"]["ephemeralContainers"] = []
    with pytest.raises(Invalid, match='existing ephemeral containers "debugger" may not be removed'):
        await ask(admin, "PUT", path, made)
    with pytest.raises(Invalid, match="pod updates may not change fields other than"):
        await ask(admin, "PATCH", kinds.POD.path(NS, "p"), ephemeral({"name": "third", "image": "x"}), STRATEGIC)


@pytest.mark.parametrize(
    ("container", "says"),
    [
        (DEBUGGER | {"name": "app"}, "spec.ephemeralContainers[0].name: Duplicate value"),
        (DEBUGGER | {"targetContainerName": "nope"}, "spec.ephemeralContainers[0].targetContainerName: Not found"),
        (DEBUGGER | {"ports": [{"containerPort": 1}]}, "ports: Forbidden: cannot be set for an Ephemeral Container"),
        (DEBUGGER | AMOUNTS, "resources: Forbidden: cannot be set for an Ephemeral Container"),
    ],
)
async def test_what_an_ephemeral_container_may_not_be(admin, container, says):
    await make_pod(admin, "p")
    with pytest.raises(Invalid) as refused:
        await ask(admin, "PATCH", kinds.POD.path(NS, "p", "ephemeralcontainers"), ephemeral(container), STRATEGIC)
    assert says in str(refused.value)


@pytest.mark.parametrize("part", ["resize", "ephemeralcontainers"])
async def test_a_static_pod_is_as_its_file_says(admin, part):
    body = {
        "metadata": {"name": "s", "annotations": {"kubernetes.io/config.mirror": "x"}},
        "spec": {"nodeName": "n1", "containers": [{"name": "app", "image": "app:1"}]},
    }
    await ask(admin, "POST", kinds.POD.path(NS), body)
    with pytest.raises(Invalid, match="static pods"):
        await ask(admin, "PATCH", kinds.POD.path(NS, "s", part), {"metadata": {"labels": {"a": "b"}}}, MERGE)


# what a pod starts with


async def test_a_gated_pod_says_why_it_waits(admin):
    body = {
        "metadata": {"name": "g", "labels": {"app": "web"}},
        "spec": {
            "schedulingGates": [{"name": "example.com/wait"}],
            "containers": [{"name": "app", "image": "app:1"}],
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "zone",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {},
                    "matchLabelKeys": ["app", "none"],
                }
            ],
        },
    }
    made = codec.from_dict(kinds.POD, await ask(admin, "POST", kinds.POD.path(NS), body))
    (told,) = made.status.conditions
    assert (told.type, told.status, told.reason) == ("PodScheduled", "False", "SchedulingGated")
    (constraint,) = made.spec.topology_spread_constraints
    (chosen,) = constraint.label_selector.match_expressions
    assert (chosen.key, chosen.operator, chosen.values) == ("app", "In", ["web"])


# beside the pods


async def test_bindings_take_the_name_from_the_body(admin):
    await ask(
        admin,
        "POST",
        kinds.POD.path(NS),
        {"metadata": {"name": "p"}, "spec": {"containers": [{"name": "a", "image": "b"}]}},
    )
    body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n1"}}
    answer = await ask(admin, "POST", "/api/v1/namespaces/default/bindings", body)
    assert (answer["status"], answer["code"]) == ("Success", 201)
    assert (await admin.get(kinds.POD, "p", NS)).spec.node_name == "n1"
    with pytest.raises(NotFound):
        await ask(admin, "POST", "/api/v1/namespaces/default/bindings", body | {"metadata": {"name": "q"}})
    with pytest.raises(BadRequest):
        await ask(admin, "POST", "/api/v1/namespaces/default/bindings", body | {"metadata": {}})
    with pytest.raises(ApiError) as refused:
        await ask(admin, "GET", "/api/v1/namespaces/default/bindings")
    assert refused.value.status.code == 405


async def test_component_statuses(admin):
    found = await ask(admin, "GET", "/api/v1/componentstatuses")
    assert found["kind"] == "ComponentStatusList"
    assert [item["metadata"]["name"] for item in found["items"]] == ["controller-manager", "etcd-0", "scheduler"]
    for item in found["items"]:
        assert item["conditions"] == [{"type": "Healthy", "status": "True", "message": "ok"}]
    one = await ask(admin, "GET", "/api/v1/componentstatuses/etcd-0")
    assert (one["kind"], one["metadata"]["name"]) == ("ComponentStatus", "etcd-0")
    chosen = await ask(admin, "GET", "/api/v1/componentstatuses", fieldSelector="metadata.name=scheduler")
    assert [item["metadata"]["name"] for item in chosen["items"]] == ["scheduler"]
    with pytest.raises(NotFound):
        await ask(admin, "GET", "/api/v1/componentstatuses/nope")


def test_a_condition_keeps_the_time_of_its_last_change():
    from controlplane.apiserver import budgets

    before = Condition(type="DisruptionAllowed", status="False", last_transition_time="2026-01-01T00:00:00Z")
    spent = codec.from_dict(
        kinds.POD_DISRUPTION_BUDGET, {"metadata": {"name": "b"}, "status": {"disruptionsAllowed": 1}}
    )
    spent.status.conditions = [before]
    budgets.spend(spent, "p", times.parse_time("2026-02-01T00:00:00Z"))
    (told,) = spent.status.conditions
    assert (told.reason, told.last_transition_time) == ("InsufficientPods", "2026-01-01T00:00:00Z")
    assert spent.status.disrupted_pods == {"p": "2026-02-01T00:00:00Z"}
