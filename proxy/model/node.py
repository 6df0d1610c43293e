"""What the proxy needs of its own Node: whether it may still be sent traffic, in which zone it is, and at which addresses."""

from collections.abc import Iterable

import msgspec

from proxy.model import addresses
from proxy.model.addresses import BadAddress

ZONE = "topology.kubernetes.io/zone"
INTERNAL, EXTERNAL = "InternalIP", "ExternalIP"
TO_BE_DELETED = "ToBeDeletedByClusterAutoscaler"


class Node(msgspec.Struct, frozen=True):
    """This node. Not `eligible`: load balancers should look elsewhere, it is about to go."""

    eligible: bool
    zone: str = ""
    addresses: tuple[bytes, ...] = ()  # one of each family that it has


class _Metadata(msgspec.Struct):
    deletion_timestamp: str | None = msgspec.field(default=None, name="deletionTimestamp")
    labels: dict[str, str] | None = None


class _Taint(msgspec.Struct):
    key: str = ""


class _Spec(msgspec.Struct):
    taints: list[_Taint] | None = None


class _Address(msgspec.Struct):
    type: str = ""
    address: str = ""


class _Status(msgspec.Struct):
    addresses: list[_Address] | None = None


class _Node(msgspec.Struct):
    metadata: _Metadata
    spec: _Spec | None = None
    status: _Status | None = None


_decode = msgspec.json.Decoder(_Node).decode


def extract_node(data: bytes) -> Node:
    """The node from its bytes."""
    raw = _decode(data)
    taints = (raw.spec.taints if raw.spec else None) or []
    doomed = raw.metadata.deletion_timestamp is not None or any(taint.key == TO_BE_DELETED for taint in taints)
    known = (raw.status.addresses if raw.status else None) or []
    return Node(not doomed, (raw.metadata.labels or {}).get(ZONE, ""), _primary(known))


def _primary(known: Iterable[_Address]) -> tuple[bytes, ...]:
    """The first address of each family; internal ones before external ones."""
    found: dict[int, bytes] = {}
    for one in sorted(known, key=lambda one: one.type != INTERNAL):
        try:
            address = addresses.pack(one.address) if one.type in (INTERNAL, EXTERNAL) else b""
        except BadAddress:
            continue  # a name, or nonsense
        if address and addresses.refusal(address) != "loopback":
            found.setdefault(addresses.family_of(address), address)
    return tuple(found.values())
