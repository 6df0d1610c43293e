"""Zeros that mean nothing: Go drops `hostNetwork: false` where the field is no pointer, so that it equals absence."""

import functools
from typing import TypeVar

from api import codec
from api.fields import Field, Type, fields_of

T = TypeVar("T", bound=Type)


def without_zeros(obj: T) -> T:
    """A copy in which fields that do not tell a zero from absence are absent."""
    copy = codec.decode(type(obj), codec.encode(obj))
    _drop(copy)
    return copy


def _drop(obj: Type) -> None:
    for field, droppable in _plan(type(obj)):
        value = getattr(obj, field.name)
        if not value and droppable:
            setattr(obj, field.name, None)
        elif value and field.struct is not None:
            items = [value] if field.shape == "one" else value if field.shape == "list" else value.values()
            for item in items:
                _drop(item)


@functools.cache
def _plan(cls: type[Type]) -> tuple[tuple[Field, bool], ...]:
    """The fields to look at, and whether a zero in them is dropped."""
    absent = cls()
    plan = []
    for field in fields_of(cls).values():
        explicit = field.facts is None or field.facts.explicit
        droppable = not explicit and field.shape == "one" and getattr(absent, field.name) is None
        if droppable or field.struct is not None:
            plan.append((field, droppable and field.struct is None))
    return tuple(plan)
