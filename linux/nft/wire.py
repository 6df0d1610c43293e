"""Packs and unpacks nf_tables netlink messages.

An attribute is length, type, value, padded to four bytes. Numbers in attributes are big-endian; what is loaded into a
register (set keys, compare values) is as the packet or the kernel has it. Registers are 32 bits wide here: R0, R0 + 1...
"""

import socket
import struct
from collections.abc import Iterator

NESTED = 0x8000
TYPE_MASK = 0x3FFF
MAX_NESTED = 65528  # an attribute's length has 16 bits

SUBSYSTEM = 10 << 8  # NFNL_SUBSYS_NFTABLES
BATCH_BEGIN, BATCH_END = 0x10, 0x11
MSG_ERROR, MSG_DONE = 2, 3

(
    NEW_TABLE,
    GET_TABLE,
    DEL_TABLE,
    NEW_CHAIN,
    GET_CHAIN,
    DEL_CHAIN,
    NEW_RULE,
    GET_RULE,
    DEL_RULE,
    NEW_SET,
    GET_SET,
    DEL_SET,
    NEW_ELEMENT,
    GET_ELEMENT,
    DEL_ELEMENT,
    NEW_GENERATION,
    GET_GENERATION,
) = range(17)

F_REQUEST, F_ACK, F_DUMP = 0x1, 0x4, 0x300
F_EXCLUSIVE, F_CREATE, F_APPEND = 0x200, 0x400, 0x800

INET4, BRIDGE, INET6 = 2, 7, 10  # NFPROTO_IPV4, NFPROTO_BRIDGE, NFPROTO_IPV6

HEADER = struct.Struct("=IHHIIBBH")  # nlmsghdr (length, type, flags, sequence, port) and nfgenmsg (family, version, id)
_ATTR = struct.Struct("=HH")
_U32 = struct.Struct("=HHI")


def attr(kind: int, value: bytes) -> bytes:
    """One attribute."""
    size = 4 + len(value)
    return _ATTR.pack(size, kind) + value + b"\0" * (-size & 3)


def nest(kind: int, *parts: bytes) -> bytes:
    """An attribute that holds attributes."""
    body = b"".join(parts)
    return _ATTR.pack(4 + len(body), kind | NESTED) + body


def u8(kind: int, value: int) -> bytes:
    """An attribute of one byte."""
    return attr(kind, bytes((value,)))


def u32(kind: int, value: int) -> bytes:
    """An attribute of 32 bits."""
    return _U32.pack(8, kind, socket.htonl(value & 0xFFFFFFFF))


def u64(kind: int, value: int) -> bytes:
    """An attribute of 64 bits."""
    return _ATTR.pack(12, kind) + value.to_bytes(8, "big")


def text(kind: int, value: str) -> bytes:
    """An attribute with a C string."""
    return attr(kind, value.encode() + b"\0")


def message(kind: int, flags: int, family: int, *parts: bytes) -> bytes:
    """One nf_tables message; its sequence number is set when it is sent."""
    body = b"".join(parts)
    return HEADER.pack(20 + len(body), SUBSYSTEM | kind, flags | F_REQUEST, 0, 0, family, 0, 0) + body


def batch(kind: int) -> bytes:
    """The message that begins or ends a transaction."""
    return HEADER.pack(20, kind, F_REQUEST, 0, 0, 0, 0, socket.htons(10))


def attrs(data: bytes, offset: int = 0) -> dict[int, bytes]:
    """The attributes of a message body by type; of repeated ones the last."""
    return dict(iterate(data, offset))


def iterate(data: bytes, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """Attributes in order, cut off where a length makes no sense."""
    end = len(data)
    while offset + 4 <= end:
        size, kind = _ATTR.unpack_from(data, offset)
        if size < 4 or offset + size > end:
            return
        yield kind & TYPE_MASK, data[offset + 4 : offset + size]
        offset += (size + 3) & ~3


def string(value: bytes | None) -> str:
    """A C string."""
    return value.rstrip(b"\0").decode(errors="replace") if value else ""


def number(value: bytes | None) -> int:
    """A big-endian number."""
    return int.from_bytes(value, "big") if value else 0
