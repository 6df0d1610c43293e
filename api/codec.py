"""JSON to typed objects and back, by the rules of Go's decoder: null is absence, unknown fields are dropped."""

import functools
import re
from typing import Any, TypeVar

import msgspec

from api import strict
from api.fields import MICRO_TIME, QUANTITY, TIME, Field, Json, Special, Type, fields_of
from api.kinds import Kind

T = TypeVar("T", bound=Type)

_encoder = msgspec.json.Encoder()
_LOCATED = re.compile(r"(?P<what>.*) - at `\$\.?(?P<where>.*)`$")


class DecodeError(ValueError):
    """Data that is not the object it should be; `field` is the path of the first wrong field, if known."""

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


def decode(what: Kind[T] | type[T], data: bytes) -> T:
    """The object in `data`; nulls are tolerated, unknown fields pruned."""
    cls = what.type if isinstance(what, Kind) else what
    try:
        obj: T = _decoder(cls).decode(data)
        return obj
    except msgspec.ValidationError:
        pass  # most likely a null or a quantity written as a number: the slow path knows
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DecodeError(f"cannot decode {cls.__name__}: {error}") from error
    except RecursionError as error:
        raise DecodeError(f"cannot decode {cls.__name__}: it is nested too deeply") from error
    return _decode_loosely(cls, data)


def parse(data: bytes) -> Any:
    """The plain data in JSON text."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DecodeError(f"cannot read JSON: {error}") from error
    except RecursionError as error:
        raise DecodeError("cannot read JSON: it is nested too deeply") from error


def encode(obj: Type) -> bytes:
    """The JSON of an object: kind, apiVersion and metadata first."""
    return _encoder.encode(obj)


def from_dict(what: Kind[T] | type[T], value: Any) -> T:
    """The object in plain JSON-able data."""
    return decode(what, _encoder.encode(value))


def to_dict(obj: Type) -> dict[str, Any]:
    """The object as plain JSON-able data, as patches want it."""
    value: dict[str, Any] = msgspec.json.decode(_encoder.encode(obj))
    return value


def strict_problems(what: Kind[Any] | type[Type], data: bytes) -> list[str]:
    """Unknown and duplicate fields in `data`, in upstream's words and the order of their appearance."""
    return strict.problems(what.type if isinstance(what, Kind) else what, data)


def strict_message(problems: list[str]) -> str:
    """The text with which fieldValidation=Strict refuses an object."""
    return "strict decoding error: " + ", ".join(problems)


@functools.cache
def _decoder(cls: type[T]) -> msgspec.json.Decoder[T]:
    return msgspec.json.Decoder(cls)


def _decode_loosely(cls: type[T], data: bytes) -> T:
    try:
        value = msgspec.json.decode(data)
        obj: T = _decoder(cls).decode(_encoder.encode(_loosened(cls, value)))
        return obj
    except RecursionError as error:
        raise DecodeError(f"cannot decode {cls.__name__}: it is nested too deeply") from error
    except UnicodeDecodeError as error:
        raise DecodeError(f"cannot decode {cls.__name__}: {error}") from error
    except msgspec.DecodeError as error:
        located = _LOCATED.match(str(error))
        if located is None or not located["where"]:
            raise DecodeError(f"cannot decode {cls.__name__}: {error}") from error
        what, where = located["what"].replace("`", ""), located["where"]
        raise DecodeError(f"cannot decode {cls.__name__}: {where}: {what[0].lower()}{what[1:]}", where) from error


def _loosened(cls: type[Type], value: Any) -> Any:
    """What Go would have understood: no nulls, quantities as text."""
    if not isinstance(value, dict):
        return value
    fields = fields_of(cls)
    return {
        name: _loosened_field(fields[name], member)
        for name, member in value.items()
        if member is not None and name in fields
    }


def _loosened_field(field: Field, value: Any) -> Any:
    if field.shape == "list" and isinstance(value, list):
        return [_loosened_item(field, item) for item in value]
    if field.shape == "map" and isinstance(value, dict):
        known = value if field.item not in (TIME, MICRO_TIME) else {k: v for k, v in value.items() if v is not None}
        return {key: _loosened_item(field, item) for key, item in known.items()}
    return _loosened_item(field, value)


def _loosened_item(field: Field, value: Any) -> Any:
    if value is None:
        return _zero(field.item)
    if field.struct is not None:
        return _loosened(field.struct, value)
    if field.item is QUANTITY and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


def _zero(item: Any) -> Any:
    """Go's zero value of a list's or map's element that was null."""
    if item is Json:
        return None
    if isinstance(item, Special) or item in (str, bytes):
        return ""
    if item in (int, float, bool):
        return item()
    return {}
