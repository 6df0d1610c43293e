"""Masquerading, and tunnels that pods would forge: the tables `wherry-fabric`, rendered whole. Pure.

    set nodes      addresses of nodes that get pods' packets as they are
    secret         to pods of a node that wants encryption, not by WireGuard    -> drop
    forged         VXLAN from a pod of this node, to outside of all pod ranges -> drop
                   VXLAN from any pod, to this node                            -> drop
    postrouting    from a pod of this node, to a node of that set        -> as it is
                   from a pod of this node, to outside of all pod ranges -> masquerade

What a pod sends to a node over somebody's router is masqueraded: the router does not know pods' addresses and may drop
what bears one. What goes to pods never is. A packet in VXLAN comes out with whatever addresses it was given, and a node
cannot see who has wrapped it: a pod that sent such to a node could be anybody there, whatever policies say. Between pods
the port is theirs. Without a route to pods, packets for them would leave by the default route, in plain: not where encryption
is wanted. A transaction replaces a whole table.
"""

import struct
from collections.abc import Iterable
from typing import NamedTuple

from cni import ranges
from cni.fabric.ways import WIREGUARD_LINK
from cni.matches import SIZES, beyond, destination, source, within
from cni.ranges import Subnet
from linux.nft import expressions as ex
from linux.nft import objects, userdata
from linux.nft.door import Door
from linux.nft.elements import Batch, Format
from linux.nft.expressions import R0
from linux.nft.objects import T_IPV4, T_IPV6, Set
from linux.nft.wire import INET4, INET6

TABLE = "wherry-fabric"
_UDP = 17
_OIFNAME = 7
_PLAIN = ex.meta(R0, _OIFNAME) + ex.compare(R0, ex.NOT_EQUAL, WIREGUARD_LINK.encode().ljust(16, b"\0"))
_LINK_LOCAL = ranges.subnet("fe80::/10")  # pods have such addresses too
_MULTICAST = {4: ranges.subnet("224.0.0.0/4"), 16: ranges.subnet("ff00::/8")}


class Outbound(NamedTuple):
    """Which packets of pods get this node's address, which go as they are, and which do not go at all."""

    pods: tuple[str, ...] = ()
    """Ranges of this node's pods."""
    inside: tuple[str, ...] = ()
    """Ranges of all pods."""
    nodes: frozenset[str] = frozenset()
    """Addresses of nodes that get pods' packets as they are."""
    vxlan_port: int = 0
    """Where to pods of this node send nothing but to pods."""
    secret: tuple[str, ...] = ()
    """Ranges of pods to which nothing is sent but encrypted."""


def render(wanted: Outbound) -> list[bytes]:
    """The messages that make the tables right, whatever they are now."""
    messages: list[bytes] = []
    for family, size in SIZES.items():
        pods = _of(wanted.pods, size)
        if pods:
            messages += [objects.destroy_table(family, TABLE), objects.new_table(family, TABLE)]
            messages += _table(family, pods, wanted)
        else:
            messages.append(objects.destroy_table(family, TABLE))
    return messages


def is_whole(wanted: Outbound, door: Door) -> bool:
    """Whether the kernel has the tables as they were written."""
    for family, size in SIZES.items():
        pods = _of(wanted.pods, size)
        seen = door.table(family, TABLE)
        if (seen is not None) != bool(pods):
            return False
        if seen is not None:
            nodes = sum(len(ranges.parse(one)) == size for one in wanted.nodes)
            forged = len(list(_forged(family, pods, _inside(wanted, size), wanted.vxlan_port)))
            chains = {"postrouting": 2 * len(pods), "forged": forged, "secret": len(_of(wanted.secret, size))}
            if seen.chains != chains or len(door.elements(family, TABLE, "nodes")) != nodes:
                return False
    return True


def _table(family: int, pods: list[Subnet], wanted: Outbound) -> Iterable[bytes]:
    size = SIZES[family]
    inside = _inside(wanted, size)
    kind = T_IPV4 if family == INET4 else T_IPV6
    described = userdata.of_set((userdata.destination(family),))
    yield objects.new_set(family, TABLE, Set("nodes", kind, (size,), userdata=described), 1)
    shape = Format(size)
    packed = b"".join(shape.element(ip) for ip in sorted(map(ranges.parse, wanted.nodes)) if len(ip) == size)
    yield from Batch(family, TABLE, "nodes").uniform(packed, shape.size)
    yield objects.new_base_chain(family, TABLE, "forged", objects.PREROUTING, objects.PRIORITY_RAW, "filter")
    for rule in _forged(family, pods, inside, wanted.vxlan_port):
        yield objects.new_rule(family, TABLE, "forged", rule, ex.count(), ex.verdict(ex.DROP))
    yield objects.new_base_chain(family, TABLE, "secret", objects.POSTROUTING, objects.PRIORITY_RAW, "filter")
    for net in _of(wanted.secret, size):
        there = destination(family) + within(net)
        yield objects.new_rule(family, TABLE, "secret", there, _PLAIN, ex.count(), ex.verdict(ex.DROP))
    yield objects.new_base_chain(family, TABLE, "postrouting", objects.POSTROUTING, objects.PRIORITY_SNAT)
    for net in pods:
        ours = source(family) + within(net)
        as_is = destination(family) + ex.lookup("nodes", R0) + ex.verdict(ex.ACCEPT)
        yield objects.new_rule(family, TABLE, "postrouting", ours, as_is)
        outside = beyond(family, [*inside, _MULTICAST[size]])
        yield objects.new_rule(family, TABLE, "postrouting", ours, outside, ex.masquerade())


def _forged(family: int, pods: list[Subnet], inside: list[Subnet], port: int) -> Iterable[bytes]:
    """Go on only if a packet is VXLAN that no node has sent."""
    to_port = ex.payload(R0, ex.TRANSPORT_HEADER, 2, 2) + ex.compare(R0, ex.EQUAL, struct.pack(">H", port))
    vxlan = ex.meta(R0, ex.META_L4PROTO) + ex.compare(R0, ex.EQUAL, bytes([_UDP])) + to_port
    here = ex.fib_type(R0, ex.FIB_DESTINATION) + ex.compare(R0, ex.EQUAL, struct.pack("=I", ex.ADDRESS_LOCAL))
    for net in pods:
        yield vxlan + source(family) + within(net) + beyond(family, inside)
    for net in [*inside, *([_LINK_LOCAL] if family == INET6 else [])]:
        yield vxlan + source(family) + within(net) + here


def _inside(wanted: Outbound, size: int) -> list[Subnet]:
    return _outermost(_of([*wanted.inside, *wanted.pods], size))


def _of(texts: Iterable[str], size: int) -> list[Subnet]:
    return sorted({net for net in map(ranges.subnet, texts) if net.size == size})


def _outermost(nets: Iterable[Subnet]) -> list[Subnet]:
    """Those that lie in no other, of networks in their order: what one lies in comes before it."""
    found: list[Subnet] = []
    for net in nets:
        if not found or net.last > found[-1].last:
            found.append(net)
    return found
