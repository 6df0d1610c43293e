"""The HTTP client: HTTP/1.1 to one server over TCP, TLS or a unix socket, with connections kept for the next request."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from kit.clock import Clock, SystemClock, deadline
from kit.http.errors import ClientError, ConnectFailed, ProtocolError, TimedOut
from kit.http.h1_client import ClientConnection, Exchange
from kit.http.model import Headers
from kit.http.raw import RawStream

IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})
MAX_IDLE = 8
PATIENCE = 0.1  # a connection that gets free so soon saves a new one, whose handshake costs more than most requests
LARGEST_REFUSAL = 1024 * 1024  # bytes that say why there is no upgrade
IDLE_SECONDS = 90.0  # less than servers keep them

__all__ = ["ClientError", "ConnectFailed", "HttpClient", "Incoming", "ProtocolError", "Reply", "TimedOut"]

Body = bytes | AsyncIterable[bytes]


class Reply(NamedTuple):
    """A complete answer."""

    status: int
    headers: dict[str, str]
    body: bytes


class Incoming:
    """An answer whose body is still coming: iterate over it, or `read` what has come."""

    __slots__ = ("_exchange", "headers", "raw_headers", "status")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.status = exchange.status
        self.headers = exchange.headers
        self.raw_headers = exchange.raw_headers  # as they came, one by one

    async def read(self) -> bytes:
        """All that has come since the last call, at least one byte; b"" at the end. Raises ClientError."""
        return await self._exchange.read()

    async def body(self) -> bytes:
        """The rest of the body. Raises ClientError."""
        return await self._exchange.body()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while data := await self._exchange.read():
            yield data


class HttpClient:
    """Talks to one server, `host` and `port` or a `unix` socket; `tls` None is plain."""

    def __init__(
        self,
        host: str = "",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        *,
        unix: str = "",
        server_name: str = "",
        host_header: str = "",
        lenient: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self._host, self._port, self._unix = host, port, unix
        self._tls = tls
        self._lenient = lenient  # lines may end without a carriage return, as simple servers write them
        self._server_name = server_name or host
        self._clock = clock or SystemClock()
        self._idle: list[ClientConnection] = []
        self._busy: set[ClientConnection] = set()
        self._brief = 0  # requests under way that are over as soon as they are answered
        self._waiting: deque[asyncio.Future[ClientConnection]] = deque()
        self._where = unix or f"{host}:{port}"
        shown = f"[{host}]" if ":" in host else host or "localhost"
        self._host_header = host_header or (shown if port in (0, 443 if tls else 80) else f"{shown}:{port}")

    @property
    def where(self) -> str:
        """The server, for messages."""
        return self._where

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: Body = b"",
        headers: Headers = (),
        timeout: float | None = 30.0,
        most: int = 0,
    ) -> Reply:
        """Ask and read the whole answer within `timeout` seconds, with a body of at most `most` bytes. Raises ClientError."""
        self._brief += 1
        try:
            async with self._exchange(method, path, body, headers, timeout, brief=True) as exchange:
                async with self._limit(timeout, method, path):
                    content = await exchange.body(most)
                return Reply(exchange.status, exchange.headers, content)
        finally:
            self._brief -= 1

    @asynccontextmanager
    async def stream(
        self, method: str, path: str, *, body: Body = b"", headers: Headers = (), timeout: float | None = 30.0
    ) -> AsyncIterator[Incoming]:
        """Ask; the head of the answer must come within `timeout`, its body may take for ever. Raises ClientError."""
        async with self._exchange(method, path, body, headers, timeout) as exchange:
            yield Incoming(exchange)

    async def upgrade(
        self, method: str, path: str, *, headers: Headers, timeout: float | None = 30.0
    ) -> tuple[Reply, RawStream | None]:
        """Ask for an upgrade (`headers` say to what). After 101 the connection is the caller's; else the answer says why not."""
        async with self._exchange(method, path, b"", headers, timeout) as exchange:
            async with self._limit(timeout, method, path):
                content = b"" if exchange.upgraded else await exchange.body(LARGEST_REFUSAL)
            raw, exchange.upgraded = exchange.upgraded, None
            if raw is not None:
                self._busy.discard(exchange.connection)
            return Reply(exchange.status, exchange.headers, content), raw

    async def close(self) -> None:
        """End all connections, also those in use."""
        for connection in [*self._idle, *self._busy]:
            connection.abort()
        self._idle.clear()
        self._busy.clear()

    @asynccontextmanager
    async def _exchange(
        self, method: str, path: str, body: Body, headers: Headers, timeout: float | None, *, brief: bool = False
    ) -> AsyncIterator[Exchange]:
        """An exchange whose head has come; its connection is kept if the answer was read to its end, and else closed."""
        exchange = await self._ask(method, path, body, headers, timeout, brief)
        try:
            yield exchange
        finally:
            if exchange.sending is not None and not exchange.sending.done():
                exchange.sending.cancel()
                exchange.connection.abort()
            self._release(exchange.connection)

    async def _ask(
        self, method: str, path: str, body: Body, headers: Headers, timeout: float | None, brief: bool
    ) -> Exchange:
        headers = tuple(headers)
        head = self._head(method, path, body, headers)
        async with self._limit(timeout, method, path):
            while True:
                connection = self._kept() or (brief and await self._freed()) or await self._connect()
                self._busy.add(connection)
                fresh = connection.used == 0
                try:
                    return await _send(connection, method, head, body, sized=_sized(headers))
                except ConnectFailed:
                    self._release(connection)
                    # The server may close a kept connection at any time; what may be repeated gets another try.
                    if fresh or method not in IDEMPOTENT or not isinstance(body, bytes):
                        raise
                except BaseException:
                    self._release(connection)
                    raise

    def _head(self, method: str, path: str, body: Body, headers: Headers) -> bytes:
        lines = [f"{method} {path} HTTP/1.1\r\nHost: {self._host_header}\r\n"]
        for name, value in headers:
            if "\n" in value or "\r" in value:
                raise ProtocolError(f"cannot send header {name}: it has a line break")
            lines.append(f"{name}: {value}\r\n")
        if not isinstance(body, bytes):
            lines.append("" if _sized(headers) else "Transfer-Encoding: chunked\r\n")
        elif body or method in ("POST", "PUT", "PATCH"):
            lines.append(f"Content-Length: {len(body)}\r\n")
        if any(c in path for c in " \r\n"):
            raise ProtocolError(f"cannot ask for {path!r}: it is not escaped")
        lines.append("\r\n")
        return "".join(lines).encode("latin-1")

    def _kept(self) -> ClientConnection | None:
        oldest = self._clock.monotonic() - IDLE_SECONDS
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable and connection.idle_since >= oldest:
                return connection
            connection.abort()
        return None

    async def _freed(self) -> ClientConnection | None:
        """The next connection that gets free, where more requests are under way than we keep connections."""
        if self._brief <= MAX_IDLE:
            return None
        turn: asyncio.Future[ClientConnection] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with deadline(self._clock, PATIENCE):
                await asyncio.shield(turn)
        except TimeoutError:
            pass
        except asyncio.CancelledError:
            if turn.done():
                self._keep(turn.result())
            raise
        finally:
            if turn.cancel():  # where connections never get free nobody else would take it away
                self._waiting.remove(turn)
        return None if turn.cancelled() or not turn.result().reusable else turn.result()

    def _release(self, connection: ClientConnection) -> None:
        if connection not in self._busy:
            return
        self._busy.discard(connection)
        self._keep(connection)

    def _keep(self, connection: ClientConnection) -> None:
        """For who waits for it, or for later."""
        if connection.reusable and self._waiting:
            self._waiting.popleft().set_result(connection)
        elif connection.reusable and len(self._idle) < MAX_IDLE:
            connection.idle_since = self._clock.monotonic()
            self._idle.append(connection)
        else:
            connection.abort()

    async def _connect(self) -> ClientConnection:
        loop = asyncio.get_running_loop()
        connection = ClientConnection(self._where, lenient=self._lenient)
        name = self._server_name if self._tls else None
        try:
            if self._unix:
                await loop.create_unix_connection(lambda: connection, self._unix, ssl=self._tls, server_hostname=name)
            else:
                transport, _ = await loop.create_connection(
                    lambda: connection, self._host, self._port, ssl=self._tls, server_hostname=name
                )
                _keep_alive(transport.get_extra_info("socket"))
        except ssl.SSLCertVerificationError as error:
            raise ConnectFailed(f"cannot trust {self._where}: {error.verify_message}") from error
        except ssl.SSLError as error:
            raise ConnectFailed(f"cannot connect to {self._where}: TLS: {error.reason or error}") from error
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
            raise ConnectFailed(f"cannot connect to {self._where}: {reason.lower()}") from error
        return connection

    @asynccontextmanager
    async def _limit(self, timeout: float | None, method: str, path: str) -> AsyncIterator[None]:
        try:
            async with deadline(self._clock, timeout):
                yield
        except TimeoutError:
            raise TimedOut(f"cannot get {method} {path} from {self._where}: no answer within {timeout:g} s") from None


