"""What the API server has said of callers: kept for a while, asked for once by all who wait for it, and not at any rate.

Anybody can make up tokens, and each would be a request to the API server. So refusals are kept apart from what is known for good, which
they would push out; and of tokens that never were good only so many are asked about in a second. A token that was good once is always
asked about again.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Generic, TypeVar

from kit.clock import Clock

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """Answers that are kept for a while; those used longest ago go when there are too many."""

    def __init__(self, clock: Clock, most: int) -> None:
        self._clock = clock
        self._most = most
        self._answers: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def __contains__(self, key: K) -> bool:
        """Whether there is an answer, fresh or not."""
        return key in self._answers

    def get(self, key: K) -> V | None:
        """The answer, if it is fresh."""
        found = self._answers.get(key)
        if found is None or self._clock.monotonic() >= found[0]:
            return None
        self._answers.move_to_end(key)
        return found[1]

    def put(self, key: K, answer: V, seconds: float) -> None:
        """Keep it so long."""
        self._answers[key] = (self._clock.monotonic() + seconds, answer)
        self._answers.move_to_end(key)
        if len(self._answers) > self._most:
            self._answers.popitem(last=False)

    def drop(self, key: K) -> None:
        """Forget it."""
        self._answers.pop(key, None)


class Asked(Generic[K, V]):
    """Questions under way. Who asks the same waits with the first, and whoever goes away leaves the others their answer."""

    def __init__(self) -> None:
        self._tasks: dict[K, asyncio.Task[V]] = {}

    async def once(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        """The answer of `ask`, or of the one that is under way."""
        task = self._tasks.get(key)
        if task is None:
            task = self._tasks[key] = asyncio.create_task(_answer(ask))
            task.add_done_callback(lambda done: self._done(key, done))
        return await asyncio.shield(task)

    def _done(self, key: K, task: "asyncio.Task[V]") -> None:
        del self._tasks[key]
        if not task.cancelled():
            task.exception()  # whoever waits hears of it; nobody may wait any more


class Allowance:
    """So many at once, and so many a second after that."""

    def __init__(self, clock: Clock, burst: int, rate: float) -> None:
        self._clock = clock
        self._burst = burst
        self._rate = rate
        self._left = float(burst)
        self._since = clock.monotonic()

    def take(self) -> bool:
        """Whether there is one left, which is then taken."""
        now = self._clock.monotonic()
        self._left = min(self._burst, self._left + (now - self._since) * self._rate)
        self._since = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


async def _answer(ask: Callable[[], Awaitable[Any]]) -> Any:
    return await ask()
