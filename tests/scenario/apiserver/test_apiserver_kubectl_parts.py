"""kubectl on what has a path of its own: drain, debug, component statuses, events by their newer name, autoscalers."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import msgspec
import pytest

from api import codec, kinds
from client.errors import NotFound
from tests import kubectls
from tests.scenario.apiserver.test_apiserver_kubectl import Kubectl

NS = "default"


class Said:
    """What a command printed, and whether it succeeded."""

    def __init__(self, code: int, output: str) -> None:
        self.code, self.output = code, output

    def holds(self, *patterns: str, fails: bool = False) -> None:
        for pattern in patterns:
            assert re.search(pattern, self.output, re.MULTILINE), f"{pattern!r} not in\n{self.output}"
        assert bool(self.code) is fails, f"exit status {self.code}\n{self.output}"


@pytest.fixture(params=kubectls.found(), ids=lambda place: place.rpartition("/")[2])
def program(request, tmp_path) -> str:
    home = tmp_path / "home"
    home.mkdir()
    return kubectls.program(request.param, home)


@pytest.fixture
def run(secure, program, tmp_path):
    kubectl = Kubectl(program, secure.kubeconfig(), tmp_path / "home")

    async def command(*arguments: str) -> Said:
        return Said(*await kubectl(*arguments))

    return command


@pytest.fixture
def admin(secure):
    return secure.server.client("admin", "system:masters")


async def make(admin, kind: kinds.Kind[Any], **document: Any) -> Any:
    return await admin.create(kind, codec.from_dict(kind, document))


async def make_pod(admin, name: str, node: str = "n1", **owner: str) -> Any:
    owners = (
        [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "controller": True, **owner}] if owner else []
    )
    meta = {"name": name, "namespace": NS, "labels": {"app": "web"}, "ownerReferences": owners}
    spec = {"nodeName": node, "terminationGracePeriodSeconds": 0, "containers": [{"name": "app", "image": "app:1"}]}
    made = await make(admin, kinds.POD, metadata=meta, spec=spec)
    made.status = codec.from_dict(
        kinds.POD, {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
    ).status
    return await admin.update(kinds.POD, made, subresource="status")


async def replica_set(admin) -> Any:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    return await make(admin, kinds.REPLICA_SET, metadata={"name": "web", "namespace": NS}, spec=spec)


async def allow(admin, disruptions: int) -> None:
    """What the controller of budgets would write."""
    budget = await admin.get(kinds.POD_DISRUPTION_BUDGET, "web", NS)
    budget.status.observed_generation, budget.status.disruptions_allowed = budget.metadata.generation, disruptions
    budget.status.current_healthy, budget.status.desired_healthy = 1 + disruptions, 1
    await admin.update(kinds.POD_DISRUPTION_BUDGET, budget, subresource="status")


async def test_drain(admin, run):
    await make(admin, kinds.NODE, metadata={"name": "n1"})
    owner = (await replica_set(admin)).metadata.uid
    await make_pod(admin, "one", uid=owner)
    await make_pod(admin, "lonely")
    (await run("drain", "n1")).holds(
        "lonely", "cannot delete Pods (not managed by|that declare no controller)", fails=True
    )
    (await run("drain", "n1", "--force", "--timeout=60s")).holds(
        r"evicting pod default/one", r"node/n1 (drained|evicted)"
    )
    for name in ("one", "lonely"):
        with pytest.raises(NotFound):
            await admin.get(kinds.POD, name, NS)
    assert (await admin.get(kinds.NODE, "n1")).spec.unschedulable
    (await run("uncordon", "n1")).holds("node/n1 uncordoned")


async def test_drain_against_a_budget(admin, run):
    await make(admin, kinds.NODE, metadata={"name": "n1"})
    owner = (await replica_set(admin)).metadata.uid
    for name in ("one", "two"):
        await make_pod(admin, name, uid=owner)
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    await make(admin, kinds.POD_DISRUPTION_BUDGET, metadata={"name": "web", "namespace": NS}, spec=spec)
    await allow(admin, 1)
    refused = await run("drain", "n1", "--timeout=10s")
    refused.holds(
        "Cannot evict pod as it would violate the pod's disruption budget", "global timeout reached", fails=True
    )
    left = [pod.metadata.name for pod in await admin.list(kinds.POD, NS)]
    assert len(left) == 1
    draining = asyncio.ensure_future(run("drain", "n1", "--timeout=100s"))
    await asyncio.sleep(1)  # it is refused, and asks again after five seconds
    await allow(admin, 1)
    (await draining).holds(rf"pod/{left[0]} evicted")
    assert await admin.list(kinds.POD, NS) == []


async def test_component_statuses(run):
    said = await run("get", "cs")
    said.holds(
        r"NAME +STATUS +MESSAGE +ERROR", r"scheduler +Healthy +ok", r"controller-manager +Healthy", r"etcd-0 +Healthy"
    )
    said.holds(r"Warning: v1 ComponentStatus is deprecated in v1\.19\+")
    (await run("get", "componentstatuses", "etcd-0", "-o", "jsonpath={.conditions[0].type}")).holds("Healthy")


async def test_events_by_their_newer_name(admin, run):
    about = {"kind": "Pod", "namespace": NS, "name": "p"}
    told = {"reason": "Started", "message": "it runs", "type": "Normal", "lastTimestamp": "2026-01-01T00:00:00Z"}
    await make(admin, kinds.EVENT, metadata={"name": "e", "namespace": NS}, involvedObject=about, **told)
    (await run("get", "events.events.k8s.io")).holds(
        r"LAST SEEN +TYPE +REASON +OBJECT +MESSAGE", r"Normal +Started +pod/p +it runs"
    )
    (await run("get", "events.events.k8s.io", "e", "-o", "jsonpath={.apiVersion} {.note}")).holds(
        "^events.k8s.io/v1 it runs$"
    )
    (await run("get", "events.v1.events.k8s.io", "--field-selector=regarding.name=p", "-o", "name")).holds(
        r"event\.events\.k8s\.io/e"
    )
    (await run("get", "events.events.k8s.io", "--sort-by=.metadata.name")).holds("it runs")
    (await run("get", "events")).holds("it runs")
    (await run("delete", "events.events.k8s.io", "e")).holds("deleted")


async def test_autoscalers(admin, run):
    (await run("create", "deployment", "web", "--image=app:1")).holds("created")
    (await run("autoscale", "deployment", "web", "--max=5", "--cpu-percent=60")).holds(
        "horizontalpodautoscaler.autoscaling/web autoscaled"
    )
    (await run("get", "hpa")).holds(
        r"NAME +REFERENCE +TARGETS +MINPODS +MAXPODS", r"web +Deployment/web +(cpu: )?<unknown>/60% +1 +5"
    )
    (
        await run(
            "get",
            "horizontalpodautoscalers.v1.autoscaling",
            "web",
            "-o",
            "jsonpath={.spec.targetCPUUtilizationPercentage}",
        )
    ).holds("^60$")
    (
        await run(
            "get", "horizontalpodautoscalers.v2.autoscaling", "web", "-o", "jsonpath={.spec.metrics[0].resource.name}"
        )
    ).holds("^cpu$")
    (await run("patch", "horizontalpodautoscalers.v1.autoscaling", "web", "-p", '{"spec":{"maxReplicas":9}}')).holds(
        "patched"
    )
    (await run("describe", "hpa", "web")).holds(r"Max replicas: +9")


async def test_debugging_a_pod(admin, run, program):
    await make_pod(admin, "p")
    if kubectls.version(program) < (1, 21):  # its debug is an alpha command, of an API that is gone
        document = msgspec.json.encode({"spec": {"ephemeralContainers": [{"name": "d", "image": "busybox"}]}}).decode()
        (await run("patch", "pod", "p", "-p", document)).holds(
            "pod updates may not change fields other than", fails=True
        )
        return
    asked = ("--image=busybox", "--target=app", "-c", "d", "--attach=false", "-it=false", "--", "sleep", "1")
    (await run("debug", "p", *asked)).holds("")
    made = await admin.get(kinds.POD, "p", NS)
    (container,) = made.spec.ephemeral_containers
    assert (container.name, container.image, container.target_container_name) == ("d", "busybox", "app")
    assert made.metadata.generation == 2
