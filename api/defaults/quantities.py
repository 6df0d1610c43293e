"""Quantities in their canonical form, wherever a type has them; and whether each is one at all."""

import functools
from typing import Any

from api import quantity
from api.codec import DecodeError
from api.fields import QUANTITY, Field, Type, fields_of

_UNREADABLE = r"quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


def require_quantities(obj: Type) -> None:
    """Raise DecodeError, in upstream's words, for text that is no quantity where one belongs."""
    for field in _with_quantities(type(obj)):
        value = getattr(obj, field.name)
        if value is None:
            continue
        items = [value] if field.shape == "one" else value if field.shape == "list" else value.values()
        for item in items:
            if field.item is not QUANTITY:
                require_quantities(item)
            elif not _is_quantity(item):
                raise DecodeError(_UNREADABLE, field.json)


def canonical_quantities(obj: Type) -> None:
    """Rewrite all quantities in place; those that cannot be read stay as they are, for validation to refuse."""
    for field in _with_quantities(type(obj)):
        value = getattr(obj, field.name)
        if not value:
            continue
        if field.item is QUANTITY:
            setattr(obj, field.name, _rewritten(field, value))
        elif field.shape == "one":
            canonical_quantities(value)
        else:
            for item in value if field.shape == "list" else value.values():
                canonical_quantities(item)


def _rewritten(field: Field, value: Any) -> Any:
    if field.shape == "map":  # a resource list: nothing finer than a thousandth
        return {name: _canonical(text, thousandths=True) for name, text in value.items()}
    if field.shape == "list":
        return [_canonical(text, thousandths=False) for text in value]
    return _canonical(value, thousandths=False)


@functools.lru_cache(maxsize=1024)
def _canonical(text: str, *, thousandths: bool) -> str:
    try:
        return quantity.canonical(text, places=3 if thousandths else 9)
    except quantity.QuantityError:
        return text


@functools.lru_cache(maxsize=1024)
def _is_quantity(text: str) -> bool:
    try:
        quantity.parse(text)
    except quantity.QuantityError:
        return False
    return True


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
