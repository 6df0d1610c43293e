"""Clients of both versions of HTTP with one face, for tests of what holds in both; HTTP/2 by a library that the server does not use."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import h2.settings

from kit import pki
from kit.http.server import Server
from kit.http.tls import ServerTls, client_context
from tests.unit.kit.wire import Wire

PATIENCE = 120
Fields = Sequence[tuple[str, str]]


class Place:
    """A CA, a serving certificate in files, and a client certificate."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ca = pki.make_ca("test-ca")
        (path / "ca.crt").write_bytes(self._ca.cert)
        pki.issue(self._ca, "server", dns=["localhost"], ips=["127.0.0.1"], server=True).save(
            path / "s.crt", path / "s.key"
        )
        self._admin = pki.issue(self._ca, "admin", ["system:masters"], client=True)

    def tls(self) -> ServerTls:
        return ServerTls(self._path / "s.crt", self._path / "s.key", self._path / "ca.crt")

    def context(self, *protocols: str, certificate: bool = False) -> ssl.SSLContext:
        made = client_context(self._ca.cert, *(self._admin if certificate else (None, None)))
        made.set_alpn_protocols(list(protocols))
        return made


class Reply:
    """What has come of one answer."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.informed: list[int] = []
        self.body = b""
        self.ended = False
        self.broken: int | None = None  # reset by the server, with this code
        self.read = True  # whether we take its data in, so that the server may send more


class Connection2:
    """HTTP/2."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, window: int) -> None:
        self.reader, self.writer = reader, writer
        self.engine = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.engine.local_settings = h2.settings.Settings(
            client=True, initial_values={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window}
        )
        self.replies: dict[int, Reply] = {}
        self.pings: list[bytes] = []
        self.goaway: tuple[int, int] | None = None  # code, last stream
        self.ended = False
        self._change = asyncio.Event()
        self.engine.initiate_connection()
        self.engine.increment_flow_control_window((1 << 30) - 65535)
        self.flush()
        self._task = asyncio.create_task(self._run())

    def flush(self) -> None:
        if data := self.engine.data_to_send():
            self.writer.write(data)

    def begin(self, method: str, path: str, headers: Fields = (), *, end: bool = False) -> int:
        id_: int = self.engine.get_next_available_stream_id()
        pseudo = [(":method", method), (":scheme", "https"), (":authority", "localhost"), (":path", path)]
        self.engine.send_headers(id_, [*pseudo, *headers], end_stream=end)
        self.replies[id_] = Reply()
        self.flush()
        return id_

    async def add(self, id_: int, data: bytes, *, end: bool = False) -> None:
        """Send a piece of a body, as fast as the server's windows allow; stops when it has reset the stream."""
        while data and self.replies[id_].broken is None:
            room = min(self.engine.local_flow_control_window(id_), self.engine.max_outbound_frame_size, len(data))
            if room:
                self.engine.send_data(id_, data[:room])
                data = data[room:]
                self.flush()
            else:
                await self.until(
                    lambda: self.replies[id_].broken is not None or self.engine.local_flow_control_window(id_) > 0
                )
        if end and self.replies[id_].broken is None:
            self.engine.end_stream(id_)
            self.flush()

    async def ask(self, method: str, path: str, headers: Fields = (), body: bytes = b"") -> Reply:
        """One request, and its whole answer."""
        id_ = self.begin(method, path, headers, end=not body)
        if body:
            await self.add(id_, body, end=True)
        return await self.answer(id_)

    async def post(self, path: str, headers: Fields, body: bytes, *, announced: bool) -> Reply:
        """Send a body, with or without its length before it."""
        length = [("content-length", str(len(body)))] if announced else []
        return await self.ask("POST", path, [*headers, *length], body)

    async def promise(self, path: str, size: int) -> Reply:
        """The answer to a head that promises a body, before any of that comes."""
        return await self.answer(self.begin("POST", path, [("content-length", str(size))]))

    async def answer(self, id_: int) -> Reply:
        await self.until(lambda: self.replies[id_].ended or self.replies[id_].broken is not None)
        return self.replies[id_]

    async def open(self, path: str) -> Reply:
        """Begin to read a stream."""
        id_ = self.begin("GET", path, end=True)
        await self.until(lambda: self.replies[id_].status > 0)
        return self.replies[id_]

    async def until(self, done: object) -> None:
        assert callable(done)
        async with asyncio.timeout(PATIENCE):
            while not done():
                assert not self.ended, "the connection has ended"
                self._change.clear()
                await self._change.wait()

    async def at_end(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait([self._task])

    async def close(self) -> None:
        self._task.cancel()
        self.writer.transport.abort()

    async def _run(self) -> None:
        try:
            while True:  # frame by frame, so that the library looks at one after we have dealt with the one before
                head = await self.reader.readexactly(9)
                for event in self.engine.receive_data(
                    head + await self.reader.readexactly(int.from_bytes(head[:3], "big"))
                ):
                    self._take(event)
                self.flush()
                self._change.set()
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError):
            pass
        finally:
            self.ended = True
            self._change.set()

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.InformationalResponseReceived():
                self.replies[event.stream_id].informed.append(int(dict(event.headers)[":status"]))
            case h2.events.ResponseReceived():
                reply = self.replies[event.stream_id]
                reply.headers = dict(event.headers)
                reply.status = int(reply.headers.pop(":status"))
            case h2.events.DataReceived():
                reply = self.replies[event.stream_id]
                reply.body += event.data
                if reply.read:
                    self.engine.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                self.replies[event.stream_id].ended = True
            case h2.events.StreamReset():
                self.replies[event.stream_id].broken = int(event.error_code)
            case h2.events.PingReceived():
                self.pings.append(event.ping_data)
            case h2.events.ConnectionTerminated():
                self.goaway = (int(event.error_code), event.last_stream_id)
                if not self.goaway[0]:  # the library thinks that is the end, but answers may still come
                    self.engine.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN


