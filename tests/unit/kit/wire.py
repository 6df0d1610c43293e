"""What the HTTP tests share: a server with a telling handler, and raw bytes over a socket."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from kit.clock import Clock
from kit.http.model import Answer, Handler, Request, Response, Stream
from kit.http.server import Limits, Server


class Site:
    """A handler that tells what it was asked, and some paths of its own."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.streams: list[Stream] = []
        self.gate = asyncio.Event()

    def __call__(self, request: Request) -> Answer:
        self.requests.append(request)
        match request.path:
            case "/wait":
                return self._wait()
            case "/crash":
                raise ValueError("boom")
            case "/crash-later":
                return self._crash()
            case "/none":
                return None
            case "/stream":
                self.streams.append(request.start_stream(200, [("Content-Type", "text/plain")]))
                return None
            case "/stream-later":
                return self._stream(request)
            case "/large":
                return Response(200, [b"x" * 100_000] * 10, "text/plain")
            case "/empty":
                return Response(204)
            case "/echo-upgrade":
                raw = request.hijack(101, [("Connection", "Upgrade"), ("Upgrade", "echo")])
                raw.on_data(lambda data: raw.write(b"echo:" + data) if data else raw.close())
                return None
            case "/hijack-later":
                return self._hijack(request)
        text = f"{request.method} {request.target} {len(request.body)}:".encode() + request.body
        return Response(200, text, "text/plain")

    async def _wait(self) -> Response:
        await self.gate.wait()
        return Response(200, b"waited", "text/plain")

    async def _stream(self, request: Request) -> None:
        await self.gate.wait()
        self.streams.append(request.start_stream(200))

    async def _crash(self) -> Response:
        await asyncio.sleep(0)
        raise ValueError("boom")

    async def _hijack(self, request: Request) -> None:
        await self.gate.wait()
        raw = request.hijack(101, [("Connection", "Upgrade"), ("Upgrade", "echo")])
        async for data in raw:
            raw.write(b"late:" + data)
            break
        raw.close()


@asynccontextmanager
async def serving(
    handler: Handler, *, limits: Limits | None = None, clock: Clock | None = None
) -> AsyncIterator[Server]:
    """A plain server on a free port of the loopback."""
    server = Server(handler, limits=limits or Limits(linger=0.2), clock=clock)
    await server.start()
    try:
        yield server
    finally:
        await server.close(grace=0)


async def until(done: Callable[[], object]) -> None:
    """Wait for something that the other side does."""
    async with asyncio.timeout(120):
        while not done():
            await asyncio.sleep(0.001)


class Wire:
    """A client's end of a connection, as bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def response(self, *, head_only: bool = False) -> tuple[int, dict[str, str], bytes]:
        """Read one response by its length or chunks."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 120)
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
        body = b""
        if headers.get("transfer-encoding") == "chunked":
            while piece := await self.chunk():
                body += piece
        elif not head_only:
            body = await asyncio.wait_for(self.reader.readexactly(int(headers.get("content-length", "0"))), 120)
        return int(lines[0].split()[1]), headers, body

    async def chunk(self) -> bytes:
        size = int(await asyncio.wait_for(self.reader.readline(), 120), 16)
        data = await self.reader.readexactly(size)
        await self.reader.readexactly(2)
        return data

    async def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        return await asyncio.wait_for(self.reader.read(), 120)

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            pass


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[Wire]:
    """A connection to a server."""
    wire = Wire(*await asyncio.open_connection("127.0.0.1", server.port))
    try:
        yield wire
    finally:
        await wire.close()


async def ask(server: Server, data: bytes) -> bytes:
    """Send bytes, half-close, and give everything that comes back, without its Date headers."""
    async with connected(server) as wire:
        wire.send(data)
        wire.writer.write_eof()
        return re.sub(rb"Date: [^\r]*\r\n", b"", await wire.rest())
