"""A WebSocket on a connection of the server: messages as they come, pings answered, a proper end.

`WebSocket` is for a task that reads and writes. `FrameStream` is for who only writes, without a task: an answer piece by piece, like those
of plain HTTP, with the same limit for readers who lag.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from kit import log
from kit.clock import Clock
from kit.http.model import Ending, StreamClosed
from kit.http.raw import RawClosed, RawStream
from kit.http.relay import CLOSING_SECONDS
from kit.http.websocket import LARGEST, NO_CODE, NORMAL, UNHEARD, Broken, Message, Op, Reader, close_frame, frame

_log = log.get("http")


class WebSocket:
    """The server's side, after the handshake."""

    def __init__(self, raw: RawStream, *, largest: int = LARGEST, moved: Callable[[], object] = lambda: None) -> None:
        self.raw = raw
        self._reader = Reader(largest=largest)
        self._moved = moved
        self._finished = False  # our closing frame is sent

    async def __aiter__(self) -> AsyncIterator[Message]:
        """Text and binary messages, until the client closes, goes, or breaks the protocol (then it is told so)."""
        try:
            while data := await self.raw.read():
                self._moved()
                for message in self._reader.feed(data):
                    if message.op is Op.PING:
                        self.raw.write(frame(Op.PONG, message.data))
                        await self.raw.drain()
                    elif message.op is Op.CLOSE:
                        self.finish(NORMAL if message.code == NO_CODE else message.code)
                        return
                    elif message.op is not Op.PONG:
                        yield message
        except Broken as error:
            self.finish(error.code, str(error))
        except RawClosed:
            return

    async def send(self, data: bytes, op: Op = Op.BINARY) -> None:
        """Send a message at the client's pace. Raises RawClosed."""
        if self._finished:
            raise RawClosed("cannot write: the WebSocket is closed")
        self._moved()
        self.raw.write(frame(op, data))
        await self.raw.drain()

    def finish(self, code: int = NORMAL, reason: str = "") -> None:
        """Say that no more will be sent."""
        if not self._finished:
            self._finished = True
            self.raw.write(close_frame(code, reason))


class FrameStream:
    """model.Stream whose pieces are whole frames. What the client says is not heard, except that it goes."""

    def __init__(self, raw: RawStream, clock: Clock, backlog: int) -> None:
        self._raw = raw
        self._clock = clock
        self._backlog = backlog
        self._reader = Reader(largest=UNHEARD)
        self._ending = Ending()
        raw.on_data(self._heard)

    @property
    def closed(self) -> bool:
        """Whether nothing more can be written."""
        return self._ending.ended

    def write(self, data: bytes) -> None:
        """Send frames, or cut a reader that lags too far."""
        if self._ending.ended or not data:
            return
        self._raw.write(data)
        if self._raw.transport.get_write_buffer_size() > self._backlog:
            _log.info("cut a reader that is too slow", backlog=self._backlog)
            self.abort()

    async def drain(self) -> None:
        """Wait until the reader has caught up. Raises StreamClosed."""
        try:
            await self._raw.drain()
        except RawClosed as error:
            raise StreamClosed(str(error)) from None
        if self._ending.ended:
            raise StreamClosed("cannot write: the WebSocket is closed")

    def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Say that no more will be sent, and end the connection when that has been taken."""
        if not self._ending.ended:
            self._raw.write(close_frame(code, reason))
            self._raw.close()
            self._clock.call_later(CLOSING_SECONDS, self._raw.abort)  # who takes nothing is not waited for
            self._ending.end()

    def abort(self) -> None:
        """Break off."""
        if not self._ending.ended:
            self._raw.abort()
            self._ending.end()

    def on_close(self, callback: Callable[[], object]) -> None:
        """Call back once when the stream has ended, for whatever reason; at once if it already has."""
        self._ending.on_end(callback)

    async def wait_closed(self) -> None:
        """Return when the stream has ended."""
        await self._ending.wait()

    def _heard(self, data: bytes) -> None:
        if not data:
            self.abort()
            return
        try:
            for message in self._reader.feed(data):
                if message.op is Op.PING:
                    self.write(frame(Op.PONG, message.data))
                elif message.op is Op.CLOSE:
                    self.close(NORMAL if message.code == NO_CODE else message.code)
        except Broken as error:
            self.close(error.code, str(error))
