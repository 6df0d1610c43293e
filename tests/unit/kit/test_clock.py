"""The fake clock moves only when told, and in order."""

import asyncio

import pytest

from kit.clock import Alarm, FakeClock, SystemClock, deadline, settle


async def test_advance_wakes_sleepers_in_order_and_at_their_time() -> None:
    clock = FakeClock()
    woken: list[tuple[str, float]] = []

    async def chain(name: str, step: float) -> None:
        for _ in range(3):
            await clock.sleep(step)
            woken.append((name, clock.monotonic()))

    tasks = [asyncio.create_task(chain("a", 2)), asyncio.create_task(chain("b", 3))]
    await clock.advance(5)
    assert woken == [("a", 2), ("b", 3), ("a", 4)]
    await clock.advance(10)
    assert woken[3:] == [("b", 6), ("a", 6), ("b", 9)]
    await asyncio.gather(*tasks)


async def test_cancelled_sleep_leaves_no_timer() -> None:
    clock = FakeClock()
    task = asyncio.create_task(clock.sleep(5))
    await settle()
    assert clock.next_due() == 5
    task.cancel()
    await settle()
    assert clock.next_due() is None


async def test_wall_steps_do_not_touch_steady_time() -> None:
    clock = FakeClock(now=1000)
    await clock.advance(5)
    clock.set_wall(10)
    assert (clock.now(), clock.monotonic()) == (10, 5)
    await clock.advance(1)
    assert (clock.now(), clock.monotonic()) == (11, 6)


async def test_cancelled_timer_does_not_fire() -> None:
    clock = FakeClock()
    fired: list[int] = []
    clock.call_later(1, lambda: fired.append(1)).cancel()
    clock.call_later(1, lambda: fired.append(2))
    clock.jump(1)
    assert fired == [2]


async def test_deadline_follows_the_given_clock() -> None:
    clock = FakeClock()

    async def bounded() -> str:
        try:
            async with deadline(clock, 3):
                await asyncio.Event().wait()
        except TimeoutError:
            return "timed out"
        return "done"

    task = asyncio.create_task(bounded())
    await clock.advance(2.9)
    assert not task.done()
    await clock.advance(0.2)
    assert await task == "timed out"


async def test_deadline_that_is_met_leaves_no_timer() -> None:
    clock = FakeClock()
    async with deadline(clock, 3):
        pass
    async with deadline(clock, None):
        pass
    assert clock.next_due() is None


async def test_deadline_passes_other_errors() -> None:
    with pytest.raises(KeyError):
        async with deadline(FakeClock(), 3):
            raise KeyError


async def test_system_clock_fires() -> None:
    clock = SystemClock()
    fired = asyncio.Event()
    clock.call_later(0, fired.set)
    await fired.wait()
    await clock.sleep(0)
    assert clock.now() > 1_700_000_000 and clock.monotonic() >= 0


async def test_an_alarm_is_due_once_however_often_it_is_set() -> None:
    clock = FakeClock()
    rung: list[float] = []
    alarm = Alarm(clock, lambda: rung.append(clock.monotonic()))
    began = clock.monotonic()
    for seconds in (5, 1, 3):
        alarm.set(seconds)
    await clock.advance(10)
    assert rung == [began + 3]
    alarm.set(1)
    await clock.advance(10)
    assert rung == [began + 3, began + 11]
    alarm.set(1)
    alarm.cancel()
    await clock.advance(10)
    assert len(rung) == 2
