"""Delays grow, are capped, and vary only when asked."""

import random

import pytest

from kit.backoff import Backoff


@pytest.mark.parametrize(("failures", "delay"), [(0, 0), (1, 0.5), (2, 1), (3, 2), (4, 4), (5, 5), (6, 5), (10_000, 5)])
def test_delays(failures: int, delay: float) -> None:
    assert Backoff(base=0.5, cap=5).delay(failures) == delay


def test_jitter_takes_away_at_most_its_share() -> None:
    policy = Backoff(base=1, cap=100, jitter=0.5, rng=random.Random(1))
    delays = [policy.delay(4) for _ in range(200)]
    assert 4 <= min(delays) < 4.5 and 7.5 < max(delays) <= 8


def test_retries_count_and_reset() -> None:
    retries = Backoff(base=1, cap=100).retries()
    assert [retries.next() for _ in range(3)] == [1, 2, 4]
    retries.reset()
    assert retries.next() == 1
