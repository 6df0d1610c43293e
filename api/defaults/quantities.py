"""Quantities in their canonical form, wherever a type has them; what is none is refused."""

import functools
from typing import Any

from api import quantity
from api.codec import DecodeError
from api.fields import QUANTITY, Field, Type, fields_of

_UNREADABLE = r"quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


def canonical_quantities(obj: Type) -> None:
    """Rewrite all quantities in place. Raises DecodeError, in upstream's words, at text that is none."""
    for field in _with_quantities(type(obj)):
        value = getattr(obj, field.name)
        if value is None:
            continue
        if field.item is QUANTITY:
            setattr(obj, field.name, _rewritten(field, value))
        elif field.shape == "one":
            canonical_quantities(value)
        else:
            for item in value if field.shape == "list" else value.values():
                canonical_quantities(item)


def _rewritten(field: Field, value: Any) -> Any:
    try:
        if field.shape == "map":  # a resource list: nothing finer than a thousandth
            return {name: _canonical(text, 3) for name, text in value.items()}
        if field.shape == "list":
            return [_canonical(text, 9) for text in value]
        return _canonical(value, 9)
    except quantity.QuantityError:
        raise DecodeError(_UNREADABLE, field.json) from None


@functools.lru_cache(maxsize=1024)
def _canonical(text: str, places: int) -> str:
    return quantity.canonical(text.strip(), places)


@functools.cache
def _with_quantities(cls: type[Type]) -> tuple[Field, ...]:
    """The fields of a type that are quantities or contain some."""
    return tuple(field for field in fields_of(cls).values() if _holds_quantities(field, frozenset()))


def _holds_quantities(field: Field, above: frozenset[type[Type]]) -> bool:
    """Whether quantities are somewhere in the field; `above` are the types that it is a part of."""
    if field.struct is None or field.struct in above:
        return field.item is QUANTITY
    below = above | {field.struct}
    return any(_holds_quantities(inner, below) for inner in fields_of(field.struct).values())
