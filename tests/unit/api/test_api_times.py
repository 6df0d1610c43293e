"""Times in the API's two forms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import times


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0.0),
        ("2026-03-01T12:00:00Z", 1772366400.0),
        ("2026-03-01T14:00:00+02:00", 1772366400.0),
        ("2026-03-01T12:00:00.250000Z", 1772366400.25),
        ("2026-03-01T12:00:00.250000000Z", 1772366400.25),
        ("1969-12-31T23:59:59Z", -1.0),
    ],
)
def test_parse(text: str, seconds: float) -> None:
    assert times.parse_time(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "now", "2026-03-01", "2026-03-01 12:00:00Z", "2026-03-01T12:00:00", "2026-13-01T12:00:00Z"]
)
def test_not_times(text: str) -> None:
    with pytest.raises(ValueError, match="cannot read time"):
        times.parse_time(text)


@given(st.integers(0, 4_000_000_000), st.integers(0, 999_999))
def test_round_trip(seconds: int, micros: int) -> None:
    moment = seconds + micros / 1e6
    assert times.parse_time(times.format_time(moment)) == seconds
    assert abs(times.parse_time(times.format_micro_time(moment)) - moment) < 2e-6


def test_years_have_four_digits() -> None:
    assert times.format_time(-62135596800.0) == "0001-01-01T00:00:00Z"
    assert times.format_micro_time(-62135596800.0) == "0001-01-01T00:00:00.000000Z"
