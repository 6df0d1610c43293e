"""The supervisor's plan: from what should run and what runs to what to do, and when to look again."""

import pytest

from cli.supervise import FIRST_WAIT, HOUSEKEEPING, LONGEST_WAIT, STABLE, Action, Seen, Wanted, after_end, plan

A, B = Wanted("a", ("a",), "1", 5.0), Wanted("b", ("b",), "1", 5.0)
CASES = {
    "all missing: start in order": ([A, B], [], [Action("start", "a"), Action("start", "b")], HOUSEKEEPING),
    "all as wanted": ([A, B], [Seen("a", 1, "1"), Seen("b", 2, "1")], [], HOUSEKEEPING),
    "changed: stop, the start follows its end": ([A], [Seen("a", 1, "0")], [Action("terminate", "a")], HOUSEKEEPING),
    "none wanted: the last first, one at a time": (
        [],
        [Seen("a", 1, "1"), Seen("b", 2, "1")],
        [Action("terminate", "b")],
        HOUSEKEEPING,
    ),
    "being stopped: wait": ([], [Seen("a", 1, "1", stopping_until=103.0)], [], 3.0),
    "being stopped, not in time": ([], [Seen("a", 1, "1", stopping_until=99.0)], [Action("kill", "a")], HOUSEKEEPING),
    "killed: wait for the kernel": ([], [Seen("a", 1, "1", stopping_until=99.0, killed=True)], [], 1.0),
    "ended quickly: wait": ([A], [Seen("a", wait=2.0, not_before=102.0)], [], 2.0),
    "ended quickly, waited": ([A], [Seen("a", wait=2.0, not_before=100.0)], [Action("start", "a")], HOUSEKEEPING),
    "one waits, another starts": (
        [A, B],
        [Seen("a", wait=2.0, not_before=102.0)],
        [Action("start", "b")],
        2.0,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_plan(name: str) -> None:
    wanted, seen, actions, seconds = CASES[name]
    assert plan(wanted, {one.name: one for one in seen}, 100.0) == (actions, seconds)


def test_pauses_grow_to_a_limit() -> None:
    one, waits = Seen("a", 1, "1", started=0.0), []
    for _ in range(10):
        one = after_end(one, 0.5)
        waits.append(one.wait)
    assert waits[:3] == [FIRST_WAIT, 2 * FIRST_WAIT, 4 * FIRST_WAIT]
    assert waits[-1] == LONGEST_WAIT
    assert one.restarts == 10


def test_a_long_run_forgets_earlier_failures() -> None:
    assert after_end(Seen("a", 1, "1", started=0.0, wait=8.0), STABLE + 1).wait == FIRST_WAIT


def test_a_program_that_was_stopped_may_start_at_once() -> None:
    assert after_end(Seen("a", 1, "1", started=0.0, stopping_until=9.0), 1.0).not_before == 0.0
