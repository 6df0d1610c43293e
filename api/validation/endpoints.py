"""Rules for Endpoints and EndpointSlices."""

from api import choices, core_v1, discovery_v1, names
from api.core_v1 import EndpointAddress, Endpoints
from api.discovery_v1 import Endpoint, EndpointHints, EndpointSlice
from api.validation import addresses, metadata
from api.validation.containers import PROTOCOLS
from api.validation.problems import Problems

_ADDRESS_TYPES = choices.ADDRESS_TYPES
_MOST_ADDRESSES = 100
_MOST_PORTS = 20_000
_MOST_ENDPOINTS = 1000
_MOST_TOPOLOGY = 16
_MOST_HINTS = 8


def create_endpoints(found: Problems, obj: Endpoints) -> None:
    """New Endpoints."""
    metadata.metadata(found, obj.metadata, True, names.dns_subdomain)
    _subsets(found, obj)


def update_endpoints(found: Problems, new: Endpoints, old: Endpoints) -> None:
    """Changed Endpoints."""
    metadata.metadata_update(found, new.metadata, old.metadata)
    if new.subsets != old.subsets:
        _subsets(found, new)


def create_slice(found: Problems, obj: EndpointSlice) -> None:
    """A new EndpointSlice."""
    metadata.metadata(found, obj.metadata, True, names.dns_subdomain)
    _slice(found, obj)


def update_slice(found: Problems, new: EndpointSlice, old: EndpointSlice) -> None:
    """A changed EndpointSlice."""
    metadata.metadata_update(found, new.metadata, old.metadata)
    _slice(found, new)
    found.immutable("addressType", new.address_type, old.address_type)


def _subsets(found: Problems, obj: Endpoints) -> None:
    for index, subset in enumerate(obj.subsets):
        path = f"subsets[{index}]"
        if not subset.addresses and not subset.not_ready_addresses:
            found.required(path, "must specify `addresses` or `notReadyAddresses`")
        for field, items in (("addresses", subset.addresses), ("notReadyAddresses", subset.not_ready_addresses)):
            for place, address in enumerate(items):
                _address(found, f"{path}.{field}[{place}]", address)
        for place, port in enumerate(subset.ports):
            _port(found, f"{path}.ports[{place}]", port, named=len(subset.ports) > 1)


def _address(found: Problems, path: str, address: EndpointAddress) -> None:
    addresses.ip(found, f"{path}.ip", address.ip)
    if address.hostname:
        found.invalid_all(f"{path}.hostname", address.hostname, names.dns_label(address.hostname))
    if address.node_name is not None:
        found.invalid_all(f"{path}.nodeName", address.node_name, names.dns_subdomain(address.node_name))
    addresses.endpoint(found, f"{path}.ip", address.ip)


def _port(found: Problems, path: str, port: core_v1.EndpointPort, *, named: bool) -> None:
    if port.name:
        found.invalid_all(f"{path}.name", port.name, names.dns_label(port.name))
    elif named:
        found.required(f"{path}.name")
    found.port(f"{path}.port", port.port)
    found.one_of(f"{path}.protocol", port.protocol, PROTOCOLS)
    if port.app_protocol is not None:
        found.invalid_all(f"{path}.appProtocol", port.app_protocol, names.label_key(port.app_protocol))


def _slice(found: Problems, obj: EndpointSlice) -> None:
    found.one_of("addressType", obj.address_type, _ADDRESS_TYPES)
    if len(obj.ports) > _MOST_PORTS:
        found.too_many("ports", len(obj.ports), _MOST_PORTS)
    else:
        _slice_ports(found, obj.ports)
    if len(obj.endpoints) > _MOST_ENDPOINTS:
        found.too_many("endpoints", len(obj.endpoints), _MOST_ENDPOINTS)
        return
    for index, endpoint in enumerate(obj.endpoints):
        _endpoint(found, f"endpoints[{index}]", endpoint, obj.address_type)


def _slice_ports(found: Problems, ports: list[discovery_v1.EndpointPort]) -> None:
    seen: set[str] = set()
    for index, port in enumerate(ports):
        path, name = f"ports[{index}]", port.name or ""
        if name:
            found.invalid_all(f"{path}.name", name, names.dns_label(name))
        if name in seen:
            found.duplicate(f"{path}.name", name)
        seen.add(name)
        found.optional_one_of(f"{path}.protocol", port.protocol, PROTOCOLS)
        if port.app_protocol is not None:
            found.invalid_all(f"{path}.appProtocol", port.app_protocol, names.label_key(port.app_protocol))


def _endpoint(found: Problems, path: str, endpoint: Endpoint, address_type: str) -> None:
    if not endpoint.addresses:
        found.required(f"{path}.addresses", "must contain at least 1 address")
    elif len(endpoint.addresses) > _MOST_ADDRESSES:
        found.too_many(f"{path}.addresses", len(endpoint.addresses), _MOST_ADDRESSES)
    for index, address in enumerate(endpoint.addresses if address_type in _ADDRESS_TYPES else []):
        where = f"{path}.addresses[{index}]"
        if address_type == "FQDN":
            _full_name(found, where, address)
        elif addresses.ip(found, where, address):
            if not address_type.endswith(str(addresses.version(address))):
                found.invalid(f"{path}.addresses", address, f"must be an {address_type} address")
            addresses.endpoint(found, where, address)
    if endpoint.node_name is not None:
        found.invalid_all(f"{path}.nodeName", endpoint.node_name, names.dns_subdomain(endpoint.node_name))
    if len(endpoint.deprecated_topology) > _MOST_TOPOLOGY:
        found.too_many(f"{path}.deprecatedTopology", len(endpoint.deprecated_topology), _MOST_TOPOLOGY)
    metadata.labels(found, f"{path}.deprecatedTopology", endpoint.deprecated_topology)
    if endpoint.hostname is not None:
        found.invalid_all(f"{path}.hostname", endpoint.hostname, names.dns_label(endpoint.hostname))
    if endpoint.hints is not None:
        _hints(found, f"{path}.hints", endpoint.hints)


def _full_name(found: Problems, path: str, name: str) -> None:
    """A name that can be asked for anywhere."""
    plain = name.removesuffix(".")
    if not name:
        found.required(path)
    elif problems := names.dns_subdomain(plain):
        found.invalid_all(path, plain, problems)
    elif "." not in plain:
        found.invalid(path, plain, "should be a domain with at least two segments separated by dots")


def _hints(found: Problems, path: str, hints: EndpointHints) -> None:
    for field, items, rule in (
        ("forZones", [zone.name for zone in hints.for_zones], names.label_value),
        ("forNodes", [node.name for node in hints.for_nodes], names.dns_subdomain),
    ):
        if len(items) > _MOST_HINTS:
            found.too_many(f"{path}.{field}", len(items), _MOST_HINTS)
            return
        for index, name in enumerate(items):
            where = f"{path}.{field}[{index}].name"
            if name in items[:index]:
                found.duplicate(where, name)
            found.invalid_all(where, name, rule(name))
