"""Resources of running pods that change: plans, statuses, what is kept."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api import codec
from api.core_v1 import (
    ContainerResizePolicy,
    ContainerState,
    ContainerStateRunning,
    ContainerStatus,
    Node,
    NodeStatus,
    Pod,
    ResourceRequirements,
)
from nodeagent.model.memory import PodMemory, ResizeNote
from nodeagent.model.seen import Limits
from nodeagent.plan import qos
from nodeagent.plan.actions import ResizePod, StartContainer, StopContainer
from nodeagent.plan.admission import NodeView
from nodeagent.plan.pod import plan_pod
from nodeagent.plan.resizing import (
    changed_resources,
    container_resources,
    is_resizing,
    outdated,
    pod_requests,
    pod_resources,
    resources_of,
    widest,
)
from nodeagent.plan.status import NodeFacts, compute_status
from nodeagent.sync.allocations import Allocations
from tests.unit.nodeagent.pods import NOW, container, memory, pod, sandbox, seen

NODE = NodeView("n1", {"cpu": "2", "memory": "1Gi", "pods": "9"}, {})


def sized(cpu: str = "100m", ram: str = "64Mi", restart: tuple[str, ...] = (), name: str = "a") -> Pod:
    wanted = pod(name)
    first = wanted.spec.containers[0]
    first.resources = ResourceRequirements(requests={"cpu": cpu, "memory": ram}, limits={"cpu": cpu, "memory": ram})
    first.resize_policy = [ContainerResizePolicy(resource_name=r, restart_policy="RestartContainer") for r in restart]
    return wanted


def limits_of(wanted: Pod) -> Limits:
    return qos.container_limits(wanted, wanted.spec.containers[0])


class Told:
    """Events."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def tell(self, wanted: Pod, kind: str, reason: str, message: str, name: str = "") -> None:
        self.said.append((reason, message))


def running(wanted: Pod, attempt: int = 0) -> Any:
    return replace(container("a", attempt=attempt), limits=limits_of(wanted))


def test_what_differs() -> None:
    old = resources_of(sized())
    assert changed_resources(old, resources_of(sized())) == {}
    assert changed_resources(old, resources_of(sized(cpu="0.1", ram="65536Ki"))) == {}, "the same amounts"
    assert changed_resources(old, resources_of(sized(ram="65Mi"))) == {"a": {"memory"}}


def test_a_running_container_is_given_other_limits() -> None:
    bigger = sized(cpu="200m")
    known = memory(pod_limits=qos.pod_limits(sized()))
    plan = plan_pod(bigger, seen(sandbox(), running(sized())), known, NOW)
    assert plan.actions == (ResizePod((("a0", "a"),)),)
    done = memory(pod_limits=qos.pod_limits(bigger))
    assert plan_pod(bigger, seen(sandbox(), running(bigger)), done, NOW).actions == ()
    known.resize_retry = NOW + 5
    waiting = plan_pod(bigger, seen(sandbox(), running(sized())), known, NOW)
    assert waiting.actions == () and waiting.wake_at == NOW + 5


def test_a_runtime_that_tells_no_limits() -> None:
    bigger = sized(cpu="200m")
    blind = seen(sandbox(), container("a"))
    assert outdated(bigger, blind, memory()) == (), "nobody knows what it has"
    assert outdated(bigger, blind, memory(applied={"a0": limits_of(sized())})) != ()
    assert outdated(bigger, blind, memory(applied={"a0": limits_of(bigger)})) == ()


def test_what_shrinks_is_first() -> None:
    wanted = pod("a", "b")
    for one, ram in zip(wanted.spec.containers, ("2Mi", "1Mi"), strict=True):
        one.resources = ResourceRequirements(limits={"memory": ram})
    had = (
        replace(container("a"), limits=Limits(2, -1, 1 << 20)),
        replace(container("b"), limits=Limits(2, -1, 2 << 20)),
    )
    assert [c.name for c in outdated(wanted, seen(sandbox(), *had), memory())] == ["b", "a"]


