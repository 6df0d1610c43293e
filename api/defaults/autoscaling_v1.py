"""Defaults of the older view of HorizontalPodAutoscalers; the use of CPU has one too, in the conversion, which sees all metrics."""

from collections.abc import Callable
from typing import Any

from api import kinds
from api.autoscaling_v1 import HorizontalPodAutoscaler
from api.kinds import Kind


def autoscaler(obj: HorizontalPodAutoscaler) -> None:
    """Defaults of a HorizontalPodAutoscaler of v1."""
    if obj.spec.min_replicas is None:
        obj.spec.min_replicas = 1


BY_KIND: dict[Kind[Any], Callable[[Any], None]] = {kinds.HORIZONTAL_POD_AUTOSCALER_V1: autoscaler}
