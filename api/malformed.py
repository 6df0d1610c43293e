"""What is wrong with text that is not the JSON it should be, in the words of Go's decoder, which clients know."""

import json
import re
import typing
from typing import Any

import msgspec

from api.fields import MICRO_TIME, QUANTITY, TIME, Field, IntOrString, Json, Type, fields_of

_AFTER = {
    "Expecting value": "looking for beginning of value",
    "Expecting ':' delimiter": "after object key",
    "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
    "Illegal trailing comma before end of object": "looking for beginning of object key string",
    "Illegal trailing comma before end of array": "looking for beginning of value",
    "Extra data": "after top-level value",
}
_STEP = re.compile(r"\.([A-Za-z0-9_]+)|\[(\.\.\.|\d+)\]")
_LOCATED = re.compile(r"Expected `(?P<wanted>.*)`, got `(?P<found>.*)` - at `\$(?P<where>.*)`$")
_OUT_OF_RANGE = re.compile(r"Expected `int` [<>]= (?P<limit>-?\d+) - at `\$(?P<where>.*)`$")
_VALUES = {"str": "string", "int": "number", "float": "number", "bool": "bool", "object": "object", "array": "array"}
_SCALARS = {str: "string", bool: "bool", float: "float64", bytes: "[]uint8"}


def syntax(data: bytes) -> str:
    """Why the text is no JSON."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return "invalid UTF-8 in string literal"
    if not text.strip():
        return "unexpected end of JSON input"
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return _syntax(text, error)
    except RecursionError:
        return "exceeded max depth"
    return "exceeded max depth"


def _syntax(text: str, error: json.JSONDecodeError) -> str:
    if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
        return "unexpected end of JSON input"
    letter = text[error.pos]
    shown = f"'{letter}'" if letter != "'" else "'\\''"
    if error.msg.startswith("Invalid control character"):
        return f"invalid character '\\x{ord(letter):02x}' in string literal"
    if error.msg.startswith("Invalid \\"):
        return f"invalid character {shown} in string escape code"
    if error.msg == "Expecting ',' delimiter":
        within = "array element" if _in_array(text[: error.pos]) else "object key:value pair"
        return f"invalid character {shown} after {within}"
    return f"invalid character {shown} {_AFTER.get(error.msg, 'looking for beginning of value')}"


def _in_array(text: str) -> bool:
    """Whether the innermost bracket that is open at the end of the text is an array's."""
    brackets, quoted, escaped = "", False, False
    for letter in text:
        if quoted:
            quoted, escaped = letter != '"' or escaped, letter == "\\" and not escaped
        elif letter == '"':
            quoted = True
        elif letter in "{[":
            brackets += letter
        elif letter in "}]":
            brackets = brackets[:-1]
    return brackets.endswith("[")


def mismatch(cls: type[Type], data: bytes) -> str:
    """Which field of the type has a value of another type; "" if that cannot be said so."""
    try:
        msgspec.json.decode(data, type=cls)
    except msgspec.ValidationError as error:
        problem = str(error)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    else:
        return ""
    try:
        return _mismatch(cls, problem, msgspec.json.decode(data))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # it has a number that nothing can hold
        return ""


def _mismatch(cls: type[Type], problem: str, document: Any) -> str:
    located = _LOCATED.match(problem)
    outside = _OUT_OF_RANGE.match(problem)
    if located is not None:
        found, where = _VALUES.get(located["found"], ""), located["where"]
        if located["found"] == "float":
            found = f"number {_at(document, where)}"
    elif outside is not None:
        where = outside["where"]
        found = f"number {_at(document, where)}"
    else:
        return ""
    return _sentence(cls, found, where) if found else ""


def _sentence(cls: type[Type], found: str, where: str) -> str:
    holder, field, path, inside = cls, None, list[str](), False
    for name, index in _STEP.findall(where):
        if index:
            inside = True
            continue
        if field is not None:
            if field.struct is None:
                return ""
            holder = field.struct
        field, inside = fields_of(holder).get(name), False
        if field is None:
            return ""
        path.append(name)
    if field is None:
        return f"json: cannot unmarshal {found} into Go value of type {_package(cls)}.{cls.__name__}"
    wanted = _go_type(holder, field, item=inside)
    if not wanted:
        return ""
    return f"json: cannot unmarshal {found} into Go struct field {holder.__name__}.{'.'.join(path)} of type {wanted}"


def _at(document: Any, where: str) -> Any:
    """The value at a place, "" if the place is not told exactly."""
    try:
        for name, index in _STEP.findall(where):
            document = document[name] if name else document[int(index)]
    except (KeyError, IndexError, TypeError, ValueError):
        return ""
    return document


def _package(cls: type[Any]) -> str:
    return cls.__module__.rpartition("_")[2]


def _go_type(holder: type[Type], field: Field, *, item: bool) -> str:
    kind: Any = field.item
    if field.struct is not None:
        one = f"{_package(field.struct)}.{field.struct.__name__}"
    elif kind is int:
        hint = typing.get_type_hints(holder, include_extras=True)[field.name]
        one = "int32" if str(2**31 - 1) in repr(hint) else "int64"
    elif kind in (TIME, MICRO_TIME, QUANTITY, Json) or kind == IntOrString:
        return ""  # these have decoders of their own
    else:
        one = _SCALARS.get(kind, "")
    if not one or item or field.shape == "one":
        return one
    return f"[]{one}" if field.shape == "list" else f"map[string]{one}"
