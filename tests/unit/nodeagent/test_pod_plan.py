"""Plans by table: what a pod wants, what is seen of it, and what follows."""

from typing import Any

import pytest

from api.core_v1 import (
    ConfigMapProjection,
    ConfigMapVolumeSource,
    ContainerRestartRule,
    ContainerRestartRuleOnExitCodes,
    EmptyDirVolumeSource,
    EphemeralContainer,
    HostPathVolumeSource,
    Probe,
    ProjectedVolumeSource,
    ServiceAccountTokenProjection,
    Volume,
    VolumeProjection,
)
from nodeagent.model.memory import BackoffPolicy, Health, Held, PodMemory, Verdict, next_hold
from nodeagent.model.seen import Exit
from nodeagent.model.spec import should_restart, spec_hash
from nodeagent.plan.actions import (
    CleanUp,
    CreateSandbox,
    DeleteObject,
    Forget,
    PrepareVolumes,
    RemoveContainer,
    RemoveSandbox,
    StartContainer,
    StopContainer,
    StopSandbox,
    together,
)
from nodeagent.plan.pod import grace_seconds, plan_pod
from tests.unit.nodeagent.pods import NOW, container, memory, pod, sandbox, seen

ENDED = "ended"


def words(plan: Any) -> list[str]:
    """A plan as short text."""
    said = {
        PrepareVolumes: lambda a: "volumes",
        CreateSandbox: lambda a: f"sandbox {a.attempt}",
        StopSandbox: lambda a: f"stop {a.id}",
        RemoveSandbox: lambda a: f"remove {a.id}",
        StartContainer: lambda a: f"start {a.name} {a.attempt}",
        StopContainer: lambda a: " after ".join([f"kill {a.id}", *([",".join(a.after)] if a.after else [])]),
        RemoveContainer: lambda a: f"remove {a.id}",
        CleanUp: lambda a: "clean up",
        DeleteObject: lambda a: "delete",
        Forget: lambda a: "forget",
    }
    return [said[type(action)](action) for action in plan.actions] + [ENDED] * plan.ended


LIFE: list[tuple[str, Any, tuple[Any, ...], list[str]]] = [
    ("nothing there", pod("a"), (), ["sandbox 0"]),
    ("a sandbox", pod("a", "b"), (sandbox(),), ["start a 0", "start b 0"]),
    ("all runs", pod("a"), (sandbox(), container("a")), []),
    ("created, never started", pod("a"), (sandbox(), container("a", "created")), ["remove a0", "start a 0"]),
    ("ended, Always", pod("a"), (sandbox(), container("a", "exited")), ["start a 1"]),
    ("ended well, OnFailure", pod("a", restart_policy="OnFailure"), (sandbox(), container("a", "exited")), [ENDED]),
    (
        "ended badly, OnFailure",
        pod("a", restart_policy="OnFailure"),
        (sandbox(), container("a", "exited", code=1)),
        ["start a 1"],
    ),
    ("ended badly, Never", pod("a", restart_policy="Never"), (sandbox(), container("a", "exited", code=1)), [ENDED]),
    (
        "one ended, one runs, Never",
        pod("a", "b", restart_policy="Never"),
        (sandbox(), container("a", "exited"), container("b")),
        [],
    ),
    ("unknown state", pod("a"), (sandbox(), container("a", "unknown")), ["kill a0"]),
    ("init first", pod("a", init=("i", "j")), (sandbox(),), ["start i 0"]),
    ("init runs", pod("a", init=("i", "j")), (sandbox(), container("i")), []),
    ("init done", pod("a", init=("i", "j")), (sandbox(), container("i", "exited")), ["start j 0"]),
    ("second init done", pod("a", init=("i", "j")), (sandbox(), container("j", "exited")), ["start a 0"]),
    ("init failed, Always", pod("a", init=("i",)), (sandbox(), container("i", "exited", code=1)), ["start i 1"]),
    (
        "init failed, Never",
        pod("a", init=("i",), restart_policy="Never"),
        (sandbox(), container("i", "exited", code=1)),
        [ENDED],
    ),
    ("app runs, init collected", pod("a", init=("i",)), (sandbox(), container("a")), []),
    ("sidecar first", pod("a", sidecars=("s",)), (sandbox(),), ["start s 0"]),
    ("sidecar runs", pod("a", sidecars=("s",)), (sandbox(), container("s")), ["start a 0"]),
    (
        "sidecar died",
        pod("a", sidecars=("s",), restart_policy="Never"),
        (sandbox(), container("s", "exited"), container("a")),
        ["start s 1"],
    ),
    (
        "only the sidecar is left",
        pod("a", sidecars=("s",), restart_policy="Never"),
        (sandbox(), container("s"), container("a", "exited")),
        [ENDED],
    ),
    ("sandbox died", pod("a"), (sandbox(0, False), container("a", "exited")), ["stop s0", "sandbox 1"]),
    (
        "sandbox died, containers live",
        pod("a"),
        (sandbox(0, False), container("a")),
        ["kill a0", "stop s0", "sandbox 1"],
    ),
    ("sandbox died, Never", pod("a", restart_policy="Never"), (sandbox(0, False), container("a", "exited")), [ENDED]),
    (
        "sandbox died, all done",
        pod("a", restart_policy="OnFailure"),
        (sandbox(0, False), container("a", "exited")),
        [ENDED],
    ),
    ("sandbox died at once, Never", pod("a", restart_policy="Never"), (sandbox(0, False),), ["stop s0", "sandbox 1"]),
    ("two sandboxes", pod("a"), (sandbox(0), sandbox(1)), ["stop s1", "stop s0", "sandbox 2"]),
    ("a sandbox without address", pod("a"), (sandbox(0, ip=""),), ["stop s0", "sandbox 1"]),
    (
        "new sandbox, init again",
        pod("a", init=("i",)),
        (sandbox(0, False), sandbox(1), container("i", "exited"), container("a", "exited")),
        ["start i 1"],
    ),
    (
        "garbage",
        pod("a"),
        (sandbox(), container("a", "exited", 0), container("a", "exited", 1), container("a", "running", 2)),
        ["remove a0"],
    ),
    ("an old sandbox", pod("a"), (sandbox(0, False), sandbox(1), container("a", where=1)), ["remove s0"]),
]


