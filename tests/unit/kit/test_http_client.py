"""The HTTP client: answers, streams, kept connections, timeouts, typed errors. Against our server and against raw bytes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from kit.clock import FakeClock
from kit.http.client import MAX_IDLE, ConnectFailed, HttpClient, ProtocolError, Reply, TimedOut
from kit.http.h1_client import HIGH_WATER
from kit.http.server import Server
from tests.unit.kit.wire import Site, serving


@pytest.fixture
async def site() -> Site:
    return Site()


@asynccontextmanager
async def client_of(server: Server, clock: FakeClock | None = None) -> AsyncIterator[HttpClient]:
    client = HttpClient("127.0.0.1", server.port, clock=clock)
    try:
        yield client
    finally:
        await client.close()


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def scripted(script: Script, clock: FakeClock | None = None) -> AsyncIterator[HttpClient]:
    """A client of a server that treats each connection by a script."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await script(reader, writer)
            await reader.read()  # keeps the connection until the client ends it
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    client = HttpClient("127.0.0.1", server.sockets[0].getsockname()[1], clock=clock)
    try:
        yield client
    finally:
        await client.close()
        server.close()
        if tasks:
            await asyncio.wait(tasks, timeout=5)
        await server.wait_closed()


@asynccontextmanager
async def answering(*answers: bytes) -> AsyncIterator[tuple[HttpClient, list[bytes]]]:
    """A client of a server that says these bytes to its first, second, ... connection, and closes it after "EOF"."""
    heard: list[bytes] = []
    left = list(answers)

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        answer = left.pop(0)
        writer.write(answer.removesuffix(b"EOF"))
        if answer.endswith(b"EOF"):
            writer.close()

    async with scripted(script) as client:
        yield client, heard


async def test_request(site: Site) -> None:
    async with serving(site) as server, client_of(server) as client:
        reply = await client.request("POST", "/a?b=c", body=b"hello", headers=[("X-Test", "1")])
        assert (
            reply.status == 200
            and reply.body == b"POST /a?b=c 5:hello"
            and reply.headers["content-type"] == "text/plain"
        )
    assert site.requests[0].header("x-test") == "1" and site.requests[0].header("host") == f"127.0.0.1:{server.port}"


async def test_connections_are_kept_and_used_again(site: Site) -> None:
    async with serving(site) as server, client_of(server) as client:
        for _ in range(3):
            await client.request("GET", "/a")
        assert len(server._connections) == 1
        await asyncio.gather(*(client.request("GET", "/a") for _ in range(3)))
        assert len(server._connections) == 3


async def wait_until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not done():
            await asyncio.sleep(0.005)


class Counter:
    """Lets requests through when it is told to, and counts them and the connections they came by."""

    def __init__(self) -> None:
        self.connections = self.requests = 0
        self.go = asyncio.Event()

    async def script(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while True:
            await reader.readuntil(b"\r\n\r\n")
            self.requests += 1
            await self.go.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n.")


async def test_many_at_once_share_few_connections() -> None:
    counter = Counter()
    async with scripted(counter.script, FakeClock()) as client:
        asked = [asyncio.create_task(client.request("POST", "/")) for _ in range(50)]
        await wait_until(lambda: counter.requests == MAX_IDLE)
        asked[-1].cancel()  # one that waits
        counter.go.set()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert [a.body for a in answers if isinstance(a, Reply)] == [b"."] * 49
        assert (counter.connections, counter.requests) == (MAX_IDLE, 49)
        assert not client._busy and len(client._idle) == MAX_IDLE


async def test_nobody_waits_long_for_another_ones_connection() -> None:
    clock, counter = FakeClock(), Counter()
    async with scripted(counter.script, clock) as client:
        asked = [asyncio.create_task(client.request("GET", "/")) for _ in range(MAX_IDLE + 3)]
        await wait_until(lambda: counter.requests == MAX_IDLE)
        await clock.advance(1)
        await wait_until(lambda: counter.connections == MAX_IDLE + 3)
        counter.go.set()
        assert all(reply.status == 200 for reply in await asyncio.gather(*asked))
        assert not client._busy and len(client._idle) == MAX_IDLE


async def test_who_waited_in_vain_leaves_nothing_behind() -> None:
    clock, go = FakeClock(), asyncio.Event()

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await go.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n.")

    async with scripted(once, clock) as client:
        asked = [asyncio.create_task(client.request("GET", "/")) for _ in range(MAX_IDLE + 5)]
        await wait_until(lambda: len(client._waiting) == 5)
        asked[-1].cancel()
        await clock.advance(1)
        go.set()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert [a.body for a in answers if isinstance(a, Reply)] == [b"."] * (MAX_IDLE + 4)
        assert not client._waiting, "no connection ever gets free that would take them away"


async def test_streams_hold_up_nobody(site: Site) -> None:
    async with serving(site) as server, client_of(server, FakeClock()) as client, AsyncExitStack() as streams:
        for _ in range(MAX_IDLE + 1):
            await streams.enter_async_context(client.stream("GET", "/stream"))
        assert (await client.request("GET", "/hello")).status == 200


async def test_streamed_body_both_ways(site: Site) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"one", b"", b"two" * 1000):
            yield piece

    async with serving(site) as server, client_of(server) as client:
        reply = await client.request("PUT", "/a", body=pieces())
        assert reply.body == b"PUT /a 3003:one" + b"two" * 1000
        async with client.stream("GET", "/stream") as incoming:
            assert incoming.status == 200
            site.streams[0].write(b"one")
            assert await incoming.read() == b"one"
            site.streams[0].write(b"two")
            site.streams[0].write(b"three")
            site.streams[0].close()
            assert b"".join([data async for data in incoming]) == b"twothree"
        assert (await client.request("GET", "/a")).status == 200
        assert len(server._connections) == 1


