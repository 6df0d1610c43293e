"""The other half of api.protobuf, for tests: it writes what the product only reads."""

import struct
from typing import Any

from api import times
from api.fields import MICRO_TIME, NOTHING, QUANTITY, TIME, Field, IntOrString, Type, fields_of


def body(obj: Any) -> bytes:
    """An object in its envelope."""
    meta = _bytes(1, obj.api_version.encode()) + _bytes(2, obj.kind.encode())
    return b"k8s\0" + _bytes(1, meta) + _bytes(2, message(obj))


def message(obj: Type) -> bytes:
    """An object's message; fields of embedded messages are written one by one, which is the same."""
    out = b""
    for field in fields_of(type(obj)).values():
        value = getattr(obj, field.name)
        if field.facts is None or not field.facts.path or value in (None, NOTHING):
            continue
        *outer, number = field.facts.path
        written = b"".join(_field(field, number, item) for item in _items(field, value))
        for step in reversed(outer):
            written = _bytes(step, written) if written else b""
        out += written
    return out


def _items(field: Field, value: Any) -> list[Any]:
    if field.shape == "list":
        return list(value)
    return list(value.items()) if field.shape == "map" else [value]


def _field(field: Field, number: int, value: Any) -> bytes:
    if field.shape == "map":
        return _bytes(number, _bytes(1, value[0].encode()) + _value(field, 2, value[1]))
    return _value(field, number, value)


def _value(field: Field, number: int, value: Any) -> bytes:
    item = field.item
    if field.facts is not None and field.facts.either and field.struct is not None:
        return _bytes(number, _either(field.facts.either, value))
    if item is float:
        return varint(number << 3 | 1) + struct.pack("<d", value)
    if item in (int, bool):
        return varint(number << 3) + varint(int(value) & 0xFFFFFFFFFFFFFFFF)
    if item is str:
        return _bytes(number, value.encode())
    if item is bytes:
        return _bytes(number, value)
    if item in (TIME, MICRO_TIME):
        seconds = times.parse_time(value)
        nanos = round(seconds % 1 * 1e6) * 1000
        return _bytes(number, b"\x08" + varint(int(seconds // 1)) + b"\x10" + varint(nanos))
    if item == list[str]:
        return _bytes(number, b"".join(_bytes(1, text.encode()) for text in value))
    if item is QUANTITY:
        return _bytes(number, _bytes(1, value.encode()))
    if item == IntOrString:
        inner = b"\x08\x01" + _bytes(3, value.encode()) if isinstance(value, str) else b"\x10" + varint(value)
        return _bytes(number, inner)
    if isinstance(value, Type):
        return _bytes(number, message(value))
    return _bytes(number, _bytes(1, bytes(value)))


def _either(what: str, value: Any) -> bytes:
    """A struct or what stands in its place."""
    if isinstance(value, Type):
        return (b"\x08\x01" + _bytes(2, message(value))) if what == "bool" else _bytes(1, message(value))
    if what == "bool":
        return b"\x08" + varint(int(value))
    return b"".join(_bytes(2, one.encode() if what == "strings" else message(one)) for one in value)


def _bytes(number: int, value: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value: int) -> bytes:
    """A number as the wire has it."""
    out = b""
    while value > 0x7F:
        out += struct.pack("B", value & 0x7F | 0x80)
        value >>= 7
    return out + struct.pack("B", value)
