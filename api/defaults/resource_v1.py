"""Defaults of claims to devices."""

from collections.abc import Callable
from typing import Any

from api import kinds
from api.kinds import Kind
from api.resource_v1 import (
    DeviceSubRequest,
    DeviceToleration,
    ExactDeviceRequest,
    ResourceClaim,
    ResourceClaimSpec,
    ResourceClaimTemplate,
)


def claim(obj: ResourceClaim) -> None:
    """Defaults of a ResourceClaim."""
    _spec(obj.spec)


def template(obj: ResourceClaimTemplate) -> None:
    """Defaults of a ResourceClaimTemplate."""
    _spec(obj.spec.spec)


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
}
