"""Quantities: what they mean and how they are written."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import quantity


@pytest.mark.parametrize(
    ("text", "canonical", "amount"),
    [
        ("0", "0", 0),
        ("1000m", "1", 1),
        ("0.5", "500m", Fraction(1, 2)),
        ("1.5Gi", "1536Mi", 1536 * 1024**2),
        ("512", "512", 512),
        ("0.5Ki", "512", 512),
        ("1024Ki", "1Mi", 1024**2),
        ("1.1Ki", "1126400m", Fraction(11264, 10)),
        ("1e3", "1e3", 1000),
        ("12E6", "12e6", 12_000_000),
        ("1E", "1E", 10**18),
        ("100000M", "100G", 10**11),
        ("1500", "1500", 1500),
        ("-1.5", "-1500m", Fraction(-3, 2)),
        ("+5k", "5k", 5000),
        (".5", "500m", Fraction(1, 2)),
        ("5.", "5", 5),
        ("0.0000000001", "1n", Fraction(1, 10**9)),
        ("99999999999999999999", "9223372036854775807", 2**63 - 1),
    ],
)
def test_known_quantities(text: str, canonical: str, amount: Fraction | int) -> None:
    assert quantity.parse(text) == amount
    assert quantity.canonical(text) == canonical


@pytest.mark.parametrize(
    "text", ["", "m", "1 Gi", "1.1.1", "--1", "1KiB", "abc", "1e", "1e99999", ".", "1\n", "1" * 5000]
)
def test_not_quantities(text: str) -> None:
    with pytest.raises(quantity.QuantityError, match="cannot read quantity"):
        quantity.parse(text)


def test_rounding_is_away_from_zero() -> None:
    assert quantity.ceil("1500m") == 2
    assert quantity.ceil("-1500m") == -2
    assert quantity.milli("100u") == 1
    assert quantity.canonical("1.0001", places=3) == "1001m"


NUMBERS = st.integers(-(10**15), 10**15)
SUFFIXES = st.sampled_from(["n", "u", "m", "", "k", "M", "Ki", "Mi", "Gi", "e3", "e-3"])


@given(NUMBERS, SUFFIXES)
def test_canonical_keeps_the_amount_and_is_stable(number: int, suffix: str) -> None:
    text = f"{number}{suffix}"
    canonical = quantity.canonical(text)
    assert quantity.parse(canonical) == quantity.parse(text)
    assert quantity.canonical(canonical) == canonical


@given(NUMBERS, st.sampled_from(["decimal", "binary", "exponent"]))
def test_formatted_amounts_are_read_back(number: int, family: quantity.Family) -> None:
    assert quantity.parse(quantity.format_quantity(number, family)) == number
