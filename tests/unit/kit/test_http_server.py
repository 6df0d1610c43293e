"""The HTTP server from its client's side: requests in order, limits, streams, upgrades, shutdown. On both event loops."""

import asyncio
from email.utils import formatdate

import pytest

from kit.clock import FakeClock, settle
from kit.http import h1
from kit.http.model import Request, Response, StreamClosed
from kit.http.server import Limits, ListenError, Server, http_date, parse_address
from tests.unit.kit.wire import Site, Wire, ask, connected, serving, until

GET = b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
async def site() -> Site:
    return Site()


async def test_one_request(site: Site) -> None:
    async with serving(site) as server:
        answer = await ask(server, GET % b"a?b=c")
    assert answer == b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nGET /a?b=c 0:"


async def test_request_fields(site: Site) -> None:
    async with serving(site) as server:
        await ask(
            server,
            b"PATCH /a%20b/%C3%BC?x=1&y=&x=2%26 HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 3\r\n\r\nabc",
        )
    request = site.requests[0]
    assert (request.method, request.path, request.body) == ("PATCH", "/a b/ü", b"abc")
    assert request.query == {"x": ["1", "2&"], "y": [""]}
    assert (request.param("x"), request.param("y", "-"), request.param("z", "-")) == ("1", "", "-")
    assert request.headers == {"host": "h", "x-a": "1, 2", "content-length": "3"}
    assert request.header("x-a") == "1, 2" and request.header("nope") == ""
    assert request.peer is None and request.remote == "127.0.0.1"


async def test_keep_alive_serves_one_after_the_other(site: Site) -> None:
    async with serving(site) as server, connected(server) as wire:
        for name in (b"one", b"two"):
            wire.send(GET % name)
            assert (await wire.response())[2] == b"GET /%b 0:" % name
        assert len(server._connections) == 1


async def test_pipelined_requests_are_answered_in_order(site: Site) -> None:
    async with serving(site) as server, connected(server) as wire:
        wire.send(
            GET % b"1"
            + GET % b"wait"
            + GET % b"2"
            + b"POST /3 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
            + GET % b"crash-later"
            + GET % b"4"
        )
        assert (await wire.response())[2] == b"GET /1 0:"
        await settle()
        assert len(site.requests) == 2  # the third waits for its turn
        site.gate.set()
        assert [(await wire.response())[2] for _ in range(5)] == [
            b"waited",
            b"GET /2 0:",
            b"POST /3 2:hi",
            b"internal error\n",
            b"GET /4 0:",
        ]


async def test_thousands_of_pipelined_requests_do_not_exhaust_the_stack(site: Site) -> None:
    async with serving(site) as server, connected(server) as wire:
        wire.send(GET % b"wait" + GET % b"x" * 5000)
        await asyncio.sleep(0.01)
        site.gate.set()
        for _ in range(5001):
            assert (await wire.response())[0] == 200


