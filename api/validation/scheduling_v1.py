"""Rules for PriorityClasses."""

from typing import Any

from api import kinds
from api.kinds import Kind
from api.scheduling_v1 import PriorityClass
from api.validation.problems import Problems
from api.validation.rules import Rules

HIGHEST = 1_000_000_000  # of what people may define
SYSTEM = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
_PREFIX = "system-"


def priority_class(found: Problems, obj: PriorityClass) -> None:
    """A PriorityClass."""
    name = obj.metadata.name or ""
    if name.startswith(_PREFIX):
        if why := _not_of_the_system(name, obj):
            detail = f"priority class names with '{_PREFIX}' prefix are reserved for system use only. error: {why}"
            found.forbidden("metadata.name", detail)
    elif obj.value > HIGHEST:
        found.forbidden("value", f"maximum allowed value of a user defined priority is {HIGHEST}")
    if obj.preemption_policy is not None:
        found.one_of("preemptionPolicy", obj.preemption_policy, ("PreemptLowerPriority", "Never"))


def _not_of_the_system(name: str, obj: PriorityClass) -> str:
    if name not in SYSTEM:
        return f"{name} is not a known system priority class"
    if obj.value != SYSTEM[name]:
        return f"value of {name} PriorityClass must be {SYSTEM[name]}"
    return f"globalDefault of {name} PriorityClass must be false" if obj.global_default else ""


def _changed(found: Problems, new: PriorityClass, old: PriorityClass) -> None:
    if new.value != old.value:
        found.forbidden("value", "may not be changed in an update.")
    found.immutable("preemptionPolicy", new.preemption_policy, old.preemption_policy)


RULES: dict[Kind[Any], Rules] = {kinds.PRIORITY_CLASS: Rules(priority_class, _changed)}
