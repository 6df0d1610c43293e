"""The tables of HorizontalPodAutoscalers and Scales."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api import kinds
from api.kinds import Kind
from controlplane.apiserver.tables.ages import age
from controlplane.apiserver.tables.columns import Cell, Layout, columns

if TYPE_CHECKING:
    from api.autoscaling_v1 import Scale
    from api.autoscaling_v2 import HorizontalPodAutoscaler, MetricSpec, MetricStatus, MetricTarget, MetricValueStatus

_UNKNOWN = "<unknown>"
_SHOWN = 2
_SOURCES = {
    "External": "external",
    "Pods": "pods",
    "Object": "object",
    "Resource": "resource",
    "ContainerResource": "container_resource",
}


def _autoscaler(obj: HorizontalPodAutoscaler, now: float) -> list[Cell]:
    spec = obj.spec
    return [
        obj.metadata.name,
        f"{spec.scale_target_ref.kind}/{spec.scale_target_ref.name}",
        _targets(spec.metrics, obj.status.current_metrics),
        "<unset>" if spec.min_replicas is None else str(spec.min_replicas),
        spec.max_replicas,
        obj.status.current_replicas or 0,
        age(obj.metadata.creation_timestamp, now),
    ]


def _targets(metrics: list[MetricSpec], current: list[MetricStatus]) -> str:
    """What is measured and what is wanted, of the first few metrics."""
    if not metrics:
        return "<none>"
    seen: list[MetricStatus | None] = [*current]
    seen += [None] * (len(metrics) - len(seen))
    shown = [_target(metric, status) for metric, status in zip(metrics, seen, strict=False)]
    text = ", ".join(shown[:_SHOWN])
    return f"{text} + {len(shown) - _SHOWN} more..." if len(shown) > _SHOWN else text


def _target(metric: MetricSpec, status: MetricStatus | None) -> str:
    name = _SOURCES.get(metric.type, "")
    source: Any = getattr(metric, name) if name else None
    if source is None:
        return "<unknown type>"
    measured = getattr(status, name) if status is not None else None
    current: MetricValueStatus | None = measured.current if measured is not None else None
    target: MetricTarget = source.target
    if name in ("resource", "container_resource"):
        return f"{source.name}: {_share(target, current)}"
    if target.average_value is not None:
        suffix = "" if name == "pods" else " (avg)"
        return f"{_text(current.average_value if current else None)}/{target.average_value}{suffix}"
    return f"{_text(current.value if current else None)}/{target.value or '0'}"


def _share(target: MetricTarget, current: MetricValueStatus | None) -> str:
    if target.average_value is not None:
        return f"{_text(current.average_value if current else None)}/{target.average_value}"
    wanted = "<auto>" if target.average_utilization is None else f"{target.average_utilization}%"
    there = current.average_utilization if current is not None else None
    return f"{_UNKNOWN if there is None else f'{there}%'}/{wanted}"


def _text(value: str | None) -> str:
    return _UNKNOWN if value is None else value


# A view of other kinds, with columns of its own; it is in no table of kinds since nothing is stored or listed as one.
SCALE: Kind[Scale] = Kind("autoscaling", "v1", "Scale", "scales", "autoscaling_v1")


def _scale(obj: Scale, now: float) -> list[Cell]:
    return [
        obj.metadata.name,
        obj.spec.replicas or 0,
        obj.status.replicas,
        age(obj.metadata.creation_timestamp, now),
    ]


LAYOUTS: dict[Kind[Any], Layout] = {
    SCALE: Layout(columns("Name", "Desired:integer", "Available:integer", "Age"), _scale),
    kinds.HORIZONTAL_POD_AUTOSCALER: Layout(
        columns("Name", "Reference", "Targets", "MinPods", "MaxPods", "Replicas", "Age"), _autoscaler
    ),
}