def _sized(headers: Headers) -> bool:
    """Whether the caller says himself how long the body is."""
    return any(name.lower() == "content-length" for name, _ in headers)


async def _send(connection: ClientConnection, method: str, head: bytes, body: Body, *, sized: bool) -> Exchange:
    """Send a request and wait for the head of its answer, which may come before all of the body is sent."""
    if isinstance(body, bytes):
        exchange = connection.begin(method, head + body)
    else:
        exchange = connection.begin(method, head)
        exchange.sending = asyncio.ensure_future(_pour(connection, exchange, body, sized=sized))
    try:
        await exchange.head()
    except BaseException:
        if exchange.sending is not None:
            exchange.sending.cancel()
        raise
    if method == "HEAD" and not exchange.complete:
        connection.answer_without_body(exchange)
    return exchange


async def _pour(connection: ClientConnection, exchange: Exchange, body: AsyncIterable[bytes], *, sized: bool) -> None:
    """Send a body as it comes. What goes wrong with it is the exchange's error."""
    try:
        async for piece in body:
            if exchange.error is not None or exchange.complete:
                return
            if piece:
                await connection.send(piece if sized else b"%x\r\n%b\r\n" % (len(piece), piece))
        if not sized:
            await connection.send(b"0\r\n\r\n")
    except ClientError as error:
        exchange.fail(error)
    except Exception as error:  # somebody else's iterator
        exchange.fail(ClientError(f"cannot send the body of the request: {error}"))


def _keep_alive(sock: socket.socket | None) -> None:
    """Have the kernel notice a peer that vanished without a word, within about 45 s."""
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 45_000)
