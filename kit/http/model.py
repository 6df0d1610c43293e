"""Requests, responses and streams, whatever the version of HTTP that carries them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qsl, unquote

from kit.http.incoming import IncomingBody
from kit.http.raw import RawStream

Headers = Iterable[tuple[str, str]]


BODILESS = frozenset({204, 304})  # statuses whose answers have no body


class HttpError(Exception):
    """What is wrong with a request or its connection."""


class BadRequest(HttpError):
    """The request cannot be understood."""


class NoUpgrade(HttpError):
    """The connection cannot become something else than HTTP: it is HTTP/2."""


class StreamClosed(HttpError):
    """The reader of a stream has gone, or was cut for being too slow."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom the verified client certificate names."""

    common_name: str
    organizations: tuple[str, ...] = ()
    fingerprint: str = ""  # SHA-256 of the certificate, in hex
    chain: tuple[
        str, ...
    ] = ()  # the same of the certificates by which it was believed, itself first; empty if that is forgotten


class Response:
    """A complete answer. `body` may be a list of pieces, which are sent one after the other."""

    __slots__ = ("body", "content_type", "headers", "status")

    def __init__(
        self,
        status: int = 200,
        body: bytes | list[bytes] = b"",
        content_type: str = "application/json",
        headers: Headers = (),
    ) -> None:
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers = headers


class Stream(Protocol):
    """An answer that is written piece by piece."""

    @property
    def closed(self) -> bool:
        """Whether nothing more can be written."""

    def write(self, data: bytes) -> None:
        """Send one piece. A reader that lags by more than the limit is cut; writing to a closed stream does nothing."""

    async def drain(self) -> None:
        """Wait until the reader has caught up. Raises StreamClosed."""

    def close(self) -> None:
        """End the answer properly."""

    def abort(self) -> None:
        """Break off without ending the answer, so that the reader sees it; over HTTP/1 that ends the connection."""

    def on_close(self, callback: Callable[[], object]) -> None:
        """Call back once when the stream has ended, for whatever reason; at once if it already has."""

    async def wait_closed(self) -> None:
        """Return when the stream has ended, for whatever reason."""


class Carrier(Protocol):
    """The connection under a request, as the request sees it."""

    @property
    def peer(self) -> Peer | None: ...

    @property
    def remote(self) -> str: ...

    @property
    def disconnected(self) -> bool: ...

    def start_stream(self, request: Request, status: int, headers: Headers) -> Stream: ...

    def hijack(self, request: Request, status: int, headers: Headers) -> RawStream: ...


class Request:
    """One request with its whole body; or with `incoming`, if the server was told not to wait for bodies like that."""

    __slots__ = (
        *("_carrier", "_headers", "_path", "_query"),
        *("answered", "body", "incoming", "method", "raw_headers", "target"),
    )

    def __init__(
        self, method: str, target: str, raw_headers: list[tuple[bytes, bytes]], body: bytes, carrier: Carrier
    ) -> None:
        self.method = method
        self.target = target
        self.raw_headers = raw_headers
        self.body = body
        self.incoming: IncomingBody | None = None
        self.answered = 0  # the status of the stream that was started
        self._carrier = carrier
        self._headers: dict[str, str] | None = None
        self._path: str | None = None
        self._query: dict[str, list[str]] | None = None

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.target}>"

    @property
    def path(self) -> str:
        """The path without the query, percent-decoded."""
        if self._path is None:
            path = self.target.partition("?")[0]
            self._path = unquote(path) if "%" in path else path
        return self._path

    @property
    def query(self) -> dict[str, list[str]]:
        """The parameters after the question mark; each name has at least one value."""
        if self._query is None:
            self._query = {}
            for name, value in parse_qsl(self.target.partition("?")[2], keep_blank_values=True):
                self._query.setdefault(name, []).append(value)
        return self._query

    def param(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        if "?" not in self.target:
            return default
        values = self.query.get(name)
        return values[0] if values else default

    @property
    def headers(self) -> dict[str, str]:
        """By name in lower case; the values of a repeated header are joined by a comma."""
        if self._headers is None:
            self._headers = merge_headers(self.raw_headers)
        return self._headers

    def header(self, name: str, default: str = "") -> str:
        """The value of a header; `name` in lower case."""
        return self.headers.get(name, default)

    @property
    def peer(self) -> Peer | None:
        """Whom the client certificate names; None when there was none."""
        return self._carrier.peer

    @property
    def remote(self) -> str:
        """The address of the other side, or "" for a unix socket."""
        return self._carrier.remote

    @property
    def disconnected(self) -> bool:
        """Whether the other side has gone already, so that an answer is of no use."""
        return self._carrier.disconnected

    def start_stream(self, status: int = 200, headers: Headers = ()) -> Stream:
        """Begin an answer that is written piece by piece; the handler then returns None."""
        self.answered = status
        return self._carrier.start_stream(self, status, headers)

    def hijack(self, status: int = 101, headers: Headers = ()) -> RawStream:
        """Take the connection over after sending the head of a response (nothing for status 0); the handler then returns None.

        Raises NoUpgrade over HTTP/2.
        """
        return self._carrier.hijack(self, status, headers)


# A handler that knows its answer returns a Response at once, which costs no task; otherwise it returns something to await.
# None says that it has started a stream or taken the connection over.
Answer = Response | Awaitable[Response | None] | None
Handler = Callable[[Request], Answer]

_NAMES: dict[bytes, str] = {}


def merge_headers(raw: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """Lower-case the names and join repeated ones."""
    merged: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name = _NAMES.get(raw_name)
        if name is None:
            name = raw_name.decode("latin-1").lower()
            if len(_NAMES) < 1024 and len(raw_name) < 64:
                _NAMES[raw_name] = name
        value = raw_value.decode("latin-1")
        merged[name] = f"{merged[name]}, {value}" if name in merged else value
    return merged


class Ending:
    """What streams share: a one-time end with callbacks."""

    __slots__ = ("_callbacks", "ended")

    def __init__(self) -> None:
        self.ended = False
        self._callbacks: list[Callable[[], object]] = []

    def on_end(self, callback: Callable[[], object]) -> None:
        """Call back at the end, or now if it is past."""
        if self.ended:
            callback()
        else:
            self._callbacks.append(callback)

    def end(self) -> None:
        """It has ended; further calls do nothing."""
        if not self.ended:
            self.ended = True
            callbacks, self._callbacks = self._callbacks, []
            for callback in callbacks:
                callback()

    async def wait(self) -> None:
        """Return when it has ended."""
        if not self.ended:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._callbacks.append(lambda: None if waiter.done() else waiter.set_result(None))
            await waiter
