"""What runs low, by table: thresholds, grace periods, conditions that stay for a while."""

from fractions import Fraction

import pytest

from nodeagent.plan.pressure import (
    DISK,
    MEMORY,
    PIDS,
    Amount,
    BadThreshold,
    Free,
    Pressure,
    Threshold,
    judge,
    read_thresholds,
    relieved,
)

HARD = Threshold("memory.available", Amount(100), reclaim=Amount(50))
SOFT = Threshold("memory.available", Amount(200), grace=30.0)
NODEFS = Threshold("nodefs.available", Amount(part=Fraction(1, 10)))
INODES = Threshold("nodefs.inodesFree", Amount(part=Fraction(1, 20)))
PROCESSES = Threshold("pid.available", Amount(10))
ALL = (PROCESSES, NODEFS, INODES, SOFT, HARD)


def at(available: int) -> dict[str, Free]:
    return {"memory.available": Free(available, 1000)}


@pytest.mark.parametrize(
    ("free", "met", "conditions"),
    [
        (at(200), (), ()),
        (at(199), (), (MEMORY,)),  # the soft one is crossed, and has not been for long
        (at(99), (HARD,), (MEMORY,)),
        ({"nodefs.available": Free(10, 100)}, (), ()),
        ({"nodefs.available": Free(9, 100)}, (NODEFS,), (DISK,)),
        ({"nodefs.inodesFree": Free(4, 100), "nodefs.available": Free(9, 100)}, (NODEFS, INODES), (DISK,)),
        ({"pid.available": Free(9, 32768), **at(1)}, (HARD, PROCESSES), (MEMORY, PIDS)),
        ({}, (), ()),  # nothing could be read
    ],
)
def test_what_counts(free: dict[str, Free], met: tuple[Threshold, ...], conditions: tuple[str, ...]) -> None:
    found = judge(ALL, free, Pressure(), 0.0, 300.0)
    assert (found.met, found.conditions) == (met, conditions)


def test_a_soft_threshold_counts_after_its_grace_period() -> None:
    one = judge(ALL, at(150), Pressure(), 0.0, 300.0)
    two = judge(ALL, at(150), one, 29.0, 300.0)
    assert two.met == ()
    assert judge(ALL, at(150), two, 30.0, 300.0).met == (SOFT,)
    relaxed = judge(ALL, at(250), two, 30.0, 300.0)
    assert judge(ALL, at(150), relaxed, 40.0, 300.0).met == ()  # it begins anew


def test_a_condition_stays_for_a_while() -> None:
    low = judge(ALL, at(50), Pressure(), 0.0, 300.0)
    fine = judge(ALL, at(900), low, 299.0, 300.0)
    assert (fine.met, fine.conditions) == ((), (MEMORY,))
    assert judge(ALL, at(900), fine, 300.0, 300.0).conditions == ()


def test_what_counts_does_until_its_reclaim_is_free_too() -> None:
    low = judge((HARD,), at(99), Pressure(), 0.0, 0.0)
    assert judge((HARD,), at(149), low, 1.0, 0.0).met == (HARD,)
    assert judge((HARD,), at(150), low, 1.0, 0.0).met == ()
    assert judge((HARD,), at(149), Pressure(), 1.0, 0.0).met == ()
    assert (relieved(HARD, at(149)), relieved(HARD, at(150))) == (False, True)


def test_configured_thresholds() -> None:
    found = read_thresholds(
        {"memory.available": "100Mi", "nodefs.available": "10%", "imagefs.available": "0%"},
        {"memory.available": "15%"},
        {"memory.available": 90.0},
        {"memory.available": "5%"},
    )
    five = Amount(part=Fraction(1, 20))
    assert found == [
        Threshold("memory.available", Amount(100 << 20), None, five),
        Threshold("nodefs.available", Amount(part=Fraction(1, 10))),
        Threshold("memory.available", Amount(part=Fraction(3, 20)), 90.0, five),
    ]


@pytest.mark.parametrize(
    ("hard", "soft", "told"),
    [
        ({"memory.free": "1Gi"}, {}, "there is no eviction signal 'memory.free'; there are memory.available"),
        ({"memory.available": "much"}, {}, "memory.available is 'much': it must be a quantity or a percentage"),
        ({"memory.available": "101%"}, {}, "it must be a quantity or a percentage"),
        ({"memory.available": "-1Gi"}, {}, "it must be a quantity or a percentage"),
        ({}, {"memory.available": "1Gi"}, "memory.available needs a grace period in softGracePeriod"),
    ],
)
def test_bad_thresholds_are_named(hard: dict[str, str], soft: dict[str, str], told: str) -> None:
    with pytest.raises(BadThreshold, match=told):
        read_thresholds(hard, soft, {}, {})
