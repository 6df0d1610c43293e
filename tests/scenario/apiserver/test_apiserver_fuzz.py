"""Random requests at the API server: whatever comes is answered, nothing is a fault of ours, and what got in can be read by all.

WHERRY_FUZZ_REQUESTS says how many (for a long run), WHERRY_FUZZ_SEED which.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import msgspec
import pytest
import yaml

from api import codec, protobuf
from api.meta_v1 import Status
from controlplane.apiserver.network import NetworkDoor
from kit.http.model import Answer, Ending, Handler, Headers, Peer, Request, Response
from kit.http.server import Server
from tests.scenario.apiserver.apiserver_requests import PROTOBUF, Sent, request
from tests.scenario.apiserver.conftest import Cluster

REQUESTS = int(os.environ.get("WHERRY_FUZZ_REQUESTS", "12000"))
SEED = int(os.environ.get("WHERRY_FUZZ_SEED", "1"))
SLOW = float(os.environ.get("WHERRY_FUZZ_SLOW", "0"))  # print requests that take longer, in seconds
WATCHES = 20  # open at a time
ADMIN = Peer("admin", ("system:masters",))
NODE = Peer("system:node:n1", ("system:nodes",))
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
NO_PAGE = b"404 page not found\n"  # what is no path of the API is answered as any web server does


class Sink(Ending):
    """A stream that somebody reads at once."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    @property
    def closed(self) -> bool:
        return self.ended

    def write(self, data: bytes) -> None:
        self.written = (self.written + data)[-100_000:]

    async def drain(self) -> None: ...

    def close(self) -> None:
        self.end()

    def abort(self) -> None:
        self.end()

    def on_close(self, callback: Any) -> None:
        self.on_end(callback)

    async def wait_closed(self) -> None:
        await self.wait()


class Carrier:
    """A connection of one user."""

    remote, disconnected = "192.0.2.7", False

    def __init__(self, peer: Peer | None) -> None:
        self.peer = peer
        self.stream: Sink | None = None
        self.status = 0

    def start_stream(self, request: Request, status: int, headers: Headers) -> Sink:
        self.stream, self.status = Sink(), status
        return self.stream

    def hijack(self, request: Request, status: int, headers: Headers) -> Any:
        raise AssertionError("nothing here leaves HTTP")


async def ask(door: NetworkDoor, sent: Sent, peer: Peer | None = ADMIN) -> tuple[int, bytes, Sink | None]:
    """One request without a socket: status, body, and the stream if the answer is one."""
    carrier = Carrier(peer)
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent.headers]
    answer = door(Request(sent.method, sent.target, raw, sent.body, carrier))
    if isinstance(answer, Awaitable):
        answer = await answer
    if isinstance(answer, Response):
        assert carrier.stream is None
        for name, value in answer.headers:
            f"{name}: {value}".encode()
        return answer.status, answer.body if isinstance(answer.body, bytes) else b"".join(answer.body), None
    assert carrier.stream is not None
    return carrier.status, carrier.stream.written, carrier.stream


@pytest.fixture
async def faults(capfd: pytest.CaptureFixture[str]) -> AsyncIterator[list[dict[str, Any]]]:
    """What the event loop could not hand to anybody; and nothing that went wrong was only logged."""
    unhandled: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
    yield unhandled
    logged = capfd.readouterr().err
    assert "error" not in logged.lower(), logged[-4000:]


async def test_nothing_is_a_fault_of_the_server(cluster: Cluster, faults: list[dict[str, Any]]):
    rng, door, codes = random.Random(SEED), cluster.server.handler, Counter[int]()
    watches: list[Sink] = []
    for number in range(REQUESTS):
        sent, peer = request(rng), rng.choices((ADMIN, NODE, None), (20, 4, 1))[0]
        began = time.monotonic()
        code, body, stream = await ask(door, sent, peer)
        took = time.monotonic() - began
        if SLOW and took > SLOW:
            print(
                f"\nslow: {took:.2f}s {sent.method} {sent.target[:200]} {sent.headers} {len(sent.body)} {sent.body[:200]!r}"
            )
        # Upstream too calls it its own fault when a node has not said where it is, or has said what is no place, or a range is full.
        nowhere = any(text in body for text in (b"no preferred addresses found", b"cannot look up", b"range is full"))
        assert code not in (0, 500) or nowhere, (number, sent, body)
        if code >= 400 and body != NO_PAGE and not sent.target.startswith(("/healthz", "/livez", "/readyz")):
            assert code_of(body) == code, (number, sent, body)
        codes[code] += 1
        if stream is not None:
            watches.append(stream)
        for closed in watches[: len(watches) - WATCHES]:
            closed.close()
        watches = watches[-WATCHES:]
    for stream in watches:
        stream.close()
    assert codes[200] + codes[201] > REQUESTS // 10, codes  # the requests are not all nonsense
    assert not faults
    await everything_can_be_read(cluster)


