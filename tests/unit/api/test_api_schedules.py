"""Schedules of CronJobs, and lists of indexes of Jobs."""

import pytest

from api import schedules
from api.validation.indexes import IndexesError, count_indexes


@pytest.mark.parametrize(
    ("text", "field", "expected"),
    [
        ("*/20 * * * *", 0, {0, 20, 40}),
        ("5-10/2 * * * *", 0, {5, 7, 9}),
        ("50/5 * * * *", 0, {50, 55}),
        ("0 1,3 * * *", 1, {1, 3}),
        ("0 0 ? jan-mar *", 3, {1, 2, 3}),
        ("0 0 1 1 MON,fri", 4, {1, 5}),
        ("TZ=Europe/Paris 7 * * * *", 0, {7}),
    ],
)
def test_fields(text: str, field: int, expected: set[int]) -> None:
    parsed = schedules.parse(text)
    assert parsed is not None
    assert parsed[field] == expected


@pytest.mark.parametrize("text", ["@daily", "@every 1h30m"])
def test_words(text: str) -> None:
    assert schedules.parse(text) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty spec string"),
        ("@often", "unrecognized descriptor"),
        ("* * * *", "expected exactly 5 fields, found 4"),
        ("60 * * * *", "above maximum"),
        ("* * 0 * *", "below minimum"),
        ("9-5 * * * *", "beyond end of range"),
        ("*/0 * * * *", "positive number"),
        ("x * * * *", "failed to parse int from x"),
        ("- * * * *", "failed to parse int"),
    ],
)
def test_what_is_no_schedule(text: str, why: str) -> None:
    with pytest.raises(schedules.ScheduleError, match=why):
        schedules.parse(text)


@pytest.mark.parametrize(("text", "expected"), [("", 0), ("0", 1), ("1,3-5,7", 5)])
def test_indexes(text: str, expected: int) -> None:
    assert count_indexes(text, 10) == expected


@pytest.mark.parametrize("text", ["10", "3,2", "5-4", "a", "1,,2", "-1"])
def test_what_are_no_indexes(text: str) -> None:
    with pytest.raises(IndexesError):
        count_indexes(text, 10)
