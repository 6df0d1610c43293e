"""VXLAN links over rtnetlink, and their forwarding entries: behind which host a MAC address is to be found.

A link belongs to one family of the network beneath it: hosts with IPv4 and IPv6 addresses are reached over two links. Nothing
is learned from traffic; whoever makes the link writes the entries. The numbers are the kernel's (linux/if_link.h, neighbour.h).
"""

import struct
from typing import NamedTuple

from linux.links import family, pack, unpack
from linux.netlink import (
    CREATE,
    EXCLUSIVE,
    REPLACE,
    Connection,
    NotFound,
    attribute,
    attributes,
    nested,
    string,
    text,
    u32,
)

_NEWLINK, _GETLINK = 16, 18
_NEWNEIGH, _DELNEIGH, _GETNEIGH = 28, 29, 30
_IFINFO = struct.Struct("=BBHiII")
_NDMSG = struct.Struct("=BBHiHBB")
_IFF_UP = 1
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_LINKINFO = 1, 3, 4, 18
_INFO_KIND, _INFO_DATA = 1, 2
_ID, _LOCAL, _LEARNING, _PORT, _LOCAL6 = 1, 4, 7, 15, 17
_BRIDGE = 7  # AF_BRIDGE: the family of forwarding entries
_PERMANENT, _SELF = 0x80, 0x2
_DESTINATION, _MAC = 1, 2


class Vxlan(NamedTuple):
    """A link: its network's number, the UDP port, and our address that packets come from."""

    name: str
    vni: int
    port: int
    local: str
    mac: str
    mtu: int


class Entry(NamedTuple):
    """Frames for this MAC go to the host with this address."""

    ifindex: int
    mac: str
    host: str


class Vxlans:
    """The VXLAN links of the namespace that the calling thread is in."""

    def __init__(self, kernel: Connection | None = None) -> None:
        self._kernel = kernel or Connection()

    def close(self) -> None:
        """Let the namespace go."""
        self._kernel.close()

    def links(self) -> dict[int, Vxlan]:
        """All of them, by number."""
        body = _IFINFO.pack(0, 0, 0, 0, 0, 0) + nested(_IFLA_LINKINFO, text(_INFO_KIND, "vxlan"))
        found = (_seen(one) for one in self._kernel.dump("list VXLAN links", _GETLINK, body))
        return {ifindex: link for ifindex, link in found if link is not None}

    def add(self, link: Vxlan) -> None:
        """Make a link, and let it come up; AlreadyExists if the name is taken."""
        local = attribute(_LOCAL if family(link.local) == 2 else _LOCAL6, pack(link.local))
        data = nested(
            _INFO_DATA,
            u32(_ID, link.vni),
            local,
            attribute(_LEARNING, b"\0"),
            attribute(_PORT, struct.pack(">H", link.port)),
        )
        body = _IFINFO.pack(0, 0, 0, 0, _IFF_UP, _IFF_UP) + text(_IFLA_IFNAME, link.name) + u32(_IFLA_MTU, link.mtu)
        body += attribute(_IFLA_ADDRESS, bytes.fromhex(link.mac.replace(":", "")))
        body += nested(_IFLA_LINKINFO, text(_INFO_KIND, "vxlan"), data)
        self._kernel.change(f"make VXLAN link {link.name}", _NEWLINK, CREATE | EXCLUSIVE, body)

    def entries(self) -> list[Entry]:
        """The permanent forwarding entries that name a host."""
        found = []
        for body in self._kernel.dump("list forwarding entries", _GETNEIGH, _NDMSG.pack(_BRIDGE, 0, 0, 0, 0, 0, 0)):
            _family, _1, _2, ifindex, state, _flags, _type = _NDMSG.unpack_from(body)
            seen = attributes(body, 12)
            if state & _PERMANENT and _DESTINATION in seen and _MAC in seen:
                found.append(Entry(ifindex, seen[_MAC].hex(":"), unpack(seen[_DESTINATION])))
        return found

    def set_entry(self, entry: Entry) -> None:
        """Make an entry, in place of another for the same MAC."""
        body = _entry_body(entry) + attribute(_DESTINATION, pack(entry.host))
        self._kernel.change(f"set forwarding entry {entry.mac}", _NEWNEIGH, CREATE | REPLACE, body)

    def remove_entry(self, entry: Entry) -> bool:
        """Remove an entry; False if there was none."""
        try:
            self._kernel.change(f"remove forwarding entry {entry.mac}", _DELNEIGH, 0, _entry_body(entry))
        except NotFound:
            return False
        return True


def _entry_body(entry: Entry) -> bytes:
    head = _NDMSG.pack(_BRIDGE, 0, 0, entry.ifindex, _PERMANENT, _SELF, 0)
    return head + attribute(_MAC, bytes.fromhex(entry.mac.replace(":", "")))


def _seen(body: bytes) -> tuple[int, Vxlan | None]:
    ifindex = _IFINFO.unpack_from(body)[3]
    seen = attributes(body, 16)
    info = attributes(seen.get(_IFLA_LINKINFO, b""))
    if string(info.get(_INFO_KIND, b"")) != "vxlan":
        return ifindex, None
    data = attributes(info.get(_INFO_DATA, b""))
    local = data.get(_LOCAL) or data.get(_LOCAL6)
    return ifindex, Vxlan(
        name=string(seen[_IFLA_IFNAME]),
        vni=struct.unpack("=I", data[_ID])[0],
        port=struct.unpack(">H", data[_PORT][:2])[0],
        local=unpack(local) if local else "",
        mac=seen.get(_IFLA_ADDRESS, b"").hex(":"),
        mtu=struct.unpack("=I", seen[_IFLA_MTU])[0],
    )
