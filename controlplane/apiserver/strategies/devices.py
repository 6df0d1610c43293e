"""Devices, and claims to them. What upstream has switched off is taken out, as it does, rather than kept and never looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controlplane.apiserver.strategies.base import Counted, WithStatusAlone

if TYPE_CHECKING:
    from api.resource_v1 import AllocatedDeviceStatus, DeviceRequestAllocationResult, ResourceClaimStatus

_LISTS = ("ints", "bools", "strings", "versions")


class Slices(Counted):
    """Attributes have one value each, and nothing of a node's own is made of devices."""

    def prepare_create(self, new: Any) -> None:
        """The first generation."""
        super().prepare_create(new)
        _drop_switched_off(new)

    def prepare_update(self, new: Any, old: Any) -> None:
        """A new generation if something changed."""
        _drop_switched_off(new)
        super().prepare_update(new, old)


def _drop_switched_off(new: Any) -> None:
    for device in new.spec.devices:
        device.node_allocatable_resource_mappings = {}
        for attribute in device.attributes.values():
            for field in _LISTS:
                setattr(attribute, field, [])


class DeviceClaims(WithStatusAlone):
    """Nothing is told of devices that a claim had and has no longer."""

    def prepare_status(self, new: Any, old: Any, now: str) -> None:
        """The old spec and metadata."""
        super().prepare_status(new, old, now)
        gone = _allocated(old.status) - _allocated(new.status)
        new.status.devices = [device for device in new.status.devices if _identity(device) not in gone]


def _allocated(status: ResourceClaimStatus) -> set[tuple[str, str, str, str]]:
    return {_identity(result) for result in status.allocation.devices.results} if status.allocation else set()


def _identity(device: AllocatedDeviceStatus | DeviceRequestAllocationResult) -> tuple[str, str, str, str]:
    return device.driver, device.pool, device.device, device.share_id or ""
