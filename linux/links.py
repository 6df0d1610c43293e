"""The door to the kernel's network: links, addresses, routes and neighbours of one network namespace.

`Links` is the port, `linux.rtnl.RtnlLinks` the real thing over netlink, `linux.links_fake.FakeLinks` the same in memory; one
suite (tests/contract/linux) holds both to the same answers. Whatever makes something fails with AlreadyExists if it is there
and differs, and returns False if it is there as wanted; whatever removes something returns False if there was nothing.
Addresses are text ("10.244.0.1"), networks "10.244.0.0/24"; both families everywhere.

The types are named tuples because this is on the path of a CNI request that starts an interpreter: dataclasses would cost
it 10 ms.
"""

import socket
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from linux.netlink import AlreadyExists, NetlinkError, NotFound

__all__ = [
    "Address",
    "AlreadyExists",
    "Bridge",
    "Dummy",
    "Event",
    "Ifb",
    "LinkChange",
    "Links",
    "Neighbour",
    "NetlinkError",
    "NewLink",
    "NotFound",
    "Rate",
    "Route",
    "SeenLink",
    "Veth",
    "VlanChange",
    "broadcast",
    "family",
    "network",
    "pack",
    "unpack",
]

MAIN_TABLE = 254
BOOT, KERNEL = 3, 2  # who made a route: an administrator or tool, the kernel itself


class Bridge(NamedTuple):
    """A kind of new link."""

    def_pvid: int | None = None
    """None: no VLANs; else VLAN filtering with this VLAN for untagged frames."""
    netfilter: bool = False
    """Show frames between ports to the firewall's IP hooks, so that answers find their way back through NAT."""


class Veth(NamedTuple):
    """A kind of new link: a pair whose other end is made in another namespace at once."""

    peer: str
    namespace: int | None = None
    """File descriptor of the peer's namespace; None: the same."""
    peer_mac: str = ""


class Ifb(NamedTuple):
    """A kind of new link: what is sent over it comes back to the link that it has come from."""


class Dummy(NamedTuple):
    """A kind of new link: leads nowhere, but may have addresses."""


class NewLink(NamedTuple):
    """A link to make. A peer gets the same mtu."""

    name: str
    kind: Bridge | Veth | Ifb | Dummy
    mac: str = ""
    mtu: int = 0
    master: int = 0
    up: bool = False


class LinkChange(NamedTuple):
    """What to change on a link; None leaves as it is."""

    up: bool | None = None
    mtu: int | None = None
    mac: str | None = None
    master: int | None = None
    alias: str | None = None
    promiscuous: bool | None = None
    hairpin: bool | None = None
    """Of a bridge's port: send a frame back out of the port that it came from."""
    vlan_filtering: bool | None = None
    """Of a bridge."""


class VlanChange(NamedTuple):
    """The VLANs that a bridge's port gets and loses; `native` is the one of untagged frames (0: as it is)."""

    native: int = 0
    tagged: tuple[int, ...] = ()
    without: tuple[int, ...] = ()


class SeenLink(NamedTuple):
    """A link as the kernel has it."""

    ifindex: int
    name: str
    kind: str = ""
    mac: str = ""
    mtu: int = 0
    up: bool = False
    master: int = 0
    peer: int = 0
    """Index of a veth's other end, in that end's namespace."""
    peer_elsewhere: bool = False
    alias: str = ""
    promiscuous: bool = False
    hairpin: bool = False
    vlan_filtering: bool = False


class Address(NamedTuple):
    """An address on a link. The kernel asks the link whether somebody has it (IPv6) only if told to."""

    ifindex: int
    ip: str
    prefix: int
    check_duplicates: bool = False


class Route(NamedTuple):
    """A route; of the main table if not told otherwise. Scope None: link for IPv4 without a gateway, else global."""

    destination: str
    ifindex: int
    gateway: str = ""
    source: str = ""
    metric: int = 0
    mtu: int = 0
    on_link: bool = False
    protocol: int = BOOT
    advmss: int = 0
    table: int = MAIN_TABLE
    scope: int | None = None


class Neighbour(NamedTuple):
    """A permanent entry of the neighbour table."""

    ifindex: int
    ip: str
    mac: str


class Rate(NamedTuple):
    """How fast a link may send: bytes a second, and how many bytes at once after a pause."""

    rate: int
    burst: int


