"""Hears that links, addresses, routes, neighbours or forwarding entries changed: enough to know when to look again."""

import socket
import struct
from typing import NamedTuple

from linux.netlink import Connection, attributes, string

LINK, ADDRESS, ROUTE, NEIGHBOUR, LOST = "link", "address", "route", "neighbour", "lost"
_GROUPS = 0x1 | 0x4 | 0x10 | 0x40 | 0x100 | 0x400  # links, neighbours; addresses and routes of both families
_KINDS = {16: LINK, 17: LINK, 20: ADDRESS, 21: ADDRESS, 24: ROUTE, 25: ROUTE, 28: NEIGHBOUR, 29: NEIGHBOUR}
_DST, _OIF = 1, 4
_SCOPE_LINK = 253
_MAIN = 254  # the table of routes
_LINK_LOCAL = b"\xfe\x80"


class Change(NamedTuple):
    """Something of this kind changed on this link. LOST: there was more than could be told."""

    kind: str
    ifindex: int = 0
    gone: bool = False


class Watch:
    """The changes in the namespace that the calling thread is in, from now on.

    Those of pods' own links are left out, and link-local addresses with their routes, which each of them gets.
    """

    def __init__(self) -> None:
        self._kernel = Connection(groups=_GROUPS)

    def fileno(self) -> int:
        """To wait on until there is something to read."""
        return self._kernel.fileno()

    def read(self) -> list[Change]:
        """What happened since, without waiting."""
        return self._kernel.news(_change, Change(LOST))

    def close(self) -> None:
        """Stop listening."""
        self._kernel.close()


def _change(number: int, body: bytes) -> Change | None:
    kind, gone = _KINDS.get(number), bool(number & 1)
    if kind == LINK:
        ifindex = struct.unpack_from("=i", body, 4)[0]
        info = attributes(attributes(body, 16).get(18, b""))
        if body[0] or string(info.get(1, b"")) == "veth":
            return None
        return Change(LINK, ifindex, gone)
    if kind == ADDRESS:
        return Change(ADDRESS, struct.unpack_from("=I", body, 4)[0], gone) if body[3] != _SCOPE_LINK else None
    if kind == ROUTE:
        if body[4] != _MAIN:
            return None
        info = attributes(body, 12)
        if body[0] == socket.AF_INET6 and info.get(_DST, b"").startswith(_LINK_LOCAL):
            return None
        return Change(ROUTE, struct.unpack("=I", info.get(_OIF, b"\0\0\0\0"))[0], gone)
    if kind == NEIGHBOUR:
        return Change(NEIGHBOUR, struct.unpack_from("=i", body, 4)[0], gone)
    return None
