"""PriorityClasses: what they make of a pod, that at most one is the default, and that the cluster's own stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import codec, kinds
from api.scheduling_v1 import PriorityClass
from controlplane.apiserver import status
from controlplane.apiserver.write import CREATE, Write

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

IMMORTAL = frozenset({"system-node-critical", "system-cluster-critical"})
_PREEMPTING = "PreemptLowerPriority"
_DEFAULT_MARK = b'"globalDefault":true'  # may be in a description as well; spares decoding the others


def set_priority(write: Write, core: Core) -> None:
    """The number and the policy behind the class name, or behind the default class, or 0."""
    if write.kind is not kinds.POD or write.subresource:
        return
    spec = write.new.spec
    if write.operation != CREATE:
        spec.priority = spec.priority if spec.priority is not None else write.old.spec.priority
        if spec.preemption_policy is None:
            spec.preemption_policy = write.old.spec.preemption_policy
        return
    name = spec.priority_class_name
    found = _named(name, write, core) if name else _default(core)
    if found is not None:
        spec.priority_class_name = found.metadata.name
    priority = found.value if found is not None else 0
    policy = found.preemption_policy if found is not None else _PREEMPTING
    why = (
        "must not be provided in pod spec; priority admission controller computed {} from the given PriorityClass name"
    )
    if spec.priority is not None and spec.priority != priority:
        given = f"the integer value of priority ({spec.priority})"
        raise status.forbidden(write.subject, f"{given} {why.format(priority)}")
    spec.priority = priority
    if policy and spec.preemption_policy and spec.preemption_policy != policy:
        given = f"the string value of PreemptionPolicy ({spec.preemption_policy})"
        raise status.forbidden(write.subject, f"{given} {why.format(policy)}")
    spec.preemption_policy = policy or spec.preemption_policy


def one_default(write: Write, core: Core) -> None:
    """Refuse a second default class."""
    if write.kind is not kinds.PRIORITY_CLASS or not write.new.global_default:
        return
    present = _default(core)
    if present is not None and (write.operation == CREATE or present.metadata.name != write.new.metadata.name):
        why = f"PriorityClass {present.metadata.name} is already marked as default. Only one default can exist"
        raise status.forbidden(write.subject, why)


def require_mortal(name: str) -> None:
    """Refuse to delete a class that the cluster itself needs."""
    if name in IMMORTAL:
        why = "this is a system priority class and cannot be deleted"
        raise status.forbidden(status.subject(kinds.PRIORITY_CLASS, name), why)


def _named(name: str, write: Write, core: Core) -> PriorityClass:
    entry = core.cache.resources[kinds.PRIORITY_CLASS].entries.get(name)
    if entry is None:
        raise status.forbidden(write.subject, f"no PriorityClass with name {name} was found")
    return codec.decode(kinds.PRIORITY_CLASS, entry.data)


def _default(core: Core) -> PriorityClass | None:
    """The default class; of several, which only a race can make, that of the lowest value."""
    entries = core.cache.resources[kinds.PRIORITY_CLASS].entries.values()
    marked = [codec.decode(kinds.PRIORITY_CLASS, entry.data) for entry in entries if _DEFAULT_MARK in entry.data]
    return min((found for found in marked if found.global_default), key=lambda found: found.value, default=None)
