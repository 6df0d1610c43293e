"""The HTTP server: listens, keeps its connections, sweeps out the ones that have stalled, shuts down gracefully."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import stat
from collections.abc import Callable
from dataclasses import dataclass
from time import gmtime
from types import TracebackType
from typing import Protocol

from kit.clock import Clock, SystemClock, Timer
from kit.http.h1 import Connection
from kit.http.incoming import SMALL
from kit.http.model import Handler, HttpError, Request
from kit.http.raw import RawStream
from kit.http.tls import ServerTls

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class ListenError(HttpError):
    """The address cannot be listened on."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How large and how slow a peer may be (bytes, seconds)."""

    body: int = 3 * 1024 * 1024
    head: int = 64 * 1024
    stream_backlog: int = 4 * 1024 * 1024
    read_timeout: float = 30.0
    write_timeout: float = 60.0
    idle_timeout: float = 180.0
    handshake_timeout: float = 10.0
    shutdown_timeout: float = 3.0
    linger: float = 1.0
    # HTTP/2: of one connection
    streams: int = 250
    bodies: int = 64 * 1024 * 1024
    connection_backlog: int = 32 * 1024 * 1024
    silence: float = 60.0


class Served(Protocol):
    """A connection, whatever its version of HTTP, as the server sees it."""

    def sweep(self, tick: int) -> None: ...

    def shut(self) -> None: ...

    def abort(self) -> None: ...


class Server:
    """Serves `handler` on a TCP address or, with `unix`, on a socket file. Port 0 takes a free one, then found in `port`."""

    TICK = 5.0  # seconds between sweeps

    def __init__(
        self,
        handler: Handler,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ServerTls | ssl.SSLContext | None = None,
        *,
        unix: str = "",
        limits: Limits | None = None,
        clock: Clock | None = None,
        streamed: Callable[[bytes], bool] | None = None,
        known: Callable[[Request], bool] | None = None,
    ) -> None:
        """`streamed` says of a target whether its requests are served before a long body has come (`Request.incoming`); `known` of a
        request whose body has not come whether it is from somebody who may send a long one."""
        self.handler = handler
        self.streamed = streamed
        self.known = known
        self.host = host
        self.port = port
        self.unix = unix
        self.limits = limits or Limits()
        self.unasked = (
            self.limits.body if known is None else min(SMALL, self.limits.body)
        )  # bytes of a body that anybody may send
        self.clock = clock or SystemClock()
        self.tick = 0
        self.closing = False
        self._context = tls.context if isinstance(tls, ServerTls) else tls
        self._server: asyncio.Server | None = None
        self._connections: set[Served] = set()
        self._raw: set[RawStream] = set()
        self._emptied: asyncio.Future[None] | None = None
        self.tasks: set[asyncio.Task[None] | None] = set()
        self._sweeper: Timer | None = None
        self._date = b""
        self._date_at = -1

    async def start(self) -> None:
        """Listen. Raises ListenError."""
        loop = asyncio.get_running_loop()
        try:
            if self.unix:
                self._server = await loop.create_unix_server(self._connection, sock=_unix_socket(self.unix))
            else:
                self._server = await loop.create_server(
                    self._connection,
                    self.host or None,
                    self.port,
                    ssl=self._context,
                    ssl_handshake_timeout=self.limits.handshake_timeout if self._context else None,
                    ssl_shutdown_timeout=self.limits.shutdown_timeout if self._context else None,
                    backlog=4096,
                    reuse_address=True,
                )
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
            raise ListenError(f"cannot listen on {self.unix or f'{self.host}:{self.port}'}: {reason}") from error
        if not self.unix:
            self.port = self._server.sockets[0].getsockname()[1]

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """What its sockets are bound to; none before it listens, or on a socket file."""
        if self._server is None or self.unix:
            return []
        return [one.getsockname()[:2] for one in self._server.sockets]

    async def close(self, grace: float = 5.0) -> None:
        """Accept no more, let answers finish and streams end, then cut what is left after `grace` seconds."""
        self.closing = True
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.shut()
        for raw in list(self._raw):
            raw.close()
        emptied: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._emptied = emptied
        timer = self.clock.call_later(grace, lambda: None if emptied.done() else emptied.set_result(None))
        self._maybe_emptied()
        try:
            if grace > 0:
                await emptied
        finally:
            timer.cancel()
            for connection in list(self._connections):
                connection.abort()
            for raw in list(self._raw):
                raw.abort()
            for task in list(self.tasks):
                if task is not None:
                    task.cancel()
            if self._sweeper is not None:
                self._sweeper.cancel()
            if self.unix:
                _unlink_socket(self.unix)

    async def run(self) -> None:
        """Serve until cancelled, then close; as a supervisor's part. Starts unless `start` was called before."""
        if self._server is None:
            await self.start()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await self.close()

    async def __aenter__(self) -> Server:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # for connections

    @property
    def date(self) -> bytes:
        """The Date header's line, made once a second."""
        now = int(self.clock.now())
        if now != self._date_at:
            self._date_at = now
            self._date = b"Date: " + http_date(now) + b"\r\n"
        return self._date

    def attached(self, connection: Served) -> None:
        """A connection has begun."""
        self._connections.add(connection)
        if self._sweeper is None:
            self._sweeper = self.clock.call_later(self.TICK, self._sweep)

    def detached(self, connection: Served) -> None:
        """A connection has ended."""
        self._connections.discard(connection)
        self._maybe_emptied()

    def hijacked(self, connection: Served, raw: RawStream) -> None:
        """A connection has left HTTP; it is still closed with the server."""
        self._connections.discard(connection)
        self._raw.add(raw)
        raw.on_lost = lambda: self._raw_lost(raw)

    def _raw_lost(self, raw: RawStream) -> None:
        self._raw.discard(raw)
        self._maybe_emptied()

    def _maybe_emptied(self) -> None:
        if not self._connections and not self._raw and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    def _connection(self) -> Connection:
        return Connection(self)

    def _sweep(self) -> None:
        self.tick += 1
        for connection in list(self._connections):
            connection.sweep(self.tick)
        self._sweeper = self.clock.call_later(self.TICK, self._sweep) if self._connections else None


def http_date(seconds: int) -> bytes:
    """The form that HTTP wants, whatever the locale."""
    at = gmtime(seconds)
    day, month = _DAYS[at.tm_wday], _MONTHS[at.tm_mon - 1]
    return f"{day}, {at.tm_mday:02} {month} {at.tm_year} {at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} GMT".encode()


def parse_address(address: str) -> tuple[str, int]:
    """Split "127.0.0.1:6443", "[::1]:6443" or ":6443". Raises ListenError."""
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise ListenError(f"cannot listen on {address!r}: it must be HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _unix_socket(path: str) -> socket.socket:
    """A bound socket that only its owner may use; a socket left by a dead process is replaced, a live one is an error."""
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        probe.connect(path)
    except ConnectionRefusedError:
        _unlink_socket(path)
    except FileNotFoundError:
        pass
    else:
        raise OSError(98, "in use")
    finally:
        probe.close()
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        before = os.umask(0o177)
        try:
            bound.bind(path)
        finally:
            os.umask(before)
    except BaseException:
        bound.close()
        raise
    return bound


def _unlink_socket(path: str) -> None:
    try:
        if stat.S_ISSOCK(os.stat(path).st_mode):
            os.unlink(path)
    except FileNotFoundError:
        pass