def test_a_container_that_must_be_made_anew() -> None:
    wanted = sized(ram="128Mi", restart=("memory",))
    known = memory(replace={"a": 0}, pod_limits=qos.pod_limits(wanted))
    plan = plan_pod(wanted, seen(sandbox(), running(sized())), known, NOW)
    [stop] = plan.actions
    assert isinstance(stop, StopContainer) and stop.message == "Container a resize requires restart"
    wanted.spec.restart_policy = "OnFailure"
    plan = plan_pod(wanted, seen(sandbox(), container("a", "exited")), known, NOW)
    assert plan.actions == (StartContainer("a", 1),), "however it ended, and without a back-off"
    new = seen(sandbox(), container("a", "exited"), running(wanted, 1))
    assert not is_resizing(wanted, new, known)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (Limits(2, 100, 5), Limits(3, 50, 7), Limits(3, 100, 7)),
        (Limits(2, -1, 5), Limits(3, 50, 0), Limits(3, -1, 0)),
    ],
)
def test_room_for_both(one: Limits, other: Limits, expected: Limits) -> None:
    assert widest(one, other) == expected


def test_what_a_container_has() -> None:
    wanted = sized(cpu="200m", ram="128Mi").spec.containers[0]
    old = running(sized())
    shown = container_resources(wanted, old, None)
    assert shown.requests == {"cpu": "100m", "memory": "128Mi"} and shown.limits == {"cpu": "100m", "memory": "64Mi"}
    assert container_resources(wanted, container("a", "exited"), None) is wanted.resources
    tiny = sized(cpu="1m").spec.containers[0]
    assert container_resources(tiny, running(sized(cpu="1m")), None).requests["cpu"] == "1m"


def test_what_a_pod_has_altogether() -> None:
    wanted = sized()
    wanted.spec.overhead = {"cpu": "50m"}
    assert pod_requests(wanted) == {"cpu": "150m", "memory": "64Mi"}
    assert pod_requests(pod("a")) == {} and pod_resources(pod("a"), True) == ResourceRequirements()
    assert pod_resources(sized(), True) == sized().spec.containers[0].resources
    assert pod_resources(sized(), False) == sized().spec.containers[0].resources


def test_conditions() -> None:
    known = memory(resize_pending=ResizeNote("Deferred", "full", 7), resize_progress=ResizeNote("", "", 6))
    status = compute_status(sized(), seen(sandbox(), running(sized())), known, NodeFacts(("192.0.2.1",)), NOW)
    shown = codec.to_dict(status)["conditions"]
    assert shown[:2] == [
        {
            "type": "PodResizePending",
            "observedGeneration": 7,
            "status": "True",
            "lastProbeTime": "2023-11-14T22:13:20Z",
            "lastTransitionTime": "2023-11-14T22:13:20Z",
            "reason": "Deferred",
            "message": "full",
        },
        {
            "type": "PodResizeInProgress",
            "observedGeneration": 6,
            "status": "True",
            "lastProbeTime": "2023-11-14T22:13:20Z",
            "lastTransitionTime": "2023-11-14T22:13:20Z",
        },
    ]
    assert len(shown) == 7
    wanted = sized()
    wanted.status, known.resize_pending = status, ResizeNote("Deferred", "fuller", 8)
    facts = NodeFacts(("192.0.2.1",))
    later = compute_status(wanted, seen(sandbox(), running(wanted)), known, facts, NOW + 60).conditions[0]
    assert (later.last_transition_time, later.last_probe_time) == ("2023-11-14T22:13:20Z", "2023-11-14T22:14:20Z")
    known.resize_pending = ResizeNote("Infeasible", "too much", 8)
    later = compute_status(wanted, seen(sandbox(), running(wanted)), known, facts, NOW + 60).conditions[0]
    assert later.last_transition_time == later.last_probe_time == "2023-11-14T22:14:20Z"