@asynccontextmanager
async def speaking2(
    server: Server, place: Place, *, certificate: bool = False, window: int = 1 << 20
) -> AsyncIterator[Connection2]:
    """A connection that has agreed on HTTP/2."""
    tls = place.context("h2", "http/1.1", certificate=certificate)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=tls, server_hostname="localhost")
    assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2"
    connection = Connection2(reader, writer, window)
    try:
        yield connection
    finally:
        await connection.close()


class Connection1:
    """HTTP/1.1 with the same face; one request at a time."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._task: asyncio.Task[None] | None = None

    async def ask(self, method: str, path: str, headers: Fields = (), body: bytes = b"") -> Reply:
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        self._wire.send(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{lines}{length}\r\n".encode())
        reply = Reply()
        if body and ("expect", "100-continue") in headers:
            reply.informed.append((await self._wire.response())[0])
        self._wire.send(body)
        reply.status, reply.headers, reply.body = await self._wire.response(head_only=method == "HEAD")
        reply.ended = True
        return reply

    async def post(self, path: str, headers: Fields, body: bytes, *, announced: bool) -> Reply:
        if announced:
            return await self.ask("POST", path, headers, body)
        chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        lines = "".join(f"{name}: {value}\r\n" for name, value in [*headers, ("Transfer-Encoding", "chunked")])
        self._wire.send(f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode() + chunked)
        reply = Reply()
        reply.status, reply.headers, reply.body = await self._wire.response()
        return reply

    async def promise(self, path: str, size: int) -> Reply:
        return await self.ask("POST", path, [("content-length", str(size))])

    async def open(self, path: str) -> Reply:
        self._wire.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head = await asyncio.wait_for(self._wire.reader.readuntil(b"\r\n\r\n"), PATIENCE)
        reply = Reply()
        reply.status = int(head.split()[1])
        self._task = asyncio.create_task(self._read(reply))
        return reply

    async def until(self, done: object) -> None:
        assert callable(done)
        async with asyncio.timeout(PATIENCE):
            while not done():
                await asyncio.sleep(0.001)

    async def _read(self, reply: Reply) -> None:
        try:
            while piece := await self._wire.chunk():
                reply.body += piece
            reply.ended = True
        except (OSError, ssl.SSLError, ValueError, asyncio.IncompleteReadError):
            reply.broken = 0

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
        await self._wire.close()


@asynccontextmanager
async def speaking1(server: Server, place: Place, *, certificate: bool = False) -> AsyncIterator[Connection1]:
    """A connection that has agreed on HTTP/1.1."""
    tls = place.context("http/1.1", certificate=certificate)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=tls, server_hostname="localhost")
    connection = Connection1(Wire(reader, writer))
    try:
        yield connection
    finally:
        await connection.close()
