"""exec and attach for clients that speak v5.channel.k8s.io: WebSocket towards the client, SPDY towards the node.

Every kubelet takes SPDY, few take this version of WebSocket, whose news is that the client can say that its input has ended. Messages begin
with the number of their channel; the same streams exist on the SPDY side, told apart by a header. The client's connection is accepted
before the node is asked, so whatever goes wrong later is told on the error channel, as is how the command ended.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import msgspec

from controlplane.apiserver import status
from controlplane.apiserver.connect.refusals import upgrade_refused
from kit.clock import Clock, deadline
from kit.http import spdy, websocket
from kit.http.client import ClientError, HttpClient
from kit.http.model import Request, Response, StreamClosed
from kit.http.raw import RawClosed, RawStream
from kit.http.relay import IDLE_SECONDS, Idleness, first_of, part
from kit.http.websocket_server import WebSocket

PROTOCOL = "v5.channel.k8s.io"
TOWARDS_NODE = "v4.channel.k8s.io"
STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
REPLY_SECONDS = 30.0
_MOST_ERROR = 1024 * 1024  # bytes of what the node says about the end
_NAMES = {STDIN: "stdin", STDOUT: "stdout", STDERR: "stderr", ERROR: "error", RESIZE: "resize"}
SUCCESS = b'{"metadata":{},"status":"Success"}'


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which streams of the process the client wants."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False

    def channels(self) -> list[int]:
        """The streams to open on the node."""
        chosen = {STDIN: self.stdin, STDOUT: self.stdout, STDERR: self.stderr and not self.tty, RESIZE: self.tty}
        return [ERROR, *(channel for channel, wanted in chosen.items() if wanted)]

    def first(self) -> int:
        """The channel on which the client learns that it is connected."""
        return STDOUT if self.stdout else STDERR if self.stderr else ERROR


async def translate(request: Request, client: HttpClient, target: str, wanted: Wanted, clock: Clock) -> Response | None:
    """Serve one client to its end; a Response if its handshake is none."""
    try:
        _, headers = websocket.answer(request.headers, (PROTOCOL,))
    except websocket.NoHandshake as error:
        return Response(error.status, str(error).encode(), "text/plain")
    try:
        raw = request.hijack(101, headers)
    except StreamClosed:
        return None
    idle = Idleness(clock, IDLE_SECONDS, raw.abort)
    socket = WebSocket(raw, moved=idle.moved)
    try:
        await socket.send(bytes((wanted.first(),)))
        outcome = await _execute(socket, client, target, wanted, clock)
        if outcome:
            await socket.send(bytes((ERROR,)) + outcome)
            socket.finish()
    except RawClosed:
        return None  # the client has gone
    finally:
        idle.stop()
        await part(clock, raw)
    return None


async def _execute(socket: WebSocket, client: HttpClient, target: str, wanted: Wanted, clock: Clock) -> bytes:
    """How the command ended, as a Status; empty when the client left before it did."""
    headers = (("Connection", "Upgrade"), ("Upgrade", "SPDY/3.1"), ("X-Stream-Protocol-Version", TOWARDS_NODE))
    try:
        reply, raw = await client.upgrade("POST", target, headers=headers)
    except ClientError as error:
        return status.internal_error(f"error sending request: {error}").body()
    if raw is None:
        return upgrade_refused(reply).body()
    try:
        if (agreed := reply.headers.get("x-stream-protocol-version", "")) != TOWARDS_NODE:
            return status.internal_error(f'the node speaks "{agreed}" instead of "{TOWARDS_NODE}"').body()
        execution = Execution(socket, raw, wanted, clock)
        await first_of(execution.from_client(), execution.from_node())
        return execution.outcome
    finally:
        await part(clock, raw)


class Execution:
    """The two connections of one command."""

    def __init__(self, socket: WebSocket, raw: RawStream, wanted: Wanted, clock: Clock) -> None:
        self.outcome = b""
        self._socket = socket
        self._raw = raw
        self._clock = clock
        self._session = spdy.Session(client=True)
        self._streams = {
            channel: self._session.open([("streamtype", _NAMES[channel])]) for channel in wanted.channels()
        }
        self._channels = {stream: channel for channel, stream in self._streams.items()}
        self._unanswered = set(self._channels)
        self._running = {channel for channel in (STDOUT, STDERR, ERROR) if channel in self._streams}
        self._ready = asyncio.Event()
        self._asked = asyncio.Event()  # there is something to send that came of reading
        self._error = b""
        self._flush()

    def _flush(self) -> None:
        self._raw.write(self._session.outgoing())

    async def from_client(self) -> None:
        """Pass on input, sizes of the terminal, and that the input has ended. Ends when the client does."""
        try:
            async with deadline(self._clock, REPLY_SECONDS):
                await self._ready.wait()  # what comes before the node's replies is dropped there
        except TimeoutError:
            self.outcome = status.internal_error("timed out waiting for the node to accept the streams").body()
            return
        async for message in self._socket:
            self._take(message.data)
            try:
                self._flush()
                await self._raw.drain()
            except RawClosed:
                continue  # the node's last words are still being read; input leads nowhere

    def _take(self, data: bytes) -> None:
        if len(data) == 2 and data[0] == CLOSE:
            if data[1] == STDIN and STDIN in self._streams:
                self._session.send(self._streams[STDIN], b"", fin=True)
        elif data and data[0] in (STDIN, RESIZE) and data[0] in self._streams:
            self._session.send(self._streams[data[0]], data[1:])

    async def from_node(self) -> None:
        """Pass on output until all of it and the command's end are there."""
        answering = asyncio.ensure_future(self._answer())
        try:
            await self._read()
        finally:
            answering.cancel()

    async def _answer(self) -> None:
        """Send what the node has asked for, no faster than it takes it; what it says is read meanwhile."""
        try:
            while await self._asked.wait():
                self._asked.clear()
                await self._raw.drain()
                self._flush()
        except RawClosed:
            return  # its last words may still be there to read

    async def _read(self) -> None:
        async for data in self._raw:
            try:
                for event in self._session.receive(data):
                    await self._on(event)
            except spdy.Broken as error:
                self.outcome = status.internal_error(f"cannot understand the node: {error}").body()
                return
            if self._session.waiting:
                self._asked.set()
            if not self._running:
                self._flush()
                self.outcome = outcome_of(self._error)
                return
        lost = status.internal_error("the connection to the node broke before the command ended").body()
        self.outcome = outcome_of(self._error) if self._error else lost

    async def _on(self, event: spdy.Event) -> None:
        match event:
            case spdy.Replied(stream):
                self._unanswered.discard(stream)
                if not self._unanswered:
                    self._ready.set()
                if event.fin:
                    self._ended(stream)
            case spdy.Data(stream, data):
                channel = self._channels.get(stream)
                if channel == ERROR:
                    self._error = (self._error + data)[:_MOST_ERROR]
                elif channel in self._running and data:
                    await self._socket.send(bytes((channel,)) + data)
                if event.fin:
                    self._ended(stream)
            case spdy.WasReset(stream):
                self._ended(stream)
            case _:
                pass

    def _ended(self, stream: int) -> None:
        """The node sends no more on a stream; when it is the input's, it takes none either."""
        channel = self._channels.get(stream, CLOSE)
        self._running.discard(channel)
        if channel == STDIN:
            self._session.send(stream, b"", fin=True)


