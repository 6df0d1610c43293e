"""Statuses by table: phase, conditions and container states as the API server is to show them."""

from dataclasses import replace
from typing import Any

import pytest

from api import codec
from api.core_v1 import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStatus,
    EphemeralContainer,
    PodCondition,
    PodReadinessGate,
    Probe,
    ResourceRequirements,
    VolumeMount,
    VolumeMountStatus,
)
from nodeagent.model.memory import Health, Verdict, Waiting
from nodeagent.plan import qos
from nodeagent.plan.status import NodeFacts, compute_status
from tests.unit.nodeagent.pods import NOW, container, memory, pod, sandbox, seen

FACTS = NodeFacts(("192.0.2.1",))


def status_of(wanted: Any, *things: Any, **known: Any) -> Any:
    return compute_status(wanted, seen(*things), memory(**known), FACTS, NOW)


LOOP = {"waiting": {"a": Waiting("CrashLoopBackOff")}}
PHASES: list[tuple[str, Any, tuple[Any, ...], dict[str, Any], str]] = [
    ("nothing yet", pod("a"), (), {}, "Pending"),
    ("a sandbox", pod("a"), (sandbox(),), {}, "Pending"),
    ("runs", pod("a"), (sandbox(), container("a")), {}, "Running"),
    ("one of two runs", pod("a", "b"), (sandbox(), container("a")), {}, "Pending"),
    (
        "waits to be restarted",
        pod("a"),
        (sandbox(), container("a", "exited", code=1)),
        {"waiting": {"a": Waiting("CrashLoopBackOff")}},
        "Running",
    ),
    ("init runs", pod("a", init=("i",)), (sandbox(), container("i")), {}, "Pending"),
    (
        "init failed, Never",
        pod("a", init=("i",), restart_policy="Never"),
        (sandbox(0, False), container("i", "exited", code=1)),
        {"ended": True},
        "Failed",
    ),
    ("init failed, Always", pod("a", init=("i",)), (sandbox(), container("i", "exited", code=1)), {}, "Pending"),
    (
        "done well",
        pod("a", restart_policy="Never"),
        (sandbox(0, False), container("a", "exited")),
        {"ended": True},
        "Succeeded",
    ),
    (
        "done, but its sandbox is there",
        pod("a", restart_policy="Never"),
        (sandbox(), container("a", "exited")),
        {"ended": True},
        "Pending",  # as it was
    ),
    (
        "deleted while it waits to be restarted, after a good end",
        pod("a"),
        (sandbox(0, False), container("a", "exited")),
        {"gone": True, "waiting": {"a": Waiting("CrashLoopBackOff")}},
        "Succeeded",
    ),
    (
        "done badly",
        pod("a", restart_policy="Never"),
        (sandbox(0, False), container("a", "exited", code=1)),
        {"ended": True},
        "Failed",
    ),
    (
        "one of two done, Never",
        pod("a", "b", restart_policy="Never"),
        (sandbox(), container("a", "exited"), container("b")),
        {},
        "Running",
    ),
    ("killed on the way", pod("a"), (sandbox(0, False), container("a", "exited", code=143)), {"gone": True}, "Failed"),
    ("never started, deleted", pod("a"), (), {"gone": True}, "Failed"),
    ("sidecar only", pod("a", sidecars=("s",)), (sandbox(), container("s")), {}, "Pending"),
    ("sidecar and app", pod("a", sidecars=("s",)), (sandbox(), container("s"), container("a")), {}, "Running"),
]


@pytest.mark.parametrize(("what", "wanted", "things", "known", "phase"), PHASES, ids=[row[0] for row in PHASES])
def test_phase(what: str, wanted: Any, things: tuple[Any, ...], known: dict[str, Any], phase: str) -> None:
    assert status_of(wanted, *things, **known).phase == phase


