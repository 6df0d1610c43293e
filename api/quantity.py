"""Quantities such as `100m`, `1.5Gi` or `12e6`: read exactly, written in their canonical form.

A quantity keeps the family of its suffix (decimal, binary, exponent) and is precise to 10^-9; finer amounts are rounded
away from zero, and amounts over 2^63-1 are capped, as in Go.
"""

import functools
import re
from fractions import Fraction
from typing import Literal

Family = Literal["decimal", "binary", "exponent"]

_SHAPE = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?([eE][+-]?\d+|[KMGTPE]i|[numkMGTPE]?)")
_DECIMAL = {-9: "n", -6: "u", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P", 18: "E"}
_BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")
_POWERS = {suffix: Fraction(10) ** power for power, suffix in _DECIMAL.items()} | {
    suffix: Fraction(1024**power) for power, suffix in enumerate(_BINARY)
}
_LONGEST = 100
_NANO = 10**9
_CAP = (2**63 - 1) * _NANO


class QuantityError(ValueError):
    """Text that is no quantity."""


def parse(text: str) -> Fraction:
    """The exact amount."""
    return read(text)[0]


def ceil(text: str) -> int:
    """The amount as a whole number, rounded away from zero."""
    return _away(parse(text))


def milli(text: str) -> int:
    """The amount in thousandths, rounded away from zero: CPU as millicores."""
    return _away(parse(text) * 1000)


def canonical(text: str, places: int = 9) -> str:
    """The same quantity as upstream would write it, rounded to so many decimal places."""
    amount, family = read(text)
    scale = 10**places
    return format_quantity(Fraction(_away(amount * scale), scale), family)


def format_quantity(amount: Fraction | int, family: Family = "decimal") -> str:
    """The canonical text of an amount: the largest suffix that leaves no fraction."""
    nanos = _away(amount * _NANO)
    if nanos == 0:
        return "0"
    whole, rest = divmod(nanos, _NANO)
    # A small or fractional amount has no binary form that would not round.
    if family == "binary" and rest == 0 and abs(whole) >= 1024:
        return _binary(whole)
    return _decimal(nanos, family)


def _binary(whole: int) -> str:
    power = 0
    while whole % 1024 == 0 and power < len(_BINARY) - 1:
        whole //= 1024
        power += 1
    return f"{whole}{_BINARY[power]}"


def _decimal(nanos: int, family: Family) -> str:
    power = -9
    while nanos % 1000 == 0 and (power < 18 or family == "exponent"):
        nanos //= 1000
        power += 3
    if family == "exponent":
        return f"{nanos}e{power}" if power else str(nanos)
    return f"{nanos}{_DECIMAL[power]}"


@functools.lru_cache(maxsize=2048)
def read(text: str) -> tuple[Fraction, Family]:
    """The exact amount and the family of the suffix."""
    if len(text) > _LONGEST:
        raise QuantityError(f"cannot read quantity {text[:20]!r}...: it has more than {_LONGEST} characters")
    found = _SHAPE.fullmatch(text)
    if found is None or not (found[2] or found[3]):
        raise QuantityError(f"cannot read quantity {text!r}: not a number with an optional suffix such as m, Ki or G")
    sign, whole, fraction, suffix = found[1], found[2], found[3] or "", found[4]
    family: Family = "binary" if suffix.endswith("i") else "decimal"
    digits = Fraction(int((whole + fraction) or "0"), 10 ** len(fraction))
    if suffix[:1] in ("e", "E") and len(suffix) > 1 and not suffix.endswith("i"):
        family = "exponent"
        power = int(suffix[1:])
        if abs(power) > 1000:
            raise QuantityError(f"cannot read quantity {text!r}: the exponent is out of range")
        factor = Fraction(10) ** power
    else:
        factor = _POWERS[suffix]
    nanos = min(_away(digits * factor * _NANO), _CAP)
    return Fraction(-nanos if sign == "-" else nanos, _NANO), family


def _away(amount: Fraction | int) -> int:
    """The next whole number away from zero."""
    return -(-amount // 1) if amount > 0 else amount // 1
