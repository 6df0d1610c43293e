"""What fieldValidation=Strict and =Warn look for: fields the type does not have, and fields given twice.

Duplicates are only visible in the text itself, so it is read once more with objects kept as lists of pairs.
"""

import json
from collections.abc import Iterator
from typing import Any

from api.fields import Field, Type, fields_of

_LIMIT = 100


class _Pairs(list[tuple[str, Any]]):
    """A JSON object in the order of its text, duplicates included."""


def problems(cls: type[Type], data: bytes) -> list[str]:
    """Unknown and duplicate fields, in the order of their appearance; data that is no JSON object has none."""
    try:
        document = json.loads(data, object_pairs_hook=_Pairs)
    except (ValueError, RecursionError):
        return []  # decoding refuses it anyway
    found = dict.fromkeys(_in_struct(cls, document, ""))
    return list(found)[:_LIMIT]


def _in_struct(cls: type[Type], value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, _Pairs):
        return
    fields = fields_of(cls)
    seen: set[str] = set()
    for name, member in value:
        where = f"{path}.{name}" if path else name
        if name in seen:
            yield f'duplicate field "{where}"'
        seen.add(name)
        if name not in fields:
            yield f'unknown field "{where}"'
            continue
        yield from _in_field(fields[name], member, where)


def _in_field(field: Field, value: Any, where: str) -> Iterator[str]:
    if field.shape == "list" and not isinstance(value, _Pairs) and isinstance(value, list):
        if field.struct is not None:
            for index, item in enumerate(value):
                yield from _in_struct(field.struct, item, f"{where}[{index}]")
    elif field.shape == "map" and isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, item in value:
            if key in seen:
                yield f'duplicate field "{where}.{key}"'
            seen.add(key)
            if field.struct is not None:
                yield from _in_struct(field.struct, item, f"{where}.{key}")
    elif field.struct is not None:
        yield from _in_struct(field.struct, value, where)