def test_a_fresh_pod() -> None:
    status = codec.to_dict(status_of(pod("a", init=("i",))))
    assert status["phase"] == "Pending" and status["qosClass"] == "BestEffort" and status["observedGeneration"] == 3
    assert status["hostIP"] == "192.0.2.1" and status["hostIPs"] == [{"ip": "192.0.2.1"}] and "podIP" not in status
    assert status["startTime"] == "2023-11-14T22:13:20Z"
    assert status["containerStatuses"] == [
        {
            "name": "a",
            "state": {"waiting": {"reason": "PodInitializing"}},
            "lastState": {},
            "ready": False,
            "restartCount": 0,
            "image": "i",
            "imageID": "",
            "started": False,
        }
    ]
    assert [(c["type"], c["status"], c.get("reason")) for c in status["conditions"]] == [
        ("PodReadyToStartContainers", "False", None),
        ("Initialized", "False", "ContainersNotInitialized"),
        ("Ready", "False", "ContainersNotReady"),
        ("ContainersReady", "False", "ContainersNotReady"),
        ("PodScheduled", "True", None),
    ]
    messages = [c.get("message") for c in status["conditions"]]
    assert messages[1:3] == ["containers with incomplete status: [i]", "containers with unready status: [a]"]
    assert {c["observedGeneration"] for c in status["conditions"]} == {3}


def test_a_running_pod() -> None:
    status = codec.to_dict(status_of(pod("a"), sandbox(), container("a")))
    assert status["podIP"] == "10.0.0.5" and status["podIPs"] == [{"ip": "10.0.0.5"}]
    assert {c["status"] for c in status["conditions"]} == {"True"}
    [a] = status["containerStatuses"]
    assert a["containerID"] == "containerd://a0" and a["ready"] and a["started"]
    assert a["state"] == {"running": {"startedAt": "2023-11-14T22:13:20Z"}}


def test_transition_times_move_only_when_a_status_does() -> None:
    wanted = pod("a")
    wanted.status = status_of(wanted, sandbox(), container("a"))
    later = compute_status(wanted, seen(sandbox(), container("a", "exited", code=1)), memory(), FACTS, NOW + 60)
    times = {c.type: c.last_transition_time for c in later.conditions}
    assert times["PodScheduled"] == "2023-11-14T22:13:20Z" and times["Ready"] == "2023-11-14T22:14:20Z"


def test_foreign_conditions_and_readiness_gates() -> None:
    wanted = pod("a", readiness_gates=[PodReadinessGate(condition_type="x/lb")])
    status = status_of(wanted, sandbox(), container("a"))
    ready = next(c for c in status.conditions if c.type == "Ready")
    assert (ready.status, ready.reason) == ("False", "ReadinessGatesNotReady")
    assert ready.message == 'corresponding condition of pod readiness gate "x/lb" does not exist.'
    wanted.status.conditions = [PodCondition(type="x/lb", status="True")]
    status = status_of(wanted, sandbox(), container("a"))
    assert next(c.type for c in status.conditions) == "x/lb"
    assert next(c for c in status.conditions if c.type == "Ready").status == "True"


def test_probes_have_a_say() -> None:
    wanted = pod("a")
    wanted.spec.containers[0].readiness_probe = Probe()
    runs = (sandbox(), container("a"))
    assert not status_of(wanted, *runs).container_statuses[0].ready
    assert status_of(wanted, *runs, health={"a0": Health(ready=True)}).container_statuses[0].ready
    wanted.spec.containers[0].startup_probe = Probe()
    status = status_of(wanted, *runs, health={"a0": Health(ready=True)}).container_statuses[0]
    assert not status.started and not status.ready


