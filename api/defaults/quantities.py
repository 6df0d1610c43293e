"""Quantities in their canonical form, wherever a type has them."""

import functools
from typing import Any

from api import quantity
from api.fields import QUANTITY, Field, Type, fields_of


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