@pytest.mark.parametrize(("what", "wanted", "things", "expected"), LIFE, ids=[row[0] for row in LIFE])
def test_life(what: str, wanted: Any, things: tuple[Any, ...], expected: list[str]) -> None:
    things = tuple(
        s if not hasattr(s, "ips") or s.ips != ("",) else type(s)(s.id, s.attempt, True, s.created_at) for s in things
    )
    assert words(plan_pod(wanted, seen(*things), memory(), NOW)) == expected


def test_volumes_come_first_and_hold_everything_up() -> None:
    fresh = PodMemory(NOW)
    assert words(plan_pod(pod(), seen(), fresh, NOW)) == ["volumes", "sandbox 0"]
    assert words(plan_pod(pod(), seen(sandbox()), fresh, NOW)) == ["volumes"]
    fresh.sandbox_retry = NOW + 5
    plan = plan_pod(pod(), seen(), fresh, NOW)
    assert plan.converged and plan.wake_at == NOW + 5


def test_no_network_no_sandbox() -> None:
    waiting = memory(network_ready=False)
    assert plan_pod(pod(), seen(), waiting, NOW).converged
    assert words(plan_pod(pod(host_network=True), seen(), waiting, NOW)) == ["sandbox 0"]


def test_an_image_that_changed_replaces_the_container() -> None:
    wanted = pod("a")
    same = container("a")
    object.__setattr__(same, "spec_hash", spec_hash(wanted.spec.containers[0]))
    assert plan_pod(wanted, seen(sandbox(), same), memory(), NOW).converged
    wanted.spec.containers[0].image = "other"
    plan = plan_pod(wanted, seen(sandbox(), same), memory(), NOW)
    assert words(plan) == ["kill a0"] and plan.actions[0].message == "Container a definition changed, will be restarted"  # type: ignore[union-attr]


def test_back_off_grows_and_is_told() -> None:
    wanted, dead = pod("a"), seen(sandbox(), container("a", "exited", code=1, at=5))
    held = memory(restarts={"a": Held(20, NOW)})
    plan = plan_pod(wanted, dead, held, NOW + 10)
    assert plan.converged and plan.wake_at == NOW + 25
    assert plan.waiting["a"].reason == "CrashLoopBackOff"
    assert plan.waiting["a"].message == "back-off 20s restarting failed container=a pod=p_ns(u)"
    assert words(plan_pod(wanted, dead, held, NOW + 25)) == ["start a 1"]


@pytest.mark.parametrize(
    ("held", "event", "expected"),
    [
        (None, 0, 10.0),
        (Held(10, 0), 30, 20.0),
        (Held(160, 0), 30, 300.0),
        (Held(300, 0), 30, 300.0),
        (Held(300, 0), 601, 10.0),
    ],
)
def test_the_next_back_off(held: Held | None, event: float, expected: float) -> None:
    assert next_hold(held, event, BackoffPolicy()).delay == expected


