"""Rules for the status of a claim: the devices that it has got, who uses them, and what drivers tell of them."""

import ipaddress
import re

import msgspec

from api import choices
from api.resource_v1 import (
    AllocatedDeviceStatus,
    AllocationResult,
    DeviceAllocationConfiguration,
    DeviceRequestAllocationResult,
    NetworkDeviceData,
    ResourceClaim,
    ResourceClaimConsumerReference,
)
from api.validation import device_names, metadata, scheduling
from api.validation.device_requests import MOST_REQUESTS, MOST_SETTINGS, reference, references, request_names, unique
from api.validation.device_settings import json_object, opaque
from api.validation.device_taints import binding_conditions
from api.validation.problems import Problems

_MOST_CONSUMERS, _MOST_CONDITIONS, _MOST_ADDRESSES = 256, 8, 16
_LONGEST_INTERFACE, _LONGEST_HARDWARE = 256, 128
_SOURCES = choices.CONFIGURATION_SOURCES
_MAPPED = 128 - 32  # bits before an IPv4 address within an IPv6 one
_leading_zeros = re.compile(r"(^|\.)0+(?=\d)").sub  # of the parts of an IPv4 address
_ADDRESS = "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)"
_LEAVING = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set"


def claim_status(found: Problems, new: ResourceClaim, old: ResourceClaim) -> None:
    """What was written to the status of a claim."""
    allocation = new.status.allocation
    _consumers(found, new.status.reserved_for)
    _devices(found, new.status.devices, allocation)
    if new.status.reserved_for and allocation is None:
        found.forbidden("status.reservedFor", "may not be specified when `allocated` is not set")
    elif new.metadata.deletion_timestamp is not None and any(
        one not in old.status.reserved_for for one in new.status.reserved_for
    ):
        found.forbidden("status.reservedFor", _LEAVING)
    if allocation is not None and old.status.allocation is not None:
        found.immutable("status.allocation", allocation, old.status.allocation)
    elif allocation is not None:
        _allocation(found, "status.allocation", allocation, request_names(new.spec.devices))


def _consumers(found: Problems, consumers: list[ResourceClaimConsumerReference]) -> None:
    path = "status.reservedFor"
    if len(consumers) > _MOST_CONSUMERS:
        found.too_many(path, len(consumers), _MOST_CONSUMERS)
        return
    for index, consumer in enumerate(consumers):
        for field, value in (("resource", consumer.resource), ("name", consumer.name), ("uid", consumer.uid)):
            if not value:
                found.required(f"{path}[{index}].{field}")
    unique(found, path, [consumer.uid for consumer in consumers])


def _devices(found: Problems, devices: list[AllocatedDeviceStatus], allocation: AllocationResult | None) -> None:
    results = allocation.devices.results if allocation is not None else []
    allocated = {_identity(result) for result in results}
    seen: set[tuple[str, ...]] = set()  # there may be very many
    for index, device in enumerate(devices):
        path, identity = f"status.devices[{index}]", _identity(device)
        _device(found, path, device)
        if identity not in allocated:
            found.invalid(path, _shown(identity), "must be an allocated device in the claim")
        if identity in seen:
            found.duplicate(path, _shown(identity))
        seen.add(identity)


def _identity(device: AllocatedDeviceStatus | DeviceRequestAllocationResult) -> tuple[str, ...]:
    """What makes a device that device."""
    return device.driver, device.pool, device.device, device.share_id or ""


def _shown(identity: tuple[str, ...]) -> dict[str, str]:
    """The same as upstream shows it."""
    return dict(zip(("Driver", "Pool", "Device", "ShareID"), identity, strict=True))


def _device(found: Problems, path: str, device: AllocatedDeviceStatus) -> None:
    device_names.driver(found, f"{path}.driver", device.driver)
    device_names.pool(found, f"{path}.pool", device.pool)
    device_names.label(found, f"{path}.device", device.device)
    if device.share_id is not None:
        device_names.share(found, f"{path}.shareID", device.share_id)
    if len(device.conditions) > _MOST_CONDITIONS:
        found.too_many(f"{path}.conditions", len(device.conditions), _MOST_CONDITIONS)
    metadata.conditions(found, f"{path}.conditions", device.conditions)
    if isinstance(device.data, msgspec.Raw) and bytes(device.data) != b"null":
        json_object(found, f"{path}.data", device.data)
    if device.network_data is not None:
        _network(found, f"{path}.networkData", device.network_data)


def _network(found: Problems, path: str, data: NetworkDeviceData) -> None:
    for field, text, limit in (
        ("interfaceName", data.interface_name, _LONGEST_INTERFACE),
        ("hardwareAddress", data.hardware_address, _LONGEST_HARDWARE),
    ):
        if len((text or "").encode()) > limit:
            found.too_long(f"{path}.{field}", limit)
    if len(data.ips) > _MOST_ADDRESSES:
        found.too_many(f"{path}.ips", len(data.ips), _MOST_ADDRESSES)
        return
    for index, address in enumerate(data.ips):
        _address(found, f"{path}.ips[{index}]", address)
    unique(found, f"{path}.ips", data.ips)


def _address(found: Problems, path: str, value: str) -> None:
    """An address with the length of its network's prefix, written as it is usually written."""
    try:
        if "/" not in value or "%" in value:
            raise ValueError
        usual = _usual(ipaddress.ip_interface(_leading_zeros(r"\1", value)))
    except ValueError:
        found.invalid(path, value, _ADDRESS)
        return
    if value != usual:
        found.invalid(path, value, f'must be in canonical form ("{usual}")')


def _usual(address: ipaddress.IPv4Interface | ipaddress.IPv6Interface) -> str:
    prefix = address.network.prefixlen
    if isinstance(address, ipaddress.IPv6Interface) and address.ipv4_mapped is not None and prefix >= _MAPPED:
        return f"{address.ipv4_mapped}/{prefix - _MAPPED}"
    return str(address)


def _allocation(found: Problems, path: str, allocation: AllocationResult, known: set[str]) -> None:
    results, settings = allocation.devices.results, allocation.devices.config
    if len(results) > MOST_REQUESTS:
        found.too_many(f"{path}.devices.results", len(results), MOST_REQUESTS)
    else:
        for index, result in enumerate(results):
            _result(found, f"{path}.devices.results[{index}]", result, known)
    if len(settings) > 2 * MOST_SETTINGS:
        found.too_many(f"{path}.devices.config", len(settings), 2 * MOST_SETTINGS)
    else:
        for index, item in enumerate(settings):
            _settings(found, f"{path}.devices.config[{index}]", item, known)
    if allocation.node_selector is not None:
        scheduling.node_selector(found, f"{path}.nodeSelector", allocation.node_selector)


def _result(found: Problems, path: str, result: DeviceRequestAllocationResult, known: set[str]) -> None:
    reference(found, f"{path}.request", result.request, known)
    device_names.driver(found, f"{path}.driver", result.driver)
    device_names.pool(found, f"{path}.pool", result.pool)
    device_names.label(found, f"{path}.device", result.device)
    binding_conditions(found, path, result.binding_conditions, result.binding_failure_conditions)
    if result.share_id is not None:
        device_names.share(found, f"{path}.shareID", result.share_id)


def _settings(found: Problems, path: str, item: DeviceAllocationConfiguration, known: set[str]) -> None:
    found.one_of(f"{path}.source", item.source, _SOURCES)
    references(found, f"{path}.requests", item.requests, known)
    opaque(found, f"{path}.opaque", item.opaque)
