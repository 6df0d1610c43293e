"""From the nodes and what the kernel has to a list of actions. Pure, and empty when all is right.

    desire    what links, addresses, routes, neighbours and forwarding entries there shall be
    plan      what to do about the difference

Ours is what lies on our links, and routes that bear our number: everything else is left alone. What carries packets is made
before what leads to it (link, neighbour, entry, route), and goes after it. A route is replaced in one step, so that a change
of the way loses nothing.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from cni import ranges
from cni.fabric import ways as w
from cni.fabric.nodes import ROUTES, VXLAN, WIREGUARD, NodeFacts, mac_of
from cni.fabric.ways import Path, Settings, Way
from linux.links import Address, Neighbour, Route, SeenLink
from linux.vxlan import Entry, Vxlan
from linux.wireguard import Peer, SeenWireguard

PROTOCOL = 88  # who made a route, as `ip route` shows it; 87 are those of `wherry up`
OURS = (*w.VXLAN_LINKS.values(), w.WIREGUARD_LINK)


class WantedRoute(NamedTuple):
    """A route; `link` is a name, or the number of somebody else's link."""

    destination: str
    link: str | int
    gateway: str = ""
    on_link: bool = False


class Encryption(NamedTuple):
    """The WireGuard link."""

    mtu: int
    key: str
    port: int
    peers: tuple[Peer, ...]
    homes: Mapping[str, tuple[str, ...]] = {}
    """By key, where a peer can be reached: the kernel answers to the address that it was last heard from."""


class Desired(NamedTuple):
    """How it shall be."""

    ways: tuple[Way, ...] = ()
    tunnels: tuple[Vxlan, ...] = ()
    encryption: Encryption | None = None
    addresses: frozenset[tuple[str, str, int]] = frozenset()
    neighbours: frozenset[tuple[str, str, str]] = frozenset()
    entries: frozenset[tuple[str, str, str]] = frozenset()
    routes: tuple[WantedRoute, ...] = ()
    near: frozenset[str] = frozenset()
    """Addresses of nodes that see pods' own addresses, because nothing between us would mind."""
    pod_mtu: int = 0
    """What every way has room for; 0 without peers."""


class Seen(NamedTuple):
    """What the kernel has."""

    links: Mapping[str, SeenLink] = {}
    vxlans: Mapping[str, Vxlan] = {}
    wireguard: SeenWireguard | None = None
    addresses: tuple[Address, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    entries: tuple[Entry, ...] = ()
    routes: tuple[Route, ...] = ()
    paths: Mapping[str, Path] = {}


class RemoveLink(NamedTuple):
    name: str


class MakeVxlan(NamedTuple):
    link: Vxlan


class MakeWireguard(NamedTuple):
    name: str
    mtu: int


class ChangeLink(NamedTuple):
    """Bring a link up, with this MTU."""

    name: str
    mtu: int


class GiveAddress(NamedTuple):
    link: str
    ip: str
    prefix: int


class TakeAddress(NamedTuple):
    address: Address


class SetNeighbour(NamedTuple):
    link: str
    ip: str
    mac: str


class DropNeighbour(NamedTuple):
    neighbour: Neighbour


class SetEntry(NamedTuple):
    link: str
    mac: str
    host: str


class DropEntry(NamedTuple):
    entry: Entry


class SetRoute(NamedTuple):
    route: WantedRoute


class DropRoute(NamedTuple):
    route: Route


class SetKey(NamedTuple):
    """Give the WireGuard link this node's key."""

    name: str
    port: int


class SetPeer(NamedTuple):
    link: str
    peer: Peer


class DropPeer(NamedTuple):
    link: str
    key: str


Action = (
    RemoveLink
    | MakeVxlan
    | MakeWireguard
    | ChangeLink
    | GiveAddress
    | TakeAddress
    | SetNeighbour
    | DropNeighbour
    | SetEntry
    | DropEntry
    | SetRoute
    | DropRoute
    | SetKey
    | SetPeer
    | DropPeer
)


def desire(settings: Settings, me: NodeFacts, peers: Iterable[NodeFacts], paths: Mapping[str, Path]) -> Desired:
    """How it shall be, given how the kernel would reach each address of each peer."""
    if not me.pod_cidrs:
        return Desired()
    others = [peer for peer in peers if peer.name != me.name]
    ways = w.choose(settings, me, others, paths)
    tunnels = _tunnels(settings, me, others, ways, paths)
    encryption = _encryption(settings, me, others, ways, paths)
    mtus = {link.name: link.mtu for link in tunnels}
    if encryption is not None:
        mtus[w.WIREGUARD_LINK] = encryption.mtu
    first = [(net, ranges.show(ranges.data(net.first, net.size))) for net in map(ranges.subnet, me.pod_cidrs)]
    neighbours, entries, routes, room = set(), set(), [], []
    for way in ways:
        if way.kind == ROUTES:
            routes.append(WantedRoute(way.cidr, paths[way.host].ifindex, way.host))
            room.append(paths[way.host].mtu)
        elif way.kind:
            link, gateway = w.link_of(way), _gateway(way)
            room.append(mtus[link])
            if way.kind == VXLAN:
                neighbours.add((link, gateway, mac_of(way.peer)))
                entries.add((link, mac_of(way.peer), way.host))
                routes.append(WantedRoute(way.cidr, link, gateway, on_link=True))
            else:
                routes.append(WantedRoute(way.cidr, link))
    return Desired(
        tuple(ways),
        tuple(tunnels),
        encryption,
        frozenset((link, ip, net.size * 8) for link in mtus for net, ip in first),
        frozenset(neighbours),
        frozenset(entries),
        tuple(routes),
        _near(others, ways, paths),
        min(room, default=0),
    )


def _gateway(way: Way) -> str:
    """Who stands for a peer on a VXLAN link. With IPv6 no address of the network itself: that could be moved to no other link."""
    if w.version(way.cidr) == 4:
        return way.cidr.partition("/")[0]
    mac = bytes.fromhex(mac_of(way.peer).replace(":", ""))
    return ranges.show(b"\xfe\x80" + bytes(6) + bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:])


