"""Rules for ResourceQuotas and LimitRanges."""

from fractions import Fraction
from typing import Any

from api import kinds, names, quantity
from api.core_limits_v1 import LimitRange, LimitRangeItem, ResourceQuota, ResourceQuotaSpec
from api.kinds import Kind
from api.validation import resources
from api.validation.problems import Problems
from api.validation.rules import Rules

_COUNTED = frozenset(
    [
        "pods",
        "resourcequotas",
        "services",
        "replicationcontrollers",
        "secrets",
        "persistentvolumeclaims",
        "configmaps",
        "services.nodeports",
        "services.loadbalancers",
    ]
)
_MEASURED = frozenset(
    f"{prefix}{name}" for prefix in ("", "requests.", "limits.") for name in ("cpu", "memory", "ephemeral-storage")
)
_OF_QUOTA = _COUNTED | _MEASURED | {"requests.storage"}
_OF_CONTAINERS = frozenset(("cpu", "memory", "ephemeral-storage"))
_SCOPES = frozenset(
    [
        "Terminating",
        "NotTerminating",
        "BestEffort",
        "NotBestEffort",
        "PriorityClass",
        "CrossNamespacePodAffinity",
        "VolumeAttributesClass",
    ]
)
_ONLY_EXIST = _SCOPES - {"PriorityClass", "VolumeAttributesClass"}
_CONFLICTS = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})
_TYPES = ("Pod", "Container", "PersistentVolumeClaim")


def quota(found: Problems, obj: ResourceQuota) -> None:
    """A ResourceQuota."""
    _amounts(found, "spec.hard", obj.spec.hard)
    _scopes(found, obj.spec)
    if obj.spec.scope_selector is not None:
        _scope_selector(found, obj.spec)


def _amounts(found: Problems, path: str, amounts: dict[str, str]) -> None:
    for name, text in amounts.items():
        where = f"{path}[{name}]"
        _resource(found, where, name)
        if "/" not in name and not _of_quota(name):
            found.invalid(where, name, "must be a standard resource for quota")
        value = resources.amount(found, where, name, text)
        if value is not None and name in _COUNTED - {"pods"} and value.denominator != 1:
            found.invalid(where, text, "must be an integer")


def _resource(found: Problems, path: str, name: str) -> None:
    problems = names.label_key(name)
    found.invalid_all(path, name, problems)
    if not problems and "/" not in name and not _of_quota(name) and name != "storage":
        found.invalid(path, name, "must be a standard resource type or fully qualified")


def _of_quota(name: str) -> bool:
    return name in _OF_QUOTA or name.startswith(("hugepages-", "requests.hugepages-"))


def _scopes(found: Problems, spec: ResourceQuotaSpec) -> None:
    for scope in spec.scopes:
        if scope not in _SCOPES:
            found.invalid("spec.scopes", spec.scopes, "unsupported scope")
        for name in sorted(spec.hard):
            if _of_quota(name) and not _counts(scope, name):
                found.invalid("spec.scopes", spec.scopes, "unsupported scope applied to resource")
    _conflicts(found, "spec.scopes", spec.scopes, spec)


def _conflicts(found: Problems, path: str, scopes: list[str], spec: ResourceQuotaSpec) -> None:
    for pair in _CONFLICTS:
        if pair <= set(scopes):
            found.invalid(path, spec.scopes, "conflicting scopes")


def _counts(scope: str, name: str) -> bool:
    """Whether a quota with the scope can count the resource."""
    if scope == "BestEffort":
        return name == "pods"
    if scope == "VolumeAttributesClass":
        return name in ("persistentvolumeclaims", "requests.storage")
    return scope not in _SCOPES or name == "pods" or name in _MEASURED or "hugepages-" in name


def _scope_selector(found: Problems, spec: ResourceQuotaSpec) -> None:
    path = "spec.scopeSelector.matchExpressions"
    expressions = spec.scope_selector.match_expressions if spec.scope_selector is not None else []
    for expression in expressions:
        scope, operator = expression.scope_name, expression.operator
        if scope not in _SCOPES:
            found.invalid(f"{path}.scopeName", scope, "unsupported scope")
        for name in sorted(spec.hard):
            if _of_quota(name) and not _counts(scope, name):
                found.invalid(path, spec.scope_selector, "unsupported scope applied to resource")
        if scope in _ONLY_EXIST and operator != "Exists":
            detail = (
                "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
                "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or "
                "ResourceQuotaScopeCrossNamespacePodAffinity"
            )
            found.invalid(f"{path}.operator", operator, detail)
        if operator in ("In", "NotIn"):
            if not expression.values:
                detail = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
                found.required(f"{path}.values", detail)
        elif operator in ("Exists", "DoesNotExist"):
            if expression.values:
                detail = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
                found.invalid(f"{path}.values", expression.values, detail)
        else:
            found.invalid(f"{path}.operator", operator, "not a valid selector operator")
    _conflicts(found, path, [expression.scope_name for expression in expressions], spec)


