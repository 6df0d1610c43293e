"""How many replicas each ReplicaSet of a Deployment gets next. Pure.

A ReplicaSet that was told to shrink does so a moment later, and one that was told to grow may still be growing. So, to stay within maxSurge
in pods and not only on paper, nothing grows until every ReplicaSet has carried out its orders, and pods that still exist
are counted; to stay above the minimum, a ReplicaSet counts for no more available pods than it may keep.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from controlplane.controllers.deployment.limits import max_surge, max_unavailable
from controlplane.controllers.deployment.names import DESIRED, MAXIMUM
from controlplane.controllers.seen import SeenDeployment, SeenReplicaSet

Sizes = dict[str, int]
"""Wanted replicas by name of the ReplicaSet; who is not named stays as he is."""

ReplicaSets = Sequence[SeenReplicaSet]


def by_age(sets: ReplicaSets) -> list[SeenReplicaSet]:
    """Oldest first."""
    return sorted(sets, key=lambda rs: (rs.created, rs.name))


def is_scaling(d: SeenDeployment, sets: ReplicaSets) -> bool:
    """Whether the Deployment was scaled since a ReplicaSet with pods was last written."""
    return any(rs.replicas and noted(rs, DESIRED) not in (None, d.replicas) for rs in sets)


def first_size(d: SeenDeployment, olds: ReplicaSets) -> int:
    """With how many replicas the new ReplicaSet is made."""
    if d.recreate:
        return d.replicas
    return _room(d, olds) if _settled(olds) else 0


def roll(d: SeenDeployment, new: SeenReplicaSet, olds: ReplicaSets) -> Sizes:
    """The next step of a rolling update: grow the new one, else shrink the old ones."""
    if new.replicas > d.replicas:
        return {new.name: d.replicas}
    if new.replicas < d.replicas and _settled([*olds, new]):
        room = max(0, _room(d, [*olds, new]))
        if room:
            return {new.name: min(d.replicas, new.replicas + room)}
    return _shrink_olds(d, new, olds)


def recreate(d: SeenDeployment, new: SeenReplicaSet | None, olds: ReplicaSets, old_pods: bool) -> Sizes:
    """First no old pods at all, then all new ones."""
    shrunk = {rs.name: 0 for rs in olds if rs.replicas}
    if shrunk or old_pods or new is None:
        return shrunk
    return {new.name: d.replicas}


def proportional(d: SeenDeployment, new: SeenReplicaSet | None, olds: ReplicaSets) -> Sizes | None:
    """Scaling in the middle of a rollout, or while paused: each gets its share. None: wait for pods to go first."""
    sets = [*olds, *([new] if new else [])]
    active = [rs for rs in sets if rs.replicas]
    if len(active) < 2:
        one = active[0] if active else new or (by_age(olds)[-1] if olds else None)
        if one is None:
            return {}
        others = [rs for rs in sets if rs is not one]
        grows = d.replicas > one.replicas
        return None if grows and not (_at_rest(others) and _settled([one])) else {one.name: d.replicas}
    if new is not None and _saturated(d, new):
        return {rs.name: 0 for rs in olds if rs.replicas}
    if d.recreate:
        return {}
    missing = (d.replicas + max_surge(d) if d.replicas else 0) - sum(rs.replicas for rs in active)
    if missing > 0 and not _at_rest(sets):
        return None
    return _shares(d, active, missing)


def _shares(d: SeenDeployment, active: list[SeenReplicaSet], missing: int) -> Sizes:
    """Spread `missing` (or, below zero, what is too much) by size; the largest takes what rounding left over."""
    ordered = by_age(active)
    if missing > 0:
        ordered.reverse()
    ordered.sort(key=lambda rs: -rs.replicas)
    sizes: Sizes = {}
    given = 0
    for rs in ordered:
        part = _fraction(d, rs) if missing and missing != given else 0
        part = min(part, missing - given) if missing > 0 else max(part, missing - given)
        sizes[rs.name] = rs.replicas + part
        given += part
    sizes[ordered[0].name] = max(0, sizes[ordered[0].name] + missing - given)
    return sizes


def _fraction(d: SeenDeployment, rs: SeenReplicaSet) -> int:
    if not d.replicas:
        return -rs.replicas
    before = noted(rs, MAXIMUM) or d.status.replicas
    if not before:
        return 0
    size = rs.replicas * (d.replicas + max_surge(d)) / before
    return math.floor(size + 0.5) - rs.replicas


def _shrink_olds(d: SeenDeployment, new: SeenReplicaSet, olds: ReplicaSets) -> Sizes:
    minimum = d.replicas - max_unavailable(d)
    sets = [*olds, new]
    ordered = [rs for rs in by_age(olds) if rs.replicas]
    # Were all old pods available, so many could go; new pods that are not yet available cannot replace any.
    budget = sum(rs.replicas for rs in sets) - minimum - (new.replicas - _available(new))
    sizes: Sizes = {}
    for rs in ordered:  # those that do no work go first
        cut = min(max(0, budget), rs.replicas - _available(rs))
        if cut:
            sizes[rs.name] = rs.replicas - cut
            budget -= cut
    spare = min(budget, sum(_available(rs) for rs in sets) - minimum)
    for rs in ordered:
        size = sizes.get(rs.name, rs.replicas)
        cut = min(max(0, spare), size)
        if cut:
            sizes[rs.name] = size - cut
            spare -= cut
    return sizes


def _room(d: SeenDeployment, sets: ReplicaSets) -> int:
    return max(0, min(d.replicas, d.replicas + max_surge(d) - sum(max(rs.replicas, rs.status.replicas) for rs in sets)))


def _available(rs: SeenReplicaSet) -> int:
    return min(rs.status.available, rs.replicas)


def _settled(sets: ReplicaSets) -> bool:
    return all(rs.status.observed_generation >= rs.generation for rs in sets)


def _at_rest(sets: ReplicaSets) -> bool:
    return _settled(sets) and all(rs.status.replicas <= rs.replicas for rs in sets)


def _saturated(d: SeenDeployment, new: SeenReplicaSet) -> bool:
    return new.replicas == d.replicas == new.status.available and noted(new, DESIRED) == d.replicas


def noted(rs: SeenReplicaSet, annotation: str) -> int | None:
    """A number that this controller once wrote on the ReplicaSet."""
    text = rs.annotations.get(annotation, "")
    return int(text) if text.isdecimal() else None