def test_what_was_told_of_a_run_stands_until_probes_have_a_result() -> None:
    wanted = pod("a")
    wanted.spec.containers[0].readiness_probe = wanted.spec.containers[0].startup_probe = Probe()
    wanted.status = status_of(wanted, sandbox(), container("a"), health={"a0": Health(True, True, True)})
    again = status_of(wanted, sandbox(), container("a")).container_statuses[0]  # by an agent that has just begun
    assert again.started and again.ready
    again = status_of(wanted, sandbox(), container("a"), health={"a0": Health(True, False, True)}).container_statuses[0]
    assert again.started and not again.ready
    other = status_of(wanted, sandbox(), container("a", attempt=1)).container_statuses[0]
    assert not other.started and not other.ready


def test_waiting_to_be_restarted_shows_the_last_end() -> None:
    known = {"waiting": {"a": Waiting("CrashLoopBackOff", "back-off")}}
    things = (sandbox(), container("a", "exited", 3, code=7, at=4), container("a", "exited", 2, code=1))
    [status] = status_of(pod("a"), *things, **known).container_statuses
    assert status.state.waiting.reason == "CrashLoopBackOff" and status.restart_count == 3
    assert status.last_state.terminated.exit_code == 7


def test_a_restarted_container_shows_the_run_before() -> None:
    [status] = status_of(
        pod("a"), sandbox(), container("a", "running", 1), container("a", "exited", 0, code=2)
    ).container_statuses
    assert status.state.running and status.last_state.terminated.exit_code == 2 and status.restart_count == 1


def test_a_container_that_was_lost() -> None:
    wanted = pod("a")
    running = ContainerState(running=ContainerStateRunning())
    wanted.status.container_statuses = [
        ContainerStatus(name="a", state=running, container_id="containerd://x", restart_count=2)
    ]
    [status] = status_of(wanted).container_statuses
    assert status.last_state.terminated.reason == "ContainerStatusUnknown" and status.restart_count == 3


def test_init_containers_that_were_collected_count_as_done() -> None:
    [status] = status_of(pod("a", init=("i",)), sandbox(), container("a")).init_container_statuses
    assert status.state.terminated.reason == "Completed" and status.ready


def test_final_phases_are_final() -> None:
    wanted = pod("a")
    wanted.status.phase, wanted.status.reason = "Failed", "Evicted"
    status = status_of(wanted, sandbox(), container("a"))
    assert (status.phase, status.reason) == ("Failed", "Evicted")


def test_a_verdict_is_told_when_nothing_runs_any_more() -> None:
    wanted, why = pod("a"), Verdict("Evicted", "too much", disruption="not its fault")
    wanted.status.phase = "Running"
    for things in ((sandbox(), container("a")), (sandbox(), container("a", "exited", code=137))):
        status = status_of(wanted, *things, verdict=why)
        shown = {c.type: (c.status, c.reason) for c in status.conditions}
        assert (status.phase, status.reason, status.message) == ("Running", None, None)
        assert shown["Ready"] == ("False", "PodFailed") and "DisruptionTarget" not in shown
    status = status_of(wanted, sandbox(0, False), container("a", "exited", code=137), verdict=why)
    assert (status.phase, status.reason, status.message) == ("Failed", "Evicted", "too much")
    told = next(c for c in status.conditions if c.type == "DisruptionTarget")
    assert (told.status, told.message) == ("True", "not its fault")


