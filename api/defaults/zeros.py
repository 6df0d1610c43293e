"""Fields in which a zero means the same as nothing: they are left out of what is stored, as upstream leaves them out."""

import functools
from typing import Any, NamedTuple

from api.fields import Field, Type, fields_of


class _Plan(NamedTuple):
    scalars: tuple[str, ...]
    inner: tuple[Field, ...]


def drop_zeros(obj: Type) -> None:
    """Unset in place what is false, 0 or empty where the type does not tell that from absence."""
    plan = _plan(type(obj))
    for name in plan.scalars:
        value = getattr(obj, name)
        if value is not None and not value:
            setattr(obj, name, None)
    for field in plan.inner:
        value = getattr(obj, field.name)
        if not value:
            continue
        if isinstance(value, Type):
            drop_zeros(value)
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, Type):
                    drop_zeros(item)
        elif isinstance(value, dict):
            for item in value.values():
                if isinstance(item, Type):
                    drop_zeros(item)


@functools.cache
def _plan(cls: type[Type]) -> _Plan:
    fields = list(fields_of(cls).values())
    unset = _defaults(cls)
    scalars = tuple(
        field.name
        for field in fields
        if field.item in (str, int, bool, float)
        and field.shape == "one"
        and unset[field.name] is None
        and field.facts is not None
        and not field.facts.explicit
        and not field.facts.either
    )
    return _Plan(scalars, tuple(field for field in fields if field.struct is not None))


def _defaults(cls: type[Type]) -> dict[str, Any]:
    """What the fields of a type are when they are not set; those that are always written have no such value."""
    names = cls.__struct_fields__
    given = cls.__struct_defaults__
    return dict.fromkeys(names[: len(names) - len(given)], ...) | dict(
        zip(names[len(names) - len(given) :], given, strict=True)
    )
