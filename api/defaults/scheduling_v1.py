"""Defaults of PriorityClasses."""

from collections.abc import Callable
from typing import Any

from api import kinds
from api.kinds import Kind
from api.scheduling_v1 import PriorityClass


def priority_class(obj: PriorityClass) -> None:
    """Defaults of a PriorityClass."""
    if obj.preemption_policy is None:
        obj.preemption_policy = "PreemptLowerPriority"


BY_KIND: dict[Kind[Any], Callable[[Any], None]] = {kinds.PRIORITY_CLASS: priority_class}
