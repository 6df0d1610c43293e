"""What a DELETE does to an object: a pure plan of the object, the client's options and the kind's rules.

An object goes at once unless something holds it: finalizers, or the grace period of a pod. Then it is marked instead (deletionTimestamp,
deletionGracePeriodSeconds) and goes when the last holder lets go: an update that removes the last finalizer, or a DELETE with grace 0. A
grace period can be shortened later, never extended. `propagationPolicy` Orphan and Foreground are finalizers for the garbage collector.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from api import kinds, times
from api.kinds import Kind
from api.meta_v1 import DeleteOptions
from controlplane.apiserver import status
from controlplane.apiserver.strategies import SYSTEM_FINALIZER, strategy

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
_ORPHANING = frozenset((kinds.JOB, kinds.REPLICATION_CONTROLLER))  # unless the client says what becomes of their pods
_POLICIES = {"Orphan": ORPHAN, "Foreground": FOREGROUND, "Background": ""}


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete it from the store."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Write `obj`, the object with its deletion marked."""

    obj: Any


@dataclass(frozen=True, slots=True)
class Leave:
    """It is on its way already; nothing to write."""


Plan = Remove | Mark | Leave


def plan_delete(kind: Kind[Any], obj: Any, options: DeleteOptions, now: float, copy: Callable[[Any], Any]) -> Plan:
    """What to do with `obj`. `copy` is only called for what will be marked."""
    meta = obj.metadata
    finalizers = _finalizers(kind, meta.finalizers, options)
    if kind is kinds.NAMESPACE:
        return _namespace(obj, finalizers, now, copy)
    marked = meta.deletion_timestamp is not None
    old_grace = meta.deletion_grace_period_seconds or 0
    grace = strategy(kind).grace(obj, options.grace_period_seconds)
    if marked and old_grace == 0:
        grace = 0
    elif marked:
        asked = options.grace_period_seconds
        grace = old_grace if asked is None or grace is None else min(old_grace, grace)
    if not grace and not finalizers:
        return Remove()
    new_grace = grace or 0
    if marked and new_grace == old_grace and finalizers == meta.finalizers:
        return Leave()
    new = copy(obj)
    new.metadata.finalizers = finalizers
    _mark(new.metadata, meta, new_grace, now)
    return Mark(new)


def check_preconditions(about: status.Subject, meta: Any, revision: int, options: DeleteOptions) -> None:
    """Raise Conflict if the object is not the one that the client means."""
    wanted = options.preconditions
    if wanted is None:
        return
    if wanted.uid and wanted.uid != meta.uid:
        raise status.conflict(
            about, f"Precondition failed: UID in precondition: {wanted.uid}, UID in object meta: {meta.uid}"
        )
    if wanted.resource_version and wanted.resource_version != str(revision):
        why = f"ResourceVersion in precondition: {wanted.resource_version}, ResourceVersion in object meta: {revision}"
        raise status.conflict(about, f"Precondition failed: {why}")


def released(obj: Any) -> bool:
    """Whether an updated object was only waiting for this update to be gone."""
    meta = obj.metadata
    if meta.deletion_timestamp is None or meta.finalizers or meta.deletion_grace_period_seconds:
        return False
    return not (obj.kind == "Namespace" and obj.spec.finalizers)


def _finalizers(kind: Kind[Any], present: list[str], options: DeleteOptions) -> list[str]:
    """The object's finalizers with the one that the propagation policy asks for."""
    if kind is kinds.EVENT:  # nothing depends on events
        return present
    if options.orphan_dependents is not None:
        wanted = ORPHAN if options.orphan_dependents else ""
    elif options.propagation_policy is not None:
        wanted = _POLICIES[options.propagation_policy]
    elif kind in _ORPHANING and not {ORPHAN, FOREGROUND} & set(present):
        wanted = ORPHAN
    else:
        return present
    others = [name for name in present if name not in (ORPHAN, FOREGROUND)]
    kept = [*others, wanted] if wanted else others
    return present if set(kept) == set(present) else kept


def _namespace(obj: Any, finalizers: list[str], now: float, copy: Callable[[Any], Any]) -> Plan:
    """A namespace is emptied by its controller before the finalizer in its spec goes."""
    if obj.metadata.deletion_timestamp is None:
        new = copy(obj)
        new.metadata.finalizers = finalizers
        new.metadata.deletion_timestamp = times.format_time(now)
        new.status.phase = "Terminating"
        return Mark(new)
    if not obj.spec.finalizers and not finalizers:
        return Remove()
    if obj.spec.finalizers == [SYSTEM_FINALIZER] or obj.metadata.finalizers == finalizers:
        return Leave()
    new = copy(obj)
    new.metadata.finalizers = finalizers
    return Mark(new)


def _mark(new: Any, old: Any, grace: int, now: float) -> None:
    if old.deletion_timestamp is None:
        start = now
        if new.generation:
            new.generation += 1
    else:  # the grace period counts from when the deletion was first asked for
        start = times.parse_time(old.deletion_timestamp) - (old.deletion_grace_period_seconds or 0)
    new.deletion_timestamp = times.format_time(start + grace)
    new.deletion_grace_period_seconds = grace
