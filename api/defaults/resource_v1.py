"""Defaults of devices and of claims to them."""

from collections.abc import Callable
from typing import Any

from api import kinds
from api.kinds import Kind
from api.resource_v1 import (
    Counter,
    DeviceSubRequest,
    DeviceToleration,
    ExactDeviceRequest,
    ResourceClaim,
    ResourceClaimSpec,
    ResourceClaimTemplate,
    ResourceSlice,
)


def claim(obj: ResourceClaim) -> None:
    """Defaults of a ResourceClaim."""
    _spec(obj.spec)
    for result in obj.status.allocation.devices.results if obj.status.allocation is not None else []:
        for toleration in result.tolerations:
            _toleration(toleration)


def template(obj: ResourceClaimTemplate) -> None:
    """Defaults of a ResourceClaimTemplate."""
    _spec(obj.spec.spec)


def resource_slice(obj: ResourceSlice) -> None:
    """Amounts of a ResourceSlice that are not told are none."""
    for device in obj.spec.devices:
        for amount in device.capacity.values():
            amount.value = amount.value or "0"
        for consumption in device.consumes_counters:
            _counters(consumption.counters)
    for shared in obj.spec.shared_counters:
        _counters(shared.counters)


def _counters(counters: dict[str, Counter]) -> None:
    for counter in counters.values():
        counter.value = counter.value or "0"


def _spec(spec: ResourceClaimSpec) -> None:
    for request in spec.devices.requests:
        if request.exactly is not None:
            _request(request.exactly)
        for alternative in request.first_available:
            _request(alternative)


def _request(request: ExactDeviceRequest | DeviceSubRequest) -> None:
    request.allocation_mode = request.allocation_mode or "ExactCount"
    if request.allocation_mode == "ExactCount" and not request.count:
        request.count = 1
    for toleration in request.tolerations:
        _toleration(toleration)


def _toleration(toleration: DeviceToleration) -> None:
    toleration.operator = toleration.operator or "Equal"


BY_KIND: dict[Kind[Any], Callable[[Any], None]] = {
    kinds.RESOURCE_CLAIM: claim,
    kinds.RESOURCE_CLAIM_TEMPLATE: template,
    kinds.RESOURCE_SLICE: resource_slice,
}
