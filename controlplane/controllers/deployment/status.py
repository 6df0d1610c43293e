"""What a Deployment says of itself: numbers and the conditions Available, Progressing and ReplicaFailure. Pure.

Progressing answers "is the rollout getting anywhere": it is renewed at each step forward, becomes False when none was seen for
progressDeadlineSeconds, and stays at NewReplicaSetAvailable once the rollout is complete.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from controlplane.controllers.deployment.limits import max_unavailable
from controlplane.controllers.seen import SeenDeployment, SeenReplicaSet
from controlplane.controllers.seen.workload import Condition, DeploymentStatus

AVAILABLE, PROGRESSING, FAILURE = "Available", "Progressing", "ReplicaFailure"
COMPLETE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
PAUSED, RESUMED = "DeploymentPaused", "DeploymentResumed"

Conditions = tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Rollout:
    """The state of affairs that a status describes."""

    deployment: SeenDeployment
    new: SeenReplicaSet | None
    sets: Sequence[SeenReplicaSet]
    now: float


def find(conditions: Iterable[Condition], kind: str) -> Condition | None:
    """The condition of that type."""
    return next((c for c in conditions if c.type == kind), None)


def with_condition(conditions: Conditions, new: Condition) -> Conditions:
    """Set a condition. The same status and reason change nothing; the same status keeps its time of transition."""
    current = find(conditions, new.type)
    if current is not None and (current.status, current.reason) == (new.status, new.reason):
        return conditions
    if current is not None and current.status == new.status:
        new = replace(new, changed=current.changed)
    return (*without(conditions, new.type), new)


def without(conditions: Conditions, kind: str) -> Conditions:
    """All conditions but those of that type."""
    return tuple(c for c in conditions if c.type != kind)


def counted(r: Rollout) -> DeploymentStatus:
    """The numbers, and whether enough pods are available; all other conditions as they were."""
    d, sets = r.deployment, r.sets
    available = sum(rs.status.available for rs in sets)
    if available >= d.replicas - max_unavailable(d):
        verdict = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        verdict = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    return DeploymentStatus(
        observed_generation=d.generation,
        replicas=sum(rs.status.replicas for rs in sets),
        updated=r.new.status.replicas if r.new else 0,
        ready=sum(rs.status.ready for rs in sets),
        available=available,
        unavailable=max(0, sum(rs.replicas for rs in sets) - available),
        collisions=d.status.collisions,
        conditions=with_condition(d.status.conditions, _condition(AVAILABLE, *verdict, r.now)),
    )


def with_pause(d: SeenDeployment, status: DeploymentStatus, now: float) -> DeploymentStatus:
    """A pause stops the clock of the deadline, and resuming starts it anew. A time-out that was reported stays."""
    current = find(status.conditions, PROGRESSING)
    if d.deadline is None or (current is not None and current.reason == TIMED_OUT):
        return status
    told = current is not None and current.reason == PAUSED
    if d.paused == told:
        return status
    reason, message = (PAUSED, "Deployment is paused") if d.paused else (RESUMED, "Deployment is resumed")
    condition = _condition(PROGRESSING, "Unknown", reason, message, now)
    return replace(status, conditions=with_condition(status.conditions, condition))


def with_progress(r: Rollout, status: DeploymentStatus) -> DeploymentStatus:
    """Judge the rollout; only for Deployments that are neither paused nor being scaled."""
    if r.deployment.deadline is None:
        conditions = without(status.conditions, PROGRESSING)
    else:
        conditions = _judged(r, status)
    failure = _failure(r)
    if failure is None:
        conditions = without(conditions, FAILURE)
    else:
        conditions = with_condition(conditions, failure)
    return replace(status, conditions=conditions)


def is_complete(d: SeenDeployment, status: DeploymentStatus) -> bool:
    """All pods are new and available, and none is left of the old ones."""
    return (
        status.updated == status.replicas == status.available == d.replicas
        and status.observed_generation >= d.generation
    )


def until_deadline(d: SeenDeployment, status: DeploymentStatus, now: float) -> float | None:
    """After how many seconds the rollout must be judged again though nothing happens."""
    current = find(status.conditions, PROGRESSING)
    if d.deadline is None or d.paused or current is None or current.reason in (TIMED_OUT, COMPLETE):
        return None
    if is_complete(d, status):
        return None
    return max(0.0, current.updated + d.deadline - now) + 0.01


def announced(conditions: Conditions, reason: str, message: str, now: float, status: str = "True") -> Conditions:
    """Progressing, for a step that this very pass makes."""
    return with_condition(conditions, _condition(PROGRESSING, status, reason, message, now))


def same_status(one: DeploymentStatus, other: DeploymentStatus) -> bool:
    """Whether writing `one` over `other` would change nothing; times are written in whole seconds."""
    return replace(one, conditions=()) == replace(other, conditions=()) and _said(one) == _said(other)


def _said(status: DeploymentStatus) -> list[tuple[str, str, str, str, int, int]]:
    return [(c.type, c.status, c.reason, c.message, int(c.changed), int(c.updated)) for c in status.conditions]


def _judged(r: Rollout, status: DeploymentStatus) -> Conditions:
    d, conditions = r.deployment, status.conditions
    current = find(d.status.conditions, PROGRESSING)
    if current is not None and current.reason == COMPLETE and status.replicas == status.updated:
        return conditions
    subject = f'ReplicaSet "{r.new.name}"' if r.new else f'Deployment "{d.name}"'
    if is_complete(d, status):
        return announced(conditions, COMPLETE, f"{subject} has successfully progressed.", r.now)
    if _moved(d.status, status):
        moved = _condition(PROGRESSING, "True", "ReplicaSetUpdated", f"{subject} is progressing.", r.now)
        if current is not None and current.status == "True":
            moved = replace(moved, changed=current.changed)
        return (*without(conditions, PROGRESSING), moved)
    if _late(d, find(conditions, PROGRESSING), r.now):
        return announced(conditions, TIMED_OUT, f"{subject} has timed out progressing.", r.now, status="False")
    return conditions


def _moved(old: DeploymentStatus, new: DeploymentStatus) -> bool:
    return (
        new.updated > old.updated
        or new.replicas - new.updated < old.replicas - old.updated
        or new.ready > old.ready
        or new.available > old.available
    )


def _late(d: SeenDeployment, current: Condition | None, now: float) -> bool:
    if d.deadline is None or current is None or current.reason == COMPLETE:
        return False
    return current.reason == TIMED_OUT or current.updated + d.deadline <= now


def _failure(r: Rollout) -> Condition | None:
    """What keeps a ReplicaSet from making pods; that of the new one first."""
    for rs in [*([r.new] if r.new else []), *r.sets]:
        found = find(rs.status.conditions, FAILURE)
        if found is not None:
            return replace(found, updated=found.changed)
    return None


def _condition(kind: str, status: str, reason: str, message: str, now: float) -> Condition:
    return Condition(kind, status, reason, message, now, now)