def outcome_of(said: bytes) -> bytes:
    """The Status for the client from the one that the node gave."""
    if not said:
        return SUCCESS
    try:
        told: dict[str, Any] = msgspec.json.decode(said, type=dict[str, Any])
    except msgspec.DecodeError as error:
        shown = said.decode(errors="replace")
        return status.internal_error(f'error stream protocol error: {error} in "{shown}"').body()
    if told.get("status") == "Success":
        return SUCCESS
    if told.get("status") != "Failure":
        return status.internal_error("error stream protocol error: unknown error").body()
    if told.get("reason") != "NonZeroExitCode":
        return status.internal_error(str(told.get("message", ""))).body()
    code = _exit_code(told.get("details"))
    if code is None:
        return status.internal_error("error stream protocol error: no ExitCode cause given").body()
    ended = {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: command terminated with exit code {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }
    return msgspec.json.encode(ended)


def _exit_code(details: Any) -> int | None:
    causes = details.get("causes") if isinstance(details, dict) else None
    for cause in causes if isinstance(causes, list) else ():
        if isinstance(cause, dict) and cause.get("reason") == "ExitCode":
            text = str(cause.get("message", ""))
            return int(text) if text.isascii() and text.isdigit() and len(text) < 4 and int(text) < 256 else None
    return None
