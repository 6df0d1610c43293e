"""Rules for what a claim asks for: devices by class, and what they must have in common."""

from collections.abc import Iterable

from api import choices, names
from api.resource_v1 import (
    DeviceClaim,
    DeviceConstraint,
    DeviceRequest,
    DeviceSelector,
    DeviceSubRequest,
    DeviceToleration,
    ExactDeviceRequest,
    ResourceClaimSpec,
)
from api.validation import device_names
from api.validation.device_settings import opaque
from api.validation.device_taints import EFFECTS
from api.validation.problems import Problems

MOST_REQUESTS, MOST_SETTINGS = 32, 32
_MOST_CONSTRAINTS, _MOST_SELECTORS, _MOST_ALTERNATIVES = 32, 32, 8
_LONGEST_EXPRESSION = 10 * 1024
_MODES = choices.ALLOCATION_MODES
_OPERATORS = choices.DEVICE_OPERATORS
_ONE = "exactly one of `exactly` or `firstAvailable` is required"
_NO_REQUEST = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
_NO_ATTRIBUTE = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'


def claim_spec(found: Problems, path: str, spec: ResourceClaimSpec) -> None:
    """A claim, or the template of one."""
    devices, where = spec.devices, f"{path}.devices"
    known = request_names(devices)
    if _few(found, f"{where}.requests", len(devices.requests), MOST_REQUESTS):
        for index, request in enumerate(devices.requests):
            _request(found, f"{where}.requests[{index}]", request)
        unique(found, f"{where}.requests", [request.name for request in devices.requests])
    if _few(found, f"{where}.constraints", len(devices.constraints), _MOST_CONSTRAINTS):
        for index, constraint in enumerate(devices.constraints):
            _constraint(found, f"{where}.constraints[{index}]", constraint, known)
    if _few(found, f"{where}.config", len(devices.config), MOST_SETTINGS):
        for index, settings in enumerate(devices.config):
            references(found, f"{where}.config[{index}].requests", settings.requests, known)
            opaque(found, f"{where}.config[{index}].opaque", settings.opaque)


def request_names(devices: DeviceClaim) -> set[str]:
    """What can be said in place of a request, or of one of its alternatives."""
    known = set()
    for request in devices.requests:
        known |= {request.name, *(f"{request.name}/{sub.name}" for sub in request.first_available)}
    return known


def references(found: Problems, path: str, listed: list[str], known: set[str]) -> None:
    """A set of names of requests."""
    if not _few(found, path, len(listed), MOST_REQUESTS):
        return
    for index, name in enumerate(listed):
        reference(found, f"{path}[{index}]", name, known)
    unique(found, path, listed)


def reference(found: Problems, path: str, name: str, known: set[str]) -> None:
    """The name of a request of the claim."""
    segments = name.split("/")
    if len(segments) <= 2:
        for segment in segments:
            device_names.label(found, path, segment)
    if len(segments) > 2 or name not in known:
        found.invalid(path, name, _NO_REQUEST)


def unique(found: Problems, path: str, keys: Iterable[str]) -> None:
    """The keys of a list's items, each of which is there once."""
    seen = set()
    for index, key in enumerate(keys):
        if key in seen:
            found.duplicate(f"{path}[{index}]", key)
        seen.add(key)


def selectors(found: Problems, path: str, items: list[DeviceSelector]) -> None:
    """Expressions that choose devices. What they say is not looked at."""
    if not _few(found, path, len(items), _MOST_SELECTORS):
        return
    for index, selector in enumerate(items):
        where = f"{path}[{index}].cel"
        if selector.cel is None:
            found.required(where)
        elif len(selector.cel.expression.encode()) > _LONGEST_EXPRESSION:
            found.too_long(f"{where}.expression", _LONGEST_EXPRESSION)
        elif not selector.cel.expression.strip():
            found.invalid(f"{where}.expression", selector.cel.expression, "compilation failed: there is no expression")


def _request(found: Problems, path: str, request: DeviceRequest) -> None:
    device_names.label(found, f"{path}.name", request.name)
    alternatives = request.first_available
    if request.exactly is None and not alternatives:
        found.required(path, _ONE)
    elif request.exactly is not None and alternatives:
        found.invalid(path, None, f"{_ONE}, but multiple fields are set")
    elif request.exactly is not None:
        _devices(found, f"{path}.exactly", request.exactly)
    elif _few(found, f"{path}.firstAvailable", len(alternatives), _MOST_ALTERNATIVES):
        for index, alternative in enumerate(alternatives):
            where = f"{path}.firstAvailable[{index}]"
            device_names.label(found, f"{where}.name", alternative.name)
            _devices(found, where, alternative)
        unique(found, f"{path}.firstAvailable", [alternative.name for alternative in alternatives])


def _devices(found: Problems, path: str, request: ExactDeviceRequest | DeviceSubRequest) -> None:
    name = request.device_class_name
    if not name:
        found.required(f"{path}.deviceClassName")
    else:
        found.invalid_all(f"{path}.deviceClassName", name, names.dns_subdomain(name))
    selectors(found, f"{path}.selectors", request.selectors)
    count = request.count or 0
    if request.allocation_mode not in _MODES:
        found.not_supported(f"{path}.allocationMode", request.allocation_mode, _MODES)
    elif request.allocation_mode == "All" and count:
        found.invalid(f"{path}.count", count, "must not be specified when allocationMode is 'All'")
    elif request.allocation_mode == "ExactCount" and count <= 0:
        found.invalid(f"{path}.count", count, "must be greater than zero")
    for index, toleration in enumerate(request.tolerations):
        _toleration(found, f"{path}.tolerations[{index}]", toleration)


def _toleration(found: Problems, path: str, toleration: DeviceToleration) -> None:
    value = toleration.value or ""
    if toleration.key:
        found.invalid_all(f"{path}.key", toleration.key, names.label_key(toleration.key))
    found.one_of(f"{path}.operator", toleration.operator, _OPERATORS)
    if toleration.operator == "Exists" and value:
        found.invalid(f"{path}.value", value, "must be empty for operator `Exists`")
    elif toleration.operator == "Equal":
        found.invalid_all(f"{path}.value", value, names.label_value(value))
    if toleration.effect:
        found.optional_one_of(f"{path}.effect", toleration.effect, EFFECTS)


def _constraint(found: Problems, path: str, constraint: DeviceConstraint, known: set[str]) -> None:
    references(found, f"{path}.requests", constraint.requests, known)
    if constraint.match_attribute is not None:
        device_names.fully_qualified(found, f"{path}.matchAttribute", constraint.match_attribute)
    elif constraint.distinct_attribute is not None:
        device_names.fully_qualified(found, f"{path}.distinctAttribute", constraint.distinct_attribute)
    else:
        found.required(path, _NO_ATTRIBUTE)


def _few(found: Problems, path: str, count: int, most: int) -> bool:
    """Whether there are not too many items to look at each."""
    if count > most:
        found.too_many(path, count, most)
    return count <= most
