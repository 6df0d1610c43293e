"""Links, addresses, routes and neighbours over rtnetlink, packed by hand: a whole CNI ADD is a dozen requests of 20-400 us.

The numbers are the kernel's (linux/rtnetlink.h, if_link.h, if_addr.h, neighbour.h).
"""

import errno
import socket
import struct
from collections.abc import Iterable, Sequence

from linux import netlink
from linux.links import (
    KERNEL,
    MAIN_TABLE,
    Address,
    Bridge,
    Dummy,
    Event,
    Ifb,
    LinkChange,
    Neighbour,
    NewLink,
    Rate,
    Route,
    SeenLink,
    Veth,
    VlanChange,
    broadcast,
    family,
    pack,
    unpack,
)
from linux.netlink import (
    CREATE,
    EXCLUSIVE,
    REPLACE,
    AlreadyExists,
    Connection,
    NetlinkError,
    NotFound,
    attribute,
    attributes,
    nested,
    string,
    text,
    u32,
)

_NEWLINK, _DELLINK, _GETLINK, _SETLINK = 16, 17, 18, 19
_NEWADDR, _DELADDR, _GETADDR = 20, 21, 22
_NEWROUTE, _DELROUTE, _GETROUTE = 24, 25, 26
_NEWNEIGH, _DELNEIGH, _GETNEIGH = 28, 29, 30
_IFINFO = struct.Struct("=BBHiII")
_IFADDR = struct.Struct("=BBBBI")
_RTMSG = struct.Struct("=BBBBBBBBI")
_NDMSG = struct.Struct("=BBHiHBB")
_IFF_UP, _IFF_PROMISC = 0x1, 0x100
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINK, _IFLA_MASTER = 1, 3, 4, 5, 10
_IFLA_LINKINFO, _IFLA_IFALIAS, _IFLA_NET_NS_FD, _IFLA_EXT_MASK, _IFLA_LINK_NETNSID = 18, 20, 28, 29, 37
_INFO_KIND, _INFO_DATA, _INFO_SLAVE_KIND, _INFO_SLAVE_DATA = 1, 2, 4, 5
_BR_VLAN_FILTERING, _BR_NF_CALL_IPTABLES, _BR_NF_CALL_IP6TABLES, _BR_VLAN_DEFAULT_PVID, _BRPORT_MODE = 7, 36, 37, 39, 4
_SKIP_STATISTICS = 1 << 3
_AF_BRIDGE, _IFLA_AF_SPEC, _BRIDGE_VLAN_INFO, _WITH_VLANS = 7, 26, 2, 1 << 1
_VLAN = struct.Struct("=HH")
_VLAN_NATIVE, _VLAN_PVID = 0x2 | 0x4, 0x2  # of untagged frames that come, and untagged when they leave
_SCOPE_GLOBAL, _SCOPE_LINK = 0, 253
_NO_DUPLICATE_CHECK = 0x2  # IFA_F_NODAD: an IPv6 address that may be used at once; we know that it is unique
_ON_LINK = 4
_CLONED = 0x200  # an IPv6 route made for one destination
_PERMANENT = 0x80
_NO_TABLE = 252  # of the head's one byte: look at the attribute
_LOOK_EVERY = 0.0005
_SETTLE_LOOKS = 10_000
_LOCAL = b"\x02"  # a route's type: to this host
_DEFAULT_METRIC = {2: 0, 10: 1024}
_EVENT_GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400  # links; addresses and routes of both families


