"""One step of a Deployment, by table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from api.selectors import from_map
from controlplane.controllers.deployment import limits, names, revisions, sizes, status
from controlplane.controllers.deployment.plan import plan_deployment
from controlplane.controllers.seen import SeenDeployment, SeenReplicaSet
from controlplane.controllers.seen.workload import (
    Condition,
    DeploymentStatus,
    ReplicaSetStatus,
    Template,
    template_digest,
)

NOW = 1000.0
NEW, OLD = Template(b"{}", "new"), Template(b"{}", "old")


def deployment(replicas: int = 10, **facts: Any) -> SeenDeployment:
    return SeenDeployment(
        name="web", uid="d", generation=2, replicas=replicas, selector=from_map({"app": "web"}), template=NEW, **facts
    )


def rs(name: str, replicas: int, available: int | None = None, **facts: Any) -> SeenReplicaSet:
    available = replicas if available is None else available
    alive = facts.pop("alive", replicas)
    given = {
        "template": NEW if name.startswith("new") else OLD,
        "status": ReplicaSetStatus(replicas=alive, ready=available, available=available, observed_generation=1),
        "generation": 1,
        "created": 1.0,
        "annotations": noted(10),
    }
    return SeenReplicaSet(name=name, uid=name, replicas=replicas, **(given | facts))


def noted(desired: int, surge: int = 3, **more: str) -> dict[str, str]:
    return {names.DESIRED: str(desired), names.MAXIMUM: str(desired + surge), names.REVISION: "1", **more}


@pytest.mark.parametrize(
    ("surge", "unavailable", "replicas", "expected"),
    [
        ("25%", "25%", 10, (3, 2)),
        ("25%", "25%", 1, (1, 0)),
        (1, 0, 3, (1, 0)),
        (0, 0, 3, (0, 1)),
        ("0%", "10%", 3, (0, 1)),
        ("100%", "100%", 3, (3, 3)),
        (0, 9, 3, (0, 3)),
        (2, 2, 0, (2, 0)),
        ("x%", 1, 3, (0, 1)),
    ],
)
def test_limits(surge: int | str, unavailable: int | str, replicas: int, expected: tuple[int, int]) -> None:
    d = deployment(replicas, max_surge=surge, max_unavailable=unavailable)
    assert (limits.max_surge(d), limits.max_unavailable(d)) == expected


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        (rs("new", 0), rs("old", 10), {"new": 3}),
        (rs("new", 3, 0), rs("old", 10), {"old": 8}),
        (rs("new", 3, 0), rs("old", 8), {"new": 5}),
        (rs("new", 5, 0), rs("old", 8), {}),
        (rs("new", 5, 5), rs("old", 8), {"old": 3}),
        (rs("new", 3, 0), rs("old", 10, 5), {"old": 8}),  # pods that do no work go first
        (rs("new", 3, 0), rs("old", 10, 9), {"old": 8}),
        (rs("new", 12), rs("old", 0), {"new": 10}),
        (rs("new", 10), rs("old", 2), {"old": 0}),
        (rs("new", 3, 0), rs("old", 8, alive=10), {}),  # two old pods are still there
        (rs("new", 3, 0), rs("old", 8, generation=2), {}),  # it has not seen its orders yet
        (rs("new", 3, 3, generation=2), rs("old", 8), {"old": 5}),
    ],
)
def test_rolling(new: SeenReplicaSet, old: SeenReplicaSet, expected: dict[str, int]) -> None:
    assert sizes.roll(deployment(), new, [old]) == expected


def test_the_oldest_shrinks_first() -> None:
    olds = [rs("b", 4, created=2.0), rs("a", 4, created=1.0)]
    assert sizes.roll(deployment(10), rs("new", 5), olds) == {"a": 0, "b": 3}


@pytest.mark.parametrize(
    ("replicas", "new", "olds", "expected"),
    [
        (20, rs("new", 5, 0), [rs("old", 8)], {"old": 15, "new": 10}),
        (5, rs("new", 5, 0), [rs("old", 8)], {"old": 4, "new": 3}),
        (0, rs("new", 5, 0), [rs("old", 8)], {"old": 0, "new": 0}),
        (7, rs("new", 0), [rs("old", 8)], {"old": 7}),
        (7, rs("new", 8), [rs("old", 0)], {"new": 7}),
        (7, None, [rs("a", 0, created=1.0), rs("b", 0, created=2.0)], {"b": 7}),
        (7, None, [], {}),
        (20, rs("new", 5, 0), [rs("old", 8, alive=9)], None),
        (10, rs("new", 10), [rs("old", 3)], {"old": 0}),
    ],
)
def test_scaling_in_proportion(
    replicas: int, new: SeenReplicaSet | None, olds: list[SeenReplicaSet], expected: dict[str, int] | None
) -> None:
    assert sizes.proportional(deployment(replicas), new, olds) == expected


def test_a_first_replica_set() -> None:
    plan = plan_deployment(deployment(3, annotations={"team": "a", names.REVISION: "9"}), [], False, NOW)
    assert plan.create is not None
    assert plan.create.replicas == 3
    assert plan.create.name == f"web-{plan.create.hash}"
    assert plan.create.annotations == {"team": "a", **noted(3, 1)}
    assert plan.revision == "1"
    assert plan.status is not None
    progressing = status.find(plan.status.conditions, "Progressing")
    assert progressing is not None
    assert (progressing.reason, progressing.message) == (
        "NewReplicaSetCreated",
        f'Created new replica set "{plan.create.name}"',
    )
    assert status.find(plan.status.conditions, "Available") is not None


def test_a_new_template_gets_the_next_revision_and_room_by_surge() -> None:
    plan = plan_deployment(deployment(), [rs("old", 10, annotations=noted(10))], False, NOW)
    assert plan.create is not None
    assert (plan.create.replicas, plan.create.annotations[names.REVISION], plan.revision) == (3, "2", "2")
    assert plan.updates == ()


def test_recreate_waits_for_the_last_old_pod() -> None:
    d = deployment(recreate=True)
    first = plan_deployment(d, [rs("old", 10)], True, NOW)
    assert [(u.rs.name, u.replicas) for u in first.updates] == [("old", 0)]
    assert first.create is None
    assert plan_deployment(d, [rs("old", 0)], True, NOW).create is None
    last = plan_deployment(d, [rs("old", 0)], False, NOW)
    assert last.create is not None
    assert last.create.replicas == 10


def test_a_pause_makes_no_replica_set() -> None:
    plan = plan_deployment(deployment(paused=True), [rs("old", 10)], False, NOW)
    assert (plan.create, plan.updates) == (None, ())
    assert plan.status is not None
    progressing = status.find(plan.status.conditions, "Progressing")
    assert progressing is not None
    assert (progressing.status, progressing.reason) == ("Unknown", "DeploymentPaused")


def test_a_deleted_deployment_only_reports() -> None:
    plan = plan_deployment(deployment(deleting=True), [rs("old", 10)], False, NOW)
    assert (plan.create, plan.updates, plan.delete, plan.revision) == (None, (), (), "")


def test_rolling_back_moves_the_revision_and_remembers() -> None:
    new = rs("new", 0, annotations=noted(10) | {names.REVISION: "1"})
    old = rs("old", 10, annotations=noted(10) | {names.REVISION: "4"})
    plan = plan_deployment(deployment(), [new, old], False, NOW)
    (update,) = plan.updates
    assert update.annotations == {names.REVISION: "5", names.HISTORY: "1"}
    assert update.replicas == 3
    assert update.message == "Scaled up replica set new from 0 to 3"
    assert plan.revision == "5"


def test_a_long_history_forgets_its_beginning() -> None:
    history = ",".join(str(n) for n in range(100, 600))
    new = rs("new", 0, annotations={names.REVISION: "650", names.HISTORY: history})
    found = revisions.for_new(deployment(), new, [rs("old", 1, annotations={names.REVISION: "700"})])
    assert len(found[names.HISTORY]) <= names.LONGEST_HISTORY
    assert found[names.HISTORY].endswith(",650")
    assert not found[names.HISTORY].startswith("100,")


def test_min_ready_and_annotations_reach_the_replica_set() -> None:
    d = deployment(min_ready=7, annotations={"note": "x"})
    (update,) = plan_deployment(d, [rs("new", 10)], False, NOW).updates
    assert (update.min_ready, update.annotations) == (7, {"note": "x"})
    assert update.message == ""


def test_old_history_goes_when_the_rollout_is_complete() -> None:
    olds = [rs(f"old{n}", 0, annotations=noted(10) | {names.REVISION: str(n)}) for n in range(1, 5)]
    busy = rs("old5", 0, alive=1, annotations={names.REVISION: "0"})
    new = rs("new", 10, annotations=noted(10) | {names.REVISION: "6"})
    done = DeploymentStatus(observed_generation=2, replicas=10, updated=10, ready=10, available=10)
    d = deployment(history_limit=2, status=done)
    assert [r.name for r in plan_deployment(d, [*olds, busy, new], False, NOW).delete] == ["old1", "old2"]
    assert plan_deployment(replace(d, history_limit=None), [*olds, new], False, NOW).delete == ()
    going = replace(d, status=replace(done, available=9))
    assert plan_deployment(going, [*olds, new], False, NOW).delete == ()


def progressing(reason: str, at: float, told: str = "True") -> tuple[Condition, ...]:
    return (Condition("Progressing", told, reason, "", at, at),)


@pytest.mark.parametrize(
    ("before", "available", "expected"),
    [
        (progressing("ReplicaSetUpdated", NOW - 10), 10, ("True", "NewReplicaSetAvailable")),
        (progressing("ReplicaSetUpdated", NOW - 10), 5, ("True", "ReplicaSetUpdated")),
        (progressing("ReplicaSetUpdated", NOW - 601), 3, ("False", "ProgressDeadlineExceeded")),
        (progressing("ReplicaSetUpdated", NOW - 599), 3, ("True", "ReplicaSetUpdated")),
        (progressing("ProgressDeadlineExceeded", NOW - 1, "False"), 3, ("False", "ProgressDeadlineExceeded")),
        (progressing("ProgressDeadlineExceeded", NOW - 1, "False"), 10, ("True", "NewReplicaSetAvailable")),
        (progressing("NewReplicaSetAvailable", NOW - 900), 3, ("True", "NewReplicaSetAvailable")),
        ((), 3, ("True", "FoundNewReplicaSet")),
    ],
)
def test_progress(before: tuple[Condition, ...], available: int, expected: tuple[str, str]) -> None:
    was = DeploymentStatus(observed_generation=2, replicas=10, updated=10, ready=3, available=3, conditions=before)
    plan = plan_deployment(deployment(status=was), [rs("new", 10, available)], False, NOW)
    said = plan.status or was
    found = status.find(said.conditions, "Progressing")
    assert found is not None
    assert (found.status, found.reason) == expected


def test_the_deadline_wakes_the_controller() -> None:
    was = DeploymentStatus(
        observed_generation=2,
        replicas=10,
        updated=10,
        ready=3,
        available=3,
        unavailable=7,
        conditions=progressing("ReplicaSetUpdated", NOW - 100),
    )
    wait = plan_deployment(deployment(status=was), [rs("new", 10, 3)], False, NOW).wait
    assert wait == pytest.approx(500.01)
    assert plan_deployment(deployment(status=was, deadline=None), [rs("new", 10, 3)], False, NOW).wait is None


def test_a_failure_of_a_replica_set_is_passed_on() -> None:
    failing = Condition("ReplicaFailure", "True", "FailedCreate", "quota", 5.0)
    broken = rs("new", 10, 0, status=ReplicaSetStatus(observed_generation=1, conditions=(failing,)))
    said = plan_deployment(deployment(), [broken], False, NOW).status
    assert said is not None
    found = status.find(said.conditions, "ReplicaFailure")
    assert found is not None
    assert (found.reason, found.message) == ("FailedCreate", "quota")


def test_templates_are_compared_by_meaning() -> None:
    one = b'{"metadata":{"labels":{"app":"web","pod-template-hash":"x"}},"spec":{"containers":[{"name":"c"}]}}'
    same = b'{"spec":{"containers":[{"name":"c","env":[],"args":null}]},"metadata":{"labels":{"app":"web"}}}'
    other = b'{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"d"}]}}'
    assert template_digest(one) == template_digest(same) != template_digest(other)


def test_hashes_and_names() -> None:
    assert names.template_hash("a", None) == names.template_hash("a", None)
    assert len({names.template_hash("a", n) for n in (None, 0, 1)}) == 3
    assert len(names.replica_set_name("x" * 253, "abc")) == 253