def _tunnels(
    settings: Settings, me: NodeFacts, peers: list[NodeFacts], ways: list[Way], paths: Mapping[str, Path]
) -> list[Vxlan]:
    """A link for each family that a peer may use towards us."""
    hosts = {way.host for way in ways if way.kind == VXLAN}
    hosts |= {
        one for peer in peers if w.may_come_by_vxlan(settings, me, peer) for one in peer.addresses if one in paths
    }
    made = []
    for family, name in w.VXLAN_LINKS.items():
        local = next((one for one in me.addresses if w.version(one) == family), None)
        those = [one for one in hosts if w.version(one) == family]
        if local is not None and those:
            mtu = w.tunnel_mtu(w.VXLAN_COST, those, paths)
            made.append(Vxlan(name, settings.vni, settings.port, local, mac_of(me.name), mtu))
    return made


def _encryption(
    settings: Settings, me: NodeFacts, peers: list[NodeFacts], ways: list[Way], paths: Mapping[str, Path]
) -> Encryption | None:
    secret: dict[str, list[Way]] = {}
    for way in ways:
        if way.kind == WIREGUARD:
            secret.setdefault(way.peer, []).append(way)
    if not secret:
        return None
    known = {peer.name: peer for peer in peers}
    made = [
        Peer(known[name].key, theirs[0].host, known[name].key_port, tuple(sorted(way.cidr for way in theirs)))
        for name, theirs in sorted(secret.items())
    ]
    mtu = w.tunnel_mtu(w.WIREGUARD_COST, [peer.host for peer in made], paths)
    homes = {known[name].key: tuple(one for one in known[name].addresses if one in paths) for name in secret}
    return Encryption(mtu, me.key, settings.wireguard_port, tuple(made), homes)


def _near(peers: list[NodeFacts], ways: list[Way], paths: Mapping[str, Path]) -> frozenset[str]:
    plain = {(way.peer, w.version(way.cidr)) for way in ways if way.kind == ROUTES}
    return frozenset(
        one
        for peer in peers
        for one in peer.addresses
        if one in paths and not paths[one].gateway and (peer.name, w.version(one)) in plain
    )


