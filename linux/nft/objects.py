"""Messages that make and remove tables, chains, rules and sets."""

from typing import NamedTuple

from linux.nft import wire
from linux.nft.wire import attr, message, nest, text, u32, u64

PREROUTING, INPUT, FORWARD, OUTPUT, POSTROUTING = range(5)
PRIORITY_RAW, PRIORITY_DNAT, PRIORITY_SNAT = -300, -100, 100  # the first sees what a Service's address was

SET_MAP, SET_TIMEOUT, SET_DYNAMIC = 0x8, 0x10, 0x20
DATA_VERDICT = 0xFFFFFF00

# Data types as the nft program numbers them; the kernel only stores them.
T_INTEGER, T_IPV4, T_IPV6, T_ETHER, T_PROTOCOL, T_PORT, T_MARK, T_IFNAME = 4, 7, 8, 9, 12, 13, 19, 41


def concatenated(*types: int) -> int:
    """The data type of several fields in one key."""
    result = 0
    for one in types:
        result = result << 6 | one
    return result


class Set(NamedTuple):
    """A set (data None) or map as it is to be made. `data_type` DATA_VERDICT makes a verdict map."""

    name: str
    key_type: int
    fields: tuple[int, ...]  # length of each field of the key, padded to four bytes
    data_type: int | None = None
    data_size: int = 0
    size: int | None = None
    flags: int = 0
    timeout_ms: int = 0
    userdata: bytes = b""


def new_table(family: int, table: str) -> bytes:
    """Make a table; one that exists stays as it is."""
    return message(wire.NEW_TABLE, wire.F_CREATE, family, text(1, table), u32(2, 0))


def delete_table(family: int, table: str) -> bytes:
    """Remove a table and all in it; it must exist."""
    return message(wire.DEL_TABLE, 0, family, text(1, table))


def destroy_table(family: int, table: str) -> bytes:
    """Remove a table that may or may not exist (DESTROYTABLE needs Linux 6.3; this works with all)."""
    return new_table(family, table) + delete_table(family, table)


def new_chain(family: int, table: str, chain: str) -> bytes:
    """Make a chain that others jump to."""
    return message(wire.NEW_CHAIN, wire.F_CREATE, family, text(1, table), text(3, chain))


def new_base_chain(family: int, table: str, chain: str, hook: int, priority: int, kind: str = "nat") -> bytes:
    """Make a chain that the kernel calls; policy accept."""
    where = nest(4, u32(1, hook), u32(2, priority))
    parts = (text(1, table), text(3, chain), where, u32(5, 1), text(7, kind))
    return message(wire.NEW_CHAIN, wire.F_CREATE, family, *parts)


def delete_chain(family: int, table: str, chain: str) -> bytes:
    """Remove a chain with its rules; nothing may refer to it."""
    return message(wire.DEL_RULE, 0, family, text(1, table), text(2, chain)) + message(
        wire.DEL_CHAIN, 0, family, text(1, table), text(3, chain)
    )


def new_rule(family: int, table: str, chain: str, *expressions: bytes) -> bytes:
    """Append a rule."""
    parts = (text(1, table), text(2, chain), nest(4, *expressions))
    return message(wire.NEW_RULE, wire.F_CREATE | wire.F_APPEND, family, *parts)


def new_set(family: int, table: str, wanted: Set, identity: int) -> bytes:
    """Make a set or map; `identity` is unique in its transaction."""
    flags = wanted.flags
    if wanted.data_type is not None:
        flags |= SET_MAP
    parts = [text(1, table), text(2, wanted.name), u32(3, flags), u32(4, wanted.key_type), u32(5, sum(wanted.fields))]
    if wanted.data_type is not None:
        parts.append(u32(6, wanted.data_type))
        if wanted.data_size:
            parts.append(u32(7, wanted.data_size))
    if wanted.size is not None:
        parts.append(nest(9, u32(1, wanted.size)))
    parts.append(u32(10, identity))
    if wanted.timeout_ms:
        parts.append(u64(11, wanted.timeout_ms))
    if wanted.userdata:
        parts.append(attr(13, wanted.userdata))
    return message(wire.NEW_SET, wire.F_CREATE, family, *parts)