@pytest.mark.parametrize(
    ("what", "wanted", "things", "shown"),
    [
        ("nothing was begun", pod("a"), (), {"a": "ContainerStatusUnknown"}),
        (
            "the first init container at least",
            pod("a", init=("i", "j")),
            (),
            {"i": "ContainerStatusUnknown", "j": "PodInitializing", "a": "PodInitializing"},
        ),
        (
            "it failed",
            pod("a", init=("i", "j"), restart_policy="Never"),
            (container("i", "exited", code=3),),
            {"i": "Error", "j": "PodInitializing", "a": "PodInitializing"},
        ),
        (
            "one of two apps",
            pod("a", "b", init=("i",)),
            (container("i", "exited"), container("a", "exited")),
            {"i": "Completed", "a": "Completed", "b": "ContainerStatusUnknown"},
        ),
        (
            "initialized",
            pod("a", init=("i",)),
            (container("i", "exited"),),
            {"i": "Completed", "a": "ContainerStatusUnknown"},
        ),
        (
            "a sidecar that never started",
            pod("a", sidecars=("s",)),
            (container("s", "exited", code=1),),
            {"s": "Error", "a": "PodInitializing"},
        ),
    ],
)
def test_at_the_end_only_what_was_begun_is_lost(
    what: str, wanted: Any, things: tuple[Any, ...], shown: dict[str, str]
) -> None:
    wanted.metadata.deletion_timestamp = "2026-01-01T00:00:00Z"
    waiting = {name: Waiting("ErrImagePull") for name in shown}
    reasons = set[str | None]()
    for _ in range(2):  # the second look finds what the first has told
        status = status_of(wanted, sandbox(0, False), *things, waiting=waiting)
        states = {s.name: s for s in (*status.init_container_statuses, *status.container_statuses)}
        assert {n: (s.state.terminated or s.state.waiting).reason for n, s in states.items()} == shown, what
        assert all(s.last_state.terminated is None for s in states.values()) and status.phase == "Failed"
        initialized = next(c.status for c in status.conditions if c.type == "Initialized")
        assert initialized == ("False" if shown["a"] == "PodInitializing" else "True")
        reasons |= {c.reason for c in status.conditions if c.type == "Ready"}
        wanted.status = status
    assert reasons == {"PodFailed" if wanted.spec.restart_policy == "Never" else "ContainersNotReady"}


def test_last_words_share_the_room() -> None:
    wanted = pod("a", "b", init=("i",))
    ended = [replace(container(name, "exited", code=1), message="\u00e4" * 4000) for name in ("i", "a", "b")]
    status = status_of(wanted, sandbox(), *ended)
    told = [s.state.terminated.message for s in (*status.init_container_statuses, *status.container_statuses)]
    assert {len(message.encode()) for message in told} == {4096}
    wanted = pod("a", "b", "c", "d", "e")
    status = status_of(wanted, sandbox(), *(replace(e, name=n) for e, n in zip(ended, "abc", strict=True)))
    assert [len((s.state.terminated.message or "").encode()) for s in status.container_statuses[:3]] == [2456] * 3


def test_nobody_asks_whether_an_ephemeral_container_is_ready() -> None:
    wanted = pod("a")
    wanted.spec.ephemeral_containers = [EphemeralContainer(name="e", image="i")]
    [shown] = status_of(wanted, sandbox(), container("a"), container("e")).ephemeral_container_statuses
    assert shown.state.running is not None and (shown.ready, shown.started) == (False, None)


def test_at_the_end_all_containers_have_ended() -> None:
    status = status_of(pod("a", "b"), sandbox(0, False), container("a", "exited"), gone=True)
    ends = [s.state.terminated for s in status.container_statuses]
    assert [e.reason for e in ends] == ["Completed", "ContainerStatusUnknown"] and ends[1].exit_code == 137


def test_the_address_is_kept_when_the_sandbox_is_gone() -> None:
    wanted = pod("a", restart_policy="Never")
    wanted.status = status_of(wanted, sandbox(), container("a"))
    assert status_of(wanted, sandbox(0, False), container("a", "exited"), ended=True).pod_ip == "10.0.0.5"


QOS: list[tuple[list[tuple[dict[str, str], dict[str, str]]], str]] = [
    ([({}, {})], "BestEffort"),
    ([({"cpu": "1"}, {})], "Burstable"),
    ([({}, {"cpu": "1", "memory": "1Gi"})], "Guaranteed"),
    ([({"cpu": "1", "memory": "1Gi"}, {"cpu": "1000m", "memory": "1024Mi"})], "Guaranteed"),
    ([({}, {"cpu": "1", "memory": "1Gi"}), ({}, {})], "Burstable"),
    ([({"example.com/gpu": "1"}, {"example.com/gpu": "1"})], "BestEffort"),
    ([({"cpu": "0"}, {})], "BestEffort"),
]


