"""How many pods are being started at the same time.

A few at once are as fast as all at once, and each is done sooner. A start that hangs gives its place up after a while, so
that it holds up nobody else.
"""

import asyncio
from collections import deque

from kit.clock import Clock

PATIENCE = 5.0


class Slot:
    """A place among those that start; give it back with `leave`, as often as you like."""

    __slots__ = ("_slots", "_timer")

    def __init__(self, slots: "Slots", clock: Clock) -> None:
        self._slots: Slots | None = slots
        self._timer = clock.call_later(PATIENCE, self.leave)

    def leave(self) -> None:
        """Let the next one start."""
        if self._slots is not None:
            self._timer.cancel()
            slots, self._slots = self._slots, None
            slots.release()


class Slots:
    """First come, first served."""

    def __init__(self, clock: Clock, places: int) -> None:
        self._clock = clock
        self._places = self._free = places
        self._waiting: deque[asyncio.Future[None]] = deque()

    def busy(self) -> bool:
        """Whether anything is being started."""
        return self._free < self._places

    async def take(self) -> Slot:
        """Wait for a place."""
        if self._free > 0:
            self._free -= 1
        else:
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self.release()
                raise
        return Slot(self, self._clock)

    def release(self) -> None:
        """One place is free again."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
