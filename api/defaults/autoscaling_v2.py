"""Defaults of HorizontalPodAutoscalers."""

from collections.abc import Callable
from typing import Any

from api import kinds
from api.autoscaling_v2 import (
    HorizontalPodAutoscaler,
    HPAScalingPolicy,
    HPAScalingRules,
    MetricSpec,
    MetricTarget,
    ResourceMetricSource,
)
from api.kinds import Kind

_CPU_PERCENT = 80
_PERIOD = 15


def autoscaler(obj: HorizontalPodAutoscaler) -> None:
    """Defaults of a HorizontalPodAutoscaler."""
    spec = obj.spec
    if spec.min_replicas is None:
        spec.min_replicas = 1
    if not spec.metrics:
        target = MetricTarget(type="Utilization", average_utilization=_CPU_PERCENT)
        spec.metrics = [MetricSpec(type="Resource", resource=ResourceMetricSource(name="cpu", target=target))]
    if spec.behavior is not None:
        spec.behavior.scale_up = _completed(spec.behavior.scale_up, _up())
        spec.behavior.scale_down = _completed(spec.behavior.scale_down, _down())


def _up() -> HPAScalingRules:
    policies = [
        HPAScalingPolicy(type="Pods", value=4, period_seconds=_PERIOD),
        HPAScalingPolicy(type="Percent", value=100, period_seconds=_PERIOD),
    ]
    return HPAScalingRules(stabilization_window_seconds=0, select_policy="Max", policies=policies)


def _down() -> HPAScalingRules:
    policies = [HPAScalingPolicy(type="Percent", value=100, period_seconds=_PERIOD)]
    return HPAScalingRules(select_policy="Max", policies=policies)


def _completed(given: HPAScalingRules | None, rules: HPAScalingRules) -> HPAScalingRules:
    if given is not None:
        for name in rules.__struct_fields__:
            if getattr(given, name) not in (None, []):
                setattr(rules, name, getattr(given, name))
    return rules


BY_KIND: dict[Kind[Any], Callable[[Any], None]] = {kinds.HORIZONTAL_POD_AUTOSCALER: autoscaler}
