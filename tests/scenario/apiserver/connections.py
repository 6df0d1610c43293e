"""What the tests of connections share: a node whose agent runs small commands over SPDY, and clients of WebSocket and SPDY."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from typing import Any

from api import codec, kinds
from api.core_v1 import Node
from kit.clock import SystemClock, deadline
from kit.http import websocket
from kit.http.client import HttpClient
from kit.http.model import Request, Response
from kit.http.raw import RawStream
from kit.http.spdy import Data, Opened, Ponged, Replied, Session
from kit.http.websocket import Message, Op, Reader, frame

ADDRESS = "192.0.2.77"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
PATIENCE = 120.0


async def beside(host: str) -> str:
    """No node and no pod is on this machine's loopback, except for these tests."""
    assert host == ADDRESS
    return "127.0.0.1"


def node(port: int, *features: str) -> Node:
    """A node with an agent on that port."""
    status = {
        "addresses": [{"type": "InternalIP", "address": ADDRESS}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        "declaredFeatures": list(features),
    }
    return codec.from_dict(kinds.NODE, {"metadata": {"name": "n1"}, "status": status})


class Agent:
    """A node's agent. Commands: `cat` gives its input back, `exit N` ends with N, `flood` writes for ever, `die` breaks the connection.

    `pings` and `streams` ask for ever, and read no answer; `ping N` asks so many times and ends well when it has all answers.
    """

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.sizes: list[bytes] = []
        self.open = 0  # connections that were upgraded and have not ended
        self.written = 0

    def __call__(self, request: Request) -> Any:
        assert request.peer is not None
        assert request.peer.common_name == "kubelet-client"
        self.asked.append((request.method, request.target))
        self.headers.append(request.headers)
        if "refused" in request.target:
            return Response(400, b"you must specify at least 1 of stdin, stdout, stderr", "text/plain")
        if "forbidden" in request.target:
            body = b'{"kind":"Status","apiVersion":"v1","status":"Failure","message":"no way","reason":"Forbidden","code":403}'
            return Response(403, body)
        if request.target.startswith("/containerLogs"):
            stream = request.start_stream(200, [("Content-Type", "text/plain")])
            stream.write(b"first line\n")
            self.open += 1
            stream.on_close(self._closed)
            if "follow" not in request.target:
                stream.close()
            return None
        if "odd" in request.target:
            return Response(200, b"fine", "text/plain")
        return self._serve(request)

    def _closed(self) -> None:
        self.open -= 1

    async def _serve(self, request: Request) -> None:
        offered = request.header("x-stream-protocol-version").split(", ")
        headers = [("Connection", "Upgrade"), ("Upgrade", request.header("upgrade"))]
        if request.header("upgrade").lower() == "websocket":
            _, headers = websocket.answer(request.headers, ["v4.channel.k8s.io", "v5.channel.k8s.io", "channel.k8s.io"])
        elif request.target.startswith("/portForward"):
            headers.append(("X-Stream-Protocol-Version", "portforward.k8s.io"))
        else:
            assert "v4.channel.k8s.io" in offered
            headers.append(("X-Stream-Protocol-Version", "v4.channel.k8s.io"))
        raw = request.hijack(101, headers)
        self.open += 1
        try:
            if request.header("upgrade").lower() == "websocket" or request.target.startswith("/portForward"):
                async for data in raw:
                    raw.write(b"<" + data + b">")
            else:
                await Command(self, raw, request.query.get("command", [])).run()
        finally:
            self.open -= 1
            raw.close()


class Command:
    """A command that runs at the other end of a SPDY connection."""

    def __init__(self, agent: Agent, raw: RawStream, words: list[str]) -> None:
        self._agent, self._raw, self._words = agent, raw, words
        self._session = Session(client=False)
        self._streams: dict[str, int] = {}
        self._pongs = 0

    async def run(self) -> None:
        async for data in self._raw:
            for event in self._session.receive(data):
                if isinstance(event, Opened):
                    self._streams[dict(event.headers)["streamtype"]] = event.stream
                    self._session.reply(event.stream)
                elif isinstance(event, Data):
                    self._take(event)
                elif isinstance(event, Ponged):
                    self._pongs += 1
            if self._words[:1] == ["pong"] and self._pongs == int(self._words[1]):
                self._end(b'{"metadata":{},"status":"Success"}')
            if "error" in self._streams and await self._started():
                return
            self._raw.write(self._session.outgoing())
            await self._raw.drain()

    def _take(self, event: Data) -> None:
        if event.stream == self._streams.get("resize"):
            self._agent.sizes.append(event.data)
        elif event.stream == self._streams.get("stdin"):
            self._session.send(self._streams["stdout"], event.data)
            if event.fin:
                self._end(b'{"metadata":{},"status":"Success"}')

    async def _started(self) -> bool:
        match self._words:
            case ["exit", code] if "stdout" in self._streams:
                self._session.send(self._streams["stdout"], b"out\n")
                if "stderr" in self._streams:
                    self._session.send(self._streams["stderr"], b"err\n")
                cause = b'{"reason":"ExitCode","message":"%b"}' % code.encode()
                self._end(
                    b'{"status":"Failure","reason":"NonZeroExitCode","message":"x","details":{"causes":[%b]}}' % cause
                )
                self._words = []
            case ["die"] if "stdout" in self._streams:
                self._raw.write(self._session.outgoing())
                self._raw.close()
                return True
            case ["flood"] if "stdout" in self._streams:
                while not self._raw.closed:
                    self._session.send(self._streams["stdout"], b"x" * 65536)
                    self._raw.write(self._session.outgoing())
                    await self._raw.drain()
                    self._agent.written += 65536
            case ["pings" | "streams" as what] if "stdout" in self._streams:
                self._raw.transport.pause_reading()
                while not self._raw.closed:
                    for _ in range(100):
                        self._session.ping(2) if what == "pings" else self._session.open([("a", "b")])
                    self._raw.write(self._session.outgoing())
                    self._agent.written += 100
                    await asyncio.sleep(0)
            case ["ping", count] if "stdout" in self._streams:
                for _ in range(int(count)):
                    self._session.ping(2)
                self._words = ["pong", count]
        return False

    def _end(self, status: bytes) -> None:
        for name in ("stdout", "stderr"):
            if name in self._streams:
                self._session.send(self._streams[name], b"", fin=True)
        self._session.send(self._streams["error"], status, fin=True)


class Socket:
    """A client's WebSocket."""

    def __init__(self, raw: RawStream, headers: dict[str, str]) -> None:
        self.raw = raw
        self.headers = headers
        self._messages = self._read()

    async def _read(self) -> AsyncIterator[Message]:
        reader = Reader(masked=False)
        async for data in self.raw:
            for message in reader.feed(data):
                yield message

    def send(self, data: bytes, op: Op = Op.BINARY) -> None:
        self.raw.write(frame(op, data, mask=os.urandom(4)))

    async def next(self) -> Message:
        async with deadline(SystemClock(), PATIENCE):
            return await anext(self._messages)

    async def channels(self) -> dict[int, bytes]:
        """Everything until the server's closing frame, by channel."""
        found: dict[int, bytes] = {}
        while (message := await self.next()).op is not Op.CLOSE:
            if message.data:
                found[message.data[0]] = found.get(message.data[0], b"") + message.data[1:]
        assert message.code == websocket.NORMAL
        return found


async def connect(client: HttpClient, path: str, *protocols: str, headers: Sequence[tuple[str, str]] = ()) -> Socket:
    """Open a WebSocket, or fail with the answer."""
    headers = [
        *headers,
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Key", KEY),
        ("Sec-WebSocket-Version", "13"),
    ]
    if protocols:
        headers.append(("Sec-WebSocket-Protocol", ", ".join(protocols)))
    reply, raw = await client.upgrade("GET", path, headers=headers)
    if raw is None:
        raise Refused(reply.status, reply.body.decode())
    assert reply.headers["sec-websocket-accept"] == websocket.accept_key(KEY)
    return Socket(raw, reply.headers)


class Refused(Exception):
    """The server would not upgrade."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body}")
        self.status, self.body = status, body


async def until(holds: Any, what: str) -> None:
    """Wait until something holds."""
    try:
        async with deadline(SystemClock(), PATIENCE):
            while not holds():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"it does not happen that {what}") from None


__all__ = [
    "ADDRESS",
    "Agent",
    "Data",
    "Opened",
    "Refused",
    "Replied",
    "Session",
    "Socket",
    "beside",
    "connect",
    "node",
    "until",
]
