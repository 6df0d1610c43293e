"""What the proxy needs of an EndpointSlice, taken from its bytes: addresses and one byte of conditions each."""

import datetime as dt
import sys
from collections.abc import Callable

import msgspec

from proxy.model import addresses
from proxy.model.addresses import IPV4, IPV6, PROTOCOLS, BadAddress
from proxy.model.service import skipped_by_label

SERVICE_LABEL = "kubernetes.io/service-name"
TRIGGER_ANNOTATION = "endpoints.kubernetes.io/last-change-trigger-time"

READY, SERVING, TERMINATING, LOCAL, NOWHERE = 1, 2, 4, 8, 16  # NOWHERE: no node is named, it may be this one
FOR_NODES, FOR_HERE = 32, 64  # meant for some nodes; this one is among them
_FAMILIES = {"IPv4": IPV4, "IPv6": IPV6}


class SlicePort(msgspec.Struct, frozen=True, gc=False):
    """One port of a slice."""

    name: str
    protocol: int
    port: int


class Slice(msgspec.Struct, frozen=True, gc=False):
    """One EndpointSlice. `triggered` is when the change that it reports was made (0: unknown)."""

    service: str  # namespace/name
    family: int
    ports: tuple[SlicePort, ...]
    addresses: bytes
    conditions: bytes
    triggered: float = 0.0
    zones: tuple[tuple[str, ...], ...] = ()  # for which zones each endpoint is meant; empty if none is for any
    complaints: tuple[str, ...] = ()


class _Metadata(msgspec.Struct, gc=False):
    name: str = ""
    namespace: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class _Conditions(msgspec.Struct, gc=False):
    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class _Name(msgspec.Struct, gc=False):
    name: str = ""


class _Hints(msgspec.Struct, gc=False, rename="camel"):
    for_zones: list[_Name] | None = None
    for_nodes: list[_Name] | None = None


class _Endpoint(msgspec.Struct, gc=False, rename="camel"):
    addresses: list[str] | None = None
    conditions: _Conditions | None = None
    node_name: str | None = None
    hints: _Hints | None = None


class _Port(msgspec.Struct, gc=False):
    name: str | None = None
    protocol: str | None = None
    port: int | None = None


class _Slice(msgspec.Struct, gc=False, rename="camel"):
    metadata: _Metadata
    address_type: str | None = None
    endpoints: list[_Endpoint] | None = None
    ports: list[_Port] | None = None


_decode = msgspec.json.Decoder(_Slice).decode


def slice_extractor(node_name: str) -> Callable[[bytes], Slice | None]:
    """A function from bytes to slices, which knows what is local."""
    return lambda data: extract_slice(data, node_name)


def extract_slice(data: bytes, node_name: str) -> Slice | None:
    """The slice, or None if it is none of the proxy's business."""
    raw = _decode(data)
    labels = raw.metadata.labels
    family = _FAMILIES.get(raw.address_type or "")
    if family is None or labels is None or not labels.get(SERVICE_LABEL) or skipped_by_label(labels):
        return None
    complaints: list[str] = []
    packed, conditions, zones = [], bytearray(), []
    for endpoint in raw.endpoints or ():
        address = _address(endpoint, family, complaints)
        if address:
            packed.append(address)
            conditions.append(_conditions(endpoint, node_name) | _for_nodes(endpoint.hints, node_name))
            zones.append(_zones(endpoint.hints))
    return Slice(
        service=f"{raw.metadata.namespace}/{labels[SERVICE_LABEL]}",
        family=family,
        ports=tuple(_ports(raw.ports or [])),
        addresses=b"".join(packed),
        conditions=bytes(conditions),
        triggered=_time((raw.metadata.annotations or {}).get(TRIGGER_ANNOTATION)),
        zones=tuple(zones) if any(zones) else (),
        complaints=tuple(complaints),
    )


def _address(endpoint: _Endpoint, family: int, complaints: list[str]) -> bytes:
    """The endpoint's first address: the others are not used, as the API says."""
    if not endpoint.addresses:
        return b""
    text = endpoint.addresses[0]
    try:
        address = addresses.pack(text)
    except BadAddress as error:
        complaints.append(str(error))
        return b""
    reason = "of the other family" if addresses.family_of(address) != family else addresses.refusal(address)
    if reason:
        complaints.append(f"cannot use address {text!r}: it is {reason}")
        return b""
    return address


def _conditions(endpoint: _Endpoint, node_name: str) -> int:
    seen = endpoint.conditions
    where = NOWHERE if not endpoint.node_name else LOCAL if endpoint.node_name == node_name else 0
    if seen is None:
        return READY | SERVING | where
    return (
        (READY if seen.ready is not False else 0)
        | (SERVING if seen.serving is not False else 0)
        | (TERMINATING if seen.terminating else 0)
        | where
    )


def _for_nodes(hints: _Hints | None, node_name: str) -> int:
    if hints is None or not hints.for_nodes:
        return 0
    return FOR_NODES | (FOR_HERE if any(one.name == node_name for one in hints.for_nodes) else 0)


def _zones(hints: _Hints | None) -> tuple[str, ...]:
    """Interned: a big cluster has many endpoints and few zones."""
    return tuple(sys.intern(one.name) for one in hints.for_zones) if hints is not None and hints.for_zones else ()


def _ports(ports: list[_Port]) -> list[SlicePort]:
    found = []
    for port in ports:
        protocol = PROTOCOLS.get(port.protocol or "TCP")
        if protocol is not None and port.port is not None and 0 < port.port < 65536:
            found.append(SlicePort(port.name or "", protocol, port.port))
    return found


def _time(text: str | None) -> float:
    try:
        return dt.datetime.fromisoformat(text).timestamp() if text else 0.0
    except ValueError:
        return 0.0
