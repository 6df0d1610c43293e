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
        if field.struct is None:
            setattr(obj, field.name, _canonical(type(obj), field, value))
            continue
        items = [value] if field.shape == "one" else value if field.shape == "list" else value.values()
        for item in items:
            normalize(item)


def _canonical(cls: type[Type], field: Field, value: Any) -> Any:
    canonical = functools.partial(times.canonical, micro=field.item is MICRO_TIME)
    try:
        if field.shape == "one":
            return canonical(value)
        return (
            list(map(canonical, value))
            if field.shape == "list"
            else {key: canonical(text) for key, text in value.items()}
        )
    except ValueError as error:
        raise DecodeError(f"cannot decode {cls.__name__}: {field.json}: {error}", field.json) from None


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