def _quota_changed(found: Problems, new: ResourceQuota, old: ResourceQuota) -> None:
    if set(new.spec.scopes) != set(old.spec.scopes):
        found.invalid("spec.scopes", new.spec.scopes, "field is immutable")


def _quota_status(found: Problems, new: ResourceQuota, old: ResourceQuota) -> None:
    _amounts(found, "status.hard", new.status.hard)
    _amounts(found, "status.used", new.status.used)


def limit_range(found: Problems, obj: LimitRange) -> None:
    """A LimitRange."""
    seen: set[str] = set()
    for index, item in enumerate(obj.spec.limits):
        path = f"spec.limits[{index}]"
        problems = names.label_key(item.type)
        found.invalid_all(f"{path}.type", item.type, problems)
        if not problems and "/" not in item.type and item.type not in _TYPES:
            found.invalid(f"{path}.type", item.type, "must be a standard limit type or fully qualified")
        if item.type in seen:
            found.duplicate(f"{path}.type", item.type)
        seen.add(item.type)
        _limits(found, path, item)


def _limits(found: Problems, path: str, item: LimitRangeItem) -> None:
    amounts = {
        "max": item.max,
        "min": item.min,
        "default": item.default,
        "defaultRequest": item.default_request,
        "maxLimitRequestRatio": item.max_limit_request_ratio,
    }
    if item.type == "Pod":
        for field in ("default", "defaultRequest"):
            if amounts.pop(field):
                found.forbidden(f"{path}.{field}", "may not be specified when `type` is 'Pod'")
    if item.type == "PersistentVolumeClaim" and not {"storage"} & (item.min.keys() | item.max.keys()):
        detail = "either minimum or maximum storage value is required, but neither was provided"
        found.required(f"{path}.limits", detail)
    for field, listed in amounts.items():
        for name in listed:
            _limited(found, f"{path}.{field}[{name}]", item.type, name)
    for name in sorted({name for listed in amounts.values() for name in listed}):
        _compare(found, path, name, {field: listed[name] for field, listed in amounts.items() if name in listed})


def _limited(found: Problems, path: str, type_: str, name: str) -> None:
    _resource(found, path, name)
    plain = "/" not in name and name not in _OF_CONTAINERS and not name.startswith("hugepages-")
    if type_ in ("Pod", "Container") and plain:
        found.invalid(path, name, "must be a standard resource for containers")


# Of each pair the first may not be more than the second: whose field is blamed, whose value is shown, and the words.
_ORDER = (
    ("min", "max", "min", "min", "min value {} is greater than max value {}"),
    (
        "min",
        "defaultRequest",
        "defaultRequest",
        "defaultRequest",
        "min value {} is greater than default request value {}",
    ),
    (
        "defaultRequest",
        "max",
        "defaultRequest",
        "defaultRequest",
        "default request value {} is greater than max value {}",
    ),
    (
        "defaultRequest",
        "default",
        "defaultRequest",
        "defaultRequest",
        "default request value {} is greater than default limit value {}",
    ),
    ("min", "default", "default", "min", "min value {} is greater than default value {}"),
    ("default", "max", "default", "max", "default value {} is greater than max value {}"),
)


def _compare(found: Problems, path: str, name: str, texts: dict[str, str]) -> None:
    values: dict[str, Fraction] = {}
    for field, text in texts.items():
        try:
            values[field] = quantity.parse(text)
        except quantity.QuantityError as error:
            found.invalid(f"{path}.{field}[{name}]", text, str(error).partition(": ")[2])
    for low, high, blamed, shown, words in _ORDER:
        if low in values and high in values and values[low] > values[high]:
            found.invalid(f"{path}.{blamed}[{name}]", texts[shown], words.format(texts[low], texts[high]))
    ratio = values.get("maxLimitRequestRatio")
    if ratio is not None and ratio < 1:
        found.invalid(
            f"{path}.maxLimitRequestRatio[{name}]", texts["maxLimitRequestRatio"], f"ratio {ratio} is less than 1"
        )
    if ratio is not None and values.get("min") and "max" in values and ratio > values["max"] / values["min"]:
        detail = (
            f"ratio {texts['maxLimitRequestRatio']} is greater than max/min = {float(values['max'] / values['min']):f}"
        )
        found.invalid(f"{path}.maxLimitRequestRatio[{name}]", texts["maxLimitRequestRatio"], detail)


RULES: dict[Kind[Any], Rules] = {
    kinds.RESOURCE_QUOTA: Rules(quota, _quota_changed, {"status": _quota_status}),
    kinds.LIMIT_RANGE: Rules(limit_range),
}
