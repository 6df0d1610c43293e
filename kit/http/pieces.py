"""What answers that are written piece by piece have in common, whatever the version of HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from kit.http.model import Ending, StreamClosed


class Pieces:
    """The half of model.Stream that waits: for a reader who lags, and for the end."""

    __slots__ = ("_ending", "_waiters")

    def __init__(self) -> None:
        self._ending = Ending()
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def closed(self) -> bool:
        """Whether nothing more can be written."""
        return self._ending.ended

    def lags(self) -> bool:
        """Whether the reader has to catch up before more is written."""
        raise NotImplementedError

    async def drain(self) -> None:
        """Wait until the reader has caught up. Raises StreamClosed."""
        while not self._ending.ended and self.lags():
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        if self._ending.ended:
            raise StreamClosed("cannot write: the reader has gone")

    def on_close(self, callback: Callable[[], object]) -> None:
        """Call back once when the stream has ended."""
        self._ending.on_end(callback)

    async def wait_closed(self) -> None:
        """Return when the stream has ended."""
        await self._ending.wait()

    def lost(self) -> None:
        """The stream has ended already, or the connection under it."""
        self._end()

    def wake(self) -> None:
        """Those in `drain` look again."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _end(self) -> None:
        self._ending.end()
        self.wake()
