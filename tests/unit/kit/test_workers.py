"""The loop edge: results and errors of a reconcile become requeues, and no error stops the loop."""

import asyncio

import pytest

from kit.backoff import Backoff
from kit.clock import FakeClock
from kit.queue import WorkQueue
from kit.supervisor import Supervisor
from kit.workers import run_workers


class Expected(Exception):
    pass


async def test_reconcile_results_and_errors(capsys: pytest.CaptureFixture[str]) -> None:
    clock = FakeClock()
    queue: WorkQueue[str] = WorkQueue(clock, Backoff(base=1, cap=8))
    calls: list[tuple[str, float]] = []
    outcomes: dict[str, list[object]] = {
        "ok": [None],
        "again": [5.0, None],
        "bad": [ValueError("boom"), None],
        "meh": [Expected("x"), None],
    }

    async def reconcile(key: str) -> float | None:
        calls.append((key, clock.monotonic()))
        outcome = outcomes[key].pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        assert outcome is None or isinstance(outcome, float)
        return outcome

    async with Supervisor(clock, signals=False) as supervisor:
        run_workers(queue, reconcile, 2, supervisor, name="test", expected=(Expected,))
        for key in outcomes:
            queue.add(key)
        await clock.advance(10)
        supervisor.stop()
    assert sorted(calls) == [("again", 0), ("again", 5), ("bad", 0), ("bad", 1), ("meh", 0), ("meh", 1), ("ok", 0)]
    assert not queue._held
    log = capsys.readouterr().err
    assert "cannot reconcile" in log and "ValueError: boom" in log and "Traceback" in log
    assert "Expected" not in log  # said at info, which is off in tests


async def test_two_workers_run_at_the_same_time() -> None:
    clock = FakeClock()
    queue: WorkQueue[str] = WorkQueue(clock)
    running = 0
    most = 0

    async def reconcile(key: str) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    async with Supervisor(clock, signals=False) as supervisor:
        run_workers(queue, reconcile, 2, supervisor)
        for key in "abcd":
            queue.add(key)
        await clock.advance(0)
        supervisor.stop()
    assert most == 2 and queue.idle