class Event(NamedTuple):
    """Something changed; subject None: changes were lost, look at everything."""

    subject: SeenLink | Address | Route | None
    gone: bool = False


class Links(Protocol):
    """The network of one namespace."""

    def close(self) -> None:
        """Let the namespace go."""
        ...

    def links(self) -> list[SeenLink]:
        """All links."""
        ...

    def find(self, name: str) -> SeenLink | None:
        """A link by name."""
        ...

    def at(self, ifindex: int) -> SeenLink | None:
        """A link by its number."""
        ...

    def add(self, link: NewLink) -> None:
        """Make a link; AlreadyExists if the name is taken."""
        ...

    def change(self, ifindex: int, change: LinkChange) -> None:
        """Change a link."""
        ...

    def remove(self, name: str) -> bool:
        """Remove a link; a veth takes its peer along."""
        ...

    def addresses(self, ifindex: int = 0) -> list[Address]:
        """All addresses, or those of one link."""
        ...

    def add_address(self, address: Address) -> bool:
        """Give a link an address."""
        ...

    def remove_address(self, address: Address) -> bool:
        """Take an address from a link."""
        ...

    def settle(self, ips: Iterable[str]) -> None:
        """Wait until packets to these addresses of a link come here: IPv6 takes a moment for that. Gives up after 5 s."""
        ...

    def set_vlans(self, ifindex: int, change: VlanChange) -> None:
        """Change the VLANs of a port of a bridge that filters by them."""
        ...

    def vlans(self, ifindex: int) -> dict[int, bool]:
        """The VLANs of a port, and whether each is the one of untagged frames."""
        ...

    def routes(self, table: int = MAIN_TABLE) -> list[Route]:
        """A table; the main one has the kernel's own routes to attached networks too."""
        ...

    def route_to(self, ip: str) -> Route | None:
        """The route that a packet to this address would take."""
        ...

    def add_route(self, route: Route) -> bool:
        """Make a route."""
        ...

    def set_route(self, route: Route) -> None:
        """Make a route, in place of another with the same destination and metric."""
        ...

    def remove_route(self, route: Route) -> bool:
        """Remove a route."""
        ...

    def rate(self, ifindex: int) -> Rate | None:
        """How fast a link may send; None: as it can."""
        ...

    def limit(self, ifindex: int, rate: Rate | None) -> None:
        """Limit how fast a link sends, or lift the limit."""
        ...

    def detour(self, ifindex: int) -> int:
        """The link that what arrives at a link goes to first; 0: none."""
        ...

    def set_detour(self, ifindex: int, to: int) -> None:
        """Send what arrives at a link over another one, which must be an Ifb."""
        ...

    def neighbours(self) -> list[Neighbour]:
        """The permanent entries of the neighbour table."""
        ...

    def set_neighbour(self, neighbour: Neighbour) -> None:
        """Make or replace a permanent entry."""
        ...

    def remove_neighbour(self, neighbour: Neighbour) -> bool:
        """Remove an entry."""
        ...


def family(ip: str) -> int:
    """AF_INET or AF_INET6, by the look of the address."""
    return int(socket.AF_INET6 if ":" in ip else socket.AF_INET)


def pack(ip: str) -> bytes:
    """The bytes of an address."""
    try:
        return socket.inet_pton(family(ip), ip)
    except (OSError, ValueError) as error:
        raise NetlinkError(f"cannot use {ip!r}: it is not an IP address", 22) from error


def unpack(data: bytes) -> str:
    """The text of an address."""
    return socket.inet_ntop(socket.AF_INET if len(data) == 4 else socket.AF_INET6, data)


def _masked(ip: str, prefix: int, *, ones: bool) -> str:
    data = pack(ip)
    host = (1 << (len(data) * 8 - prefix)) - 1
    number = int.from_bytes(data, "big")
    return unpack(((number | host) if ones else (number & ~host)).to_bytes(len(data), "big"))


def network(ip: str, prefix: int) -> str:
    """The network that an address lies in: ("10.1.2.3", 24) -> "10.1.2.0/24"."""
    return f"{_masked(ip, prefix, ones=False)}/{prefix}"


def broadcast(ip: str, prefix: int) -> str:
    """The last address of the network that an address lies in."""
    return _masked(ip, prefix, ones=True)
