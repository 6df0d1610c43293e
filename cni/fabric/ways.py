"""Which way leads to each network of each peer. Pure.

A peer whose address lies on a network of ours gets a plain route: no packet is changed, nothing is lost of the MTU. To the
others packets travel in VXLAN, or in WireGuard where one of the two wants that. A wish is kept or not fulfilled at all: who
wants encryption is never sent plain packets. So a way may lead nowhere, and then has a reason.
"""

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cni import ranges
from cni.fabric.nodes import AUTO, ROUTES, VXLAN, WIREGUARD, NodeFacts
from cni.ranges import Subnet

NOWHERE = ""
VXLAN_LINKS = {4: "wherry-vx4", 6: "wherry-vx6"}  # by the IP version beneath
WIREGUARD_LINK = "wherry-wg"
VXLAN_COST = {4: 50, 6: 70}
WIREGUARD_COST = {4: 60, 6: 80}
LEAST_MTU = 1280


class Settings(NamedTuple):
    """What this node was told; the numbers must be the same on all nodes."""

    node: str
    mode: str = AUTO
    vni: int = 87
    port: int = 8472
    wireguard_port: int = 51877


class Path(NamedTuple):
    """How the kernel would send to an address of a peer now."""

    ifindex: int
    gateway: str = ""
    mtu: int = 1500


class Way(NamedTuple):
    """How packets for a network of a peer travel."""

    peer: str
    cidr: str
    kind: str
    host: str = ""
    """The peer's address that they are sent to."""
    reason: str = ""
    secret: bool = False
    """Nothing may travel there but encrypted."""


def version(text: str) -> int:
    """4 or 6, of an address or network."""
    return 6 if ":" in text else 4


def mode_between(settings: Settings, me: NodeFacts, peer: NodeFacts) -> str:
    """The stricter wish of both."""
    wishes = (me.wish or settings.mode, peer.mode or AUTO)
    return next((mode for mode in (WIREGUARD, VXLAN, ROUTES) if mode in wishes), AUTO)


def choose(settings: Settings, me: NodeFacts, peers: Iterable[NodeFacts], paths: Mapping[str, Path]) -> list[Way]:
    """A way for each network of each peer, in a fixed order. Where two nodes claim a network, the first by name has it.

    Nobody has one in which a node itself lies: a route there would lead the tunnels, or the control plane, astray.
    """
    ways: list[Way] = []
    ordered = sorted(peers)
    hosts, taken = _Holders(), _Holders()
    for node in (me, *ordered):
        for ip in map(ranges.parse, node.addresses):
            hosts.add(Subnet(ranges.number(ip), len(ip) * 8, len(ip)), node.name)
    for net in sorted(
        map(ranges.subnet, me.pod_cidrs), key=lambda one: one.prefix
    ):  # the wider first: it has the others
        taken.add(net, me.name)
    keys = {me.key: me.name}
    for peer in ordered:
        twin = keys.setdefault(peer.key, peer.name)
        for cidr in peer.pod_cidrs:
            net = ranges.subnet(cidr)
            within = hosts.of(net)
            if within is not None:
                ways.append(Way(peer.name, cidr, NOWHERE, reason=f"the address of node {within} itself lies in it"))
                continue
            owner = taken.of(net)
            if owner is not None:
                ways.append(Way(peer.name, cidr, NOWHERE, reason=f"node {owner} has addresses of it"))
                continue
            taken.add(net, peer.name)
            secret = mode_between(settings, me, peer) == WIREGUARD
            ways.append(_way(settings, me, peer, cidr, paths, twin)._replace(secret=secret))
    return ways


def _way(settings: Settings, me: NodeFacts, peer: NodeFacts, cidr: str, paths: Mapping[str, Path], twin: str) -> Way:
    mode = mode_between(settings, me, peer)
    reachable = [address for address in peer.addresses if address in paths]
    if not reachable:
        what = ", ".join(peer.addresses) or "no address yet"
        return Way(peer.name, cidr, NOWHERE, reason=f"no route leads to the node ({what})")
    if mode in (AUTO, ROUTES):
        near = [one for one in reachable if version(one) == version(cidr) and not paths[one].gateway]
        if near:
            return Way(peer.name, cidr, ROUTES, near[0])
        if mode == ROUTES:
            return Way(peer.name, cidr, NOWHERE, reason="the node is on no network of ours, and mode is routes")
    if mode == WIREGUARD and not (me.key and peer.key):
        who = "this node" if not me.key else "the node"
        return Way(peer.name, cidr, NOWHERE, reason=f"{who} has no WireGuard, and nothing is sent unencrypted")
    if mode == WIREGUARD and twin != peer.name:  # as on a copied machine; the kernel knows nodes by their keys
        cure = "remove the file wireguard.key of one of them and restart its agent"
        return Way(peer.name, cidr, NOWHERE, reason=f"node {twin} has the same WireGuard key: {cure}")
    kind = WIREGUARD if mode == WIREGUARD else VXLAN
    mine = {version(address) for address in me.addresses}
    shared = [one for one in reachable if version(one) in mine]
    if not shared:
        return Way(peer.name, cidr, NOWHERE, reason="the node and this one have no address of the same family")
    return Way(peer.name, cidr, kind, shared[0])


def link_of(way: Way) -> str:
    """The tunnel that a way leads through."""
    return WIREGUARD_LINK if way.kind == WIREGUARD else VXLAN_LINKS[version(way.host)]


def may_come_by_vxlan(settings: Settings, me: NodeFacts, peer: NodeFacts) -> bool:
    """Whether a peer may choose VXLAN, whatever our own way to it is."""
    return mode_between(settings, me, peer) in (AUTO, VXLAN)


def tunnel_mtu(costs: Mapping[int, int], hosts: Iterable[str], paths: Mapping[str, Path]) -> int:
    """What fits through a tunnel on the narrowest of its paths."""
    return max(LEAST_MTU, min(paths[host].mtu - costs[version(host)] for host in hosts))


class _Holders:
    """Networks of which no two overlap, in their order, and the nodes that have them: thousands are looked through in no time."""

    def __init__(self) -> None:
        self._held: list[tuple[int, int, int, str]] = []  # size, first, last, node

    def of(self, net: Subnet) -> str | None:
        """A node that has addresses of this network."""
        before = bisect_right(self._held, (net.size, net.last), key=lambda one: one[:2])
        size, _, last, node = self._held[before - 1] if before else (0, 0, 0, "")
        return node if size == net.size and last >= net.first else None

    def add(self, net: Subnet, node: str) -> None:
        """Give a network to a node, if nobody has any of it."""
        if self.of(net) is None:
            insort(self._held, (net.size, net.first, net.last, node))
