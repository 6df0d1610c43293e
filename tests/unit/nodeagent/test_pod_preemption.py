"""Who makes room for a critical pod, and what a pod that has to shows."""

import pytest

from api.core_v1 import Pod, ResourceRequirements
from nodeagent.plan.admission import NodeView, judge
from nodeagent.plan.preemption import WHY, NoRoom, victims
from nodeagent.plan.status import NodeFacts, compute_status
from tests.unit.nodeagent.pods import NOW, memory, pod, seen

CRITICAL = 2_000_000_000
NODE = NodeView("n1", {"cpu": "2", "memory": "4Gi", "pods": "4"}, {})


def asking(name: str, cpu: str = "", mem: str = "", priority: int | None = 0, limits: bool = False) -> Pod:
    made = pod("a", priority=priority)
    made.metadata.name = made.metadata.uid = name
    needs = {key: value for key, value in (("cpu", cpu), ("memory", mem)) if value}
    made.spec.containers[0].resources = ResourceRequirements(requests=needs, limits=needs if limits else {})
    return made


BEST, SMALL, BIG = asking("best"), asking("small", "500m", "1Gi"), asking("big", "1500m", "1Gi")
LEAN = asking("lean", "1500m", "512Mi")
SURE = asking("sure", "1", "1Gi", limits=True)
HIGH = asking("high", "2", priority=CRITICAL)


@pytest.mark.parametrize(
    ("what", "others", "lack", "gone"),
    [
        ("the one that is just enough", [SMALL, BIG], {"cpu": 300}, ["small"]),
        ("rather one than two", [SMALL, BIG], {"cpu": 1200}, ["big"]),
        ("the smaller of two that will do", [BIG, LEAN], {"cpu": 1200}, ["lean"]),
        ("both when one is not enough", [SMALL, BIG], {"cpu": 2000}, ["big", "small"]),
        ("no Guaranteed pod without need", [SURE, BIG], {"cpu": 1000}, ["big"]),
        ("a Guaranteed pod when nothing else will do", [SURE, SMALL], {"cpu": 700}, ["sure"]),
        ("a place rather of the humblest", [SURE, SMALL, BEST], {"pods": 1}, ["best"]),
        ("several resources at once", [SMALL, BIG], {"cpu": 1200, "memory": 2 << 30}, ["big", "small"]),
    ],
)
def test_who_goes(what: str, others: list[Pod], lack: dict[str, int], gone: list[str]) -> None:
    chosen = victims(asking("new", priority=CRITICAL), others, lack)
    assert [p.metadata.name for p in chosen] == gone


@pytest.mark.parametrize(
    ("wanted", "other", "goes"),
    [
        (CRITICAL, CRITICAL, False),
        (CRITICAL + 1, CRITICAL, True),
        (CRITICAL, None, True),
        (10, 5, True),
        (5, 10, False),
    ],
)
def test_who_may_be_ended_for_whom(wanted: int, other: int | None, goes: bool) -> None:
    try:
        chosen = victims(asking("new", priority=wanted), [asking("old", "1", priority=other)], {"cpu": 1})
    except NoRoom as error:
        chosen = []
        assert str(error) == "no set of running pods found to reclaim resources: [(res: cpu, q: 1), ]"
    assert bool(chosen) is goes


def test_room_is_made_only_for_critical_pods() -> None:
    user = judge(asking("new", "1"), [BIG], NODE)
    assert user is not None and (user.reason, user.instead) == ("OutOfcpu", ())
    critical = judge(asking("new", "1", priority=CRITICAL), [BIG], NODE)
    assert critical is not None and critical.instead == ("big",)
    in_vain = judge(asking("new", "1", priority=CRITICAL), [HIGH], NODE)
    assert in_vain is not None and (in_vain.reason, in_vain.instead) == ("UnexpectedAdmissionError", ())
    assert in_vain.message == (
        "Unexpected error while attempting to recover from admission failure: preemption: error finding a set of pods "
        "to preempt: no set of running pods found to reclaim resources: [(res: cpu, q: 1000), ]"
    )


def test_no_room_is_made_for_one_that_cannot_be_here_anyway() -> None:
    wanted = asking("new", "1", priority=CRITICAL)
    wanted.spec.node_selector = {"zone": "elsewhere"}
    refused = judge(wanted, [BIG], NODE)
    assert refused is not None and (refused.reason, refused.instead) == ("NodeAffinity", ())


def test_what_a_preempted_pod_shows() -> None:
    status = compute_status(pod("a"), seen(), memory(verdict=WHY), NodeFacts(("192.0.2.1",)), NOW)
    assert (status.phase, status.reason, status.message) == ("Failed", "Preempting", WHY.message)
    told = next(c for c in status.conditions if c.type == "DisruptionTarget")
    assert (told.status, told.reason) == ("True", "TerminationByKubelet")
    assert told.message == "Pod was preempted by Kubelet to accommodate a critical pod."