async def test_connection_close_is_respected(site: Site) -> None:
    async with serving(site) as server, connected(server) as wire:
        wire.send(b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        _, headers, _ = await wire.response()
        assert headers["connection"] == "close" and await wire.rest() == b""


async def test_http_1_0_closes(site: Site) -> None:
    async with serving(site) as server, connected(server) as wire:
        wire.send(b"GET /a HTTP/1.0\r\n\r\n")
        assert (await wire.response())[2] == b"GET /a 0:"
        assert await wire.rest() == b""


async def test_head_has_the_length_but_no_body(site: Site) -> None:
    async with serving(site) as server, connected(server) as wire:
        wire.send(b"HEAD /abc HTTP/1.1\r\nHost: x\r\n\r\n" + GET % b"next")
        status, headers, _ = await wire.response(head_only=True)
        assert (status, headers["content-length"]) == (200, "12")
        assert (await wire.response())[2] == b"GET /next 0:"


async def test_no_content_has_no_length(site: Site) -> None:
    async with serving(site) as server:
        assert await ask(server, GET % b"empty") == b"HTTP/1.1 204 No Content\r\nContent-Type: application/json\r\n\r\n"


async def test_large_bodies_in_pieces(site: Site) -> None:
    async with serving(site) as server, connected(server) as wire:
        wire.send(GET % b"large" + GET % b"next")
        assert (await wire.response())[2] == b"x" * 1_000_000
        assert (await wire.response())[2] == b"GET /next 0:"


async def test_chunked_request_body_and_trailers(site: Site) -> None:
    async with serving(site) as server:
        head = b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        answer = await ask(server, head + b"3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\nX-Trailer: 1\r\n\r\n")
        assert answer.endswith(b"POST /a 7:abcdefg")
    assert "x-trailer" not in site.requests[0].headers


async def test_expect_continue(site: Site) -> None:
    async with serving(site) as server, connected(server) as wire:
        wire.send(b"PUT /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert await wire.response() == (100, {}, b"")
        wire.send(b"hi")
        assert (await wire.response())[2] == b"PUT /a 2:hi"


async def test_expect_continue_behind_another_request(site: Site) -> None:
    async with serving(site) as server, connected(server) as wire:
        wire.send(GET % b"wait" + b"PUT /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        await asyncio.sleep(0.01)
        site.gate.set()
        assert (await wire.response())[2] == b"waited"
        assert (await wire.response())[0] == 100
        wire.send(b"hi")
        assert (await wire.response())[2] == b"PUT /a 2:hi"


async def test_expect_continue_of_a_body_that_is_too_large_is_refused_before_it_is_sent(site: Site) -> None:
    async with serving(site, limits=Limits(body=10, linger=0.1)) as server, connected(server) as wire:
        wire.send(b"PUT /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n")
        assert (await wire.response())[0] == 413


async def test_unknown_expectation(site: Site) -> None:
    async with serving(site) as server:
        assert b" 417 " in await ask(
            server, b"PUT /a HTTP/1.1\r\nHost: x\r\nExpect: tea\r\nContent-Length: 2\r\n\r\nhi"
        )


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n" + b"x" * 11,
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"6\r\nxxxxxx\r\n" * 2 + b"0\r\n\r\n",
    ],
)
async def test_a_body_above_the_limit_is_413(site: Site, request_: bytes) -> None:
    async with serving(site, limits=Limits(body=10, linger=0.1)) as server:
        answer = await ask(server, request_)
    assert answer.startswith(b"HTTP/1.1 413 ") and b"larger than 10 bytes" in answer and not site.requests


async def test_a_body_at_the_limit_is_served(site: Site) -> None:
    async with serving(site, limits=Limits(body=10)) as server:
        assert b" 200 " in await ask(server, b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n" + b"x" * 10)


@pytest.mark.parametrize("piece", [1 << 20, 700])
@pytest.mark.parametrize(
    "head",
    [
        b"GET /a HTTP/1.1\r\nX: " + b"x" * 3000 + b"\r\n\r\n",
        b"GET /" + b"x" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 400 + b"\r\n",
        b"GET /a HTTP/1.1\r\nX: " + b"x" * 3000,
    ],
)
async def test_a_head_above_the_limit_is_431(site: Site, head: bytes, piece: int) -> None:
    async with serving(site, limits=Limits(head=2000, linger=0.1)) as server, connected(server) as wire:
        for start in range(0, len(head), piece):
            wire.send(head[start : start + piece])
            await asyncio.sleep(0.001)
        assert (await wire.response())[0] == 431
    assert not site.requests


async def test_a_large_body_behind_a_small_head_is_no_large_head(site: Site) -> None:
    async with serving(site, limits=Limits(head=2000)) as server:
        assert b" 200 " in await ask(
            server, b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n" + b"x" * 9000
        )


@pytest.mark.parametrize(
    "bad",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nNo colon\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET /a b HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_malformed_requests_are_400_and_the_connection_ends(site: Site, bad: bytes) -> None:
    async with serving(site) as server:
        answer = await ask(server, bad + GET % b"smuggled")
    assert answer.startswith(b"HTTP/1.1 400 ") and answer.count(b"HTTP/1.1") == 1
    assert not site.requests


async def test_a_malformed_request_behind_one_in_work_does_not_harm_it(site: Site) -> None:
    async with serving(site) as server, connected(server) as wire:
        wire.send(GET % b"wait" + b"nonsense\r\n\r\n")
        await asyncio.sleep(0.01)
        site.gate.set()
        assert (await wire.response())[2] == b"waited"
        assert await wire.rest() == b""


@pytest.mark.parametrize("path", [b"crash", b"crash-later", b"none"])
async def test_a_crashing_handler_is_500_and_logged(
    site: Site, path: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(site) as server, connected(server) as wire:
        wire.send(GET % path + GET % b"next")
        assert (await wire.response())[0] == 500
        assert (await wire.response())[0] == 200
    assert "handler crashed" in capsys.readouterr().err


async def test_headers_cannot_be_split_by_values() -> None:
    def handler(request: Request) -> Response:
        return Response(200, b"", "text/plain\r\nEvil: 1", [("X", "a\r\nEvil: 2\n")])

    async with serving(handler) as server:
        answer = await ask(server, GET % b"")
    assert b"\nEvil" not in answer


# streams


async def test_a_stream_is_chunked_and_the_connection_goes_on(site: Site) -> None:
    async with serving(site) as server, connected(server) as wire:
        wire.send(GET % b"stream" + GET % b"next")
        head = await wire.reader.readuntil(b"\r\n\r\n")
        assert b"Transfer-Encoding: chunked\r\n" in head
        stream = site.streams[0]
        for piece in (b"one", b"", b"two"):
            stream.write(piece)
        assert [await wire.chunk(), await wire.chunk()] == [b"one", b"two"]
        ended: list[int] = []
        stream.on_close(lambda: ended.append(1))
        stream.close()
        stream.close()
        assert await wire.chunk() == b"" and ended == [1] and stream.closed
        stream.write(b"late")
        assert (await wire.response())[2] == b"GET /next 0:"


async def test_a_stream_for_http_1_0_ends_with_the_connection(site: Site) -> None:
    async with serving(site) as server, connected(server) as wire:
        wire.send(b"GET /stream HTTP/1.0\r\n\r\n")
        head = await wire.reader.readuntil(b"\r\n\r\n")
        assert b"Transfer-Encoding" not in head
        site.streams[0].write(b"abc")
        site.streams[0].close()
        assert await wire.rest() == b"abc"


async def test_a_stream_tells_when_its_reader_has_gone(site: Site) -> None:
    async with serving(site) as server:
        async with connected(server) as wire:
            wire.send(GET % b"stream")
            await wire.reader.readuntil(b"\r\n\r\n")
            stream = site.streams[0]
            ended: list[int] = []
            stream.on_close(lambda: ended.append(1))
        await asyncio.wait_for(stream.wait_closed(), 120)
        assert stream.closed and ended == [1] and site.requests[0].disconnected
        stream.write(b"into the void")
        with pytest.raises(StreamClosed):
            await stream.drain()
        stream.on_close(lambda: ended.append(2))
        assert ended == [1, 2]


async def test_a_broken_stream_is_seen_by_its_reader(site: Site) -> None:
    async with serving(site) as server, connected(server) as wire:
        wire.send(GET % b"stream")
        await wire.reader.readuntil(b"\r\n\r\n")
        site.streams[0].abort()
        try:
            rest = await wire.rest()
        except ConnectionError:
            rest = b""
        assert b"0\r\n\r\n" not in rest


async def test_a_slow_reader_is_cut_and_others_are_not(site: Site) -> None:
    async with (
        serving(site, limits=Limits(stream_backlog=1 << 20)) as server,
        connected(server) as slow,
        connected(server) as quick,
    ):
        for wire in (slow, quick):
            wire.send(GET % b"stream")
            await wire.reader.readuntil(b"\r\n\r\n")
        lazy, eager = site.streams
        slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
        piece = b"x" * 65536
        read = 0
        for _ in range(1000):
            lazy.write(piece)
            eager.write(piece)
            read += len(await quick.chunk())
            if lazy.closed:
                break
        assert lazy.closed and not eager.closed and read >= 1 << 20
        eager.write(b"still here")
        while (got := await quick.chunk()) == piece:
            pass
        assert got == b"still here"


async def test_drain_waits_for_the_reader(site: Site) -> None:
    async with serving(site, limits=Limits(stream_backlog=1 << 30)) as server, connected(server) as wire:
        wire.send(GET % b"stream")
        await wire.reader.readuntil(b"\r\n\r\n")
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        stream = site.streams[0]
        stream.write(b"x" * (16 << 20))
        draining = asyncio.create_task(stream.drain())
        await asyncio.sleep(0.02)
        assert not draining.done()
        wire.writer.transport.resume_reading()  # type: ignore[attr-defined]
        assert len(await wire.chunk()) == 16 << 20
        await asyncio.wait_for(draining, 120)


async def test_a_stream_that_comes_too_late_is_closed_from_the_start(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(site) as server:
        async with connected(server) as wire:
            wire.send(GET % b"stream-later")
            await until(lambda: site.requests)
        await until(lambda: site.requests[0].disconnected)
        site.gate.set()
        await until(lambda: site.streams and not server.tasks)
        assert site.streams[0].closed
    assert "crashed" not in capsys.readouterr().err


async def test_a_stream_that_starts_while_the_server_closes_ends_at_once(site: Site) -> None:
    server = Server(site)
    await server.start()
    async with connected(server) as wire:
        wire.send(GET % b"stream-later")
        await until(lambda: site.requests)
        closing = asyncio.create_task(server.close(grace=5))
        await settle()
        site.gate.set()
        status, headers, body = await wire.response()
        assert (status, headers["connection"], body) == (200, "close", b"") and site.streams[0].closed
        await asyncio.wait_for(closing, 120)


async def test_a_second_answer_is_an_error(site: Site) -> None:
    async with serving(site) as server, connected(server) as wire:
        wire.send(GET % b"stream")
        await wire.reader.readuntil(b"\r\n\r\n")
        with pytest.raises(RuntimeError, match="already answered"):
            site.requests[0].start_stream()
        with pytest.raises(StreamClosed):
            site.requests[0].hijack()


# upgrades


@pytest.mark.parametrize("early", [b"", b"early"])
async def test_hijack_at_once(site: Site, early: bytes) -> None:
    async with serving(site) as server, connected(server) as wire:
        wire.send(b"GET /echo-upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n" + early)
        assert (await wire.response())[:2] == (101, {"connection": "Upgrade", "upgrade": "echo"})
        if early:
            assert await wire.reader.readexactly(10) == b"echo:early"
        wire.send(b"GET / HTTP/1.1\r\n\r\n")
        assert await wire.reader.readexactly(23) == b"echo:GET / HTTP/1.1\r\n\r\n"
        wire.writer.write_eof()
        assert await wire.rest() == b""


async def test_hijack_later_keeps_what_came_meanwhile(site: Site) -> None:
    async with serving(site) as server, connected(server) as wire:
        wire.send(b"GET /hijack-later HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nab")
        await asyncio.sleep(0.01)
        wire.send(b"cd")
        await asyncio.sleep(0.01)
        site.gate.set()
        assert (await wire.response())[0] == 101
        assert await wire.rest() == b"late:abcd"


@pytest.mark.parametrize("path", [b"a", b"wait"])
async def test_an_upgrade_that_is_not_taken_is_an_ordinary_request(site: Site, path: bytes) -> None:
    async with serving(site) as server, connected(server) as wire:
        upgrade = b"GET /%b HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" % path
        wire.send(upgrade + GET % b"b")
        await asyncio.sleep(0.01)
        wire.send(GET % b"c")
        site.gate.set()
        bodies = [(await wire.response())[2] for _ in range(3)]
    assert bodies[1:] == [b"GET /b 0:", b"GET /c 0:"]


async def test_an_upgrade_behind_a_request_in_work(site: Site) -> None:
    async with serving(site) as server, connected(server) as wire:
        wire.send(
            GET % b"wait" + b"GET /echo-upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhi"
        )
        await asyncio.sleep(0.01)
        site.gate.set()
        assert (await wire.response())[2] == b"waited"
        assert (await wire.response())[0] == 101
        assert await wire.reader.readexactly(7) == b"echo:hi"


# time


async def test_idle_connections_and_half_requests_end(site: Site) -> None:
    clock = FakeClock()
    limits = Limits(read_timeout=30, idle_timeout=100, linger=0.1)
    async with (
        serving(site, limits=limits, clock=clock) as server,
        connected(server) as idle,
        connected(server) as half,
        connected(server) as body,
        connected(server) as busy,
    ):
        half.send(b"GET / HTTP/1.1\r\nX: ")
        body.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
        busy.send(GET % b"wait")
        idle.send(GET % b"a")
        await idle.response()  # what was sent before is there, too
        await until(lambda: len(server._connections) == 4 and len(site.requests) == 2)
        for _ in range(4):
            await clock.advance(5)
            half.send(b"T")  # a trickle buys no time
            await asyncio.sleep(0.001)
        assert len(server._connections) == 4
        await clock.advance(20)
        assert (await half.response())[0] == 408
        assert (await body.response())[0] == 408
        await clock.advance(50)
        assert len(server._connections) >= 2
        await clock.advance(20)
        assert await idle.rest() == b""
        site.gate.set()
        assert (await busy.response())[2] == b"waited"


async def test_a_reader_that_takes_nothing_is_cut_in_time(site: Site) -> None:
    clock = FakeClock()
    async with serving(site, limits=Limits(write_timeout=60), clock=clock) as server, connected(server) as wire:
        wire.writer.transport.pause_reading()  # type: ignore[attr-defined]
        wire.send(GET % b"large" * 40)
        await until(lambda: server._connections)
        (ours,) = server._connections
        assert isinstance(ours, h1.Connection)
        await until(lambda: ours.paused_writing)
        assert len(site.requests) < 40
        await clock.advance(70)
        await until(lambda: not server._connections)


# shutdown


async def test_close_lets_answers_finish_and_streams_end(site: Site) -> None:
    server = Server(site)
    await server.start()
    async with (
        connected(server) as idle,
        connected(server) as busy,
        connected(server) as watching,
        connected(server) as raw,
    ):
        idle.send(GET % b"a")
        await idle.response()
        busy.send(GET % b"wait")
        watching.send(GET % b"stream")
        raw.send(b"GET /echo-upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        await raw.response()
        await until(lambda: len(site.requests) == 4 and site.streams)
        closing = asyncio.create_task(server.close(grace=5))
        assert await idle.rest() == b""
        assert await raw.rest() == b""
        assert (await watching.rest()).endswith(b"0\r\n\r\n")
        assert not closing.done()
        site.gate.set()
        _, headers, body = await busy.response()
        assert body == b"waited" and headers["connection"] == "close"
        await asyncio.wait_for(closing, 120)
    with pytest.raises(OSError):
        await asyncio.open_connection("127.0.0.1", server.port)


async def test_close_cuts_what_does_not_finish(site: Site) -> None:
    clock = FakeClock()
    server = Server(site, clock=clock)
    await server.start()
    async with connected(server) as busy:
        busy.send(GET % b"wait")
        await until(lambda: site.requests)
        closing = asyncio.create_task(server.close(grace=5))
        await clock.advance(5)
        await asyncio.wait_for(closing, 120)
        assert await busy.rest() == b""
        await settle()
        assert not server.tasks


async def test_a_handler_goes_on_when_its_client_has_gone(site: Site) -> None:
    async with serving(site) as server:
        async with connected(server) as wire:
            wire.send(GET % b"wait")
            await until(lambda: len(server.tasks) == 1)
        await until(lambda: site.requests[0].disconnected)
        assert len(server.tasks) == 1
        site.gate.set()
        await until(lambda: not server.tasks)


async def test_run_serves_until_cancelled(site: Site) -> None:
    server = Server(site)
    task = asyncio.create_task(server.run())
    while not server.port:
        await asyncio.sleep(0)
    assert b" 200 " in await ask(server, GET % b"a")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# listening


async def test_a_port_in_use_is_a_clear_error(site: Site) -> None:
    async with serving(site) as server:
        with pytest.raises(ListenError, match=rf"cannot listen on 127.0.0.1:{server.port}: Address already in use"):
            await Server(site, port=server.port).start()


async def test_unix_socket(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("s") / "a.sock"
    server = Server(site, unix=str(path))
    await server.start()
    assert path.stat().st_mode & 0o777 == 0o600
    wire = Wire(*await asyncio.open_unix_connection(str(path)))
    wire.send(GET % b"a")
    assert (await wire.response())[2] == b"GET /a 0:"
    await wire.close()
    with pytest.raises(ListenError, match="in use"):
        await Server(site, unix=str(path)).start()
    await server.close()
    assert not path.exists()


async def test_a_dead_unix_socket_is_replaced(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    import socket

    path = tmp_path_factory.mktemp("s") / "a.sock"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    server = Server(site, unix=str(path))
    await server.start()
    await server.close()


@pytest.mark.parametrize(
    ("text", "address"), [("127.0.0.1:6443", ("127.0.0.1", 6443)), ("[::1]:1", ("::1", 1)), (":8080", ("", 8080))]
)
def test_parse_address(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "localhost", "a:b", "a:70000", "1.2.3.4:-1"])
def test_parse_address_refuses(text: str) -> None:
    with pytest.raises(ListenError):
        parse_address(text)


@pytest.mark.parametrize("seconds", [0, 784111777, 1_700_000_000, 951_782_400, 4_102_444_799])
def test_http_date(seconds: int) -> None:
    assert http_date(seconds).decode() == formatdate(seconds, usegmt=True)
