"""HTTP/1.1 on one client connection: one exchange at a time, parsed by httptools.

A connection may be used again when its answer was read to the end, both sides want to keep it, and nothing came unasked. A body that is
not read fast enough stops the reading from the socket (`HIGH_WATER`). Servers may be hostile: heads have a limit, and who holds a whole
body says how much of it he takes.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import cast

import httptools

from kit.http.errors import ClientError, ConnectFailed, ProtocolError
from kit.http.model import merge_headers
from kit.http.raw import RawStream

HIGH_WATER = 1024 * 1024
LARGEST_HEAD = 1024 * 1024  # bytes before the body, interim answers included


class Exchange:
    """One request's answer as it comes in."""

    __slots__ = (
        "_pieces",
        "_waiter",
        "complete",
        "connection",
        "error",
        "head_done",
        "headers",
        "method",
        "raw_headers",
        "sending",
        "size",
        "status",
        "upgraded",
    )

    def __init__(self, method: str, connection: ClientConnection) -> None:
        self.method = method
        self.connection = connection
        self.status = 0
        self.headers: dict[str, str] = {}
        self.raw_headers: list[tuple[bytes, bytes]] = []
        self.head_done = False
        self.complete = False
        self.upgraded: RawStream | None = None
        self.error: ClientError | None = None
        self.sending: asyncio.Future[None] | None = None  # the body, if it is sent as it comes
        self.size = 0
        self._pieces: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None

    async def head(self) -> None:
        """Return when status and headers are there. Raises ClientError."""
        while not self.head_done and self.error is None:
            await self._change()
        if self.error is not None:
            raise self.error

    async def body(self, most: int = 0) -> bytes:
        """The whole body, if it has at most so many bytes. Raises ClientError."""
        taken, size = [], 0
        while not self.complete and self.error is None:
            if most and size + self.size > most:
                raise ProtocolError(f"cannot read the answer: its body has more than {most} bytes")
            if self.size > HIGH_WATER:
                size += self.size
                taken.append(self.take())  # or no more would be read
            await self._change()
        if self.error is not None:
            raise self.error
        return b"".join((*taken, self.take())) if taken else self.take()

    async def read(self) -> bytes:
        """What has come since the last call; b"" at the end. Raises ClientError after what came before the break was read."""
        while not self._pieces and not self.complete and self.error is None:
            await self._change()
        if not self._pieces and self.error is not None:
            raise self.error
        return self.take()

    def take(self) -> bytes:
        """Everything received and not yet read."""
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self.size = 0
        self.connection.flow(self)
        return data

    def feed(self, data: bytes) -> None:
        """A piece of the body has come."""
        self._pieces.append(data)
        self.size += len(data)
        self.connection.flow(self)
        self.wake()

    def fail(self, error: ClientError) -> None:
        """Nothing more will come."""
        if not self.complete and self.error is None:
            self.error = error
            self.wake()

    def wake(self) -> None:
        """Whoever waits looks again."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _change(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter


class ClientConnection(asyncio.Protocol):
    """One connection to a server."""

    def __init__(self, where: str, *, lenient: bool = False) -> None:
        self._where = where
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        if lenient:
            self._parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=True)
        self._exchange: Exchange | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_size = 0
        self._interim = False
        self._until_close = False
        self._keep_alive = False
        self._paused = False
        self._writable: asyncio.Future[None] | None = None
        self.closed = False
        self.used = 0
        self.idle_since = 0.0

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent."""
        return not self.closed and self._exchange is None and not self._transport.is_closing()

    def begin(self, method: str, data: bytes) -> Exchange:
        """Send a request's head, or all of it; its answer comes in the exchange."""
        self.used += 1
        self._head_size = 0
        self._exchange = exchange = Exchange(method, self)
        self._transport.write(data)
        return exchange

    async def send(self, data: bytes) -> None:
        """Send a piece of the request's body, at the server's pace."""
        if self._writable is not None:
            await self._writable
        if not self.closed:
            self._transport.write(data)

    def abort(self) -> None:
        """End the connection now."""
        self._transport.abort()

    def flow(self, exchange: Exchange) -> None:
        """Read on, or stop reading, as the reader of the body keeps up."""
        full = exchange.size > HIGH_WATER
        if full != self._paused and not self.closed and self._exchange is exchange:
            self._paused = full
            if full:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Parse; callbacks below do the rest."""
        if self._exchange is None or self._parser is None:
            self._transport.abort()  # unasked
            return
        if not self._exchange.head_done:
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self._fail(ProtocolError(f"cannot read the answer of {self._where}: {error}"))
            self._transport.abort()
        else:
            if self._head_size > LARGEST_HEAD and self._exchange is not None and not self._exchange.head_done:
                self._fail(ProtocolError(f"cannot read the answer of {self._where}: its head is too large"))
                self._transport.abort()

    def eof_received(self) -> bool:
        """The server has finished."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended; so may a body without a length."""
        self.closed = True
        self._parser = None
        if self._writable is not None:
            self._writable.set_result(None)
            self._writable = None
        exchange = self._exchange
        if exchange is None:
            return
        if exchange.head_done and self._until_close and exc is None:
            self._complete(exchange)
        elif exchange.head_done:
            self._fail(ProtocolError(f"cannot read the answer of {self._where}: it ended early"))
        else:
            reason = f": {exc}" if exc else ""
            self._fail(ConnectFailed(f"cannot get an answer from {self._where}: the connection was closed{reason}"))

    def pause_writing(self) -> None:
        """The server reads slowly."""
        self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """The server has caught up."""
        if self._writable is not None:
            self._writable.set_result(None)
            self._writable = None

    # httptools

    def on_message_begin(self) -> None:
        """A status line follows."""
        self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; trailers come after the head and are left out."""
        if self._exchange is not None and not self._exchange.head_done:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is there."""
        exchange, parser = self._exchange, self._parser
        if exchange is None or parser is None:
            return
        status = parser.get_status_code()
        self._interim = 100 <= status < 200 and status != 101
        if self._interim:
            return
        exchange.status = status
        exchange.raw_headers = self._headers
        exchange.headers = headers = merge_headers(self._headers)
        self._until_close = "content-length" not in headers and "chunked" not in headers.get("transfer-encoding", "")
        exchange.head_done = True
        exchange.wake()

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        if self._exchange is not None:
            self._exchange.feed(data)

    def on_message_complete(self) -> None:
        """The answer is complete."""
        exchange, parser = self._exchange, self._parser
        if exchange is None or parser is None or self._interim:
            return
        self._keep_alive = parser.should_keep_alive()
        if exchange.status != 101:
            self._complete(exchange)

    def answer_without_body(self, exchange: Exchange) -> None:
        """The answer to HEAD: its length is not followed by a body, which the parser cannot know; the connection is spent."""
        exchange.complete = True
        self._exchange = None
        self._transport.abort()

    def _complete(self, exchange: Exchange) -> None:
        self._exchange = None
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        if not self._keep_alive and not self.closed:
            self._transport.close()
        exchange.complete = True
        exchange.wake()

    def _fail(self, error: ClientError) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.fail(error)

    def _upgrade(self, rest: bytes) -> None:
        exchange, self._exchange = self._exchange, None
        self._parser = None
        if exchange is not None and exchange.status == 101:
            exchange.upgraded = RawStream(self._transport, rest)
            exchange.complete = True
            exchange.wake()
        elif exchange is not None:
            exchange.fail(ProtocolError(f"cannot read the answer of {self._where}: unexpected upgrade"))
            self._transport.abort()
