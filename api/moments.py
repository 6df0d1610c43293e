"""The times in an object, brought into the form in which the API writes them.

Go reads no list in which one object has a time that is none, so a single such object would blind every client: it must not get in.
"""

import functools
from typing import Any

from api import times
from api.codec import DecodeError
from api.fields import MICRO_TIME, TIME, Field, Type, fields_of


def normalize(obj: Type) -> None:
    """Write every time in the object in UTC, to the second or microsecond. Raises DecodeError for what is no time."""
    for field in _fields_with_times(type(obj)):
        value = getattr(obj, field.name)
        if value is None:
            continue
        if field.shape == "one":
            items = [value]
        else:
            items = value if field.shape == "list" else list(value.values())
        if field.struct is None:
            _normalize_times(obj, field, items)
            continue
        for item in items:
            normalize(item)


def _normalize_times(obj: Type, field: Field, items: list[str]) -> None:
    try:
        found = [times.canonical(text, micro=field.item is MICRO_TIME) for text in items]
    except ValueError as error:
        raise DecodeError(f"cannot decode {type(obj).__name__}: {field.json}: {error}", field.json) from None
    if found != items:
        assert field.shape == "one", "no type has a list of times"
        setattr(obj, field.name, found[0])


@functools.cache
def _fields_with_times(cls: type[Type]) -> tuple[Field, ...]:
    return tuple(field for field in fields_of(cls).values() if _holds_times(field.item, frozenset()))


def _holds_times(item: Any, above: frozenset[Any]) -> bool:
    """Whether times are somewhere in a value of this type; `above` are the types that it is a part of."""
    if item is TIME or item is MICRO_TIME:
        return True
    if not (isinstance(item, type) and issubclass(item, Type)) or item in above:
        return False
    return any(_holds_times(field.item, above | {item}) for field in fields_of(item).values())