async def test_leaving_a_stream_early_ends_its_connection(site: Site) -> None:
    async with serving(site) as server, client_of(server) as client:
        async with client.stream("GET", "/stream") as incoming:
            assert incoming.status == 200
        await asyncio.wait_for(site.streams[0].wait_closed(), 120)


async def test_head_and_empty_answers(site: Site) -> None:
    async with serving(site) as server, client_of(server) as client:
        reply = await client.request("HEAD", "/a")
        assert (reply.status, reply.body, reply.headers["content-length"]) == (200, b"", "10")
        assert (await client.request("GET", "/empty")).status == 204
        assert (await client.request("GET", "/a")).body == b"GET /a 0:"


async def test_upgrade(site: Site) -> None:
    headers = [("Connection", "Upgrade"), ("Upgrade", "echo")]
    async with serving(site) as server, client_of(server) as client:
        reply, raw = await client.upgrade("GET", "/echo-upgrade", headers=headers)
        assert reply.status == 101 and raw is not None
        raw.write(b"hi")
        assert await raw.read() == b"echo:hi"
        raw.close()
        await asyncio.wait_for(raw.wait_closed(), 120)
        reply, raw = await client.upgrade("GET", "/a", headers=headers)
        assert (reply.status, reply.body, raw) == (200, b"GET /a 0:", None)


async def test_slow_reading_stops_the_sender(site: Site) -> None:
    async with serving(site) as server, client_of(server) as client, client.stream("GET", "/stream") as incoming:
        for _ in range(48):
            site.streams[0].write(b"x" * 65536)
        await asyncio.sleep(0.05)
        assert incoming._exchange.size < 2 * HIGH_WATER
        site.streams[0].close()
        assert sum([len(data) async for data in incoming]) == 48 * 65536


async def test_nobody_there() -> None:
    client = HttpClient("127.0.0.1", 1)
    with pytest.raises(ConnectFailed, match="cannot connect to 127.0.0.1:1: connection refused"):
        await client.request("GET", "/")


async def test_no_answer_in_time(site: Site) -> None:
    clock = FakeClock()
    async with serving(site) as server, client_of(server, clock) as client:
        task = asyncio.create_task(client.request("GET", "/wait", timeout=5))
        await wait_until(lambda: bool(site.requests))
        await clock.advance(5)
        with pytest.raises(TimedOut, match="no answer within 5 s"):
            await task
        site.gate.set()
        assert (await client.request("GET", "/wait")).body == b"waited"


async def test_a_body_that_stalls_is_out_of_time(site: Site) -> None:
    clock = FakeClock()
    async with serving(site) as server, client_of(server, clock) as client:
        task = asyncio.create_task(client.request("GET", "/stream", timeout=5))
        await wait_until(lambda: bool(site.streams))
        await clock.advance(10)
        with pytest.raises(TimedOut):
            await task


async def test_a_stream_may_take_for_ever(site: Site) -> None:
    clock = FakeClock()
    async with (
        serving(site) as server,
        client_of(server, clock) as client,
        client.stream("GET", "/stream", timeout=5) as incoming,
    ):
        await clock.advance(10_000)
        site.streams[0].write(b"late")
        assert await incoming.read() == b"late"


async def test_cancelling_ends_the_connection(site: Site) -> None:
    async with serving(site) as server, client_of(server) as client:
        task = asyncio.create_task(client.request("GET", "/wait"))
        await wait_until(lambda: bool(site.requests))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not client._busy and not client._idle


