"""A queue of keys that want to be looked at.

Level-triggered: a key waits at most once, however often it is added. A key that is being worked on and added again waits until its
worker says `done`, so that no two workers ever hold the same key. Delays (`add_after`, `retry`) are timers that end in `add`; of several
for one key the earliest wins. Every `get` must be followed by `done`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

from kit.backoff import Backoff
from kit.clock import Clock, Timer

K = TypeVar("K", bound=Hashable)


class QueueClosed(Exception):
    """The queue was closed and hands out no more keys."""


class WorkQueue(Generic[K]):
    """Keys to work on, each once at a time, with delays and a back-off per key."""

    def __init__(self, clock: Clock, backoff: Backoff | None = None) -> None:
        self._clock = clock
        self._backoff = backoff or Backoff(base=0.005, cap=60.0, jitter=0.2)
        self._ready: deque[K] = deque()
        self._wanted: set[K] = set()
        self._held: set[K] = set()
        self._failures: dict[K, int] = {}
        self._later: dict[K, tuple[float, Timer]] = {}
        self._getters: deque[asyncio.Future[None]] = deque()
        self._closed = False
        self.added = self.retried = 0  # how often so far

    def __len__(self) -> int:
        """How many keys wait for a worker."""
        return len(self._ready)

    @property
    def idle(self) -> bool:
        """Nothing waits, is being worked on or is due later."""
        return not (self._wanted or self._held or self._later)

    def add(self, key: K) -> None:
        """Have `key` looked at as soon as a worker is free."""
        if self._closed or key in self._wanted:
            return
        self._wanted.add(key)
        self.added += 1
        if key not in self._held:
            self._ready.append(key)
            self._wake()

    def add_after(self, key: K, seconds: float) -> None:
        """Have `key` looked at in `seconds`, or earlier if that was already asked for."""
        if self._closed:
            return
        if seconds <= 0:
            self.add(key)
            return
        due = self._clock.monotonic() + seconds
        if (planned := self._later.get(key)) is not None:
            if planned[0] <= due:
                return
            planned[1].cancel()
        self._later[key] = (due, self._clock.call_later(seconds, lambda: self._fire(key)))

    def retry(self, key: K) -> float:
        """Note a failure and have `key` looked at after its back-off, which is returned."""
        self.retried += 1
        self._failures[key] = failures = self._failures.get(key, 0) + 1
        delay = self._backoff.delay(failures)
        self.add_after(key, delay)
        return delay

    def failures(self, key: K) -> int:
        """Failures in a row."""
        return self._failures.get(key, 0)

    def forget(self, key: K) -> None:
        """It worked: the next back-off starts from the beginning."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """The next key, which is the caller's until `done`. Raises QueueClosed."""
        while not self._ready:
            if self._closed:
                raise QueueClosed
            getter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except asyncio.CancelledError:
                if getter.cancelled():
                    if getter in self._getters:  # a wake-up that came meanwhile passed it by
                        self._getters.remove(getter)
                elif self._ready:
                    self._wake()  # the wake-up was ours: pass it on
                raise
        key = self._ready.popleft()
        self._wanted.discard(key)
        self._held.add(key)
        return key

    def done(self, key: K) -> None:
        """The caller of `get` has finished with `key`."""
        self._held.discard(key)
        if key in self._wanted:
            self._ready.append(key)
            self._wake()

    def close(self) -> None:
        """Hand out nothing more; those who wait get QueueClosed."""
        self._closed = True
        self._ready.clear()
        self._wanted.clear()
        for _, timer in self._later.values():
            timer.cancel()
        self._later.clear()
        while self._getters:
            self._wake()

    def _fire(self, key: K) -> None:
        del self._later[key]
        self.add(key)

    def _wake(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return
