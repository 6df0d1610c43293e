"""The network of namespaces in memory, with the kernel's answers: what tests of plans and executors act on.

A `FakeNetworks` is the machine, each `FakeLinks` one of its namespaces; a veth may join two of them. `fail_at` makes the
n-th change from now fail, so that a test can break an operation at each of its steps. Links may be made and removed by
several threads.
"""

import errno
import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

from linux.links import (
    KERNEL,
    MAIN_TABLE,
    Address,
    Bridge,
    Dummy,
    Ifb,
    LinkChange,
    Neighbour,
    NewLink,
    Rate,
    Route,
    SeenLink,
    Veth,
    VlanChange,
    family,
    network,
    pack,
)
from linux.netlink import AlreadyExists, NetlinkError, NotFound, failure

_T = TypeVar("_T")
_KIND_NAMES = {Bridge: "bridge", Veth: "veth", Ifb: "ifb", Dummy: "dummy"}


class FakeNetworks:
    """All namespaces of one machine; their numbers stand for file descriptors."""

    def __init__(self) -> None:
        self.namespaces: dict[int, FakeLinks] = {}
        self.fail_at: int | None = None
        self.unknown: set[type] = set()  # kinds of links that this kernel does not have
        self.lock = threading.RLock()
        self._numbers = 1000

    def namespace(self) -> "FakeLinks":
        """A new namespace."""
        self._numbers += 1
        made = self.namespaces[self._numbers] = FakeLinks(self, self._numbers)
        return made

    def destroy(self, number: int) -> None:
        """End a namespace: its links go, and the veths whose peers they are."""
        gone = self.namespaces.pop(number)
        for link in gone.links():
            gone.drop(link.ifindex)

    def count_change(self) -> None:
        """Fail if this is the change that is to fail."""
        if self.fail_at is None:
            return
        self.fail_at -= 1
        if self.fail_at == 0:
            self.fail_at = None
            raise NetlinkError("cannot change the network: the test said so", errno.EIO)