def code_of(body: bytes) -> int:
    """The code in a Status, in whichever form."""
    if body.startswith(protobuf.MAGIC):
        return protobuf.decode(Status, body).code or 0
    found: int = (msgspec.json.decode(body) if body.startswith(b"{") else yaml.safe_load(body))["code"]
    return found


async def everything_can_be_read(cluster: Cluster) -> None:
    """Every object decodes, shows in every form, and may be written back as it is, which changes nothing."""
    door = cluster.server.handler
    assert (await ask(door, Sent("GET", "/readyz", [], b"")))[:2] == (200, b"ok")
    for kept in cluster.server.core.cache.resources.values():
        assert not kept.listeners
        for accept in ("application/json", "application/yaml", PROTOBUF, TABLE):
            code, body, _ = await ask(door, Sent("GET", kept.kind.path(), [("accept", accept)], b""))
            assert code == 200, (kept.kind, accept, body)
        for entry in list(kept.entries.values())[:500]:
            path = kept.kind.path(entry.namespace, entry.name)
            code, body, _ = await ask(door, Sent("GET", path, [("accept", PROTOBUF)], b""))
            assert code == 200, (entry.data, body)
            assert protobuf.decode(kept.kind, body).metadata == codec.decode(kept.kind, entry.data).metadata
            code, body, _ = await ask(door, Sent("PUT", path, [("content-type", "application/json")], entry.data))
            assert (code, body) == (200, entry.data), (entry.data, body)


async def test_nothing_is_a_fault_of_the_server_behind_a_socket(cluster: Cluster, faults: list[dict[str, Any]]):
    rng = random.Random(SEED)
    async with Server(as_admin(cluster.server.handler)) as server:
        for number in range(REQUESTS // 20):
            sent = b"".join(wire(rng, request(rng)) for _ in range(rng.randrange(1, 5)))
            got = await talk(server.port, rng, sent)
            assert b"HTTP/1.1 500" not in got, (number, sent, got)
        assert b"200 OK" in await talk(server.port, rng, b"GET /readyz HTTP/1.1\r\n\r\n")
    assert not faults
    await everything_can_be_read(cluster)


def as_admin(handler: Handler) -> Handler:
    """Plain HTTP has no user: give it one, as a certificate would."""

    def wrapped(asked: Request) -> Answer:
        carrier: Any = asked._carrier
        carrier._peer, carrier._peer_known = ADMIN, True
        return handler(asked)

    return wrapped


def wire(rng: random.Random, sent: Sent) -> bytes:
    """The request's bytes, not always as HTTP would have them."""
    framing = f"content-length: {len(sent.body)}\r\n" if sent.body else ""
    body = sent.body
    if rng.random() < 0.1:
        half = len(body) // 2
        pieces = [piece for piece in (body[:half], body[half:]) if piece]
        body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        framing = "transfer-encoding: chunked\r\n"
    elif rng.random() < 0.03:
        framing = rng.choice(
            ("content-length: -1\r\n", "content-length: 99999999999\r\n", "content-length: 7\r\n" + framing)
        )
    if rng.random() < 0.05:
        framing += rng.choice(
            ("connection: upgrade\r\nupgrade: websocket\r\n", "expect: 100-continue\r\n", "connection: close\r\n")
        )
    lines = "".join(f"{name}: {value}\r\n" for name, value in sent.headers)
    head = f"{sent.method} {sent.target} HTTP/1.{rng.choice('1111110')}\r\n{lines}{framing}\r\n".encode(
        "latin-1", "replace"
    )
    if rng.random() < 0.05:
        at = rng.randrange(len(head))
        head = head[:at] + rng.randbytes(2) + head[at + 1 :]
    return head + body


async def talk(port: int, rng: random.Random, data: bytes) -> bytes:
    """Send in pieces, end, and read what comes until the server ends too; a server that does not is at fault."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        cut = rng.randrange(len(data) + 1)
        for piece in (data[:cut], data[cut:]):
            writer.write(piece)
            await asyncio.sleep(0)
        writer.write_eof()
        async with asyncio.timeout(120):
            return await reader.read(-1)
    except ConnectionError:
        return b""  # refused before it had all been sent
    finally:
        writer.transport.abort()