def plan(want: Desired, seen: Seen) -> list[Action]:
    """What to do."""
    stay, links = _plan_links(want, seen)
    names = {seen.links[name].ifindex: name for name in stay}
    actions: list[Action] = [*links, *_plan_addresses(want, seen, names)]
    actions += _plan_peers(want, seen, stay)
    neighbours = {(names[one.ifindex], one.ip, one.mac): one for one in seen.neighbours if one.ifindex in names}
    entries = {(names[one.ifindex], one.mac, one.host): one for one in seen.entries if one.ifindex in names}
    actions += [SetNeighbour(*one) for one in sorted(want.neighbours - neighbours.keys())]
    actions += [SetEntry(*one) for one in sorted(want.entries - entries.keys())]
    actions += _plan_routes(want, seen, names)
    kept = {one[:2] for one in want.neighbours}  # setting it anew has replaced what was wrong
    actions += [DropNeighbour(one) for key, one in sorted(neighbours.items()) if key[:2] not in kept]
    kept = {one[:2] for one in want.entries}
    actions += [DropEntry(one) for key, one in sorted(entries.items()) if key[:2] not in kept]
    needed = {link.name for link in want.tunnels} | ({w.WIREGUARD_LINK} if want.encryption else set())
    return [*actions, *(RemoveLink(name) for name in OURS if name in seen.links and name not in needed)]


def _plan_links(want: Desired, seen: Seen) -> tuple[set[str], list[Action]]:
    """The links that stay as they are, and what to do about the others."""
    stay: set[str] = set()
    actions: list[Action] = []
    for link in want.tunnels:
        have, found = seen.vxlans.get(link.name), seen.links.get(link.name)
        if found is not None and have is not None and have._replace(mtu=link.mtu) == link:
            stay.add(link.name)
            if found.mtu != link.mtu or not found.up:
                actions.append(ChangeLink(link.name, link.mtu))
            continue
        if found is not None:
            actions.append(RemoveLink(link.name))
        actions.append(MakeVxlan(link))
    if want.encryption is not None:
        name, mtu = w.WIREGUARD_LINK, want.encryption.mtu
        found = seen.links.get(name)
        if found is not None and found.kind == "wireguard":
            stay.add(name)
            if found.mtu != mtu or not found.up:
                actions.append(ChangeLink(name, mtu))
        else:
            actions += [RemoveLink(name)] if found is not None else []
            actions.append(MakeWireguard(name, mtu))
    return stay, actions


def _plan_addresses(want: Desired, seen: Seen, names: Mapping[int, str]) -> list[Action]:
    have = {
        (names[one.ifindex], one.ip, one.prefix): one
        for one in seen.addresses
        if one.ifindex in names and not one.ip.startswith("fe80:")
    }
    give: list[Action] = [GiveAddress(*one) for one in sorted(want.addresses - have.keys())]
    return [*give, *(TakeAddress(one) for key, one in sorted(have.items()) if key not in want.addresses)]


def _plan_peers(want: Desired, seen: Seen, stay: set[str]) -> list[Action]:
    if want.encryption is None:
        return []
    name, link = w.WIREGUARD_LINK, want.encryption
    have = seen.wireguard if name in stay else None
    known = {peer.key: peer for peer in have.peers} if have else {}
    actions: list[Action] = []
    if have is None or (have.key, have.port) != (link.key, link.port):
        actions.append(SetKey(name, link.port))
    gone = known.keys() - {peer.key for peer in link.peers}
    actions += [DropPeer(name, key) for key in sorted(gone)]
    for peer in link.peers:
        before = known.get(peer.key)
        if before is not None and before.host in link.homes.get(peer.key, ()):
            before = before._replace(host=peer.host)
        if before is None or before._replace(networks=tuple(sorted(before.networks))) != peer:
            actions.append(SetPeer(name, peer))
    return actions


def _plan_routes(want: Desired, seen: Seen, names: Mapping[int, str]) -> list[Action]:
    have = {
        (one.destination, names.get(one.ifindex, one.ifindex), one.gateway, one.on_link): one
        for one in seen.routes
        if one.protocol == PROTOCOL
    }
    actions: list[Action] = [SetRoute(one) for one in want.routes if tuple(one) not in have]
    wanted, destinations = {tuple(one) for one in want.routes}, {one.destination for one in want.routes}
    # One that was replaced is gone; of two to one destination (another metric) the wrong one must go.
    right = {key[0] for key in have if key in wanted}
    for key, one in sorted(have.items(), key=lambda item: str(item[0])):
        if key not in wanted and (one.destination not in destinations or one.destination in right):
            actions.append(DropRoute(one))
    return actions