def test_wishes_are_allowed_deferred_and_kept(tmp_path: Path) -> None:
    told, known = Told(), PodMemory(NOW)
    allocations = Allocations(str(tmp_path), NODE, told)
    first = allocations.admit(sized(), list, known, running=False)
    assert known.verdict is None and told.said == []
    now = seen(sandbox(), running(first))
    too_much = sized(cpu="3")
    too_much.metadata.generation = 4
    shown = allocations.update(too_much, list, known, now)
    assert shown.spec.containers[0].resources == first.spec.containers[0].resources, "it goes on with what it has"
    assert known.resize_pending is not None and known.resize_pending.reason == "Deferred"
    assert (
        known.resize_pending.message
        == "Node didn't have enough resource: cpu, requested: 3000, used: 0, capacity: 2000"
    )
    allocations.update(too_much, list, known, now)
    assert [reason for reason, _ in told.said] == ["ResizeDeferred"], "told once"
    assert told.said[0][1].startswith('Pod resize OutOfcpu: {"containers":[{"name":"a","resources":{')
    assert told.said[0][1].endswith('"generation":4,"error":"' + known.resize_pending.message + '"}')

    modest = sized(cpu="1", restart=("cpu",))
    shown = allocations.update(modest, list, known, now)
    assert shown is modest and known.resize_pending is None and known.replace == {"a": 0}
    assert known.resize_progress == ResizeNote("", "", 3) and told.said[-1][0] == "ResizeStarted"

    after = PodMemory(NOW)
    again = Allocations(str(tmp_path), NODE, told)
    wanted = sized(cpu="1500m")
    wanted.status.conditions = compute_status(modest, now, known, NodeFacts(("192.0.2.1",)), NOW).conditions
    assert again.admit(wanted, lambda: [sized(cpu="1")], after, running=True).spec.containers[0].resources == (
        modest.spec.containers[0].resources
    ), "what changed while nobody looked is a change like any other"
    assert after.replace == {"a": 0} and after.resize_progress == known.resize_progress
    assert after.resize_pending is not None and after.verdict is None


def test_a_change_that_nobody_saw_keeps_to_its_restart_policy(tmp_path: Path) -> None:
    Allocations(str(tmp_path), NODE, Told()).admit(sized(), list, PodMemory(NOW), running=False)
    wanted = sized(cpu="200m", restart=("cpu",))
    up = ContainerState(running=ContainerStateRunning())
    wanted.status.container_statuses = [ContainerStatus(name="a", restart_count=2, state=up)]
    after = PodMemory(NOW)
    Allocations(str(tmp_path), NODE, Told()).admit(wanted, list, after, running=True)
    assert after.replace == {"a": 2}, "the agent that died told which attempt ran"


def test_who_ran_before_is_not_judged(tmp_path: Path) -> None:
    known = PodMemory(NOW)
    allocations = Allocations(str(tmp_path), NODE, Told())
    allocations.admit(sized(cpu="5"), list, known, running=True)
    assert known.verdict is None
    allocations.admit(pod("b"), list, known, running=False)
    assert [p.name for p in (tmp_path / "pods").iterdir()] == ["u"]
    refused = PodMemory(NOW)
    (tmp_path / "pods/u/allocation.json").write_text("junk")
    allocations.admit(sized(cpu="5"), list, refused, running=False)
    assert refused.verdict is not None and refused.verdict.reason == "OutOfcpu"


def test_a_pod_does_not_end_while_its_container_is_made_anew() -> None:
    wanted = sized(restart=("memory",))
    wanted.spec.restart_policy = "OnFailure"
    known = memory(replace={"a": 0})
    status = compute_status(wanted, seen(sandbox(), container("a", "exited")), known, NodeFacts(("192.0.2.1",)), NOW)
    assert status.phase == "Running"
    known.ended = True
    status = compute_status(wanted, seen(sandbox(0, False), container("a", "exited", 1)), known, NodeFacts(()), NOW)
    assert status.phase == "Succeeded"


def test_what_the_node_has_is_known_as_it_is_now(tmp_path: Path) -> None:
    allocations = Allocations(str(tmp_path), NODE, Told())
    for amount in ("2", "4"):
        allocations.observed(Node(status=NodeStatus(allocatable={"cpu": "64", "example.org/b": amount})))
        assert allocations.view.allocatable["example.org/b"] == amount
    assert allocations.view.allocatable["cpu"] == NODE.allocatable["cpu"], "of its own resources the agent knows best"
    allocations.observed(Node())
    assert "example.org/b" not in allocations.view.allocatable
