"""HorizontalPodAutoscalers of autoscaling/v1, kept as those of v2.

v1 knows one metric, the use of CPU in percent. What else an autoscaler measures and tells stands in annotations, as JSON: metrics and
conditions in v1's own forms (`autoscaling_metrics`), behaviour with the field names of upstream's Go structs.
"""

from typing import Any

import msgspec

from api import autoscaling_v1 as v1
from api import autoscaling_v2 as v2
from api import codec, kinds
from api.conversion import Conversion, autoscaling_metrics
from api.kinds import Kind
from api.meta_v1 import ObjectMeta

_PREFIX = "autoscaling.alpha.kubernetes.io/"
METRICS, CURRENT_METRICS = f"{_PREFIX}metrics", f"{_PREFIX}current-metrics"
CONDITIONS, BEHAVIOR = f"{_PREFIX}conditions", f"{_PREFIX}behavior"
CARRIED = frozenset(
    (METRICS, CURRENT_METRICS, CONDITIONS, BEHAVIOR, f"{_PREFIX}scale-down-tolerance", f"{_PREFIX}scale-up-tolerance")
)
_CPU_PERCENT = 80
_encoder = msgspec.json.Encoder()


def to_stored(obj: v1.HorizontalPodAutoscaler) -> v2.HorizontalPodAutoscaler:
    """As v2 has it."""
    notes, spec, status = obj.metadata.annotations, obj.spec, obj.status
    metrics = [autoscaling_metrics.spec_to_v2(metric) for metric in _read_list(v1.MetricSpec, notes.get(METRICS)) or ()]
    if spec.target_cpu_utilization_percentage is not None:
        metrics.append(_cpu(spec.target_cpu_utilization_percentage))
    current = _read_list(v1.MetricStatus, notes.get(CURRENT_METRICS))
    conditions = _read_list(v2.HorizontalPodAutoscalerCondition, notes.get(CONDITIONS))
    return v2.HorizontalPodAutoscaler(
        metadata=_without(obj.metadata),
        spec=v2.HorizontalPodAutoscalerSpec(
            scale_target_ref=_reference(v2.CrossVersionObjectReference, spec.scale_target_ref),
            min_replicas=spec.min_replicas,
            max_replicas=spec.max_replicas,
            metrics=metrics or [_cpu(_CPU_PERCENT)],
            behavior=_read_behavior(notes.get(BEHAVIOR)),
        ),
        status=v2.HorizontalPodAutoscalerStatus(
            observed_generation=status.observed_generation,
            last_scale_time=status.last_scale_time,
            current_replicas=status.current_replicas or None,
            desired_replicas=status.desired_replicas,
            current_metrics=_current_cpu(status)
            if current is None
            else [autoscaling_metrics.status_to_v2(metric) for metric in current],
            conditions=conditions or [],
        ),
    )


def to_shown(obj: v2.HorizontalPodAutoscaler) -> v1.HorizontalPodAutoscaler:
    """As v1 has it."""
    spec, status = obj.spec, obj.status
    others = [autoscaling_metrics.spec_to_v1(metric) for metric in spec.metrics if _cpu_of(metric) is None]
    current = [autoscaling_metrics.status_to_v1(metric) for metric in status.current_metrics]
    shown = _without(obj.metadata)
    carried = {
        METRICS: _write(others),
        CURRENT_METRICS: _write(current),
        BEHAVIOR: _write(_renamed(codec.to_dict(spec.behavior), _go_name)) if spec.behavior is not None else "",
        CONDITIONS: _write(status.conditions),
    }
    shown.annotations = {**shown.annotations, **{key: text for key, text in carried.items() if text}}
    return v1.HorizontalPodAutoscaler(
        metadata=shown,
        spec=v1.HorizontalPodAutoscalerSpec(
            scale_target_ref=_reference(v1.CrossVersionObjectReference, spec.scale_target_ref),
            min_replicas=spec.min_replicas,
            max_replicas=spec.max_replicas,
            target_cpu_utilization_percentage=next(
                (percent for percent in map(_cpu_of, spec.metrics) if percent is not None), None
            ),
        ),
        status=v1.HorizontalPodAutoscalerStatus(
            observed_generation=status.observed_generation,
            last_scale_time=status.last_scale_time,
            current_replicas=status.current_replicas or 0,
            desired_replicas=status.desired_replicas,
            current_cpu_utilization_percentage=_measured_cpu(status.current_metrics),
        ),
    )


def _without(meta: ObjectMeta) -> ObjectMeta:
    """The metadata without what v1 has in annotations only."""
    if not CARRIED & meta.annotations.keys():
        return msgspec.structs.replace(meta)
    kept = {key: text for key, text in meta.annotations.items() if key not in CARRIED}
    return msgspec.structs.replace(meta, annotations=kept)


def _reference(cls: Any, ref: Any) -> Any:
    return cls(kind=ref.kind, name=ref.name, api_version=ref.api_version)


def _cpu(percent: int) -> v2.MetricSpec:
    target = v2.MetricTarget(type="Utilization", average_utilization=percent)
    return v2.MetricSpec(type="Resource", resource=v2.ResourceMetricSource(name="cpu", target=target))


def _cpu_of(metric: v2.MetricSpec) -> int | None:
    """The wanted percentage, if the metric is the one that v1 knows."""
    source = metric.resource
    if metric.type != "Resource" or source is None or source.name != "cpu":
        return None
    return source.target.average_utilization


def _measured_cpu(metrics: list[v2.MetricStatus]) -> int | None:
    found = None
    for metric in metrics:
        if metric.type == "Resource" and metric.resource is not None and metric.resource.name == "cpu":
            percent = metric.resource.current.average_utilization
            found = percent if percent is not None else found
    return found


def _current_cpu(status: v1.HorizontalPodAutoscalerStatus) -> list[v2.MetricStatus]:
    percent = status.current_cpu_utilization_percentage
    if percent is None:
        return []
    measured = v2.ResourceMetricStatus(name="cpu", current=v2.MetricValueStatus(average_utilization=percent))
    return [v2.MetricStatus(type="Resource", resource=measured)]


# annotations: what cannot be read is as if it were not there


def _write(value: Any) -> str:
    return _encoder.encode(value).decode() if value else ""


def _read_list(cls: Any, text: str | None) -> list[Any] | None:
    if text is None:
        return None
    try:
        items = msgspec.json.decode(text)
        return [codec.from_dict(cls, item) for item in items] if isinstance(items, list) else None
    except (msgspec.DecodeError, codec.DecodeError, RecursionError):
        return None


def _read_behavior(text: str | None) -> v2.HorizontalPodAutoscalerBehavior | None:
    if text is None:
        return None
    try:
        found = codec.from_dict(v2.HorizontalPodAutoscalerBehavior, _renamed(msgspec.json.decode(text), _json_name))
    except (msgspec.DecodeError, codec.DecodeError, RecursionError):
        return None
    return found if found != v2.HorizontalPodAutoscalerBehavior() else None


def _renamed(value: Any, name: Any) -> Any:
    if isinstance(value, dict):
        return {name(key): _renamed(item, name) for key, item in value.items()}
    return [_renamed(item, name) for item in value] if isinstance(value, list) else value


def _go_name(name: str) -> str:
    return name[:1].upper() + name[1:]


def _json_name(name: str) -> str:
    return name[:1].lower() + name[1:]


CONVERSIONS: dict[Kind[Any], Conversion] = {
    kinds.HORIZONTAL_POD_AUTOSCALER_V1: Conversion(to_stored, to_shown),
}
