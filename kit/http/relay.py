"""Passing on upgraded connections: what one side sends reaches the other byte for byte, whatever it speaks.

Either side may read slowly: then the other is not read either. When one side ends, what it has sent is still delivered and the other ends
as well; a side that does not even take that is cut. A connection on which nothing moves for `idle` seconds ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

from kit.clock import Clock, Timer, deadline
from kit.http.client import HttpClient
from kit.http.model import Request, Response, StreamClosed
from kit.http.raw import RawClosed, RawStream

IDLE_SECONDS = 4 * 3600.0
CLOSING_SECONDS = 10.0
_NAMES = {
    "sec-websocket-accept": "Sec-WebSocket-Accept",
    "sec-websocket-protocol": "Sec-WebSocket-Protocol",
    "sec-websocket-extensions": "Sec-WebSocket-Extensions",
}  # of which some clients want the capitals
_OF_THE_HOP = frozenset({"content-length", "transfer-encoding", "connection", "keep-alive", "date", "content-type"})
_NOT_PASSED = frozenset({"host", "content-length", "transfer-encoding", "expect", "authorization"})


class NotUpgraded(Exception):
    """The other server answered an upgrade with what is neither an upgrade nor a refusal."""


def wants_upgrade(request: Request) -> bool:
    """Whether a request asks for another protocol."""
    return "upgrade" in request.header("connection").lower()


def wants_websocket(request: Request) -> bool:
    """Whether the protocol it asks for is WebSocket."""
    return wants_upgrade(request) and request.header("upgrade").lower() == "websocket"


class Idleness:
    """Calls back once when nothing has moved for a while; a timer for the whole time, not one for each movement."""

    def __init__(self, clock: Clock, seconds: float, ended: Callable[[], object]) -> None:
        self._clock = clock
        self._seconds = seconds
        self._ended = ended
        self._last = clock.monotonic()
        self._timer: Timer = clock.call_later(seconds, self._look)

    def moved(self) -> None:
        """Something has moved."""
        self._last = self._clock.monotonic()

    def stop(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        left = self._last + self._seconds - self._clock.monotonic()
        if left <= 0:
            self._ended()
        else:
            self._timer = self._clock.call_later(left, self._look)


async def pass_on(
    request: Request, client: HttpClient, target: str, headers: Iterable[tuple[str, str]], clock: Clock
) -> Response | None:
    """Ask `client`'s server for the upgrade that was asked of us and join both connections; None when they have ended, or the refusal.

    Raises ClientError and NotUpgraded."""
    reply, raw = await client.upgrade(request.method, target, headers=headers)
    if raw is None:
        if reply.status < 400:
            raise NotUpgraded(f"invalid upgrade response: status code {reply.status}")
        kept = [(name, value) for name, value in reply.headers.items() if name not in _OF_THE_HOP]
        return Response(reply.status, reply.body, reply.headers.get("content-type", ""), kept)
    await join(request, raw, 101, upgrade_headers(reply.headers), clock)
    return None


def upgrade_headers(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """The headers of a 101 answer, as the client should see them."""
    return [(_NAMES.get(name, name.title()), value) for name, value in headers.items() if name != "content-length"]


async def join(
    request: Request, other: RawStream, status: int, headers: Iterable[tuple[str, str]], clock: Clock
) -> None:
    """Answer `request` and let its connection and `other` be one until either ends."""
    try:
        raw = request.hijack(status, headers)
    except StreamClosed:
        other.abort()
        return
    idle = Idleness(clock, IDLE_SECONDS, raw.abort)
    try:
        await first_of(copy(raw, other, idle), copy(other, raw, idle))
    finally:
        idle.stop()
        await part(clock, raw, other)


async def copy(source: RawStream, sink: RawStream, idle: Idleness) -> None:
    """Everything that comes from `source` goes to `sink`, at the sink's pace."""
    try:
        while data := await source.read():
            idle.moved()
            sink.write(data)
            await sink.drain()
    except RawClosed:
        return


async def first_of(*works: Awaitable[None]) -> None:
    """Do several things until one of them has ended; the others are cancelled. What one of them raises is raised."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in done:
        task.result()


async def part(clock: Clock, *streams: RawStream) -> None:
    """End connections, with what was written to them if they take it within a moment."""
    for stream in streams:
        stream.close()
    try:
        async with deadline(clock, CLOSING_SECONDS):
            for stream in streams:
                await stream.wait_closed()
    except TimeoutError:
        pass
    finally:
        for stream in streams:
            stream.abort()


def passed_headers(request: Request, *leave_out: str) -> list[tuple[str, str]]:
    """A request's headers for the next server, without those that are about the body or this server (and `leave_out`, in lower case)."""
    without = _NOT_PASSED.union(leave_out, ["x-forwarded-for"])
    kept = []
    for raw_name, raw_value in request.raw_headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        lower = name.lower()
        if lower not in without:
            kept.append((name, value))
    before = request.header("x-forwarded-for")
    if request.remote:
        kept.append(("X-Forwarded-For", f"{before}, {request.remote}" if before else request.remote))
    return kept
