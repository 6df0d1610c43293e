"""An HTTP/1 answer that is written piece by piece: chunked, or up to the connection's end for HTTP/1.0."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kit import log
from kit.http.pieces import Pieces

if TYPE_CHECKING:
    from kit.http.h1 import Connection

_log = log.get("http")


class ChunkedStream(Pieces):
    """model.Stream in chunked encoding, or up to the connection's end for HTTP/1.0."""

    __slots__ = ("_backlog", "_connection", "_transport", "body", "chunked")

    def __init__(self, connection: Connection, transport: asyncio.Transport, backlog: int) -> None:
        self._connection = connection
        self._transport = transport
        self._backlog = backlog
        super().__init__()
        self.chunked = True
        self.body = True

    def write(self, data: bytes) -> None:
        """Send one piece, or cut a reader that lags too far."""
        if self._ending.ended or not data or not self.body:
            return
        transport = self._transport
        transport.write(b"%x\r\n%b\r\n" % (len(data), data) if self.chunked else data)
        if transport.get_write_buffer_size() > self._backlog:
            _log.info("cut a reader that is too slow", remote=self._connection.remote, backlog=self._backlog)
            self.abort()

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

    def lags(self) -> bool:
        """Whether the transport has enough to send."""
        return self._connection.paused_writing
