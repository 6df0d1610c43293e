"""HTTP/1.1 on one server connection.

httptools parses; this file decides. One request is answered at a time, in order: those that come meanwhile (pipelining) wait parsed, and
reading stops when some wait. A handler that returns a Response costs no task; an awaitable gets one. Writing a response that the peer
does not read stops the next request (the transport's high-water mark); a stream that falls behind by more than `limits.stream_backlog` is
cut, without touching others. Whatever is malformed or too large is answered, then the connection drains what is in flight for a moment
(so that the answer is not lost to a reset) and closes.

States: reading a head -> reading a body -> answering -> (streaming | hijacked) -> next request, or lingering -> closed. Timeouts are
kept by the server's sweep over `since`, the tick at which the present state began; there is no timer per request.

A handler is not cancelled when its client goes away (half a write would be worse than an unread answer): `request.disconnected` and
`stream.on_close` tell it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable
from typing import TYPE_CHECKING, cast

import httptools

from kit import log
from kit.http.chunked import ChunkedStream
from kit.http.heads import header_lines, start_line
from kit.http.incoming import SMALL, IncomingBody
from kit.http.model import BODILESS, Headers, Request, Response, StreamClosed
from kit.http.peers import Peered
from kit.http.raw import RawStream

if TYPE_CHECKING:
    from kit.http.server import Server

_log = log.get("http")
_METHODS: dict[bytes, str] = {}
JOIN_BELOW = 64 * 1024  # larger bodies are written apart from their head instead of being copied
PIPELINED = 16


class Connection(Peered, asyncio.Protocol):
    """One accepted connection."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._limits = server.limits
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._parser: httptools.HttpRequestParser | None = None
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: bytes | list[bytes] = b""
        self._body_size = 0
        self._most = server.unasked  # bytes that it may have
        self._incoming: IncomingBody | None = None  # of the request being read, if it is handed over as it comes
        self._in_head = True
        self._head_size = 0
        self._continue = False
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._current: Request | None = None
        self._keep_alive = True
        self._stream: ChunkedStream | None = None
        self._held: bytes | None = None  # bytes behind a request that may become something else than HTTP
        self._raw: RawStream | None = None
        self._lingering = False
        self._serving_waiting = False
        self._paused_reading = False
        self.paused_writing = False
        self._lost = False
        self._eof = False
        self.since = server.tick

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to parse; or leave the connection to HTTP/2, if that is what the TLS handshake has chosen."""
        self._transport = cast(asyncio.Transport, transport)
        tls = transport.get_extra_info("ssl_object")
        if tls is not None and tls.selected_alpn_protocol() == "h2":
            from kit.http import h2  # only who meets such a client pays for it

            successor = h2.Connection(self._server)
            self._transport.set_protocol(successor)
            successor.connection_made(transport)
            return
        self._parser = httptools.HttpRequestParser(self)
        self._server.attached(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let everybody know, and drop what points back at us."""
        self._lost = True
        self.paused_writing = False
        self._parser = None
        self._waiting.clear()
        self._fail_incoming()
        stream, self._stream, self._current = self._stream, None, None  # no cycles: the collector need not come
        if stream is not None:
            stream.lost()
        self._server.detached(self)

    def eof_received(self) -> bool:
        """Half-closed: what was asked is still answered, then the connection closes."""
        self._eof = True
        self._fail_incoming()
        if self._stream is not None or (self._current is None and not self._waiting):
            return False
        self._keep_alive = False
        return self._transport.get_extra_info("ssl_object") is None  # TLS cannot be half-closed

    def data_received(self, data: bytes) -> None:
        """Parse; callbacks below do the rest."""
        if self._lingering:
            return
        if self._held is not None:
            self._held += data
            if len(self._held) > self._limits.head:
                self._pause()
            return
        assert self._parser is not None
        if self._in_head:
            if not self._head_size:
                self.since = self._server.tick
            self._head_size += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._hold(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            if not isinstance(error.__context__, _Refused):
                raise
            self._refuse(error.__context__.status, str(error.__context__))
        except httptools.HttpParserError as error:
            self._refuse(400, str(error))
        else:
            if self._in_head and self._head_size > self._limits.head:
                self._refuse(431, f"the head of the request is larger than {self._limits.head} bytes")
            elif len(self._waiting) > PIPELINED:
                self._pause()

    def pause_writing(self) -> None:
        """The peer does not read: it gets no further request served."""
        self.paused_writing = True
        self.since = self._server.tick
        self._pause()

    def resume_writing(self) -> None:
        """The peer has caught up."""
        self.paused_writing = False
        if self._stream is not None:
            self._stream.wake()
        self._next()

    # httptools

    def on_message_begin(self) -> None:
        """A request line follows."""
        if self._raw is not None:
            raise _Refused(400, "more was sent than one request")
        self._target = b""
        self._headers = []
        self._body = b""
        self._body_size = 0
        self._most = self._server.unasked

    def on_url(self, url: bytes) -> None:
        """The target, or a piece of it."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; those after the body (trailers) are left out."""
        if self._in_head:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Refuse what is too large before its body comes; tell who asks to go on."""
        self._in_head = False
        if self._head_size > self._limits.head:
            size = len(self._target) + sum(len(name) + len(value) + 4 for name, value in self._headers)
            if size > self._limits.head:
                raise _Refused(431, f"the head of the request is larger than {self._limits.head} bytes")
        self._head_size = 0
        length = size = 0
        for name, value in self._headers:
            if len(name) == 14 and name.lower() == b"content-length":
                length = size = int(value)
            if len(name) == 17 and name.lower() == b"transfer-encoding":
                size = SMALL + 1  # at least it may be
            if len(name) == 6 and name.lower() == b"expect":
                if value.lower() != b"100-continue":
                    raise _Refused(417, "the only expectation that can be met is 100-continue")
                self._continue = True
        streamed = size > SMALL and self._server.streamed is not None and self._server.streamed(self._target)
        if length > self._most and not streamed:
            self._allow(length)
        if self._continue and self._current is None:
            self._say_continue()
        if streamed:
            self._incoming = IncomingBody(lambda _: self._resume())
            self._accept(b"")

    def on_body(self, data: bytes) -> None:
        """A piece of the body."""
        if self._lingering:
            return
        self._continue = False
        if self._incoming is not None:
            self._incoming.feed(data)
            if self._incoming.full:
                self._pause()
            return
        self._body_size += len(data)
        if self._body_size > self._most:
            self._allow(self._body_size)
        if not self._body:
            self._body = data
        elif isinstance(self._body, list):
            self._body.append(data)
        else:
            self._body = [self._body, data]

    def _allow(self, size: int) -> None:
        """Raise _Refused if a body is too large, or too large for who sends it."""
        if self._most < self._limits.body and self._is_known():
            self._most = self._limits.body
        if size > self._most:
            raise _Refused(413, f"the body of the request is larger than {self._most} bytes")

    def _is_known(self) -> bool:
        parser, known = self._parser, self._server.known
        assert parser is not None
        request = Request(parser.get_method().decode(), self._target.decode("latin-1"), self._headers, b"", self)
        return known is not None and known(request)

    def on_message_complete(self) -> None:
        """A whole request: answer it, or queue it behind the one being answered."""
        if self._lingering:
            return
        self._in_head = True
        self._continue = False
        if self._incoming is not None:
            self._incoming.finish()
            self._incoming = None
            return
        body = b"".join(self._body) if isinstance(self._body, list) else self._body
        self._body = b""
        self._accept(body)

    def _accept(self, body: bytes) -> None:
        parser = self._parser
        assert parser is not None
        raw = parser.get_method()
        method = _METHODS.get(raw) or _METHODS.setdefault(raw, raw.decode())
        request = Request(method, self._target.decode("latin-1"), self._headers, body, self)
        request.incoming = self._incoming
        if self._current is None and not self.paused_writing:
            self._serve(request, parser.should_keep_alive())
        else:
            self._waiting.append((request, parser.should_keep_alive()))

    # answering

    def _serve(self, request: Request, keep_alive: bool) -> None:
        self._current = request
        self._keep_alive = keep_alive and not self._server.closing
        try:
            answer = self._server.handler(request)
        except Exception as error:  # the loop's edge
            self._crashed(request, error)
            return
        if isinstance(answer, Response):
            self._respond(answer)
        elif answer is None:
            self._unanswered(request)
        else:
            task = asyncio.get_running_loop().create_task(self._finish(request, answer))
            self._server.tasks.add(task)

    async def _finish(self, request: Request, answer: Awaitable[Response | None]) -> None:
        try:
            response = await answer
        except Exception as error:  # the loop's edge
            self._crashed(request, error)
            return
        except asyncio.CancelledError:
            self._transport.abort()
            raise
        finally:
            self._server.tasks.discard(asyncio.current_task())
        if response is not None:
            self._respond(response)
        else:
            self._unanswered(request)

    def _crashed(self, request: Request, error: Exception) -> None:
        _log.exception("handler crashed", method=request.method, target=request.target, error=error)
        if self._stream is not None:
            self._stream.abort()
        elif self._current is request and not self._lost:
            self._respond(Response(500, b"internal error\n", "text/plain"))

    def _unanswered(self, request: Request) -> None:
        if self._current is request and self._stream is None and not self._lost:
            self._crashed(request, RuntimeError("the handler gave no answer"))

    def _respond(self, response: Response) -> None:
        request = self._current
        if request is None or self._stream is not None or self._lost:
            if not self._lost:
                _log.error("a second answer was dropped", status=response.status)
            return
        body = response.body
        if self._server.closing or self._unread(request):
            self._keep_alive = False
        head = [start_line(response.status, response.content_type), self._server.date]
        if response.headers:
            head.append(header_lines(response.headers))
        size = len(body) if isinstance(body, bytes) else sum(map(len, body))
        if response.status not in BODILESS:
            head.append(
                b"Content-Length: %d\r\n\r\n" % size
                if self._keep_alive
                else b"Content-Length: %d\r\nConnection: close\r\n\r\n" % size
            )
        else:
            head.append(b"\r\n" if self._keep_alive else b"Connection: close\r\n\r\n")
            size = 0
        if request.method == "HEAD" or not size:
            self._transport.write(b"".join(head))
        elif isinstance(body, bytes) and size < JOIN_BELOW:
            head.append(body)
            self._transport.write(b"".join(head))
        else:
            self._transport.write(b"".join(head))
            self._transport.writelines([body] if isinstance(body, bytes) else body)
        self._answered()

    def _answered(self) -> None:
        request, self._current = self._current, None
        self.since = self._server.tick
        if request is not None and self._unread(request):
            self._fail_incoming()
            self._linger()
            return
        if not self._keep_alive:
            self._transport.close()
        elif self._waiting or self._paused_reading or self._continue or self._held is not None:
            self._next()

    def _next(self) -> None:
        if self._serving_waiting:
            return  # called by an answer given at once: the loop below goes on
        self._serving_waiting = True
        try:
            while (
                self._waiting and self._current is None and not self.paused_writing and not self._transport.is_closing()
            ):
                self._serve(*self._waiting.popleft())
        finally:
            self._serving_waiting = False
        if self._current is None and not self._waiting:
            if self._held is not None:
                self._restart()
            elif self._continue:
                self._say_continue()
        self._resume()

    def _restart(self) -> None:
        """The request asked for an upgrade and got none: what follows is HTTP again."""
        rest, self._held = self._held or b"", None
        self._parser = httptools.HttpRequestParser(self)
        if rest:
            self.data_received(rest)

    def _say_continue(self) -> None:
        self._continue = False
        self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    # refusing and closing

    def _refuse(self, status: int, reason: str) -> None:
        """Answer what cannot be served, behind the answers that are still due, and close."""
        self._fail_incoming()
        self._lingering = True
        self._parser = None
        self._waiting.clear()
        if self._raw is not None:
            self._raw.abort()
            return
        if self._current is not None or self._transport.is_closing():
            self._keep_alive = False  # closes when the request before it has been answered
            return
        text = f"{reason}\n".encode("latin-1", "replace")
        head = (
            start_line(status, "text/plain")
            + self._server.date
            + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(text)
        )
        self._transport.write(head + text)
        self._linger()

    def _linger(self) -> None:
        """Close, but not before the peer has had a moment to read: what it still sends would make the kernel cut it off."""
        self._lingering = True
        self._parser = None
        self._waiting.clear()
        self._resume()
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._server.clock.call_later(self._limits.linger, self._transport.close)

    def _unread(self, request: Request) -> bool:
        """Whether the body of a request is still coming."""
        return request.incoming is not None and request.incoming is self._incoming

    def _fail_incoming(self) -> None:
        incoming, self._incoming = self._incoming, None
        if incoming is not None:
            incoming.fail()

    def sweep(self, tick: int) -> None:
        """Called now and then by the server: end what has been in its state for too long."""
        age = (tick - self.since) * self._server.TICK
        if self.paused_writing:
            if age > self._limits.write_timeout:
                self._transport.abort()
        elif self._current is None and not self._lingering:
            if not self._head_size and self._in_head:
                if age > self._limits.idle_timeout:
                    self._transport.close()
            elif age > self._limits.read_timeout:
                self._refuse(408, "the request did not come in time")

    def shut(self) -> None:
        """Close if idle; else close after the present answer; streams end."""
        self._keep_alive = False
        if self._stream is not None:
            self._stream.close()
        elif self._current is None:
            self._transport.close()

    def abort(self) -> None:
        """Close now."""
        self._transport.abort()

    # what a Request needs (model.Carrier)

    @property
    def disconnected(self) -> bool:
        """Whether the peer has gone, or has at least said that it sends no more."""
        return self._lost or self._eof

    def start_stream(self, request: Request, status: int, headers: Headers) -> ChunkedStream:
        """Send a head and hand out the stream behind it."""
        stream = ChunkedStream(self, self._transport, self._limits.stream_backlog)
        if self.disconnected:
            stream.lost()
            self._current = None
            self._transport.close()
            return stream
        if request is not self._current or self._stream is not None:
            raise RuntimeError(f"cannot start a stream for {request}: it is already answered")
        self._stream = stream
        headers = tuple(headers)
        sized = any(name.lower() == "content-length" for name, _ in headers)  # who says so keeps to it
        # get_http_version is the last parsed request's; streams are not pipelined behind HTTP/1.0 requests.
        chunks = self._parser is None or self._parser.get_http_version() == "1.1"
        stream.chunked = chunked = chunks and not sized
        if not (chunked or sized) or self._server.closing:
            self._keep_alive = False
        lines = [start_line(status), self._server.date, header_lines(headers)]
        lines.append(b"Transfer-Encoding: chunked\r\n" if chunked else b"")
        lines.append(b"\r\n" if self._keep_alive else b"Connection: close\r\n\r\n")
        self._transport.write(b"".join(lines))
        if request.method == "HEAD":
            stream.chunked = stream.body = False
        if self._server.closing:
            stream.close()
        return stream

    def stream_ended(self) -> None:
        """The stream has written its end: go on with the next request."""
        self._stream = None
        self._answered()

    def hijack(self, request: Request, status: int, headers: Headers) -> RawStream:
        """Send a head (unless status is 0) and leave HTTP for good."""
        if request is not self._current or self._stream is not None or self._lost:
            raise StreamClosed(f"cannot take over the connection of {request}")
        if status:
            self._transport.write(start_line(status) + header_lines(headers) + b"\r\n")
        rest, self._held = self._held or b"", None
        self._current = self._parser = None
        self._lost = True  # for HTTP
        self._raw = RawStream(self._transport, rest)
        self._server.hijacked(self, self._raw)
        return self._raw

    def _hold(self, rest: bytes) -> None:
        if self._raw is not None:
            if rest:
                self._raw.data_received(rest)
        elif self._transport.is_closing():
            self._lingering = True
        else:
            self._held = rest
            if self._current is None and not self._waiting:
                self._restart()

    def _pause(self) -> None:
        if not self._paused_reading and not self._lost:
            self._paused_reading = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._incoming is not None and self._incoming.full:
            return
        if self._paused_reading and not self.paused_writing and len(self._waiting) <= PIPELINED and not self._lost:
            self._paused_reading = False
            self._transport.resume_reading()


class _Refused(Exception):
    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
