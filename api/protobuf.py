"""Protobuf bodies, as generated clients (kubectl create, controllers) send them.

The message is read straight into our types: their declarations carry the field numbers, so there is no schema beside
them. A body is the envelope: four magic bytes and a message that names apiVersion and kind and holds the object.

Go writes the zero of every field that is no pointer; such a zero means absence, and is dropped here.
"""

import functools
import math
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeVar

from api import codec, times
from api.codec import DecodeError
from api.fields import DURATION, MICRO_TIME, NOTHING, QUANTITY, TIME, Field, IntOrString, Json, Nothing, Type, fields_of
from api.kinds import Kind

T = TypeVar("T", bound=Type)

MAGIC = b"k8s\0"
CONTENT_TYPE = "application/vnd.kubernetes.protobuf"

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DOUBLE = struct.Struct("<d")
_WHOLE = 1e15


class ProtobufError(DecodeError):
    """Bytes that are not the message they should be."""


class Envelope(NamedTuple):
    """An object on the wire: what it says it is, and its message."""

    api_version: str
    kind: str
    raw: bytes


def open_envelope(data: bytes) -> Envelope:
    """What a body holds; nothing in it is decoded yet."""
    if not data.startswith(MAGIC):
        raise ProtobufError("cannot read protobuf body: it does not start with the envelope's magic bytes")
    api_version, kind, raw = "", "", b""
    for number, value in _fields(data[len(MAGIC) :]):
        if number == 1:
            for inner, text in _fields(_expect_bytes(value)):
                if inner == 1:
                    api_version = _text(text)
                elif inner == 2:
                    kind = _text(text)
        elif number == 2:
            raw = _expect_bytes(value)
    return Envelope(api_version, kind, raw)


def decode(what: Kind[T] | type[T], data: bytes) -> T:
    """The object in a body; kind and apiVersion are those that the envelope names, for the caller to check."""
    envelope = open_envelope(data)
    obj = decode_message(what.type if isinstance(what, Kind) else what, envelope.raw)
    if hasattr(obj, "api_version") and hasattr(obj, "kind"):
        obj.api_version, obj.kind = envelope.api_version, envelope.kind
    return obj


def decode_message(cls: type[T], raw: bytes) -> T:
    """The object in a bare message."""
    obj = cls()
    _fill(obj, _layout(cls), raw)
    return obj


_Layout = dict[int, "Field | _Layout"]


@functools.cache
def _layout(cls: type[Type]) -> _Layout:
    """The fields of a type by number; an embedded message is a table of its own, filled into the same object."""
    layout: _Layout = {}
    for field in fields_of(cls).values():
        if field.facts is None or not field.facts.path:
            continue
        *outer, number = field.facts.path
        table = layout
        for step in outer:
            inner = table.setdefault(step, {})
            assert isinstance(inner, dict)
            table = inner
        table[number] = field
    return layout


def _fill(obj: Type, layout: _Layout, raw: bytes) -> None:
    for number, value in _fields(raw):
        entry = layout.get(number)
        if entry is None:
            continue
        if isinstance(entry, dict):
            _fill(obj, entry, _expect_bytes(value))
        elif entry.shape == "list":
            _extend(getattr(obj, entry.name), entry, value)
        elif entry.shape == "map":
            key, item = _map_entry(entry, _expect_bytes(value))
            getattr(obj, entry.name)[key] = item
        else:
            _set(obj, entry, _item(entry, value))


def _item(field: Field, value: int | bytes) -> Any:
    facts = field.facts
    if facts is not None and facts.either and field.struct is not None:
        return _either(facts.either, field.struct, _expect_bytes(value))
    return _value(field.item, value)


def _either(what: str, cls: type[Type], raw: bytes) -> Any:
    """A struct or what stands in its place: a message that has one of both."""
    parts = list(_fields(raw))
    if what == "bool":  # 1 is the bool, and true beside the struct; 2 the struct
        found = next((value for number, value in parts if number == 2), None)
        if found is None:
            return any(number == 1 and value for number, value in parts)
        return decode_message(cls, _expect_bytes(found))
    found = next((value for number, value in parts if number == 1), None)  # 1 is the struct, 2 the list
    if found is not None:
        return decode_message(cls, _expect_bytes(found))
    others = [_expect_bytes(value) for number, value in parts if number == 2]
    return [_text(one) if what == "strings" else decode_message(cls, one) for one in others]


def _set(obj: Type, field: Field, value: Any) -> None:
    explicit = field.facts is not None and field.facts.explicit
    absent = value is None or (field.struct is None and value in (0, "", b"") and not explicit)
    if not absent:
        setattr(obj, field.name, value)