class RtnlLinks:
    """The network of the namespace that the calling thread is in (see linux.netns.inside)."""

    def __init__(self, kernel: Connection | None = None) -> None:
        self._kernel = kernel or Connection()

    def close(self) -> None:
        """Let the namespace go."""
        self._kernel.close()

    # --- links

    def links(self) -> list[SeenLink]:
        """All links."""
        body = _IFINFO.pack(0, 0, 0, 0, 0, 0) + u32(_IFLA_EXT_MASK, _SKIP_STATISTICS)
        return [_seen_link(found) for found in self._kernel.dump("list links", _GETLINK, body)]

    def find(self, name: str) -> SeenLink | None:
        """A link by name."""
        return self._look_up(f"link {name}", 0, text(_IFLA_IFNAME, name))

    def at(self, ifindex: int) -> SeenLink | None:
        """A link by its number."""
        return self._look_up(f"link {ifindex}", ifindex, b"")

    def _look_up(self, what: str, ifindex: int, name: bytes) -> SeenLink | None:
        body = _IFINFO.pack(0, 0, 0, ifindex, 0, 0) + name + u32(_IFLA_EXT_MASK, _SKIP_STATISTICS)
        try:
            return _seen_link(self._kernel.query(f"look up {what}", _GETLINK, body))
        except NotFound:
            return None

    def add(self, link: NewLink) -> None:
        """Make a link; AlreadyExists if the name is taken."""
        flags = _IFF_UP if link.up else 0
        body = [_IFINFO.pack(0, 0, 0, 0, flags, flags), text(_IFLA_IFNAME, link.name), _link_info(link)]
        if link.mac:
            body.append(attribute(_IFLA_ADDRESS, _mac_bytes(link.mac)))
        if link.mtu:
            body.append(u32(_IFLA_MTU, link.mtu))
        if link.master:
            body.append(u32(_IFLA_MASTER, link.master))
        self._kernel.change(f"make link {link.name}", _NEWLINK, CREATE | EXCLUSIVE, b"".join(body))

    def change(self, ifindex: int, change: LinkChange) -> None:
        """Change a link."""
        flags = (_IFF_UP if change.up else 0) | (_IFF_PROMISC if change.promiscuous else 0)
        mask = (0 if change.up is None else _IFF_UP) | (0 if change.promiscuous is None else _IFF_PROMISC)
        body = [_IFINFO.pack(0, 0, 0, ifindex, flags, mask)]
        if change.mtu is not None:
            body.append(u32(_IFLA_MTU, change.mtu))
        if change.mac is not None:
            body.append(attribute(_IFLA_ADDRESS, _mac_bytes(change.mac)))
        if change.master is not None:
            body.append(u32(_IFLA_MASTER, change.master))
        if change.alias is not None:
            body.append(attribute(_IFLA_IFALIAS, change.alias.encode()))
        if change.hairpin is not None:
            mode = nested(_INFO_SLAVE_DATA, attribute(_BRPORT_MODE, bytes([change.hairpin])))
            body.append(nested(_IFLA_LINKINFO, text(_INFO_SLAVE_KIND, "bridge"), mode))
        if change.vlan_filtering is not None:
            filtering = nested(_INFO_DATA, attribute(_BR_VLAN_FILTERING, bytes([change.vlan_filtering])))
            body.append(nested(_IFLA_LINKINFO, text(_INFO_KIND, "bridge"), filtering))
        self._kernel.change(f"change link {ifindex}", _NEWLINK, 0, b"".join(body))

    def remove(self, name: str) -> bool:
        """Remove a link; a veth takes its peer along."""
        body = _IFINFO.pack(0, 0, 0, 0, 0, 0) + text(_IFLA_IFNAME, name)
        return self._gone(f"remove link {name}", _DELLINK, body)

    def set_vlans(self, ifindex: int, change: VlanChange) -> None:
        """Change the VLANs of a port of a bridge that filters by them."""
        more = [_VLAN.pack(_VLAN_NATIVE, change.native)] if change.native else []
        more += [_VLAN.pack(0, vlan) for vlan in change.tagged]
        for kind, entries in ((_SETLINK, more), (_DELLINK, [_VLAN.pack(0, vlan) for vlan in change.without])):
            if entries:
                packed = nested(_IFLA_AF_SPEC, *(attribute(_BRIDGE_VLAN_INFO, entry) for entry in entries))
                body = _IFINFO.pack(_AF_BRIDGE, 0, 0, ifindex, 0, 0) + packed
                self._kernel.change(f"set the VLANs of link {ifindex}", kind, 0, body)

    def vlans(self, ifindex: int) -> dict[int, bool]:
        """The VLANs of a port, and whether each is the one of untagged frames."""
        found: dict[int, bool] = {}
        body = _IFINFO.pack(_AF_BRIDGE, 0, 0, 0, 0, 0) + u32(_IFLA_EXT_MASK, _WITH_VLANS)
        for answer in self._kernel.dump("list VLANs", _GETLINK, body):
            if _IFINFO.unpack_from(answer)[3] == ifindex:
                entries = netlink.entries(attributes(answer, 16).get(_IFLA_AF_SPEC, b""))
                pairs = [_VLAN.unpack(entry) for kind, entry in entries if kind == _BRIDGE_VLAN_INFO]
                found |= {vlan: bool(flags & _VLAN_PVID) for flags, vlan in pairs}
        return found

    # --- addresses

    def addresses(self, ifindex: int = 0) -> list[Address]:
        """All addresses, or those of one link."""
        try:
            found = self._kernel.dump("list addresses", _GETADDR, _IFADDR.pack(0, 0, 0, 0, ifindex))
        except NotFound:
            return []
        return [_seen_address(body) for body in found]

    def add_address(self, address: Address) -> bool:
        """Give a link an address."""
        kind = family(address.ip)
        body = _address_body(address)
        if kind == 2 and address.prefix < 31:
            body += attribute(4, pack(broadcast(address.ip, address.prefix)))
        if kind != 2 and not address.check_duplicates:
            body += u32(8, _NO_DUPLICATE_CHECK)
        try:
            self._kernel.change(f"add address {address.ip}/{address.prefix}", _NEWADDR, CREATE | EXCLUSIVE, body)
        except AlreadyExists:
            return False
        return True

    def remove_address(self, address: Address) -> bool:
        """Take an address from a link."""
        return self._gone(f"remove address {address.ip}/{address.prefix}", _DELADDR, _address_body(address))

    # --- routes

    def routes(self, table: int = MAIN_TABLE) -> list[Route]:
        """A table; the main one has the kernel's own routes to attached networks too."""
        found: list[Route] = []
        for kind in (2, 10):
            body = _RTMSG.pack(kind, 0, 0, 0, 0, 0, 0, 0, 0) + u32(15, table)
            try:
                answers = self._kernel.dump("list routes", _GETROUTE, body)
            except NotFound:
                continue  # the family, or its table, is not there
            answers = [answer for answer in answers if not _RTMSG.unpack_from(answer)[8] & _CLONED]
            found += [route for answer in answers if (route := _seen_route(answer)) is not None]
        return found

    def settle(self, ips: Iterable[str]) -> None:
        """Wait until packets to these addresses of a link come here: IPv6 takes a moment for that. Gives up after 5 s."""
        import threading

        pause, looks = threading.Event(), _SETTLE_LOOKS
        for ip in ips:
            while looks and self._way(ip)[7:8] != _LOCAL:
                looks -= 1
                pause.wait(_LOOK_EVERY)

    def route_to(self, ip: str) -> Route | None:
        """The route that a packet to this address would take; none to an own one."""
        found = self._way(ip)
        return _seen_route(found) if found else None

    def _way(self, ip: str) -> bytes:
        """What the kernel says of the way of a packet; nothing if there is none."""
        address = pack(ip)
        body = _RTMSG.pack(family(ip), len(address) * 8, 0, 0, 0, 0, 0, 0, 0) + attribute(1, address)
        try:
            return self._kernel.query(f"look up the route to {ip}", _GETROUTE, body)
        except NetlinkError as error:
            if error.code in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EAFNOSUPPORT):
                return b""
            raise

    def add_route(self, route: Route) -> bool:
        """Make a route."""
        doing = f"add route {route.destination}" + (f" via {route.gateway}" if route.gateway else "")
        try:
            self._kernel.change(doing, _NEWROUTE, CREATE | EXCLUSIVE, _route_body(route))
        except AlreadyExists:
            metric = route.metric or _DEFAULT_METRIC[family(route.destination)]
            if any(seen[:3] == route[:3] and seen.metric == metric for seen in self.routes(route.table)):
                return False
            raise
        return True

    def set_route(self, route: Route) -> None:
        """Make a route, in place of another with the same destination and metric."""
        self._kernel.change(f"set route {route.destination}", _NEWROUTE, CREATE | REPLACE, _route_body(route))

    def remove_route(self, route: Route) -> bool:
        """Remove a route."""
        return self._gone(f"remove route {route.destination}", _DELROUTE, _route_body(route))

    # --- queues, which few links have

    def rate(self, ifindex: int) -> Rate | None:
        """How fast a link may send; None: as it can."""
        from linux import queues

        return queues.rate(self._kernel, ifindex)

    def limit(self, ifindex: int, rate: Rate | None) -> None:
        """Limit how fast a link sends, or lift the limit."""
        from linux import queues

        queues.limit(self._kernel, ifindex, rate)

    def detour(self, ifindex: int) -> int:
        """The link that what arrives at a link goes to first; 0: none."""
        from linux import queues

        return queues.detour(self._kernel, ifindex)

    def set_detour(self, ifindex: int, to: int) -> None:
        """Send what arrives at a link over another one, which must be an Ifb."""
        from linux import queues

        queues.set_detour(self._kernel, ifindex, to)

    # --- neighbours

    def neighbours(self) -> list[Neighbour]:
        """The permanent entries of the neighbour table."""
        found: list[Neighbour] = []
        for body in self._kernel.dump("list neighbours", _GETNEIGH, _NDMSG.pack(0, 0, 0, 0, 0, 0, 0)):
            _family, _1, _2, ifindex, state, _flags, _type = _NDMSG.unpack_from(body)
            seen = attributes(body, 12)
            if state & _PERMANENT and 1 in seen and 2 in seen:
                found.append(Neighbour(ifindex, unpack(seen[1]), seen[2].hex(":")))
        return found

    def set_neighbour(self, neighbour: Neighbour) -> None:
        """Make or replace a permanent entry."""
        body = _neighbour_body(neighbour) + attribute(2, _mac_bytes(neighbour.mac))
        self._kernel.change(f"set neighbour {neighbour.ip}", _NEWNEIGH, CREATE | REPLACE, body)

    def remove_neighbour(self, neighbour: Neighbour) -> bool:
        """Remove an entry."""
        return self._gone(f"remove neighbour {neighbour.ip}", _DELNEIGH, _neighbour_body(neighbour))

    def _gone(self, doing: str, kind: int, body: bytes) -> bool:
        try:
            self._kernel.change(doing, kind, 0, body)
        except NotFound:
            return False
        return True


