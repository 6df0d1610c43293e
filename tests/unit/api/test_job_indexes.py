"""Lists of indexes of Jobs: what two of them share."""

import random

import pytest

from api.validation.indexes import first_common

BELOW = 100_000


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("", "", None),
        ("1,3-5,7", "", None),
        ("1,3-5,7", "2,6,8", None),
        ("1,3-5,7", "0,4-6", 4),
        ("7,1", "9,1", 1),  # out of order
        ("0-9,1-2", "5", 5),
        ("x,3-4", "2,3-x,4", 4),  # parts that cannot be read have none
    ],
)
def test_the_first_that_both_have(one: str, other: str, shared: int | None) -> None:
    assert first_common(one, other, BELOW) == first_common(other, one, BELOW) == shared


def test_any_lists() -> None:
    rng = random.Random(7)

    def some() -> tuple[str, set[int]]:
        ranges = [
            (start, start + rng.randrange(1, 5)) for start in (rng.randrange(60) for _ in range(rng.randrange(6)))
        ]
        return ",".join(f"{start}-{end}" for start, end in ranges), {n for s, e in ranges for n in range(s, e + 1)}

    for _ in range(500):
        (one, ours), (other, theirs) = some(), some()
        assert first_common(one, other, BELOW) == min(ours & theirs, default=None), (one, other)


def test_the_lists_of_a_large_job() -> None:
    """Every second index each: nobody waits while they are compared pair by pair."""
    even, odd = (",".join(map(str, range(first, BELOW, 2))) for first in (0, 1))
    assert first_common(even, odd, BELOW) is None
    assert first_common(even, f"{odd},{BELOW - 2}", BELOW) == BELOW - 2
