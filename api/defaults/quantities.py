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
    return tuple(
        field
        for field in fields_of(cls).values()
        if field.item is QUANTITY or (field.struct is not None and _with_quantities(field.struct))
    )
