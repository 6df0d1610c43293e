"""The supervisor: order of ending, restarts, crashes, signals, graces."""

import asyncio
import os
import signal

import pytest

from kit.backoff import Backoff
from kit.clock import FakeClock, settle
from kit.supervisor import Supervisor


def a_supervisor(clock: FakeClock, **options: object) -> Supervisor:
    return Supervisor(clock, backoff=Backoff(base=1, cap=8), **{"signals": False, **options})  # type: ignore[arg-type]


async def forever() -> None:
    await asyncio.Event().wait()


async def test_parts_end_in_reverse_order() -> None:
    ended: list[str] = []

    def part(name: str):  # type: ignore[no-untyped-def]
        async def run() -> None:
            try:
                await forever()
            finally:
                await asyncio.sleep(0)
                ended.append(name)

        return run

    async def close() -> None:
        ended.append("async close")

    async with a_supervisor(FakeClock()) as supervisor:
        supervisor.spawn("store", part("store"))
        supervisor.defer("file", lambda: ended.append("close"))
        supervisor.spawn("server", part("server"))
        supervisor.defer("other", close)
        supervisor.spawn("controllers", part("controllers"), restart=True)
        await settle()
        supervisor.stop()
    assert ended == ["controllers", "async close", "server", "close", "store"]
    assert supervisor.exit_status == 0


async def test_a_crash_ends_the_program_with_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    async def crash() -> None:
        raise ValueError("boom")

    ended = []
    async with a_supervisor(FakeClock()) as supervisor:
        supervisor.spawn("other", forever)
        supervisor.defer("file", lambda: ended.append("close"))
        supervisor.spawn("bad", crash)
    assert supervisor.exit_status == 1 and ended == ["close"]
    log = capsys.readouterr().err
    assert "crashed" in log and "part=bad" in log and "ValueError: boom" in log and "in crash" in log


async def test_a_restarted_part_backs_off_and_starts_anew_after_a_stable_run() -> None:
    clock = FakeClock()
    starts: list[float] = []

    async def crash() -> None:
        starts.append(clock.monotonic())
        if len(starts) == 4:
            await clock.sleep(100)
        raise ValueError("boom")

    async with a_supervisor(clock) as supervisor:
        supervisor.spawn("bad", crash, restart=True)
        await clock.advance(109)
        supervisor.stop()
    assert starts == [0, 1, 3, 7, 108]  # waits 1, 2, 4; ran 100; waits 1
    assert supervisor.exit_status == 0


async def test_a_part_that_cancels_itself_has_crashed() -> None:
    async def odd() -> None:
        raise asyncio.CancelledError

    async with a_supervisor(FakeClock()) as supervisor:
        supervisor.spawn("odd", odd)
    assert supervisor.exit_status == 1


async def test_the_end_of_the_last_part_is_the_end() -> None:
    clock = FakeClock()
    async with a_supervisor(clock) as supervisor:
        supervisor.spawn("short", lambda: clock.sleep(1))
        supervisor.spawn("long", lambda: clock.sleep(5), restart=True)
        await clock.advance(2)
        assert not supervisor.stopping
        await clock.advance(4)
    assert supervisor.stopping and supervisor.exit_status == 0


async def test_nothing_to_run_ends_at_once() -> None:
    async with a_supervisor(FakeClock()) as supervisor:
        pass
    assert supervisor.exit_status == 0


async def test_a_failed_start_ends_what_was_started_and_passes_the_error() -> None:
    ended = []
    with pytest.raises(OSError, match="in use"):
        async with a_supervisor(FakeClock()) as supervisor:
            supervisor.defer("file", lambda: ended.append("close"))
            raise OSError("in use")
    assert ended == ["close"] and supervisor.exit_status == 1


async def test_a_part_that_will_not_stop_is_left_behind(capsys: pytest.CaptureFixture[str]) -> None:
    clock = FakeClock()
    release = asyncio.Event()
    ended = []

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                pass

    async def scenario() -> Supervisor:
        async with a_supervisor(clock, grace=10) as supervisor:
            supervisor.defer("file", lambda: ended.append("close"))
            supervisor.spawn("stubborn", stubborn)
            await settle()
            supervisor.stop()
        return supervisor

    task = asyncio.create_task(scenario())
    await settle(100)  # up to the wait
    await clock.advance(9)
    assert not task.done()
    await clock.advance(2)
    supervisor = await task
    assert supervisor.abandoned == ["stubborn"] and ended == ["close"]
    assert "did not stop in time" in capsys.readouterr().err
    release.set()
    await settle()


async def test_failing_ends_do_not_keep_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    ended = []

    async def messy() -> None:
        try:
            await forever()
        finally:
            raise ValueError("while ending")

    def bad() -> None:
        raise KeyError("sync")

    async with a_supervisor(FakeClock()) as supervisor:
        supervisor.defer("first", lambda: ended.append("first"))
        supervisor.defer("bad", bad)
        supervisor.spawn("messy", messy)
        await settle()
        supervisor.stop()
    assert ended == ["first"]
    assert capsys.readouterr().err.count("cannot stop cleanly") + 1 >= 2


async def test_one_part_can_be_ended_before_its_time() -> None:
    async with a_supervisor(FakeClock()) as supervisor:
        part = supervisor.spawn("short", forever)
        supervisor.spawn("long", forever)
        await settle()
        await supervisor.end(part)
        assert part.task is not None and part.task.cancelled() and not supervisor.stopping
        supervisor.stop()
    assert supervisor.exit_status == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signals_stop(number: signal.Signals) -> None:
    async with a_supervisor(FakeClock(), signals=True) as supervisor:
        supervisor.spawn("part", forever)
        await settle()
        os.kill(os.getpid(), number)
    assert supervisor.exit_status == 0


async def test_a_second_signal_takes_the_grace_away() -> None:
    clock = FakeClock()
    release = asyncio.Event()
    signals: list[int] = []

    async def stubborn() -> None:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                if not signals:
                    signals.append(1)
                    os.kill(os.getpid(), signal.SIGTERM)

    async with a_supervisor(clock, signals=True, grace=1e9) as supervisor:
        supervisor.spawn("stubborn", stubborn)
        await settle()
        os.kill(os.getpid(), signal.SIGTERM)
    assert supervisor.abandoned == ["stubborn"]
    release.set()
    await settle()
