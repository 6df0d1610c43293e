"""Rules for devices, claims to them and their classes."""

from typing import Any

from api import kinds, names
from api.kinds import Kind
from api.resource_v1 import (
    DeviceClass,
    DeviceRequest,
    DeviceSelector,
    DeviceSubRequest,
    ExactDeviceRequest,
    ResourceClaim,
    ResourceClaimSpec,
    ResourceClaimTemplate,
    ResourceSlice,
)
from api.validation import scheduling
from api.validation.problems import Problems
from api.validation.rules import Rules

_MOST_REQUESTS, _MOST_SELECTORS, _MOST_DEVICES = 32, 32, 128
_MODES = ("All", "ExactCount")
_ONE = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"


def claim(found: Problems, obj: ResourceClaim) -> None:
    """A ResourceClaim."""
    _spec(found, "spec", obj.spec)


def template(found: Problems, obj: ResourceClaimTemplate) -> None:
    """A ResourceClaimTemplate."""
    _spec(found, "spec.spec", obj.spec.spec)


def _spec(found: Problems, path: str, spec: ResourceClaimSpec) -> None:
    requests, where = spec.devices.requests, f"{path}.devices.requests"
    if len(requests) > _MOST_REQUESTS:
        found.too_many(where, len(requests), _MOST_REQUESTS)
    known = set()
    for index, request in enumerate(requests):
        _request(found, f"{where}[{index}]", request)
        if request.name in known:
            found.duplicate(f"{where}[{index}].name", request.name)
        known |= {request.name, *(f"{request.name}/{sub.name}" for sub in request.first_available)}
    named = (
        ("constraints", [item.requests for item in spec.devices.constraints]),
        ("config", [item.requests for item in spec.devices.config]),
    )
    for field, items in named:
        for index, listed in enumerate(items):
            for place, name in enumerate(listed):
                if name not in known:
                    detail = "must be the name of a request in the claim or the name of a request and a subrequest"
                    found.invalid(f"{path}.devices.{field}[{index}].requests[{place}]", name, detail)


def _request(found: Problems, path: str, request: DeviceRequest) -> None:
    _name(found, f"{path}.name", request.name)
    if request.exactly is None and not request.first_available:
        found.required(path, "exactly one of `exactly` or `firstAvailable` is required")
    elif request.exactly is not None and request.first_available:
        found.invalid_here(
            path, "exactly one of `exactly` or `firstAvailable` is required, but multiple fields are set"
        )
    elif request.exactly is not None:
        _devices(found, f"{path}.exactly", request.exactly)
    for index, alternative in enumerate(request.first_available):
        _name(found, f"{path}.firstAvailable[{index}].name", alternative.name)
        _devices(found, f"{path}.firstAvailable[{index}]", alternative)


def _name(found: Problems, path: str, name: str) -> None:
    if not name:
        found.required(path)
    else:
        found.invalid_all(path, name, names.dns_label(name))


def _devices(found: Problems, path: str, request: ExactDeviceRequest | DeviceSubRequest) -> None:
    if not request.device_class_name:
        found.required(f"{path}.deviceClassName")
    else:
        found.invalid_all(
            f"{path}.deviceClassName", request.device_class_name, names.dns_subdomain(request.device_class_name)
        )
    _selectors(found, f"{path}.selectors", request.selectors)
    count = request.count or 0
    if request.allocation_mode not in _MODES:
        found.not_supported(f"{path}.allocationMode", request.allocation_mode, _MODES)
    elif request.allocation_mode == "All" and count:
        found.invalid(f"{path}.count", count, "must not be specified when allocationMode is 'All'")
    elif request.allocation_mode == "ExactCount" and count <= 0:
        found.invalid(f"{path}.count", count, "must be greater than zero")


def _selectors(found: Problems, path: str, selectors: list[DeviceSelector]) -> None:
    if len(selectors) > _MOST_SELECTORS:
        found.too_many(path, len(selectors), _MOST_SELECTORS)
    for index, selector in enumerate(selectors):
        if selector.cel is None:
            found.required(f"{path}[{index}].cel")
        elif not selector.cel.expression:
            found.required(f"{path}[{index}].cel.expression")


def _claim_changed(found: Problems, new: ResourceClaim, old: ResourceClaim) -> None:
    found.immutable("spec", new.spec, old.spec)


def _template_changed(found: Problems, new: ResourceClaimTemplate, old: ResourceClaimTemplate) -> None:
    found.immutable("spec", new.spec, old.spec)


def _claim_status(found: Problems, new: ResourceClaim, old: ResourceClaim) -> None:
    if old.status.allocation is not None and new.status.allocation is not None:
        found.immutable("status.allocation", new.status.allocation, old.status.allocation)
    if new.status.reserved_for and new.status.allocation is None:
        found.forbidden("status.reservedFor", "may not be specified when `allocated` is not set")
    for index, consumer in enumerate(new.status.reserved_for):
        for field, value in (("resource", consumer.resource), ("name", consumer.name), ("uid", consumer.uid)):
            if not value:
                found.required(f"status.reservedFor[{index}].{field}")


def device_class(found: Problems, obj: DeviceClass) -> None:
    """A DeviceClass."""
    _selectors(found, "spec.selectors", obj.spec.selectors)


def resource_slice(found: Problems, obj: ResourceSlice) -> None:
    """A ResourceSlice."""
    spec = obj.spec
    if not spec.driver:
        found.required("spec.driver")
    else:
        found.invalid_all("spec.driver", spec.driver, names.dns_subdomain(spec.driver))
    if not spec.pool.name:
        found.required("spec.pool.name")
    for segment in spec.pool.name.split("/") if spec.pool.name else []:
        found.invalid_all("spec.pool.name", segment, names.dns_subdomain(segment))
    if spec.pool.resource_slice_count <= 0:
        found.invalid("spec.pool.resourceSliceCount", spec.pool.resource_slice_count, "must be greater than zero")
    found.not_negative("spec.pool.generation", spec.pool.generation)
    chosen = [spec.node_name, spec.node_selector, spec.all_nodes or None, spec.per_device_node_selection or None]
    given = sum(value is not None for value in chosen)
    if given == 0:
        found.required("spec", _ONE)
    elif given > 1:
        found.invalid_here("spec", f"{_ONE}, but multiple fields are set")
    if spec.node_selector is not None:
        scheduling.node_selector(found, "spec.nodeSelector", spec.node_selector)
    if len(spec.devices) > _MOST_DEVICES:
        found.too_many("spec.devices", len(spec.devices), _MOST_DEVICES)
    seen: set[str] = set()
    for index, device in enumerate(spec.devices):
        _name(found, f"spec.devices[{index}].name", device.name)
        if device.name in seen:
            found.duplicate(f"spec.devices[{index}].name", device.name)
        seen.add(device.name)


def _slice_changed(found: Problems, new: ResourceSlice, old: ResourceSlice) -> None:
    for field, after, before in (
        ("driver", new.spec.driver, old.spec.driver),
        ("pool.name", new.spec.pool.name, old.spec.pool.name),
        ("nodeName", new.spec.node_name, old.spec.node_name),
    ):
        found.immutable(f"spec.{field}", after, before)


RULES: dict[Kind[Any], Rules] = {
    kinds.RESOURCE_CLAIM: Rules(claim, _claim_changed, {"status": _claim_status}),
    kinds.RESOURCE_CLAIM_TEMPLATE: Rules(template, _template_changed),
    kinds.DEVICE_CLASS: Rules(device_class),
    kinds.RESOURCE_SLICE: Rules(resource_slice, _slice_changed),
}