def is_there(name: str) -> bool:
    """Whether the calling thread's namespace has a link of this name; does not wait for changes that are under way."""
    try:
        return socket.if_nametoindex(name) > 0
    except OSError:
        return False


def remove_unseen(name: str) -> bool:
    """Remove a link of the calling thread's namespace; return as soon as nobody can see or use it, or its peer.

    The kernel takes 3 ms for that and then 16 more until the last reader of the old state is gone, before it answers. A
    thread waits for that answer; only if it comes first is it of interest.
    """
    import threading  # not at the top: the stand-alone plugin has no use for it

    with Connection() as watching:
        links = RtnlLinks(watching)
        if links.find(name) is None:
            return False
        answered, failures = threading.Event(), list[NetlinkError]()
        removing = RtnlLinks()

        def remove() -> None:
            try:
                removing.remove(name)
            except NetlinkError as error:
                failures.append(error)
            finally:
                removing.close()
                answered.set()

        threading.Thread(target=remove, name="remove-link").start()
        while not answered.wait(_LOOK_EVERY):
            if links.find(name) is None:
                return True
    if failures:
        raise failures[0]
    return True


class RtnlEvents:
    """The changes in the namespace that the calling thread is in, from now on."""

    def __init__(self) -> None:
        self._kernel = Connection(groups=_EVENT_GROUPS)

    def fileno(self) -> int:
        """To wait on until there is something to read."""
        return self._kernel.fileno()

    def read(self) -> Sequence[Event]:
        """What happened since, without waiting."""
        return self._kernel.news(_event, Event(None))

    def close(self) -> None:
        """Stop listening."""
        self._kernel.close()