class FakeLinks:
    """The network of one namespace, in memory."""

    def __init__(self, machine: FakeNetworks, number: int) -> None:
        self._machine = machine
        self.number = number
        self._links = {1: SeenLink(1, "lo", "", "00:00:00:00:00:00", 65536)}
        self._peers: dict[int, tuple[FakeLinks, int]] = {}
        self._addresses: list[Address] = []
        self._routes: list[Route] = []
        self._neighbours: dict[tuple[int, str], str] = {}
        self._rates: dict[int, Rate] = {}
        self._detours: dict[int, int] = {}
        self._vlans: dict[int, dict[int, bool]] = {}

    def close(self) -> None:
        """Nothing to let go."""

    def links(self) -> list[SeenLink]:
        """All links."""
        return list(self._links.values())

    def find(self, name: str) -> SeenLink | None:
        """A link by name."""
        return next((link for link in self._links.values() if link.name == name), None)

    def at(self, ifindex: int) -> SeenLink | None:
        """A link by its number."""
        return self._links.get(ifindex)

    def add(self, link: NewLink) -> None:
        """Make a link; AlreadyExists if the name is taken."""
        self._machine.count_change()
        doing = f"make link {link.name}"
        with self._machine.lock:
            self._check_free(link.name, doing)
            if type(link.kind) in self._machine.unknown:
                raise failure(doing, errno.EOPNOTSUPP)
            if link.master:
                self._get(link.master, doing)
            if isinstance(link.kind, Veth):
                self._add_pair(link, link.kind, doing)
            else:
                number = self._put(link.name, _KIND_NAMES[type(link.kind)], link, link.mac)
                if isinstance(link.kind, Bridge):
                    filtering = link.kind.def_pvid is not None
                    self._links[number] = self._links[number]._replace(vlan_filtering=filtering)

    def _add_pair(self, link: NewLink, kind: Veth, doing: str) -> None:
        other = self if kind.namespace is None else self._machine.namespaces.get(kind.namespace)
        if other is None:
            raise failure(doing, errno.EINVAL)
        other._check_free(kind.peer, doing)
        elsewhere = other is not self
        there = other._put(kind.peer, "veth", NewLink(kind.peer, kind, mtu=link.mtu), kind.peer_mac)
        here = self._put(link.name, "veth", link, link.mac)
        self._links[here] = self._links[here]._replace(peer=there, peer_elsewhere=elsewhere)
        other._links[there] = other._links[there]._replace(peer=here, peer_elsewhere=elsewhere)
        self._peers[here], other._peers[there] = (other, there), (self, here)

    def change(self, ifindex: int, change: LinkChange) -> None:
        """Change a link."""
        self._machine.count_change()
        doing = f"change link {ifindex}"
        link = self._get(ifindex, doing)
        if change.master:
            self._get(change.master, doing)
        if change.hairpin is not None and not link.master:
            raise failure(doing, errno.EOPNOTSUPP)
        wanted = {name: value for name, value in change._asdict().items() if value is not None}
        with self._machine.lock:
            self._links[ifindex] = link._replace(**wanted)
        if change.up is False:
            self._routes = [route for route in self._routes if route.ifindex != ifindex]

    def remove(self, name: str) -> bool:
        """Remove a link; a veth takes its peer along."""
        self._machine.count_change()
        link = self.find(name)
        if link is None:
            return False
        if link.ifindex == 1:
            raise failure(f"remove link {name}", errno.EOPNOTSUPP)
        self.drop(link.ifindex)
        return True

    def drop(self, ifindex: int) -> None:
        """Take a link away with all that stands on it."""
        with self._machine.lock:
            self._drop(ifindex)

    def _drop(self, ifindex: int) -> None:
        if self._links.pop(ifindex, None) is None:
            return
        self._addresses = [a for a in self._addresses if a.ifindex != ifindex]
        self._routes = [r for r in self._routes if r.ifindex != ifindex]
        self._rates.pop(ifindex, None)
        self._detours.pop(ifindex, None)
        self._vlans.pop(ifindex, None)
        self._neighbours = {key: mac for key, mac in self._neighbours.items() if key[0] != ifindex}
        self._links = {i: s._replace(master=0) if s.master == ifindex else s for i, s in self._links.items()}
        other = self._peers.pop(ifindex, None)
        if other is not None:
            other[0].drop(other[1])

    def set_vlans(self, ifindex: int, change: VlanChange) -> None:
        """Change the VLANs of a port of a bridge that filters by them."""
        self._machine.count_change()
        self._get(ifindex, f"set the VLANs of link {ifindex}")
        kept = self.vlans(ifindex)
        if change.native:
            kept = dict.fromkeys(kept, False) | {change.native: True}
        kept |= dict.fromkeys(change.tagged, False)
        self._vlans[ifindex] = {vlan: native for vlan, native in kept.items() if vlan not in change.without}

    def vlans(self, ifindex: int) -> dict[int, bool]:
        """The VLANs of a port, and whether each is the one of untagged frames."""
        return dict(self._vlans.get(ifindex, {1: True}))

    def addresses(self, ifindex: int = 0) -> list[Address]:
        """All addresses, or those of one link."""
        return [address for address in self._addresses if ifindex in (0, address.ifindex)]

    def add_address(self, address: Address) -> bool:
        """Give a link an address."""
        self._machine.count_change()
        pack(address.ip)
        self._get(address.ifindex, f"add address {address.ip}/{address.prefix}")
        return _append(self._addresses, address._replace(check_duplicates=False))

    def remove_address(self, address: Address) -> bool:
        """Take an address from a link."""
        self._machine.count_change()
        return _take(self._addresses, lambda seen: seen == address)

    def settle(self, ips: Iterable[str]) -> None:
        """Wait for nothing: addresses are there at once."""

    def routes(self, table: int = MAIN_TABLE) -> list[Route]:
        """A table; the main one has the kernel's own routes to attached networks too."""
        if table != MAIN_TABLE:
            return [route for route in self._routes if route.table == table]
        attached = [
            Route(network(a.ip, a.prefix), a.ifindex, source=a.ip if family(a.ip) == 2 else "", protocol=KERNEL)
            for a in self._addresses
            if self._links[a.ifindex].up
        ]
        return attached + [route for route in self._routes if route.table == MAIN_TABLE]

    def route_to(self, ip: str) -> Route | None:
        """The route that a packet to this address would take; none to an own one."""
        if any(pack(one.ip) == pack(ip) for one in self._addresses):
            return None
        fitting = [route for route in self.routes() if _covers(route.destination, ip)]
        fitting.sort(key=lambda route: (-int(route.destination.partition("/")[2]), route.metric))
        return fitting[0] if fitting else None

    def add_route(self, route: Route) -> bool:
        """Make a route."""
        self._machine.count_change()
        doing = f"add route {route.destination}" + (f" via {route.gateway}" if route.gateway else "")
        if not self._get(route.ifindex, doing).up:
            raise failure(doing, errno.ENETDOWN)
        if route.gateway and not route.on_link:
            way = self.route_to(route.gateway)
            if way is None or way.gateway:
                raise failure(doing, errno.ENETUNREACH, "Nexthop has invalid gateway")
        for seen in self.routes(route.table):
            if (seen.destination, seen.metric) == (route.destination, route.metric):
                if seen[:3] == route[:3]:
                    return False
                raise failure(doing, errno.EEXIST)
        return _append(self._routes, route)

    def set_route(self, route: Route) -> None:
        """Make a route, in place of another with the same destination and metric."""
        before = [seen for seen in self._routes if (seen.destination, seen.metric) == (route.destination, route.metric)]
        self._routes = [seen for seen in self._routes if seen not in before]
        try:
            self.add_route(route)
        except NetlinkError:
            self._routes += before
            raise

    def remove_route(self, route: Route) -> bool:
        """Remove a route."""
        self._machine.count_change()
        return _take(self._routes, lambda seen: seen[:3] == route[:3])

    def rate(self, ifindex: int) -> Rate | None:
        """How fast a link may send; None: as it can."""
        return self._rates.get(ifindex)

    def limit(self, ifindex: int, rate: Rate | None) -> None:
        """Limit how fast a link sends, or lift the limit."""
        self._machine.count_change()
        self._get(ifindex, f"limit link {ifindex}")
        self._rates.pop(ifindex, None)
        if rate is not None:
            self._rates[ifindex] = rate

    def detour(self, ifindex: int) -> int:
        """The link that what arrives at a link goes to first; 0: none."""
        return self._detours.get(ifindex, 0)

    def set_detour(self, ifindex: int, to: int) -> None:
        """Send what arrives at a link over another one, which must be an Ifb."""
        self._machine.count_change()
        doing = f"send what arrives at link {ifindex} over link {to}"
        self._get(ifindex, doing)
        self._get(to, doing)
        self._detours[ifindex] = to

    def neighbours(self) -> list[Neighbour]:
        """The permanent entries of the neighbour table."""
        return [Neighbour(ifindex, ip, mac) for (ifindex, ip), mac in self._neighbours.items()]

    def set_neighbour(self, neighbour: Neighbour) -> None:
        """Make or replace a permanent entry."""
        self._machine.count_change()
        self._get(neighbour.ifindex, f"set neighbour {neighbour.ip}")
        self._neighbours[neighbour.ifindex, neighbour.ip] = neighbour.mac

    def remove_neighbour(self, neighbour: Neighbour) -> bool:
        """Remove an entry."""
        self._machine.count_change()
        return self._neighbours.pop((neighbour.ifindex, neighbour.ip), None) is not None

    def _get(self, ifindex: int, doing: str) -> SeenLink:
        if ifindex not in self._links:
            raise NotFound(f"cannot {doing}: No such device", errno.ENODEV)
        return self._links[ifindex]

    def _check_free(self, name: str, doing: str) -> None:
        if self.find(name) is not None:
            raise AlreadyExists(f"cannot {doing}: File exists", errno.EEXIST)

    def _put(self, name: str, kind: str, link: NewLink, mac: str) -> int:
        number = max(self._links) + 1
        mac = mac or f"02:00:00:00:{self.number & 255:02x}:{number & 255:02x}"
        up = link.up and name == link.name
        self._links[number] = SeenLink(number, name, kind, mac, link.mtu or 1500, up, link.master)
        return number


def _append(entries: list[_T], entry: _T) -> bool:
    if entry in entries:
        return False
    entries.append(entry)
    return True


def _take(entries: list[_T], wanted: Callable[[_T], bool]) -> bool:
    kept = [entry for entry in entries if not wanted(entry)]
    changed = len(kept) != len(entries)
    entries[:] = kept
    return changed


def _covers(destination: str, ip: str) -> bool:
    net, _, prefix = destination.partition("/")
    return family(net) == family(ip) and network(ip, int(prefix)) == f"{net}/{prefix}"
