"""Objects as protobuf, for clients that ask for nothing else: the other half of `api.protobuf`.

What is absent is not written; Go reads absence and zero alike. kind and apiVersion are no fields of a message:
the envelope names them.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Iterable
from typing import Any

from api import times
from api.fields import DURATION, MICRO_TIME, NOTHING, QUANTITY, TIME, Field, IntOrString, Json, Type, fields_of
from api.protobuf import MAGIC

WATCH_PREFIX = 4  # bytes that tell an event's length
_NUMBER, _DOUBLE, _TEXT = 0, 1, 2
_MASK = (1 << 64) - 1


def encode(obj: Any) -> bytes:
    """An object in its envelope."""
    return envelope(obj.api_version, obj.kind, message(obj))


def envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    """A message with what it is; for objects, lists and Status alike."""
    named = piece(1, api_version.encode()) + piece(2, kind.encode())
    return MAGIC + piece(1, named) + piece(2, raw) + piece(3, b"") + piece(4, b"")


def collection(meta: Type, items: Iterable[bytes]) -> bytes:
    """The message of a list, whose items are messages."""
    return b"".join([piece(1, message(meta)), *(piece(2, item) for item in items)])


def watch_frame(type_: str, obj: bytes) -> bytes:
    """An event of a watch: its length, its type, and the object in its envelope."""
    event = piece(1, type_.encode()) + piece(2, piece(1, obj))
    return len(event).to_bytes(WATCH_PREFIX, "big") + event


def message(obj: Type) -> bytes:
    """An object's bare message."""
    out: list[bytes] = []
    for field, number, outer in _numbered(type(obj)):
        value = getattr(obj, field.name)
        if value is None or value is NOTHING or (not value and field.shape != "one"):
            continue
        written = _field(field, number, value)
        for step in outer:
            written = piece(step, written)
        out.append(written)
    return b"".join(out)


@functools.cache
def _numbered(cls: type[Type]) -> tuple[tuple[Field, int, tuple[int, ...]], ...]:
    """The fields that protobuf has: their numbers, and those of the messages they are embedded in, innermost first."""
    return tuple(
        (field, field.facts.path[-1], tuple(reversed(field.facts.path[:-1])))
        for field in fields_of(cls).values()
        if field.facts is not None and field.facts.path
    )


def _field(field: Field, number: int, value: Any) -> bytes:
    if field.shape == "list":
        return b"".join([_value(field.item, number, item) for item in value])
    if field.shape == "map":
        pairs = sorted(value.items())
        return b"".join([piece(number, piece(1, key.encode()) + _one(field, 2, item)) for key, item in pairs])
    return _one(field, number, value)


def _one(field: Field, number: int, value: Any) -> bytes:
    facts = field.facts
    if facts is not None and facts.either and field.struct is not None:
        return piece(number, _either(facts.either, value))
    return _value(field.item, number, value)


def _either(what: str, value: Any) -> bytes:
    """A struct or what stands in its place, in a message that has one of both."""
    if what == "bool":
        return b"\x08\x01" + piece(2, message(value)) if isinstance(value, Type) else bytes((8, bool(value)))
    if isinstance(value, Type):
        return piece(1, message(value))
    return b"".join([piece(2, one.encode() if isinstance(one, str) else message(one)) for one in value])


def _value(item: Any, number: int, value: Any) -> bytes:
    if item is str:
        return piece(number, value.encode())
    if item is int or item is bool:
        return _varint(number << 3 | _NUMBER) + _varint(int(value) & _MASK)
    if isinstance(value, Type):
        return piece(number, message(value))
    if item is float:
        return _varint(number << 3 | _DOUBLE) + struct.pack("<d", value)
    if item is bytes:
        return piece(number, bytes(value))
    return piece(number, _special(item, value))


def _special(item: Any, value: Any) -> bytes:
    if item is TIME or item is MICRO_TIME:
        return _time(value)
    if item is QUANTITY:
        return piece(1, str(value).encode())
    if item is DURATION:
        return b"\x08" + _varint(round(float(value.removesuffix("s")) * 1e9))
    if item == IntOrString:
        if isinstance(value, str):
            return b"\x08\x01\x10\x00" + piece(3, value.encode())
        return b"\x08\x00\x10" + _varint(value & _MASK) + b"\x1a\x00"
    if item == list[str]:  # a message of its own that only holds the texts
        return b"".join([piece(1, text.encode()) for text in value])
    return piece(1, bytes(value)) if item is Json else bytes(value)


def _time(text: str) -> bytes:
    if not text:
        return b""
    micros = round(times.parse_time(text) * 1_000_000)
    seconds, rest = divmod(micros, 1_000_000)
    return b"\x08" + _varint(seconds & _MASK) + b"\x10" + _varint(rest * 1000)


def piece(number: int, value: bytes) -> bytes:
    """A field of bytes: a text, a message."""
    return _varint(number << 3 | _TEXT) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