def test_a_failed_start_is_not_repeated_before_its_time() -> None:
    waiting = memory(retries={"a": NOW + 3})
    plan = plan_pod(pod("a", "b"), seen(sandbox()), waiting, NOW)
    assert words(plan) == ["start b 0"] and plan.wake_at == NOW + 3


def test_probes_that_fail() -> None:
    wanted = pod("a", restart_policy="Never")
    wanted.spec.containers[0].liveness_probe = Probe()
    runs = seen(sandbox(), container("a"))
    assert plan_pod(wanted, runs, memory(health={"a0": Health(True, False, True)}), NOW).converged
    dead = {"a0": Health(True, None, False)}
    assert plan_pod(wanted, runs, memory(health=dead), NOW).ended, "it was the last"
    wanted.spec.containers = pod("a", "b").spec.containers
    wanted.spec.containers[0].liveness_probe = Probe()
    plan = plan_pod(wanted, seen(sandbox(), container("a"), container("b")), memory(health=dead), NOW)
    assert words(plan) == ["kill a0"] and plan.actions[0].message == "Container a failed liveness probe"  # type: ignore[union-attr]
    wanted.spec.containers.pop()
    wanted.spec.restart_policy = "Always"
    wanted.spec.containers[0].liveness_probe = None
    wanted.spec.containers[0].startup_probe = Probe(termination_grace_period_seconds=7)
    plan = plan_pod(wanted, runs, memory(health={"a0": Health(False, None, False)}), NOW)
    assert plan.actions == (StopContainer("a0", "a", 7, "Container a failed startup probe, will be restarted"),)


def test_a_sidecar_holds_up_what_follows_until_its_startup_probe_succeeds() -> None:
    wanted = pod("a", sidecars=("s",))
    wanted.spec.init_containers[0].startup_probe = Probe()
    runs = seen(sandbox(), container("s"))
    assert plan_pod(wanted, runs, memory(), NOW).converged
    assert words(plan_pod(wanted, runs, memory(health={"s0": Health(started=True)}), NOW)) == ["start a 0"]


def test_ephemeral_containers_start_once() -> None:
    wanted = pod("a")
    wanted.spec.ephemeral_containers = [EphemeralContainer(name="e", image="i")]
    assert words(plan_pod(wanted, seen(sandbox(), container("a")), memory(), NOW)) == ["start e 0"]
    assert plan_pod(wanted, seen(sandbox(), container("a"), container("e", "exited")), memory(), NOW).converged


def test_the_deadline_of_a_pod() -> None:
    wanted = pod("a", active_deadline_seconds=60)
    runs = seen(sandbox(), container("a"))
    assert plan_pod(wanted, runs, memory(), NOW + 59).wake_at == NOW + 60
    assert plan_pod(wanted, runs, memory(), NOW + 60).verdict == Verdict(
        "DeadlineExceeded", "Pod was active on the node longer than the specified deadline"
    )


def deleted(wanted: Any, grace: int = 30) -> Any:
    wanted.metadata.deletion_timestamp = "2026-01-01T00:00:00Z"
    wanted.metadata.deletion_grace_period_seconds = grace
    return wanted


END: list[tuple[str, tuple[Any, ...], dict[str, Any], list[str]]] = [
    (
        "apps first, sidecars from the last",
        (sandbox(), container("a"), container("s"), container("t")),
        {},
        ["kill a0", "kill t0 after a0", "kill s0 after a0,t0"],
    ),
    ("one by one", (sandbox(), container("s"), container("t", "exited")), {}, ["kill s0"]),
    ("then the network", (sandbox(), container("a", "exited")), {}, ["stop s0"]),
    ("then what it had", (sandbox(0, False),), {}, ["clean up"]),
    ("then the object", (sandbox(0, False),), {"cleaned": True}, ["delete"]),
    ("and wait", (sandbox(0, False),), {"cleaned": True, "reported": True}, []),
    (
        "gone: the rest",
        (sandbox(0, False), container("a", "exited")),
        {"cleaned": True, "gone": True},
        ["remove a0", "remove s0"],
    ),
    ("gone: nothing left", (), {"cleaned": True, "gone": True}, ["forget"]),
    ("not before its time", (sandbox(), container("a")), {"stop_retry": NOW + 1}, []),
]


