"""A WebSocket on a connection of the server: messages as they come, pings answered, a proper end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

from kit.http.raw import RawClosed, RawStream
from kit.http.websocket import LARGEST, NO_CODE, NORMAL, Broken, Message, Op, Reader, close_frame, frame


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
