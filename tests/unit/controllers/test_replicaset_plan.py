"""How many pods come and go, and which."""

from __future__ import annotations

from typing import Any

import pytest

from api.selectors import from_map
from controlplane.controllers.replicaset import plan
from controlplane.controllers.seen import Owner, SeenPod, SeenReplicaSet
from controlplane.controllers.seen.workload import Condition, ReplicaSetStatus, Template

NOW = 1000.0
ME = Owner("apps/v1", "ReplicaSet", "rs", "me", controller=True)
OTHER = Owner("apps/v1", "ReplicaSet", "other", "you", controller=True)


def rs(replicas: int = 3, **facts: Any) -> SeenReplicaSet:
    return SeenReplicaSet(name="rs", uid="me", replicas=replicas, selector=from_map({"app": "web"}), **facts)


def pod(name: str, **facts: Any) -> SeenPod:
    given = {"owners": (ME,), "labels": {"app": "web"}, "uid": name, "node": "n1", "phase": "Running"}
    return SeenPod(name=name, **(given | facts))


def names(pods: Any) -> list[str]:
    return [p.name for p in pods]


def test_claims() -> None:
    pods = [
        pod("mine"),
        pod("left", labels={"app": "debug"}),
        pod("orphan", owners=()),
        pod("stranger", owners=(), labels={}),
        pod("theirs", owners=(OTHER,)),
        pod("dying-orphan", owners=(), deleting=True),
        pod("done-orphan", owners=(), phase="Succeeded"),
    ]
    claims = plan.plan_claims(rs(), pods)
    assert (names(claims.owned), names(claims.adopt), names(claims.release)) == (["mine"], ["orphan"], ["left"])
    dying = plan.plan_claims(rs(deleting=True), pods)
    assert (names(dying.owned), dying.adopt, dying.release) == (["mine"], (), ())


@pytest.mark.parametrize(
    ("wanted", "there", "create", "delete"),
    [(3, 0, 3, 0), (3, 3, 0, 0), (3, 5, 0, 2), (0, 2, 0, 2), (2000, 0, 500, 0), (0, 600, 0, 500)],
)
def test_numbers(wanted: int, there: int, create: int, delete: int) -> None:
    steps = plan.plan_steps(rs(wanted), [pod(f"p{i}") for i in range(there)], NOW)
    assert (steps.create, len(steps.delete)) == (create, delete)


def test_pods_that_end_are_replaced() -> None:
    pods = [pod("a", deleting=True), pod("b", phase="Failed"), pod("c", phase="Succeeded"), pod("d")]
    assert plan.plan_steps(rs(3), pods, NOW).create == 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"node": ""}, {}),
        ({"phase": "Pending"}, {"phase": "Unknown"}),
        ({"phase": "Unknown"}, {"phase": "Running"}),
        ({"ready": False}, {"ready": True}),
        ({"deletion_cost": -1}, {}),
        ({"ready": True, "ready_since": 990.0}, {"ready": True, "ready_since": 100.0}),
        ({"ready": True, "ready_since": 0.0}, {"ready": True, "ready_since": 999.5 - 100}),
        ({"restarts": 4}, {"restarts": 1}),
        ({"created": 990.0}, {"created": 10.0}),
        ({"uid": "1"}, {"uid": "2"}),
    ],
)
def test_the_least_loss_goes_first(first: dict[str, Any], second: dict[str, Any]) -> None:
    loser, keeper = pod("loser", **first), pod("keeper", **second)
    for pods in ([loser, keeper], [keeper, loser]):
        assert names(plan.rank_for_deletion(pods, NOW)) == ["loser", "keeper"]


def test_crowded_nodes_lose_first() -> None:
    crowded = [pod("a", node="n1", ready=True), pod("b", node="n1", ready=True)]
    alone = pod("0", node="n2", ready=True, uid="0")
    assert names(plan.rank_for_deletion([alone, *crowded], NOW))[-1] == "0"
    sibling = pod("s", node="n2", ready=True)
    other = pod("t", node="n2", ready=True)
    assert names(plan.rank_for_deletion([alone, pod("z", node="n1", ready=True)], NOW, [sibling, other]))[0] == "0"


def test_like_ages_are_alike() -> None:
    """Whether ready for 600 or 700 s makes no difference, so that no zone always loses."""
    pods = [pod("b", ready=True, ready_since=300.0), pod("a", ready=True, ready_since=400.0)]
    assert names(plan.rank_for_deletion(pods, NOW)) == ["a", "b"]
    assert names(plan.rank_for_deletion([pods[0], pod("z", ready=True, ready_since=998.0)], NOW)) == ["z", "b"]


def test_status() -> None:
    template = Template(labels={"app": "web", "v": "1"})
    pods = [
        pod("a", ready=True, ready_since=900.0, labels={"app": "web", "v": "1", "x": "y"}),
        pod("b", ready=True, ready_since=995.0),
        pod("c"),
        pod("d", ready=True, deleting=True),
    ]
    status, wait = plan.plan_status(rs(generation=4, min_ready=10, template=template), pods, NOW)
    assert status == ReplicaSetStatus(replicas=3, fully_labeled=1, ready=2, available=1, observed_generation=4)
    assert wait == 5.0


def test_a_failure_is_said_once_and_taken_back() -> None:
    failed, _ = plan.plan_status(rs(), [], NOW, ("FailedCreate", "quota"))
    assert failed.conditions == (Condition("ReplicaFailure", "True", "FailedCreate", "quota", NOW),)
    again, _ = plan.plan_status(rs(status=failed), [], NOW + 9, ("FailedCreate", "other words"))
    assert again.conditions == failed.conditions
    healed, _ = plan.plan_status(rs(status=failed), [], NOW)
    assert healed.conditions == ()
    assert plan.same_status(again, failed)
    assert not plan.same_status(healed, failed)