def _extend(items: list[Any], field: Field, value: int | bytes) -> None:
    if field.item in (int, bool) and isinstance(value, bytes):  # packed
        position = 0
        while position < len(value):
            number, position = _varint(value, position)
            items.append(_value(field.item, number))
        return
    items.append(_item(field, value))


def _map_entry(field: Field, raw: bytes) -> tuple[str, Any]:
    key, item = "", _item(field, b"")
    for number, value in _fields(raw):
        if number == 1:
            key = _text(value)
        elif number == 2:
            item = _item(field, value)
    return key, item


def _value(item: Any, value: int | bytes) -> Any:
    """One value of the type `item` from its form on the wire; None if it is an empty time."""
    if item is int or item is bool:
        if not isinstance(value, int):
            raise ProtobufError("cannot read protobuf message: a number is written as text")
        return bool(value) if item is bool else _signed(value)
    raw = _expect_bytes(value)
    if item is float:
        return _number(raw)
    if item is str:
        return _text(raw)
    if item is bytes:
        return raw
    if item is TIME or item is MICRO_TIME:
        return _time(raw, micro=item is MICRO_TIME)
    if item is QUANTITY:
        return next((_text(text) for number, text in _fields(raw) if number == 1), "0")
    if item is DURATION:
        nanos = next((number for field, number in _fields(raw) if field == 1 and isinstance(number, int)), 0)
        return f"{_signed(nanos) / 1e9:g}s"
    if item == IntOrString:
        return _int_or_string(raw)
    if item == list[str]:  # a message of its own that only holds the texts
        return [_text(text) for number, text in _fields(raw) if number == 1]
    if item is Json:
        return _json(next((_expect_bytes(json) for number, json in _fields(raw) if number == 1), b""))
    return decode_message(item, raw)


def _number(raw: bytes) -> int | float:
    """A double; whole numbers as such, as JSON shows them."""
    if len(raw) != _DOUBLE.size:
        raise ProtobufError("cannot read protobuf message: a number has a wrong length")
    number: float = _DOUBLE.unpack(raw)[0]
    if not math.isfinite(number):
        raise ProtobufError("cannot read protobuf message: a number is none")
    return int(number) if number.is_integer() and abs(number) < _WHOLE else number


def _json(raw: bytes) -> Json | Nothing:
    """JSON that will stand in the middle of other JSON, so it had better be some."""
    if not raw:
        return NOTHING
    try:
        codec.parse(raw)
    except DecodeError as error:
        raise ProtobufError(f"cannot read protobuf message: a part that is JSON: {error}") from error
    return Json(raw)


def _time(raw: bytes, *, micro: bool) -> str | None:
    parts = {number: value for number, value in _fields(raw) if isinstance(value, int)}
    seconds, nanos = _signed(parts.get(1, 0)), _signed(parts.get(2, 0))
    if not seconds and not nanos:
        return None
    try:
        return times.format_micro_time(seconds + nanos // 1000 / 1e6) if micro else times.format_time(seconds)
    except OverflowError as error:
        raise ProtobufError(f"cannot read protobuf message: a time is out of range: {seconds}") from error


def _int_or_string(raw: bytes) -> int | str:
    parts = dict(_fields(raw))
    if parts.get(1):
        return _text(parts.get(3, b""))
    number = parts.get(2, 0)
    return _signed(number) if isinstance(number, int) else 0


def _text(value: int | bytes) -> str:
    try:
        return _expect_bytes(value).decode()
    except UnicodeDecodeError as error:
        raise ProtobufError("cannot read protobuf message: a text is not UTF-8") from error


def _expect_bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ProtobufError("cannot read protobuf message: a number where a message or text belongs")
    return value


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers and values in the order of the wire; a value is a number or bytes by its wire type."""
    position, end = 0, len(raw)
    while position < end:
        tag, position = _varint(raw, position)
        wire, number = tag & 7, tag >> 3
        if wire == _VARINT:
            value, position = _varint(raw, position)
            yield number, value
            continue
        if wire == _BYTES:
            size, position = _varint(raw, position)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise ProtobufError(f"cannot read protobuf message: wire type {wire} is unknown")
        if position + size > end:
            raise ProtobufError("cannot read protobuf message: it is cut off")
        yield number, raw[position : position + size]
        position += size


def _varint(raw: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        if position >= len(raw):
            raise ProtobufError("cannot read protobuf message: it is cut off")
        if shift > 63:
            raise ProtobufError("cannot read protobuf message: a number has more than 64 bits")
        byte = raw[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFFFFFFFFFFFFFF, position
        shift += 7
