"""Amounts that cannot be had: a fraction of a byte."""

from collections.abc import Mapping

from api import quantity
from api.warnings.text import quoted

BYTES = ("memory", "ephemeral-storage")


def fractional(path: str, amounts: Mapping[str, str], resource: str) -> list[str]:
    """Whether the amount of a resource is no whole number; less than a thousandth is rounded up before."""
    value = amounts.get(resource)
    if value is None:
        return []
    try:
        if quantity.milli(value) % 1000 == 0:
            return []
        shown = quoted(quantity.canonical(value))
    except quantity.QuantityError:
        return []  # for validation to refuse
    return [f"{path}[{resource}]: fractional byte value {shown} is invalid, must be an integer"]
