"""How many pods a ReplicaSet lacks or has too many, which of them go, and what its status says. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from controlplane.controllers.seen import SeenPod, SeenReplicaSet
from controlplane.controllers.seen.workload import Condition, ReplicaSetStatus

BURST = 500
"""So many pods are created or deleted in one go at most."""
FAILURE = "ReplicaFailure"
PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


@dataclass(frozen=True, slots=True)
class Claims:
    """Which pods belong to a ReplicaSet, and which should begin or cease to."""

    owned: tuple[SeenPod, ...] = ()
    adopt: tuple[SeenPod, ...] = ()
    release: tuple[SeenPod, ...] = ()


@dataclass(frozen=True, slots=True)
class Steps:
    """What to do about the number of pods."""

    create: int = 0
    delete: tuple[SeenPod, ...] = ()


def plan_claims(rs: SeenReplicaSet, pods: Iterable[SeenPod]) -> Claims:
    """Sort the pods of its namespace that are its own or nobody's. A ReplicaSet on its way out adopts nothing."""
    owned: list[SeenPod] = []
    adopt: list[SeenPod] = []
    release: list[SeenPod] = []
    for pod in pods:
        controller = pod.controller
        matches = rs.selector.matches(pod.labels)
        if controller is None:
            if matches and not rs.deleting and pod.active:
                adopt.append(pod)
        elif controller.uid == rs.uid:
            if matches:
                owned.append(pod)
            elif not rs.deleting and not pod.deleting:
                release.append(pod)
    return Claims(tuple(owned), tuple(adopt), tuple(release))


def plan_steps(rs: SeenReplicaSet, owned: Sequence[SeenPod], now: float, related: Iterable[SeenPod] = ()) -> Steps:
    """Create what is missing or delete what is too much. `related`: pods of the same Deployment, which count when nodes are compared."""
    active = [pod for pod in owned if pod.active]
    missing = rs.replicas - len(active)
    if missing > 0:
        return Steps(create=min(missing, BURST))
    surplus = min(-missing, BURST)
    if surplus == 0:
        return Steps()
    if surplus >= len(active):
        return Steps(delete=tuple(active))
    return Steps(delete=tuple(rank_for_deletion(active, now, related)[:surplus]))


def rank_for_deletion(pods: Sequence[SeenPod], now: float, related: Iterable[SeenPod] = ()) -> list[SeenPod]:
    """The pods, those first whose loss matters least.

    Without a node, earlier phase, not ready, cheaper by annotation, more siblings on its node, ready for a shorter time, more restarts,
    younger. Times are compared by powers of two, so that among pods of like age the choice is spread and no zone always loses.
    """
    crowd = Counter(pod.node for pod in (*pods, *related) if pod.active and pod.ready and pod.node)

    def rank(pod: SeenPod) -> tuple[object, ...]:
        return (
            bool(pod.node),
            PHASES.get(pod.phase, 0),
            pod.ready,
            pod.deletion_cost,
            -crowd[pod.node],
            _age_class(pod.ready_since, now) if pod.ready else 0,
            -pod.restarts,
            _age_class(pod.created, now),
            pod.uid,
        )

    return sorted(pods, key=rank)


def _age_class(since: float, now: float) -> int:
    """Larger is older; a time that is not known counts as new."""
    age = now - since
    if not since or age < 1:
        return 0
    return 1 + int(math.log2(age))


def plan_status(
    rs: SeenReplicaSet, owned: Sequence[SeenPod], now: float, failure: tuple[str, str] | None = None
) -> tuple[ReplicaSetStatus, float | None]:
    """The status, and after how many seconds it will change by time alone (pods that are ready but not yet available).

    `failure` is reason and message of what went wrong with creating or deleting in this pass.
    """
    active = [pod for pod in owned if pod.active]
    ready = [pod for pod in active if pod.ready]
    waits = [wait for pod in ready if (wait := rs.min_ready and pod.ready_since + rs.min_ready - now) > 0]
    wanted_labels = rs.template.labels.items()
    status = ReplicaSetStatus(
        replicas=len(active),
        fully_labeled=sum(wanted_labels <= pod.labels.items() for pod in active),
        ready=len(ready),
        available=len(ready) - len(waits),
        observed_generation=rs.generation,
        conditions=_conditions(rs.status.conditions, failure, now),
    )
    return status, min(waits, default=None)


def _conditions(seen: tuple[Condition, ...], failure: tuple[str, str] | None, now: float) -> tuple[Condition, ...]:
    current = next((c for c in seen if c.type == FAILURE), None)
    if failure is None:
        return tuple(c for c in seen if c.type != FAILURE)
    if current is not None:
        return seen
    reason, message = failure
    return (*seen, Condition(FAILURE, "True", reason, message, now))


def same_status(one: ReplicaSetStatus, other: ReplicaSetStatus) -> bool:
    """Whether writing `one` over `other` would change nothing."""
    return one == replace(other, conditions=one.conditions) and _said(one.conditions) == _said(other.conditions)


def _said(conditions: Iterable[Condition]) -> set[tuple[str, str, str, str]]:
    return {(c.type, c.status, c.reason, c.message) for c in conditions}