def _mac_bytes(mac: str) -> bytes:
    try:
        data = bytes.fromhex(mac.replace(":", ""))
    except ValueError:
        data = b""
    if len(data) != 6:
        raise NetlinkError(f"cannot use {mac!r}: it is not a MAC address", errno.EINVAL)
    return data


def _link_info(link: NewLink) -> bytes:
    match link.kind:
        case Bridge(vlan, netfilter):
            data = (
                attribute(_BR_NF_CALL_IPTABLES, b"\1") + attribute(_BR_NF_CALL_IP6TABLES, b"\1") if netfilter else b""
            )
            if vlan is not None:
                data += attribute(_BR_VLAN_FILTERING, b"\1") + attribute(_BR_VLAN_DEFAULT_PVID, struct.pack("=H", vlan))
            return nested(_IFLA_LINKINFO, text(_INFO_KIND, "bridge"), nested(_INFO_DATA, data))
        case Ifb():
            return nested(_IFLA_LINKINFO, text(_INFO_KIND, "ifb"))
        case Veth(peer, namespace, mac):
            other = _IFINFO.pack(0, 0, 0, 0, 0, 0) + text(_IFLA_IFNAME, peer)
            other += b"" if namespace is None else u32(_IFLA_NET_NS_FD, namespace)
            other += attribute(_IFLA_ADDRESS, _mac_bytes(mac)) if mac else b""
            other += u32(_IFLA_MTU, link.mtu) if link.mtu else b""
            return nested(_IFLA_LINKINFO, text(_INFO_KIND, "veth"), nested(_INFO_DATA, nested(1, other)))
        case Dummy():
            return nested(_IFLA_LINKINFO, text(_INFO_KIND, "dummy"))


