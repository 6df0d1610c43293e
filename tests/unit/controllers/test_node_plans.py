"""Silent nodes, their taints, their pods; ranges of addresses; pods nobody would remove."""

from __future__ import annotations

from typing import Any

import pytest

from api import times
from controlplane.controllers.nodeipam.plan import BadRange, plan_ranges, pools
from controlplane.controllers.nodelifecycle import plan
from controlplane.controllers.podgc.plan import plan_removals
from controlplane.controllers.seen import SeenNode, SeenPod
from controlplane.controllers.seen.node import NodeCondition, Taint
from controlplane.controllers.seen.pod import Toleration

NOW = 1_700_000_000.0
STAMP = times.format_time(NOW)


def node(ready: str = "True", **facts: Any) -> SeenNode:
    conditions = (NodeCondition("Ready", ready),) if ready else ()
    return SeenNode(name="n1", **({"conditions": conditions, "created": NOW - 500} | facts))


def test_a_silent_node_becomes_unknown_once() -> None:
    seen = (NodeCondition("Ready", "True", "KubeletReady", "ok", "then"), NodeCondition("DiskPressure", "Unknown"))
    found = plan.plan_conditions(node(conditions=seen), NOW)
    assert [(c.type, c.status, c.reason) for c in found] == [
        ("Ready", "Unknown", "NodeStatusUnknown"),
        ("MemoryPressure", "Unknown", "NodeStatusNeverUpdated"),
        ("PIDPressure", "Unknown", "NodeStatusNeverUpdated"),
    ]
    assert found[0].message == "Kubelet stopped posting node status."
    assert found[0].heartbeat == "then"
    assert plan.plan_conditions(node(conditions=(*found, seen[1])), NOW) == ()


@pytest.mark.parametrize(
    ("seen", "evict", "expected"),
    [
        (node("True"), True, None),
        (node(""), True, {("node.kubernetes.io/not-ready", "NoSchedule")}),
        (
            node("False"),
            True,
            {("node.kubernetes.io/not-ready", "NoSchedule"), ("node.kubernetes.io/not-ready", "NoExecute")},
        ),
        (
            node("Unknown"),
            True,
            {("node.kubernetes.io/unreachable", "NoSchedule"), ("node.kubernetes.io/unreachable", "NoExecute")},
        ),
        (node("Unknown"), False, {("node.kubernetes.io/unreachable", "NoSchedule")}),
        (node("True", unschedulable=True), True, {("node.kubernetes.io/unschedulable", "NoSchedule")}),
        (
            node("True", conditions=(NodeCondition("Ready", "True"), NodeCondition("DiskPressure", "True"))),
            True,
            {("node.kubernetes.io/disk-pressure", "NoSchedule")},
        ),
        (node("True", taints=(Taint("node.kubernetes.io/not-ready", "", "NoExecute"),)), True, set()),
    ],
)
def test_taints_follow_conditions(seen: SeenNode, evict: bool, expected: set[tuple[str, str]] | None) -> None:
    found = plan.plan_taints(seen, NOW, evict=evict)
    assert (None if found is None else {(t.key, t.effect) for t in found}) == expected


def test_foreign_taints_stay() -> None:
    mine = Taint("dedicated", "gpu", "NoSchedule")
    assert plan.plan_taints(node("True", taints=(mine,)), NOW, evict=True) is None
    found = plan.plan_taints(node("False", taints=(mine,)), NOW, evict=False)
    assert found == (mine, Taint("node.kubernetes.io/not-ready", "", "NoSchedule", STAMP))


def tolerate(seconds: int | None, key: str = "node.kubernetes.io/unreachable") -> Toleration:
    return Toleration(key, "Exists", "", "NoExecute", seconds)


@pytest.mark.parametrize(
    ("tolerations", "ago", "expected"),
    [
        ((), 0, 0),
        ((tolerate(None),), 900, None),
        ((tolerate(300),), 100, 200),
        ((tolerate(300),), 400, 0),
        ((tolerate(300), tolerate(60)), 10, 50),
        ((tolerate(300, key="other"),), 0, 0),
        ((tolerate(-5),), 0, 0),
    ],
)
def test_how_long_a_pod_may_stay(tolerations: tuple[Toleration, ...], ago: int, expected: float | None) -> None:
    taint = Taint("node.kubernetes.io/unreachable", "", "NoExecute", times.format_time(NOW - ago))
    assert plan.seconds_left(tolerations, [taint], NOW) == expected


def test_evictions() -> None:
    lost = node("Unknown", taints=(Taint("node.kubernetes.io/unreachable", "", "NoExecute", STAMP),))
    pods = [
        SeenPod(name="now"),
        SeenPod(name="later", tolerations=(tolerate(300),)),
        SeenPod(name="soon", tolerations=(tolerate(30),)),
        SeenPod(name="never", tolerations=(tolerate(None),)),
        SeenPod(name="going", deleting=True),
        SeenPod(name="over", phase="Succeeded"),
    ]
    found = plan.plan_evictions(lost, pods, NOW)
    assert ([p.name for p in found.now], found.wait) == (["now"], 30.0)
    assert plan.plan_evictions(node(), pods, NOW) == plan.Evictions()


@pytest.mark.parametrize(
    ("cidrs", "taken", "expected"),
    [
        ("10.244.0.0/16", [], ("10.244.0.0/24",)),
        ("10.244.0.0/16", ["10.244.0.0/24", "10.244.2.0/24"], ("10.244.1.0/24",)),
        ("10.244.0.0/16", ["10.244.0.0/23"], ("10.244.2.0/24",)),
        ("10.244.0.0/16", ["10.244.0.128/25"], ("10.244.1.0/24",)),
        ("10.244.0.0/16", ["192.168.0.0/24", "fd00::/64", "nonsense"], ("10.244.0.0/24",)),
        ("10.244.0.0/24", ["10.244.0.0/24"], None),
        ("10.244.0.0/23", ["10.244.0.0/24", "10.244.1.0/24"], None),
        ("10.244.0.0/16,fd00:10::/56", ["fd00:10::/64"], ("10.244.0.0/24", "fd00:10:0:1::/64")),
    ],
)
def test_ranges(cidrs: str, taken: list[str], expected: tuple[str, ...] | None) -> None:
    assert plan_ranges(pools(cidrs, 24, 64), taken) == expected


@pytest.mark.parametrize(("cidr", "size"), [("10.244.0.0/16", 8), ("10.244.0.0/16", 33), ("nonsense", 24)])
def test_ranges_that_make_no_sense(cidr: str, size: int) -> None:
    with pytest.raises(BadRange, match="cannot"):
        pools(cidr, size, 64)


def test_pods_nobody_would_remove() -> None:
    pods = [
        SeenPod(name="fine", node="n1"),
        SeenPod(name="lost", node="gone"),
        SeenPod(name="new-loss", node="missing"),
        SeenPod(name="early", deleting=True),
        SeenPod(name="going", deleting=True, node="n1"),
        SeenPod(name="done1", node="n1", phase="Succeeded", created=1.0),
        SeenPod(name="done2", node="n1", phase="Failed", created=2.0),
    ]
    found = plan_removals(pods, {"n1"}, {"gone"}, 1)
    assert [(r.pod.name, bool(r.reason)) for r in found.remove] == [("lost", True), ("early", False), ("done1", False)]
    assert set(found.missing) == {"gone", "missing"}
    assert not [r for r in plan_removals(pods, {"n1"}, set(), 0).remove if r.pod.name.startswith("done")]
