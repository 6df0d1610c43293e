"""What a Node object says of a node that the fabric needs; what our node tells the others.

network.wherry.local/fabric     {"mode": ..., "key": ..., "port": ...}  written by the node's agent, only when it differs
network.wherry.local/mode       auto, routes, vxlan or wireguard: an administrator's wish for this node, obeyed at once
network.wherry.local/pod-cidrs  further ranges of pod addresses: `spec.podCIDRs` cannot be added to once it is set
"""

import base64
import binascii
import hashlib
from typing import NamedTuple

import msgspec

from cni import ranges

FABRIC, MODE, POD_CIDRS = (f"network.wherry.local/{name}" for name in ("fabric", "mode", "pod-cidrs"))
AUTO, ROUTES, VXLAN, WIREGUARD = MODES = ("auto", "routes", "vxlan", "wireguard")


class NodeFacts(NamedTuple):
    """One node."""

    name: str
    addresses: tuple[str, ...] = ()
    """Internal addresses, the preferred one first."""
    pod_cidrs: tuple[str, ...] = ()
    mode: str = ""
    """What it wants: an administrator's word before its agent's."""
    wish: str = ""
    """The administrator's word alone."""
    key: str = ""
    """Its public WireGuard key."""
    key_port: int = 0
    told: str = ""
    """What its agent has told, as it stands there."""
    complaints: tuple[str, ...] = ()


class Told(msgspec.Struct, omit_defaults=True):
    """What an agent tells of its node."""

    mode: str = ""
    key: str = ""
    port: int = 0

    def text(self) -> str:
        """As it stands in the annotation."""
        return msgspec.json.encode(self).decode()


class _Address(msgspec.Struct):
    type: str = ""
    address: str = ""


class _Meta(msgspec.Struct):
    name: str = ""
    annotations: dict[str, str] | None = None


class _Spec(msgspec.Struct):
    pod_cidr: str | None = msgspec.field(default=None, name="podCIDR")
    pod_cidrs: list[str] | None = msgspec.field(default=None, name="podCIDRs")


class _Status(msgspec.Struct):
    addresses: list[_Address] | None = None


class _Node(msgspec.Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)
    spec: _Spec | None = None
    status: _Status | None = None


_nodes = msgspec.json.Decoder(_Node)
_told = msgspec.json.Decoder(Told)


def extract(data: bytes) -> NodeFacts:
    """The facts of a Node; what cannot be used is left out and complained of."""
    node = _nodes.decode(data)
    spec, status, notes = node.spec or _Spec(), node.status or _Status(), node.metadata.annotations or {}
    complaints: list[str] = []
    addresses = [one.address for one in status.addresses or () if one.type == "InternalIP"]
    wish = notes.get(MODE, "")
    if wish and wish not in MODES:
        complaints.append(f"annotation {MODE}: {wish!r} is none of {', '.join(MODES)}")
        wish = ""
    told = _read(notes.get(FABRIC, ""), complaints)
    return NodeFacts(
        node.metadata.name,
        tuple(text for text in dict.fromkeys(addresses) if _is_address(text, complaints)),
        pod_cidrs(spec.pod_cidrs or ([spec.pod_cidr] if spec.pod_cidr else []), notes, complaints),
        wish or told.mode,
        wish,
        told.key,
        told.port,
        notes.get(FABRIC, ""),
        tuple(complaints),
    )


def pod_cidrs(listed: list[str], annotations: dict[str, str], complaints: list[str] | None = None) -> tuple[str, ...]:
    """All ranges of a node's pod addresses, of either family."""
    found: dict[str, None] = {}
    for text in [*listed, *annotations.get(POD_CIDRS, "").split(",")]:
        if text.strip():
            try:
                found[str(ranges.subnet(text.strip()))] = None
            except ValueError as error:
                if complaints is not None:
                    complaints.append(f"pod range: {error}")
    return tuple(found)


def mac_of(node: str) -> str:
    """The MAC of a node's VXLAN links, so that nobody needs to be told of it."""
    return "b6:" + hashlib.sha256(node.encode()).digest()[:5].hex(":")


def _read(text: str, complaints: list[str]) -> Told:
    if not text:
        return Told()
    try:
        told = _told.decode(text)
        if told.mode not in ("", *MODES):
            told.mode = ""
        if told.key and (len(base64.b64decode(told.key, validate=True)) != 32 or not 0 < told.port < 65536):
            raise ValueError("its key is no WireGuard key")
    except (msgspec.DecodeError, ValueError, binascii.Error) as error:
        complaints.append(f"annotation {FABRIC}: {error}")
        return Told()
    return told


def _is_address(text: str, complaints: list[str]) -> bool:
    try:
        ranges.parse(text)
    except ValueError as error:
        complaints.append(f"address: {error}")
        return False
    return True