@pytest.mark.parametrize(("what", "things", "known", "expected"), END, ids=[row[0] for row in END])
def test_end(what: str, things: tuple[Any, ...], known: dict[str, Any], expected: list[str]) -> None:
    wanted = deleted(pod("a", sidecars=("s", "t")))
    assert words(plan_pod(wanted, seen(*things), memory(**known), NOW)) == expected


def test_a_finished_pod_is_taken_down_but_stays() -> None:
    wanted = pod("a", restart_policy="Never")
    done = seen(sandbox(0, False), container("a", "exited"))
    assert plan_pod(wanted, done, memory(ended=True, cleaned=True), NOW).converged
    wanted.status.phase = "Succeeded"
    assert words(plan_pod(wanted, done, memory(), NOW)) == ["clean up"]
    older = seen(sandbox(0, False), container("a", "exited", 1), container("a", "exited"))
    plan = plan_pod(wanted, older, memory(ended=True, cleaned=True), NOW)
    assert words(plan) == ["remove a0"], "of its dead containers the newest is enough"


@pytest.mark.parametrize(
    ("spec", "asked", "before", "expected"),
    [
        (30, None, None, 30),
        (30, 5, None, 5),
        (30, 60, None, 60),
        (30, 60, 10, 10),
        (None, None, None, 1),
        (30, 0, None, 1),
    ],
)
def test_grace(spec: int | None, asked: int | None, before: int | None, expected: int) -> None:
    wanted = pod("a", termination_grace_period_seconds=spec)
    wanted.metadata.deletion_grace_period_seconds = asked
    assert grace_seconds(wanted, memory(grace=before)) == expected


def test_grace_is_spent_only_once() -> None:
    wanted = deleted(pod("a", sidecars=("s",)), 30)
    plan = plan_pod(wanted, seen(sandbox(), container("s")), memory(stopping_since=NOW - 20), NOW)
    assert plan.actions == (StopContainer("s0", "s", 10, "Stopping container s"),)
    plan = plan_pod(wanted, seen(sandbox(), container("s")), memory(stopping_since=NOW - 40), NOW)
    assert plan.actions == (StopContainer("s0", "s", 2, "Stopping container s"),)


def test_restart_rules_of_a_container() -> None:
    wanted = pod("a", restart_policy="Never")
    chosen = wanted.spec.containers[0]
    chosen.restart_policy = "Never"
    rule = ContainerRestartRuleOnExitCodes(operator="In", values=[42])
    chosen.restart_policy_rules = [ContainerRestartRule(action="Restart", exit_codes=rule)]
    assert should_restart(wanted, chosen, 42) and not should_restart(wanted, chosen, 1)


def test_what_ended_stays_ended() -> None:
    exits = {"a0": Exit(3, NOW + 1), "s0": Exit(137, NOW + 2)}
    found = seen(sandbox(), container("a")).overlay(exits)
    assert found.containers[0].exited and found.containers[0].exit_code == 3 and found.containers[0].reason == "Error"
    assert not found.sandboxes[0].ready
    assert Exit(0, NOW).reason == "Completed"


TOKEN = ProjectedVolumeSource(
    sources=[
        VolumeProjection(service_account_token=ServiceAccountTokenProjection(path="token")),
        VolumeProjection(config_map=ConfigMapProjection(name="kube-root-ca.crt")),
    ]
)
OWN = ProjectedVolumeSource(sources=[VolumeProjection(config_map=ConfigMapProjection(name="settings"))])


@pytest.mark.parametrize(
    ("volumes", "early"),
    [
        ([], True),
        ([Volume(name="v", projected=TOKEN), Volume(name="w", empty_dir=EmptyDirVolumeSource())], True),
        ([Volume(name="v", projected=OWN)], False),
        ([Volume(name="v", projected=TOKEN), Volume(name="w", config_map=ConfigMapVolumeSource(name="s"))], False),
        ([Volume(name="v", host_path=HostPathVolumeSource(path="/a", type="Directory"))], False),
    ],
)
def test_the_sandbox_waits_only_for_volumes_that_may_not_be_there(volumes: list[Volume], early: bool) -> None:
    wanted = pod("a")
    wanted.spec.volumes = volumes
    plan = plan_pod(wanted, seen(), memory(volumes_ready=False), NOW)
    assert plan.actions == (PrepareVolumes(), CreateSandbox(0, early))
    assert together(plan.actions) == list(plan.actions if early else plan.actions[:1])


def test_what_is_stopped_is_stopped_together() -> None:
    stops = tuple(StopContainer(ident, ident, 1, "") for ident in "abc")
    assert together((*stops, CleanUp())) == list(stops)
    assert together((CleanUp(), *stops)) == [CleanUp()]
