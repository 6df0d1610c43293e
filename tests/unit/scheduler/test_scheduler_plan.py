"""Where pods go, and what is said when they cannot."""

from __future__ import annotations

from typing import Any

import pytest

from controlplane.scheduler.model import Node, NodeState, Pod, Requirement, Taint, Term, WeightedTerm
from controlplane.scheduler.plan import ENOUGH, Placement, Unschedulable, plan_placement

ROOM = {"cpu": 4000, "memory": 8 << 30, "pods": 110}


def pod(name: str = "p", **facts: Any) -> Pod:
    return Pod("ns", name, name, **facts)


def state(name: str, *pods: Pod, **facts: Any) -> NodeState:
    return NodeState(Node(name, **{"allocatable": ROOM, **facts}), pods)


def best(wanted: Pod, *nodes: NodeState) -> str:
    found = plan_placement(wanted, nodes)
    assert isinstance(found, Placement)
    return found.node


def test_the_message_counts_reasons() -> None:
    full = {"cpu": 100, "memory": 8 << 30, "pods": 110}
    nodes = [
        state("n1", allocatable=full),
        state("n2", allocatable=full),
        state("n3", unschedulable=True),
        state("n4", taints=(Taint("k", "", "NoExecute"),)),
    ]
    found = plan_placement(pod(requests={"cpu": 200}), nodes)
    assert isinstance(found, Unschedulable)
    assert found.message == (
        "0/4 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable, 2 Insufficient cpu."
    )


def test_no_nodes_at_all() -> None:
    found = plan_placement(pod(), [])
    assert isinstance(found, Unschedulable)
    assert found.message == "no nodes available to schedule pods"


def test_the_emptier_node_wins() -> None:
    busy = pod("busy", requests={"cpu": 2000}, scored_cpu=2000)
    assert best(pod(), state("n1", busy), state("n2")) == "n2"


def test_balance_counts() -> None:
    cpu_heavy = pod("a", scored_cpu=3000, scored_memory=1 << 30)
    even = pod("b", scored_cpu=2000, scored_memory=3 << 30)
    assert best(pod(scored_cpu=500, scored_memory=1 << 29), state("n1", cpu_heavy), state("n2", even)) == "n2"


def test_siblings_are_spread() -> None:
    sibling = pod("s", owner="rs", scored_cpu=0, scored_memory=0)
    stranger = pod("t", owner="other", scored_cpu=100)
    assert best(pod(owner="rs"), state("n1", sibling), state("n2", stranger)) == "n2"


def test_soft_taints_are_avoided() -> None:
    assert best(pod(), state("n1", taints=(Taint("k", "", "PreferNoSchedule"),)), state("n2")) == "n2"


def test_preferred_affinity() -> None:
    ssd = WeightedTerm(10, Term(labels=(Requirement("disk", "In", ("ssd",)),)))
    assert best(pod(preferred=(ssd,)), state("n1"), state("n2", labels={"disk": "ssd"})) == "n2"


def test_images_that_are_there_help() -> None:
    images = {"web:1": 800 << 20}
    assert best(pod(images=("web:1",)), state("n1"), state("n2", images=images)) == "n2"


def test_equals_take_turns() -> None:
    nodes = [state(f"n{i}") for i in range(3)]
    start, chosen = 0, []
    for _ in range(3):
        found = plan_placement(pod(), nodes, start)
        assert isinstance(found, Placement)
        chosen.append(found.node)
        start = found.looked_at + start
    assert chosen[0] == "n0"
    assert plan_placement(pod(), nodes, 1) == Placement("n1", 3)


def test_enough_candidates_end_the_search() -> None:
    nodes = [state(f"n{i}") for i in range(ENOUGH + 50)]
    found = plan_placement(pod(), nodes, start=20)
    assert isinstance(found, Placement)
    assert found.looked_at == ENOUGH


@pytest.mark.parametrize("count", [1, 2, 7])
def test_ten_pods_of_one_owner_are_spread_evenly(count: int) -> None:
    nodes = [state(f"n{i}") for i in range(count)]
    by_name = {s.node.name: s for s in nodes}
    for i in range(10):
        new = pod(f"p{i}", owner="rs")
        by_name[best(new, *nodes)].add(new)
    sizes = [s.count for s in nodes]
    assert max(sizes) - min(sizes) <= 1
