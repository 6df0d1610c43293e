"""Rules for HorizontalPodAutoscalers."""

from typing import Any

from api import kinds, names, quantity
from api.autoscaling_v2 import (
    CrossVersionObjectReference,
    HorizontalPodAutoscaler,
    HPAScalingRules,
    MetricSpec,
    MetricTarget,
)
from api.kinds import Kind
from api.validation import references
from api.validation.problems import Problems
from api.validation.rules import Rules

_SOURCES = {
    "ContainerResource": "container_resource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
_LONGEST_WINDOW, _LONGEST_PERIOD = 3600, 1800
_RAW = "must set either a target raw value or a target utilization"


def autoscaler(found: Problems, obj: HorizontalPodAutoscaler) -> None:
    """A HorizontalPodAutoscaler."""
    spec = obj.spec
    least = 1 if spec.min_replicas is None else spec.min_replicas
    if least < 1:
        found.invalid("spec.minReplicas", least, "must be greater than or equal to 1")
    if spec.max_replicas < 1:
        found.invalid("spec.maxReplicas", spec.max_replicas, "must be greater than or equal to 1")
    if spec.max_replicas < least:
        found.invalid("spec.maxReplicas", spec.max_replicas, "must be greater than or equal to `minReplicas`")
    _reference(found, "spec.scaleTargetRef", spec.scale_target_ref)
    for index, metric in enumerate(spec.metrics):
        _metric(found, f"spec.metrics[{index}]", metric)
    if spec.behavior is not None:
        for field, rules in (("scaleUp", spec.behavior.scale_up), ("scaleDown", spec.behavior.scale_down)):
            if rules is not None:
                _rules(found, f"spec.behavior.{field}", rules)


def _reference(found: Problems, path: str, reference: CrossVersionObjectReference) -> None:
    references.segment(found, f"{path}.kind", reference.kind)
    references.segment(found, f"{path}.name", reference.name)
    if (reference.api_version or "").count("/") > 1:
        detail = f"unexpected GroupVersion string: {reference.api_version}"
        found.invalid(f"{path}.apiVersion", reference.api_version, detail)


def _metric(found: Problems, path: str, metric: MetricSpec) -> None:
    if not metric.type:
        found.required(f"{path}.type", "must specify a metric source type")
    elif metric.type not in _SOURCES:
        found.not_supported(f"{path}.type", metric.type, tuple(_SOURCES))
    json = dict(zip(metric.__struct_fields__, metric.__struct_encode_fields__, strict=True))
    wanted = _SOURCES.get(metric.type, "")
    for name in _SOURCES.values():
        given = getattr(metric, name) is not None
        if name == wanted and not given:
            found.required(f"{path}.{json[name]}", "must populate information for the given metric source")
        elif name != wanted and given:
            found.forbidden(f"{path}.{json[name]}", "must populate the given metric source only")
    if wanted and getattr(metric, wanted) is not None:
        _source(found, f"{path}.{json[wanted]}", wanted, getattr(metric, wanted))


def _source(found: Problems, path: str, name: str, source: Any) -> None:
    _target(found, f"{path}.target", source.target)
    target: MetricTarget = source.target
    where = f"{path}.target"
    if name in ("object", "pods", "external") and not source.metric.name:
        found.required(f"{path}.metric.name", "must specify a metric name")
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
            if name == "container_resource" and not source.container:
                found.required(f"{path}.container", "must specify a container")
            if target.average_utilization is None and target.average_value is None:
                found.required(f"{where}.averageUtilization", _RAW)
            if target.average_utilization is not None and target.average_value is not None:
                found.forbidden(f"{where}.averageValue", "may not set both a target raw value and a target utilization")


def _target(found: Problems, path: str, target: MetricTarget) -> None:
    if not target.type:
        found.required(f"{path}.type", "must specify a metric target type")
    elif target.type not in ("Utilization", "Value", "AverageValue"):
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


RULES: dict[Kind[Any], Rules] = {
    kinds.HORIZONTAL_POD_AUTOSCALER: Rules(autoscaler, name=names.dns_subdomain),
}
