"""What the scheduler believes: assumptions begin and end at the right moments."""

from __future__ import annotations

from dataclasses import replace

from controlplane.scheduler.cache import Cluster
from controlplane.scheduler.model import Node, Pod

POD = Pod("ns", "p", "u1", requests={"cpu": 100})


def cluster(*nodes: str) -> Cluster:
    made = Cluster()
    for name in nodes:
        made.set_node(Node(name))
    return made


def load(made: Cluster) -> dict[str, int]:
    return {state.node.name: state.requested.get("cpu", 0) for state in made.nodes}


def test_an_assumed_pod_counts_at_once() -> None:
    made = cluster("n1", "n2")
    made.assume(POD, "n1")
    assert load(made) == {"n1": 100, "n2": 0}
    made.see_pod(POD)  # the cache is still behind
    assert made.assumed(POD.key, "u1")
    assert load(made)["n1"] == 100


def test_seen_bound_ends_the_assumption() -> None:
    made = cluster("n1", "n2")
    made.assume(POD, "n1")
    made.see_pod(replace(POD, node="n2"))  # somebody else was faster
    assert load(made) == {"n1": 0, "n2": 100}
    made.forget(POD.key, "u1")
    assert load(made)["n2"] == 100


def test_a_failed_binding_gives_the_room_back() -> None:
    made = cluster("n1")
    made.assume(POD, "n1")
    made.forget(POD.key, "another")
    assert load(made) == {"n1": 100}
    made.forget(POD.key, "u1")
    assert load(made) == {"n1": 0}


def test_finished_and_deleted_pods_do_not_count() -> None:
    made = cluster("n1")
    made.see_pod(replace(POD, node="n1"))
    made.see_pod(replace(POD, node="n1", finished=True))
    assert load(made) == {"n1": 0}
    made.see_pod(replace(POD, node="n1"))
    made.remove_pod(POD.key)
    assert load(made) == {"n1": 0}


def test_pods_may_be_known_before_their_node() -> None:
    made = cluster()
    made.see_pod(replace(POD, node="n1"))
    made.set_node(Node("n1"))
    assert load(made) == {"n1": 100}
    made.drop_node("n1")
    assert made.nodes == []
    made.set_node(Node("n1"))
    assert load(made) == {"n1": 100}
    made.drop_node("n1")
    made.remove_pod(POD.key)
    made.set_node(Node("n1"))
    assert load(made) == {"n1": 0}


def test_new_facts_keep_the_account() -> None:
    made = cluster("n1")
    made.see_pod(replace(POD, node="n1"))
    made.set_node(Node("n1", labels={"zone": "a"}))
    assert load(made) == {"n1": 100}
    made.see_pod(replace(POD, node="n1", requests={"cpu": 50}))
    assert load(made) == {"n1": 50}
