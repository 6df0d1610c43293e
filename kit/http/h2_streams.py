"""One request of an HTTP/2 connection, and the answer to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kit import log
from kit.http.heads import clean
from kit.http.incoming import IncomingBody
from kit.http.model import BODILESS, Headers, NoUpgrade, Peer, Request, Response
from kit.http.pieces import Pieces
from kit.http.raw import RawStream

if TYPE_CHECKING:
    from kit.http.h2 import Connection
    from kit.http.h2_engine import HeaderList

_log = log.get("http")
_STARTS: dict[tuple[int, str], list[tuple[bytes, bytes]]] = {}
_HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"transfer-encoding", b"upgrade", b"proxy-connection"})


class Exchange:
    """A request from its head to the end of its answer; what a Request knows as its carrier."""

    __slots__ = (
        "_connection",
        "answered",
        "body",
        "closed",
        "head",
        "headers",
        "id",
        "incoming",
        "method",
        "most",
        "moved",
        "sent",
        "since",
        "size",
        "stream",
        "target",
        "written",
    )

    def __init__(self, connection: Connection, id_: int, since: int) -> None:
        self._connection = connection
        self.id = id_
        self.since = since  # the tick at which it last went on
        self.method = self.target = ""
        self.headers: list[tuple[bytes, bytes]] = []
        self.head = 0  # bytes of the head
        self.body: list[bytes] = []
        self.size = 0  # bytes of the body
        self.most = connection.unasked  # bytes that it may have
        self.written = self.sent = 0  # bytes of the answer: given to the engine, let out by it when last looked at
        self.stream: BodyStream | None = None
        self.incoming: IncomingBody | None = None  # the body, if it is handed over as it comes
        self.answered = self.closed = False

    def read_head(self, fields: HeaderList) -> None:
        """Take what the pseudo headers say; the host is where HTTP/1.1 has it."""
        headers = self.headers
        for name, value in fields:
            self.head += len(name) + len(value) + 32
            if name[0] != 58:  # ":"
                headers.append((name, value))
            elif name == b":method":
                self.method = value.decode("latin-1")
            elif name == b":path":
                self.target = value.decode("latin-1")
            elif name == b":authority":
                headers.append((b"host", value))

    def request(self) -> Request:
        """The whole request, which is then no longer held here."""
        body = self.body[0] if len(self.body) == 1 else b"".join(self.body)
        headers, self.headers, self.body = self.headers, [], []
        request = Request(self.method, self.target, headers, body, self)
        request.incoming = self.incoming
        return request

    def respond(self, response: Response) -> None:
        """Give the whole answer."""
        if self.answered or self.closed:
            if self.answered:
                _log.error("a second answer was dropped", status=response.status)
            return
        self.answered = True
        connection, body, status = self._connection, response.body, response.status
        engine = connection.engine
        head = [*start(status, response.content_type), connection.date]
        head += fields(response.headers)
        size = len(body) if isinstance(body, bytes) else sum(map(len, body))
        if status not in BODILESS:
            head.append((b"content-length", b"%d" % size))
        bodiless = self.method == "HEAD" or not size or status in BODILESS
        try:
            engine.respond(self.id, head, end=bodiless)
            if not bodiless:
                for piece in (body,) if isinstance(body, bytes) else body:
                    engine.send(self.id, piece)
                engine.end(self.id)
                self.written = size
        except connection.gone:
            return
        connection.answered(self)
        connection.wrote()

    def lost(self) -> None:
        """The stream has ended, or the connection under it."""
        self.closed = True
        self.body.clear()
        stream, self.stream = self.stream, None
        if stream is not None:
            stream.lost()

    # what a Request needs (model.Carrier)

    @property
    def peer(self) -> Peer | None:
        """Whom the client certificate names."""
        return self._connection.peer

    @property
    def remote(self) -> str:
        """The other side's address."""
        return self._connection.remote

    @property
    def disconnected(self) -> bool:
        """Whether the answer is of no use any more."""
        return self.closed

    def start_stream(self, request: Request, status: int, headers: Headers) -> BodyStream:
        """Send a head and hand out the stream behind it."""
        connection = self._connection
        stream = BodyStream(connection, self)
        if self.closed:
            stream.lost()
            return stream
        if self.answered:
            raise RuntimeError(f"cannot start a stream for {request}: it is already answered")
        self.answered = True
        stream.body = self.method != "HEAD" and status not in BODILESS
        try:
            connection.engine.respond(
                self.id, [*start(status, ""), connection.date, *fields(headers)], end=not stream.body
            )
        except connection.gone:
            stream.lost()
            return stream
        self.stream = stream
        if connection.closing:
            stream.close()
        connection.wrote()
        return stream

    def hijack(self, request: Request, status: int, headers: Headers) -> RawStream:
        """One stream of many cannot be taken over. Raises NoUpgrade."""
        raise NoUpgrade(f"cannot take over the connection of {request}: upgrades need HTTP/1.1, and this is HTTP/2")


class BodyStream(Pieces):
    """model.Stream as DATA frames. What the peer has no room for waits in the engine, up to a limit."""

    __slots__ = ("_connection", "_exchange", "body")

    def __init__(self, connection: Connection, exchange: Exchange) -> None:
        super().__init__()
        self._connection = connection
        self._exchange = exchange
        self.body = True

    def write(self, data: bytes) -> None:
        """Send one piece, or cut a reader that lags too far."""
        if self._ending.ended or not data or not self.body:
            return
        connection, exchange = self._connection, self._exchange
        engine, id_ = connection.engine, exchange.id
        try:
            engine.send(id_, data)
        except connection.gone:
            self._end()
            return
        exchange.written += len(data)
        if not connection.flush_due:
            connection.wrote()
        if engine.queued(id_) > connection.share and connection.lags_too_far(id_):
            _log.info("cut a reader that is too slow", remote=connection.remote, stream=exchange.id)
            self.abort()

    def close(self) -> None:
        """End the answer properly."""
        if not self._ending.ended:
            if self.body:
                try:
                    self._connection.engine.end(self._exchange.id)
                except self._connection.gone:
                    pass
                self._connection.wrote()
            self._connection.answered(self._exchange)
            self._end()

    def abort(self) -> None:
        """End the stream without ending the answer; the connection and its other streams go on."""
        if not self._ending.ended:
            self._connection.cut(self._exchange.id)
            self._end()

    def lags(self) -> bool:
        """Whether the engine has enough to send, on this stream or in all."""
        return self._connection.lags(self._exchange.id, self)

    def _end(self) -> None:
        self._exchange.stream = None
        super()._end()


def start(status: int, content_type: str) -> list[tuple[bytes, bytes]]:
    """Status and, if there is one, the content type; kept for the next time."""
    found = _STARTS.get((status, content_type))
    if found is None:
        found = [(b":status", b"%d" % status)]
        if content_type:
            found.append((b"content-type", clean(content_type).encode()))
        if len(_STARTS) < 256:
            _STARTS[status, content_type] = found
    return found


def fields(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Headers as they are sent: names in lower case, without those that are HTTP/1.1's own."""
    if not headers:
        return []
    made = [(clean(name).lower().encode(), clean(value).strip().encode()) for name, value in headers]
    return [field for field in made if field[0] not in _HOP_BY_HOP]
