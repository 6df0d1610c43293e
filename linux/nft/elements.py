"""Packs the elements of sets and maps, and reads keys back: the hot path.

An element is LIST_ELEM{ KEY{ VALUE } DATA{ VALUE } }: for keys and data of fixed size all but the values is constant,
so an element is three slices joined, and a service with fifty endpoints is one join. A message carries at most 64 KiB
of elements.
"""

import struct
from collections.abc import Iterable

from linux.nft import wire
from linux.nft.wire import NESTED, attrs, iterate, nest, text, u32, u64

_LIST, _KEY, _DATA, _VALUE = 1, 1, 2, 1
_TIMEOUT, _EXPIRATION = 4, 5
_HEAD = struct.Struct("=HHHHHH")
_MIDDLE = struct.Struct("=HHHH")
_ROOM = wire.MAX_NESTED - 4


class Format:
    """Packs elements of one set: keys of `key` bytes, data of `data` bytes (0: a set). Sizes are multiples of four."""

    __slots__ = ("_bare", "_head", "_middle", "_numbers", "size")

    def __init__(self, key: int, data: int = 0) -> None:
        body = (key + 8) + (data + 8 if data else 0)
        self.size = body + 4
        self._head = _HEAD.pack(body + 4, _LIST | NESTED, key + 8, _KEY | NESTED, key + 4, _VALUE)
        self._bare = _HEAD.pack(key + 12, _LIST | NESTED, key + 8, _KEY | NESTED, key + 4, _VALUE)
        self._middle = _MIDDLE.pack(data + 8, _DATA | NESTED, data + 4, _VALUE) if data else b""
        self._numbers: list[bytes] = []

    def element(self, key: bytes, data: bytes = b"") -> bytes:
        """One element to add."""
        return self._head + key + self._middle + data

    def bare(self, key: bytes) -> bytes:
        """One element to delete: the key alone."""
        return self._bare + key

    def numbered(self, prefix: bytes, data: list[bytes]) -> bytes:
        """Elements with the keys prefix . 0, prefix . 1, ...: one join for a whole service."""
        count = len(data)
        while len(self._numbers) < count:
            self._numbers.append(struct.pack("=I", len(self._numbers)) + self._middle)
        parts = [self._head + prefix] * (3 * count)
        parts[1::3] = self._numbers[:count]
        parts[2::3] = data
        return b"".join(parts)


def goto_element(key: bytes, chain: str) -> bytes:
    """An element of a verdict map: go to a chain."""
    verdict = nest(2, u32(1, -4), text(2, chain))
    return nest(_LIST, nest(_KEY, wire.attr(_VALUE, key)), nest(_DATA, verdict))


def expiring_element(key: bytes, data: bytes, timeout_ms: int, left_ms: int) -> bytes:
    """An element that has `left_ms` of its `timeout_ms` still to live."""
    value = nest(_KEY, wire.attr(_VALUE, key)) + nest(_DATA, wire.attr(_VALUE, data))
    return nest(_LIST, value, u64(_TIMEOUT, timeout_ms), u64(_EXPIRATION, max(left_ms, 1)))


def keys(elements: bytes) -> set[bytes]:
    """The keys of packed elements. Those of equal form are only cut out: thirty times as fast as to read each."""
    head = elements[: _HEAD.size]
    if len(head) < _HEAD.size:
        return set()
    size, _, _, _, value, _ = _HEAD.unpack(head)
    starts, end = range(0, len(elements), (size + 3) & ~3), _HEAD.size + value - 4
    if {elements[start : start + _HEAD.size] for start in starts} == {head}:
        return {elements[start + _HEAD.size : start + end] for start in starts}
    return {attrs(attrs(one).get(_KEY, b"")).get(_VALUE, b"") for _, one in iterate(elements)}


class Batch:
    """Makes messages that add or delete elements of one set."""

    __slots__ = ("_family", "_flags", "_kind", "_set")

    def __init__(self, family: int, table: str, set_name: str, *, delete: bool = False) -> None:
        self._family = family
        self._kind = wire.SUBSYSTEM | (wire.DEL_ELEMENT if delete else wire.NEW_ELEMENT)
        self._flags = wire.F_REQUEST | (0 if delete else wire.F_CREATE)
        self._set = text(1, table) + text(2, set_name)

    def uniform(self, elements: bytes, size: int) -> Iterable[bytes]:
        """Messages for joined elements of equal size."""
        step = _ROOM // size * size
        for start in range(0, len(elements), step):
            yield self.message(elements[start : start + step])

    def mixed(self, elements: Iterable[bytes]) -> Iterable[bytes]:
        """Messages for elements of any size."""
        pending: list[bytes] = []
        room = _ROOM
        for element in elements:
            if len(element) > room:
                yield self.message(b"".join(pending))
                pending, room = [], _ROOM
            pending.append(element)
            room -= len(element)
        if pending:
            yield self.message(b"".join(pending))

    def message(self, elements: bytes) -> bytes:
        """One message; the elements fit in it."""
        size = len(elements)
        head = wire.HEADER.pack(24 + len(self._set) + size, self._kind, self._flags, 0, 0, self._family, 0, 0)
        return head + self._set + struct.pack("=HH", size + 4, 3 | NESTED) + elements
