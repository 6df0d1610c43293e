"""What fieldValidation=Strict and =Warn look for: fields the type does not have, and fields given twice.

Duplicates are only visible in the text itself. Text that is the same after reading and writing it again has none; any
other is read once more, slowly, with objects kept as lists of pairs.
"""

import functools
import json
from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from api.fields import Field, Type, fields_of

_LIMIT = 100
_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
}


class _Pairs(list[tuple[str, Any]]):
    """A JSON object in the order of its text, duplicates included."""


def problems(cls: type[Type], data: bytes) -> list[str]:
    """Unknown and duplicate fields, in the order of their appearance; data that is no JSON object has none."""
    try:
        document = msgspec.json.decode(data)
        if msgspec.json.encode(document) != msgspec.json.format(data, indent=-1):
            document = json.loads(data, object_pairs_hook=_Pairs)
        elif _known(cls, document):
            return []
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return []  # decoding refuses it anyway
    found = dict.fromkeys(_in_struct(cls, document, ""))
    return list(found)[:_LIMIT]


def duplicates(data: bytes) -> list[str]:
    """Fields that are there twice, in text of no type: a patch."""
    try:
        document = msgspec.json.decode(data)
        if msgspec.json.encode(document) == msgspec.json.format(data, indent=-1):
            return []
        document = json.loads(data, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError, msgspec.MsgspecError):
        return []
    return list(dict.fromkeys(_twice(document, "")))[:_LIMIT]


def _twice(value: Any, path: str) -> Iterator[str]:
    members = _members(value)
    if members is not None:
        seen: set[str] = set()
        for name, member in members:
            where = f"{path}.{name}" if path else name
            if name in seen:
                yield f"duplicate field {_quoted(where)}"
            seen.add(name)
            yield from _twice(member, where)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _twice(item, f"{path}[{index}]")


def _quoted(path: str) -> str:
    """In quotation marks, as Go's %q: what cannot be printed is escaped."""
    if path.isprintable() and '"' not in path and "\\" not in path:
        return f'"{path}"'
    return '"' + "".join(_ESCAPES.get(letter) or _shown(letter) for letter in path) + '"'


def _shown(letter: str) -> str:
    if letter.isprintable():
        return letter
    code = ord(letter)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


@functools.cache
def _shape(cls: type[Type]) -> tuple[frozenset[str], dict[str, tuple[str, type[Type]]]]:
    """The names of a type's fields, and those of them that hold types again."""
    fields = fields_of(cls)
    inner = {name: (field.shape, field.struct) for name, field in fields.items() if field.struct is not None}
    return frozenset(fields), inner


def _known(cls: type[Type], value: Any) -> bool:
    """Whether there are no unknown fields: nearly always so, and found in a tenth of the time."""
    if not isinstance(value, dict):
        return True
    names, inner = _shape(cls)
    present = value.keys()
    if not present <= names:
        return False
    for name in present & inner.keys():
        shape, struct = inner[name]
        member = value[name]
        if shape == "one":
            items: Any = (member,)
        elif shape == "list":
            items = member if isinstance(member, list) else ()
        else:
            items = member.values() if isinstance(member, dict) else ()
        for item in items:
            if not _known(struct, item):
                return False
    return True


def _members(value: Any) -> Collection[tuple[str, Any]] | None:
    """The members of a JSON object, None for anything else."""
    if isinstance(value, _Pairs):
        return value
    return value.items() if isinstance(value, dict) else None


def _in_struct(cls: type[Type], value: Any, path: str) -> Iterator[str]:
    fields = fields_of(cls)
    seen: set[str] = set()
    for name, member in _members(value) or ():
        field = fields.get(name)
        if name in seen or field is None:
            where = f"{path}.{name}" if path else name
            if name in seen:
                yield f"duplicate field {_quoted(where)}"
            if field is None:
                yield f"unknown field {_quoted(where)}"
        seen.add(name)
        if field is not None and (field.struct is not None or field.shape == "map"):
            yield from _in_field(field, member, f"{path}.{name}" if path else name)


def _in_field(field: Field, value: Any, where: str) -> Iterator[str]:
    members = _members(value)
    if field.shape == "list" and members is None and isinstance(value, list):
        for index, item in enumerate(value):
            if field.struct is not None:
                yield from _in_struct(field.struct, item, f"{where}[{index}]")
    elif field.shape == "map":
        seen: set[str] = set()
        for key, item in members or ():
            if key in seen:
                yield f"duplicate field {_quoted(f'{where}.{key}')}"
            seen.add(key)
            if field.struct is not None:
                yield from _in_struct(field.struct, item, f"{where}.{key}")
    elif field.struct is not None:
        yield from _in_struct(field.struct, value, where)
