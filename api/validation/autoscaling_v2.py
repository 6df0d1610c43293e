"""Rules for HorizontalPodAutoscalers."""

from typing import Any

from api import kinds, names, quantity
from api.autoscaling_v2 import (
    ContainerResourceMetricSource,
    CrossVersionObjectReference,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerSpec,
    HPAScalingRules,
    MetricSpec,
    MetricTarget,
)
from api.kinds import Kind
from api.validation import references, resources
from api.validation.problems import Problems
from api.validation.rules import Rules

_SOURCES = {
    "ContainerResource": "container_resource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
_ORDER = ("object", "external", "pods", "resource", "container_resource")  # the first one that is there is looked into
_LONGEST_WINDOW, _LONGEST_PERIOD = 3600, 1800
_RAW = "must set either a target raw value or a target utilization"


def new_autoscaler(found: Problems, obj: HorizontalPodAutoscaler) -> None:
    """A new HorizontalPodAutoscaler."""
    _autoscaler(found, obj, None)


def _autoscaler(found: Problems, obj: HorizontalPodAutoscaler, old: HorizontalPodAutoscaler | None) -> None:
    spec = obj.spec
    _bounds(found, spec, 0 if old is not None and old.spec.min_replicas == 0 else 1)
    target = spec.scale_target_ref
    _reference(found, "spec.scaleTargetRef", target)
    if old is None or _names(target) != _names(old.spec.scale_target_ref):
        _group(found, "spec.scaleTargetRef", target, required=target.kind != "ReplicationController")
    tolerated = old is not None and any(
        metric.object is not None and (metric.object.described_object.api_version or "").count("/") > 1
        for metric in old.spec.metrics
    )
    for index, metric in enumerate(spec.metrics):
        path = f"spec.metrics[{index}]"
        _metric(found, path, metric)
        if metric.object is not None and not tolerated:
            _group(found, f"{path}.object.describedObject", metric.object.described_object, required=False)
    if spec.min_replicas == 0 and not any(metric.type in ("Object", "External") for metric in spec.metrics):
        detail = "must specify at least one Object or External metric to support scaling to zero replicas"
        found.forbidden("spec.metrics", detail)
    if spec.behavior is not None:
        for field, rules in (("scaleUp", spec.behavior.scale_up), ("scaleDown", spec.behavior.scale_down)):
            if rules is not None:
                _rules(found, f"spec.behavior.{field}", rules)


def _bounds(found: Problems, spec: HorizontalPodAutoscalerSpec, floor: int) -> None:
    least = 1 if spec.min_replicas is None else spec.min_replicas
    if least < floor:
        found.invalid("spec.minReplicas", least, f"must be greater than or equal to {floor}")
    if spec.max_replicas == 0:
        found.required("spec.maxReplicas", "must be set and greater than 0")
    elif spec.max_replicas < 0:
        found.invalid("spec.maxReplicas", spec.max_replicas, "must be greater than or equal to 1")
    if spec.max_replicas < least:
        found.invalid("spec.maxReplicas", spec.max_replicas, "must be greater than or equal to `minReplicas`")


def _reference(found: Problems, path: str, reference: CrossVersionObjectReference) -> None:
    references.segment(found, f"{path}.kind", reference.kind)
    references.segment(found, f"{path}.name", reference.name)


def _group(found: Problems, path: str, reference: CrossVersionObjectReference, *, required: bool) -> None:
    version = reference.api_version or ""
    if version.count("/") > 1:
        found.invalid(f"{path}.apiVersion", version, f"unexpected GroupVersion string: {version}")
    elif required and not version.rpartition("/")[0]:
        found.invalid(f"{path}.apiVersion", version, "apiVersion must specify API group")


def _names(reference: CrossVersionObjectReference) -> tuple[str, str]:
    return (reference.api_version or "", reference.kind)


def _metric(found: Problems, path: str, metric: MetricSpec) -> None:
    if not metric.type:
        found.required(f"{path}.type", "must specify a metric source type")
    if metric.type not in _SOURCES:
        found.not_supported(f"{path}.type", metric.type, tuple(_SOURCES))
    json = dict(zip(metric.__struct_fields__, metric.__struct_encode_fields__, strict=True))
    wanted = _SOURCES.get(metric.type, "")
    given = [name for name in _ORDER if getattr(metric, name) is not None]
    if wanted and wanted not in given:
        found.required(f"{path}.{json[wanted]}", "must populate information for the given metric source")
    if len(given) > 1:  # one source under another's type is told by the type alone, as upstream does
        for name in given:
            if name != wanted:
                found.forbidden(f"{path}.{json[name]}", "must populate the given metric source only")
    if given:
        _source(found, f"{path}.{json[given[0]]}", given[0], getattr(metric, given[0]))


def _source(found: Problems, path: str, name: str, source: Any) -> None:
    _target(found, f"{path}.target", source.target)
    target: MetricTarget = source.target
    where = f"{path}.target"
    if name in ("object", "pods", "external"):
        if not source.metric.name:
            found.required(f"{path}.metric.name", "must specify a metric name")
        else:
            found.invalid_all(f"{path}.metric.name", source.metric.name, names.path_segment(source.metric.name))
    match name:
        case "object":
            _reference(found, f"{path}.describedObject", source.described_object)
            if target.value is None and target.average_value is None:
                found.required(f"{where}.averageValue", "must set either a target value or averageValue")
        case "pods":
            if target.average_value is None:
                found.required(f"{where}.averageValue", "must specify a positive target averageValue")
        case "external":
            if target.value is None and target.average_value is None:
                detail = "must set either a target value for metric or a per-pod target"
                found.required(f"{where}.averageValue", detail)
            if target.value is not None and target.average_value is not None:
                detail = "may not set both a target value for metric and a per-pod target"
                found.forbidden(f"{where}.value", detail)
        case _:
            if not source.name:
                found.required(f"{path}.name", "must specify a resource name")
            if name == "container_resource":
                _container(found, path, source)
            if target.average_utilization is None and target.average_value is None:
                found.required(f"{where}.averageUtilization", _RAW)
            if target.average_utilization is not None and target.average_value is not None:
                found.forbidden(f"{where}.averageValue", "may not set both a target raw value and a target utilization")


def _container(found: Problems, path: str, source: ContainerResourceMetricSource) -> None:
    if source.name:
        resources.container_resource(found, f"{path}.name", source.name)
    if not source.container:
        found.required(f"{path}.container", "must specify a container")
    else:
        found.invalid_all(f"{path}.container", source.container, names.dns_label(source.container))


def _target(found: Problems, path: str, target: MetricTarget) -> None:
    if not target.type:
        found.required(f"{path}.type", "must specify a metric target type")
    if target.type not in ("Utilization", "Value", "AverageValue"):
        found.invalid(f"{path}.type", target.type, "must be either Utilization, Value, or AverageValue")
    for field, text in (("value", target.value), ("averageValue", target.average_value)):
        if text is None:
            continue
        try:
            if quantity.parse(text) <= 0:
                found.invalid(f"{path}.{field}", text, "must be positive")
        except quantity.QuantityError as error:
            found.invalid(f"{path}.{field}", text, str(error).partition(": ")[2])
    if target.average_utilization is not None and target.average_utilization < 1:
        found.invalid(f"{path}.averageUtilization", target.average_utilization, "must be greater than 0")


def _rules(found: Problems, path: str, rules: HPAScalingRules) -> None:
    window = rules.stabilization_window_seconds
    if window is not None and window < 0:
        found.invalid(f"{path}.stabilizationWindowSeconds", window, "must be greater than or equal to zero")
    if window is not None and window > _LONGEST_WINDOW:
        detail = f"must be less than or equal to {_LONGEST_WINDOW}"
        found.invalid(f"{path}.stabilizationWindowSeconds", window, detail)
    found.optional_one_of(f"{path}.selectPolicy", rules.select_policy, ("Disabled", "Max", "Min"))
    if rules.tolerance is not None:
        resources.amount(found, f"{path}.tolerance", "", rules.tolerance)
    if not rules.policies:
        found.required(f"{path}.policies", "must specify at least one Policy")
    for index, policy in enumerate(rules.policies):
        where = f"{path}.policies[{index}]"
        found.optional_one_of(f"{where}.type", policy.type, ("Percent", "Pods"))
        if policy.value <= 0:
            found.invalid(f"{where}.value", policy.value, "must be greater than zero")
        if policy.period_seconds <= 0:
            found.invalid(f"{where}.periodSeconds", policy.period_seconds, "must be greater than zero")
        if policy.period_seconds > _LONGEST_PERIOD:
            detail = f"must be less than or equal to {_LONGEST_PERIOD}"
            found.invalid(f"{where}.periodSeconds", policy.period_seconds, detail)


def _status(found: Problems, new: HorizontalPodAutoscaler, old: HorizontalPodAutoscaler) -> None:
    found.not_negative("status.currentReplicas", new.status.current_replicas)
    found.not_negative("status.desiredReplicas", new.status.desired_replicas)


RULES: dict[Kind[Any], Rules] = {
    kinds.HORIZONTAL_POD_AUTOSCALER: Rules(
        change=_autoscaler, parts={"status": _status}, name=names.dns_subdomain, fresh=new_autoscaler
    ),
}
