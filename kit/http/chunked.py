"""An HTTP/1 answer that is written piece by piece: chunked, or up to the connection's end for HTTP/1.0."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from kit import log
from kit.http.model import Ending, StreamClosed

if TYPE_CHECKING:
    from kit.http.h1 import Connection

_log = log.get("http")


class ChunkedStream:
    """model.Stream in chunked encoding, or up to the connection's end for HTTP/1.0."""

    __slots__ = ("_backlog", "_connection", "_ending", "_transport", "_waiters", "body", "chunked")

    def __init__(self, connection: Connection, transport: asyncio.Transport, backlog: int) -> None:
        self._connection = connection
        self._transport = transport
        self._backlog = backlog
        self._ending = Ending()
        self._waiters: list[asyncio.Future[None]] = []
        self.chunked = True
        self.body = True

    @property
    def closed(self) -> bool:
        """Whether nothing more can be written."""
        return self._ending.ended

    def write(self, data: bytes) -> None:
        """Send one piece, or cut a reader that lags too far."""
        if self._ending.ended or not data or not self.body:
            return
        transport = self._transport
        transport.write(b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data)
        if transport.get_write_buffer_size() > self._backlog:
            _log.info("cut a reader that is too slow", remote=self._connection.remote, backlog=self._backlog)
            self.abort()

    async def drain(self) -> None:
        """Wait until the reader has caught up. Raises StreamClosed."""
        while self._connection.paused_writing and not self._ending.ended:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter
        if self._ending.ended:
            raise StreamClosed("cannot write: the reader has gone")

    def close(self) -> None:
        """End the answer properly."""
        if not self._ending.ended:
            if self.chunked:
                self._transport.write(b"0\r\n\r\n")
            self._end()
            self._connection.stream_ended()

    def abort(self) -> None:
        """End the connection without ending the answer."""
        if not self._ending.ended:
            self._transport.abort()
            self._end()

    def lost(self) -> None:
        """The connection has ended."""
        self._end()

    def on_close(self, callback: Callable[[], object]) -> None:
        """Call back once when the stream has ended."""
        self._ending.on_end(callback)

    async def wait_closed(self) -> None:
        """Return when the stream has ended."""
        await self._ending.wait()

    def wake(self) -> None:
        """Those in `drain` look again."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _end(self) -> None:
        self._ending.end()
        self.wake()
