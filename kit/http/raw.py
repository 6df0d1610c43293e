"""A connection without HTTP: bytes both ways, after an upgrade. The same on the server's and on the client's side."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

HIGH_WATER = 256 * 1024


class RawClosed(Exception):
    """The other side has gone."""


class RawStream(asyncio.Protocol):
    """Read with `read` or `async for`, write with `write` and `drain`; `on_data` hands over pieces as they come instead."""

    def __init__(self, transport: asyncio.Transport, rest: bytes = b"") -> None:
        self.transport = transport
        self.closed = False
        self.on_lost: Callable[[], object] | None = None
        self._received: deque[bytes] = deque([rest] if rest else [])
        self._size = len(rest)
        self._eof = False
        self._closing = False
        self._tls = transport.get_extra_info("ssl_object") is not None
        self._paused_reading = False
        self._paused_writing = False
        self._waiters: list[asyncio.Future[None]] = []
        self._receiver: Callable[[bytes], object] | None = None
        transport.set_protocol(self)
        transport.resume_reading()

    def on_data(self, receiver: Callable[[bytes], object]) -> None:
        """Hand every piece to `receiver` as it comes, and b"" at the end, instead of keeping it for `read`."""
        self._receiver = receiver
        while self._received:
            receiver(self._received.popleft())
        self._size = 0
        self._flow()
        if self._eof:
            receiver(b"")

    async def read(self) -> bytes:
        """The next piece; b"" when the other side has finished."""
        while not self._received:
            if self._eof or self.closed:
                return b""
            await self._change()
        data = self._received.popleft()
        self._size -= len(data)
        self._flow()
        return data

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while data := await self.read():
            yield data

    def write(self, data: bytes) -> None:
        """Send; lost without a word when the connection has ended."""
        if not self.closed:
            self.transport.write(data)

    async def drain(self) -> None:
        """Wait until the other side has caught up. Raises RawClosed."""
        while self._paused_writing and not self.closed:
            await self._change()
        if self.closed:
            raise RawClosed("cannot write: the connection is closed")

    def write_eof(self) -> None:
        """Say that no more will be written, where the transport can (TLS cannot)."""
        if not self.closed and self.transport.can_write_eof():
            self.transport.write_eof()

    def close(self) -> None:
        """Send what is written and end the connection."""
        if not self._closing:
            self._closing = True  # asyncio's TLS forgets itself when it is closed twice
            self.transport.close()

    def abort(self) -> None:
        """End the connection now."""
        if not self.closed:
            self._closing = True
            self.transport.abort()

    async def wait_closed(self) -> None:
        """Return when the connection has ended."""
        while not self.closed:
            await self._change()

    # asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        """A piece has come."""
        if self._receiver is not None:
            self._receiver(data)
            return
        self._received.append(data)
        self._size += len(data)
        self._flow()
        self._wake()

    def eof_received(self) -> bool:
        """The other side has finished; our side stays open for writing, where the transport can (TLS cannot)."""
        self._finish()
        return not self._tls

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self.closed = True
        self._paused_writing = False
        self._finish()
        if self.on_lost is not None:
            self.on_lost()

    def pause_writing(self) -> None:
        """The other side lags."""
        self._paused_writing = True

    def resume_writing(self) -> None:
        """The other side has caught up."""
        self._paused_writing = False
        self._wake()

    def _finish(self) -> None:
        if not self._eof:
            self._eof = True
            if self._receiver is not None:
                self._receiver(b"")
        self._wake()

    def _flow(self) -> None:
        full = self._size > HIGH_WATER
        if full != self._paused_reading and not self.closed:
            self._paused_reading = full
            if full:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    async def _change(self) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
