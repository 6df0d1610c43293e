"""Work that may block for very long, as on a server that is away, in threads of its own.

The threads are daemonic: a program that ends waits for none of them. At most so many run at once, or one for each thing that is worked
on; work that hangs keeps its place, also when nobody waits for it any more, so that trying again and again does not fill the machine
with threads.
"""

import asyncio
import threading
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class Threads:
    """See the module."""

    def __init__(self, name: str, most: int) -> None:
        self._name = name
        self._places = asyncio.Semaphore(most)

    async def run(self, work: Callable[[], T]) -> T:
        """Do it in a thread; its result."""
        await self._places.acquire()
        try:
            done = begin(work, self._name)
        except BaseException:
            self._places.release()
            raise
        done.add_done_callback(lambda _: self._places.release())
        return await asyncio.shield(done)


class OneEach(Generic[T]):
    """One piece of work at a time for each key; who asks for it while it is under way waits for that one's result."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._under_way: dict[Hashable, asyncio.Future[T]] = {}

    async def run(self, key: Hashable, work: Callable[[], T]) -> T:
        """Do it in a thread; its result."""
        done = self._under_way.get(key)
        if done is None:
            done = self._under_way[key] = begin(work, self._name)
            done.add_done_callback(lambda _: self._under_way.pop(key))
        return await asyncio.shield(done)


def begin(work: Callable[[], T], name: str) -> asyncio.Future[T]:
    """Start it in a thread; the future of its result."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()
    done.add_done_callback(_heard)

    def told(result: T | None, error: BaseException | None) -> None:
        if done.cancelled():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def do() -> None:
        result, error = None, None
        try:
            result = work()
        except BaseException as caught:  # whatever it is, it is for who waits
            error = caught
        try:
            loop.call_soon_threadsafe(told, result, error)
        except RuntimeError:
            pass  # the program has ended meanwhile

    threading.Thread(target=do, name=name, daemon=True).start()
    return done


def _heard(done: asyncio.Future[T]) -> None:
    """What went wrong after everybody had left is no news to anybody."""
    if not done.cancelled():
        done.exception()
