"""Time as an argument: programs get a `SystemClock`, tests a `FakeClock` that moves only when told."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Protocol


class Timer(Protocol):
    """A call that is due later."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Wall time, steady time, and waking up later."""

    def now(self) -> float:
        """Seconds since 1970, as on the wall."""

    def monotonic(self) -> float:
        """Seconds that never jump; only differences mean something."""

    async def sleep(self, seconds: float) -> None: ...

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call back once after `seconds`, on the running loop, unless cancelled."""


class Alarm:
    """A call that is due once, at the time that was asked for last: however often it is set, there is one."""

    __slots__ = ("_callback", "_clock", "_timer")

    def __init__(self, clock: Clock, callback: Callable[[], object]) -> None:
        self._clock = clock
        self._callback = callback
        self._timer: Timer | None = None

    def set(self, seconds: float) -> None:
        """Call back after `seconds`, and not when it was due before."""
        self.cancel()
        self._timer = self._clock.call_later(seconds, self._callback)

    def cancel(self) -> None:
        """Do not call back, unless it is set anew."""
        if self._timer is not None:
            self._timer.cancel()


class SystemClock:
    """The machine's clock."""

    __slots__ = ()

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds of the machine's steady clock."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let others run for `seconds`."""
        await asyncio.sleep(seconds)

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call back once after `seconds`."""
        return asyncio.get_running_loop().call_later(seconds, callback)


class _FakeTimer:
    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None


class FakeClock:
    """A clock for tests. `await advance(s)` fires what falls due in order and lets woken tasks run; `jump(s)` does not yield."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._origin = now
        self._elapsed = 0.0
        self._timers: list[tuple[float, int, _FakeTimer]] = []
        self._serial = count()

    def now(self) -> float:
        """Seconds since 1970, as set and advanced."""
        return self._origin + self._elapsed

    def monotonic(self) -> float:
        """Seconds advanced so far."""
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been advanced by `seconds`."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self.call_later(seconds, lambda: None if woken.done() else woken.set_result(None))
        try:
            await woken
        finally:
            timer.cancel()

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call back when the clock has been advanced by `seconds`."""
        timer = _FakeTimer(callback)
        heapq.heappush(self._timers, (self._elapsed + max(0.0, seconds), next(self._serial), timer))
        return timer

    def set_wall(self, now: float) -> None:
        """Step the wall clock, as an administrator or NTP does; steady time goes on."""
        self._origin = now - self._elapsed

    async def advance(self, seconds: float) -> None:
        """Move on by `seconds`, stopping at every due time so that chains of sleeps happen in order."""
        end = self._elapsed + seconds
        await settle()
        while (due := self.next_due()) is not None and due <= end:
            self.jump(due - self._elapsed)
            await settle()
        self.jump(end - self._elapsed)
        await settle()

    def jump(self, seconds: float) -> None:
        """Move on by `seconds` at once and fire all that is due; nothing else runs meanwhile."""
        self._elapsed = max(self._elapsed, self._elapsed + seconds)
        while self._timers and self._timers[0][0] <= self._elapsed:
            timer = heapq.heappop(self._timers)[2]
            if timer.callback is not None:
                callback, timer.callback = timer.callback, None
                callback()

    def next_due(self) -> float | None:
        """The steady time of the earliest waiting timer."""
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None


async def settle(turns: int = 20) -> None:
    """Let everything that can run without time or I/O run."""
    for _ in range(turns):
        await asyncio.sleep(0)


@asynccontextmanager
async def deadline(clock: Clock, seconds: float | None) -> AsyncIterator[None]:
    """Raise TimeoutError in the block when `seconds` of this clock have passed; None waits for ever."""
    if seconds is None:
        yield
        return
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as limit:
        timer = clock.call_later(seconds, lambda: limit.reschedule(loop.time()))
        try:
            yield
        finally:
            timer.cancel()