@pytest.mark.parametrize(("needs", "expected"), QOS)
def test_classes_of_service(needs: list[tuple[dict[str, str], dict[str, str]]], expected: str) -> None:
    wanted = pod(*(f"c{i}" for i in range(len(needs))))
    for spec, (requests, limits) in zip(wanted.spec.containers, needs, strict=True):
        spec.resources = ResourceRequirements(requests=requests, limits=limits)
    assert qos.qos_class(wanted) == expected


def needy(requests: dict[str, str], limits: dict[str, str]) -> Container:
    return Container(name="a", image="i", resources=ResourceRequirements(requests=requests, limits=limits))


@pytest.mark.parametrize(
    ("requests", "limits", "expected"),
    [
        ({}, {}, (2, -1, 0)),
        ({"cpu": "100m"}, {}, (102, -1, 0)),
        ({}, {"cpu": "500m"}, (512, 50_000, 0)),
        ({"cpu": "1"}, {"cpu": "2", "memory": "64Mi"}, (1024, 200_000, 64 << 20)),
        ({}, {"cpu": "1m"}, (2, 1000, 0)),
    ],
)
def test_limits_of_containers(requests: dict[str, str], limits: dict[str, str], expected: tuple[int, int, int]) -> None:
    wanted = pod("a")
    wanted.spec.containers = [needy(requests, limits)]
    found = qos.container_limits(wanted, wanted.spec.containers[0])
    assert (found.shares, found.quota, found.memory) == expected


def test_limits_of_pods_and_who_dies_first() -> None:
    wanted = pod("a", init=("i",))
    wanted.spec.containers = [needy({"cpu": "200m", "memory": "1Gi"}, {"cpu": "1", "memory": "2Gi"})]
    wanted.spec.init_containers[0].resources = ResourceRequirements(requests={"cpu": "300m"})
    found = qos.pod_limits(wanted)
    assert (found.shares, found.quota, found.memory) == (307, 100_000, 2 << 30)
    assert qos.oom_score_adj(wanted, wanted.spec.containers[0], 8 << 30) == 875
    assert qos.oom_score_adj(pod("a"), pod("a").spec.containers[0], 8 << 30) == 1000
    wanted.spec.priority = 2_000_001_000
    assert qos.oom_score_adj(wanted, wanted.spec.containers[0], 8 << 30) == -997


@pytest.mark.parametrize(
    ("mount", "able", "told", "shown"),
    [
        ({}, True, None, None),
        ({"readOnly": True}, True, None, "Disabled"),
        ({"readOnly": True, "recursiveReadOnly": "IfPossible"}, True, None, "Enabled"),
        ({"readOnly": True, "recursiveReadOnly": "IfPossible"}, False, "Enabled", "Disabled"),
        ({"readOnly": True, "recursiveReadOnly": "Enabled"}, None, "Enabled", "Enabled"),
        ({"readOnly": True, "recursiveReadOnly": "Enabled"}, None, None, "Disabled"),
    ],
)
def test_whether_mounts_can_only_be_read_all_the_way_down(
    mount: dict[str, Any], able: bool | None, told: str | None, shown: str | None
) -> None:
    """What was told before counts as long as the runtime was not asked again, as after a restart of the agent."""
    wanted = pod("a")
    wanted.spec.containers[0].volume_mounts = [codec.from_dict(VolumeMount, {"name": "v", "mountPath": "/v", **mount})]
    mounts = [VolumeMountStatus("v", "/v", True, told)]
    wanted.status.container_statuses = [ContainerStatus(name="a", volume_mounts=mounts)] if told else []
    found = status_of(wanted, sandbox(), container("a"), recursive_read_only=able).container_statuses[0].volume_mounts
    assert [(one.read_only, one.recursive_read_only) for one in found] == [(mount.get("readOnly"), shown)]