def _address_body(address: Address) -> bytes:
    ip = pack(address.ip)
    head = _IFADDR.pack(family(address.ip), address.prefix, 0, _SCOPE_GLOBAL, address.ifindex)
    return head + attribute(2, ip) + attribute(1, ip)


def _route_body(route: Route) -> bytes:
    ip, _, prefix = route.destination.partition("/")
    kind = family(ip)
    usual = _SCOPE_LINK if kind == 2 and not route.gateway else _SCOPE_GLOBAL
    scope = usual if route.scope is None else route.scope
    flags = _ON_LINK if route.on_link else 0
    head = _RTMSG.pack(
        kind, int(prefix), 0, 0, route.table if route.table < 256 else _NO_TABLE, route.protocol, scope, 1, flags
    )
    body = [head, u32(4, route.ifindex)]
    if route.table > 255:  # the head has one byte for it
        body.append(u32(15, route.table))
    if int(prefix):
        body.append(attribute(1, pack(ip)))
    if route.gateway:
        body.append(attribute(5, pack(route.gateway)))
    if route.metric:
        body.append(u32(6, route.metric))
    if route.source:
        body.append(attribute(7, pack(route.source)))
    metrics = [u32(kind, value) for kind, value in ((2, route.mtu), (8, route.advmss)) if value]
    if metrics:
        body.append(nested(8, *metrics))
    return b"".join(body)