async def test_a_kept_connection_that_the_server_closed_is_not_noticed(site: Site) -> None:
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"
    async with answering(ok + b"1EOF", ok + b"2") as (client, _):
        assert (await client.request("POST", "/")).body == b"1"
        await wait_until(lambda: not any(kept.reusable for kept in client._idle))  # its end arrives
        assert (await client.request("POST", "/")).body == b"2"


async def test_a_kept_connection_that_breaks_while_asking_is_retried_if_that_is_safe() -> None:
    async def run(method: str) -> list[bytes]:
        served: list[bytes] = []

        async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            for _ in range(1 if not served else 9):
                served.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1")
            await reader.readuntil(b"\r\n\r\n")  # the second request on the first connection is not answered
            writer.close()

        async with scripted(script) as client:
            await client.request(method, "/")
            await client.request(method, "/")
        return served

    assert len(await run("GET")) == 2
    with pytest.raises(ConnectFailed, match="the connection was closed"):
        await run("POST")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"nonsense\r\n\r\n", ProtocolError),
        (b"EOF", ConnectFailed),
        (b"HTTP/1.1 200 OK\r\nContent-LenEOF", ConnectFailed),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabcEOF", ProtocolError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nEOF", ProtocolError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", ProtocolError),
    ],
)
async def test_broken_answers(answer: bytes, error: type[Exception]) -> None:
    async with answering(answer) as (client, _):
        with pytest.raises(error):
            await client.request("GET", "/", timeout=60)


async def test_a_body_up_to_the_end_of_the_connection() -> None:
    async with answering(b"HTTP/1.1 200 OK\r\n\r\nall of thisEOF") as (client, _):
        assert (await client.request("GET", "/")).body == b"all of this"


async def test_interim_answers_are_skipped() -> None:
    async with answering(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    ) as (
        client,
        _,
    ):
        reply = await client.request("GET", "/")
        assert (reply.status, reply.body) == (200, b"ok") and "x" not in reply.headers


@pytest.mark.parametrize("line", [b"X-A: b\r\n", b"HTTP/1.1 102 Processing\r\n\r\n"])
async def test_an_endless_head_is_not_held(line: bytes) -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"" if line.startswith(b"HTTP") else b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(line * 10_000)
            await writer.drain()

    async with scripted(endless) as client:
        with pytest.raises(ProtocolError, match="its head is too large"):
            await client.request("GET", "/", timeout=None)


async def test_no_more_of_a_body_is_held_than_wanted() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        while True:
            writer.write(bytes(100_000))
            await writer.drain()

    async with scripted(endless) as client:
        with pytest.raises(ProtocolError, match="more than 5000000 bytes"):
            await client.request("GET", "/", timeout=None, most=5_000_000)
        with pytest.raises(ProtocolError, match="more than 1048576 bytes"):
            await client.upgrade("GET", "/", headers=[("Connection", "Upgrade"), ("Upgrade", "x")], timeout=None)


async def test_more_than_was_asked_for_ends_the_connection() -> None:
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"
    async with answering(ok + b"1", ok + b"2") as (client, heard):
        assert (await client.request("GET", "/")).body == b"1"
        connection = client._idle[0]
        connection.data_received(b"HTTP/1.1 200 OK\r\n\r\n")
        assert (await client.request("GET", "/")).body == b"2" and len(heard) == 2


@pytest.mark.parametrize("path", ["/a b", "/a\r\nHost: evil"])
async def test_paths_must_be_escaped(path: str) -> None:
    with pytest.raises(ProtocolError):
        await HttpClient("127.0.0.1", 1).request("GET", path)


async def test_headers_must_not_break_lines() -> None:
    with pytest.raises(ProtocolError):
        await HttpClient("127.0.0.1", 1).request("GET", "/", headers=[("X", "a\r\nEvil: 1")])


async def test_unix_socket(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = str(tmp_path_factory.mktemp("s") / "a.sock")
    async with Server(site, unix=path):
        client = HttpClient(unix=path)
        assert (await client.request("GET", "/a")).body == b"GET /a 0:"
        assert site.requests[0].header("host") == "localhost" and site.requests[0].remote == ""
        await client.close()
    with pytest.raises(ConnectFailed, match="no such file"):
        await HttpClient(unix=path).request("GET", "/a")


@pytest.mark.parametrize("cut", range(1, 80, 3))
async def test_an_answer_cut_anywhere(cut: int) -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer[:cut])
        await asyncio.sleep(0.002)
        writer.write(answer[cut:])

    async with scripted(script) as client:
        reply = await client.request("GET", "/")
        assert (reply.body, reply.headers["x"]) == (b"abcdefg", "y")
