"""Rules about exit codes: one container restarts, or all of them begin anew."""

from typing import Any

import pytest

from api.core_v1 import ContainerRestartRule, ContainerRestartRuleOnExitCodes, Pod
from nodeagent.model.memory import Held
from nodeagent.model.spec import should_restart
from nodeagent.plan.actions import RemoveContainer, StartContainer, StopContainer
from nodeagent.plan.pod import plan_pod
from nodeagent.plan.status import NodeFacts, compute_status
from tests.unit.nodeagent.pods import NOW, container, memory, pod, sandbox, seen

FACTS = NodeFacts(("192.0.2.1",))


def ruled(action: str, *codes: int, operator: str = "In", policy: str = "Never", **spec: Any) -> Pod:
    wanted = pod("a", "b", **spec)
    first = wanted.spec.containers[0]
    first.restart_policy = policy
    fits = ContainerRestartRuleOnExitCodes(operator=operator, values=list(codes))
    first.restart_policy_rules = [ContainerRestartRule(action=action, exit_codes=fits)]
    return wanted


@pytest.mark.parametrize(
    ("wanted", "code", "again"),
    [
        (ruled("Restart", 42), 42, True),
        (ruled("Restart", 42), 1, False),
        (ruled("Restart", 42, operator="NotIn"), 1, True),
        (ruled("Restart", 42, policy="OnFailure"), 1, True),
        (ruled("Restart", 42, policy="OnFailure"), 0, False),
        (ruled("RestartAllContainers", 42), 42, True),
    ],
)
def test_one_container(wanted: Pod, code: int, again: bool) -> None:
    assert should_restart(wanted, wanted.spec.containers[0], code) is again


def test_all_containers_go_and_the_cause_last() -> None:
    wanted = ruled("RestartAllContainers", 42, init=("i",), restart_policy="Never")
    now = seen(sandbox(), container("i", "exited"), container("a", "exited", code=42), container("b"))
    plan = plan_pod(wanted, now, memory(), NOW)
    assert plan.actions[0] == StopContainer("b0", "b", 2, "killing")
    assert [a.name for a in plan.actions[1:] if isinstance(a, RemoveContainer)][-1] == "a" and len(plan.actions) == 4
    assert plan.reset_for == NOW
    left = seen(sandbox(), container("a", "exited", code=42))
    assert plan_pod(wanted, left, memory(resets=Held(10, NOW)), NOW).actions == (RemoveContainer("a0", "a"),)
    other = seen(sandbox(), container("i", "exited"), container("a", "exited", code=1), container("b"))
    assert plan_pod(wanted, other, memory(), NOW).actions == ()


def test_not_again_and_again_without_a_pause() -> None:
    wanted = ruled("RestartAllContainers", 42)
    now = seen(sandbox(), container("a", "exited", code=42, at=5), container("b"))
    plan = plan_pod(wanted, now, memory(resets=Held(10, NOW)), NOW + 6)
    assert plan.actions == () and plan.wake_at == NOW + 15 and plan.waiting["a"].reason == "CrashLoopBackOff"
    assert plan_pod(wanted, now, memory(resets=Held(10, NOW)), NOW + 15).actions != ()


def test_what_is_told_meanwhile() -> None:
    wanted = ruled("RestartAllContainers", 42, restart_policy="Never")
    known = memory()
    ended = seen(sandbox(), container("a", "exited", code=42), container("b", "exited", code=137))
    wanted.status = compute_status(wanted, ended, known, FACTS, NOW)
    told = {c.type: c for c in wanted.status.conditions}["AllContainersRestarting"]
    assert (wanted.status.phase, told.status, told.reason) == ("Running", "True", "RestartAllContainersStarted")
    empty = seen(sandbox())
    wanted.status = compute_status(wanted, empty, known, FACTS, NOW)
    assert wanted.status.phase in ("Pending", "Running")
    for status in wanted.status.container_statuses:
        assert status.state.waiting is not None and status.state.waiting.reason == "RestartingAllContainers"
        assert status.restart_count == 1 and status.last_state.terminated is not None
    plan = plan_pod(wanted, empty, known, NOW)
    assert plan.actions == (StartContainer("a", 1), StartContainer("b", 1))
    again = compute_status(wanted, empty, known, FACTS, NOW + 1)
    assert {s.restart_count for s in again.container_statuses} == {1}, "counted once"
    assert {c.type: c.status for c in again.conditions}["AllContainersRestarting"] == "False"
    assert "AllContainersRestarting" not in {
        c.type for c in compute_status(pod("a"), empty, memory(), FACTS, NOW).conditions
    }