def _neighbour_body(neighbour: Neighbour) -> bytes:
    head = _NDMSG.pack(family(neighbour.ip), 0, 0, neighbour.ifindex, _PERMANENT, 0, 0)
    return head + attribute(1, pack(neighbour.ip))


def _seen_link(body: bytes) -> SeenLink:
    _family, _pad, _type, ifindex, flags, _change = _IFINFO.unpack_from(body)
    seen = attributes(body, 16)
    info = attributes(seen.get(_IFLA_LINKINFO, b""))
    port = attributes(info.get(_INFO_SLAVE_DATA, b"")) if info.get(_INFO_SLAVE_KIND, b"")[:6] == b"bridge" else {}
    kind = string(info.get(_INFO_KIND, b""))
    bridge = attributes(info.get(_INFO_DATA, b"")) if kind == "bridge" else {}
    return SeenLink(
        ifindex=ifindex,
        name=string(seen[_IFLA_IFNAME]),
        kind=kind,
        mac=seen.get(_IFLA_ADDRESS, b"").hex(":"),
        mtu=_number(seen.get(_IFLA_MTU)),
        up=bool(flags & _IFF_UP),
        master=_number(seen.get(_IFLA_MASTER)),
        peer=_number(seen.get(_IFLA_LINK)),
        peer_elsewhere=_IFLA_LINK_NETNSID in seen,
        alias=string(seen.get(_IFLA_IFALIAS, b"")),
        promiscuous=bool(flags & _IFF_PROMISC),
        hairpin=port.get(_BRPORT_MODE, b"\0") != b"\0",
        vlan_filtering=bridge.get(_BR_VLAN_FILTERING, b"\0") != b"\0",
    )


def _seen_address(body: bytes) -> Address:
    _family, prefix, _flags, _scope, ifindex = _IFADDR.unpack_from(body)
    seen = attributes(body, 8)
    # IFA_LOCAL is ours; IFA_ADDRESS is the other side of a point-to-point link, and the only one that IPv6 has.
    return Address(ifindex, unpack(seen.get(2) or seen[1]), prefix)


def _seen_route(body: bytes) -> Route | None:
    kind, prefix, _src, _tos, table, protocol, scope, what, flags = _RTMSG.unpack_from(body)
    if what != 1:  # unicast only
        return None
    seen = attributes(body, 12)
    zero = b"\0" * (4 if kind == 2 else 16)
    metrics = attributes(seen.get(8, b""))
    return Route(
        destination=f"{unpack(seen.get(1, zero))}/{prefix}",
        ifindex=_number(seen.get(4)),
        gateway=unpack(seen[5]) if 5 in seen else "",
        source=unpack(seen[7]) if 7 in seen else "",
        metric=_number(seen.get(6)),
        mtu=_number(metrics.get(2)),
        on_link=bool(flags & _ON_LINK),
        protocol=protocol,
        advmss=_number(metrics.get(8)),
        table=_number(seen.get(15)) or table,
        scope=None if scope == (_SCOPE_LINK if kind == 2 and 5 not in seen else _SCOPE_GLOBAL) else scope,
    )


def _event(kind: int, body: bytes) -> Event | None:
    subject: SeenLink | Address | Route | None
    if kind in (_NEWLINK, _DELLINK):
        if body[0]:  # a bridge or IPv6 telling of its own view of the link
            return None
        subject = _seen_link(body)
    elif kind in (_NEWADDR, _DELADDR):
        subject = _seen_address(body)
    elif kind in (_NEWROUTE, _DELROUTE) and _RTMSG.unpack_from(body)[4] == MAIN_TABLE:
        subject = _seen_route(body)
    else:
        return None
    return None if subject is None else Event(subject, gone=bool(kind & 1))


def _number(payload: bytes | None) -> int:
    return 0 if payload is None or len(payload) < 4 else int(struct.unpack_from("=I", payload)[0])


__all__ = ["KERNEL", "RtnlEvents", "RtnlLinks", "is_there", "remove_unseen"]
