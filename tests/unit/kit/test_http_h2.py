"""What only HTTP/2 has: many streams of one connection, their windows, resets, floods, GOAWAY. On both event loops."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable

import h2.errors
import h2.settings
import pytest

from kit.clock import FakeClock
from kit.http import h2 as served
from kit.http.model import NoUpgrade, Request, Response
from kit.http.server import Limits, Server
from tests.unit.kit.talk import PATIENCE, Place, Reply, speaking2
from tests.unit.kit.wire import Site

CALM = int(h2.errors.ErrorCodes.ENHANCE_YOUR_CALM)
REFUSED = int(h2.errors.ErrorCodes.REFUSED_STREAM)
CANCEL = int(h2.errors.ErrorCodes.CANCEL)
PROTOCOL = int(h2.errors.ErrorCodes.PROTOCOL_ERROR)
DATA, HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION = 0, 1, 3, 4, 6, 9


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("pki"))


@pytest.fixture
async def site() -> Site:
    return Site()


def frame(type_: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([type_, flags]) + struct.pack(">I", stream) + payload


async def until(done: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not done():
            await asyncio.sleep(0.001)


async def test_requests_side_by_side(site: Site, place: Place) -> None:
    async with Server(site, tls=place.tls()) as server, speaking2(server, place) as connection:
        waiting = [connection.begin("GET", "/wait", end=True) for _ in range(50)]
        assert (await connection.ask("GET", "/quick")).body == b"GET /quick 0:"
        site.gate.set()
        for id_ in waiting:
            assert (await connection.answer(id_)).body == b"waited"
        assert len(server._connections) == 1


async def test_what_many_streams_get_in_one_turn_is_one_write(site: Site, place: Place) -> None:
    async with Server(site, tls=place.tls()) as server, speaking2(server, place) as connection:
        replies = [await connection.open("/stream") for _ in range(100)]
        (ours,) = server._connections
        assert isinstance(ours, served.Connection)
        writes: list[int] = []
        write = ours._transport.write
        ours._transport = Recorder(ours._transport, writes, write)  # type: ignore[assignment]
        for stream in site.streams:
            stream.write(b"event")
        await connection.until(lambda: all(reply.body == b"event" for reply in replies))
        assert len(writes) == 1


class Recorder:
    """A transport that notes the sizes of what is written."""

    def __init__(self, transport: asyncio.Transport, writes: list[int], write: Callable[[bytes], None]) -> None:
        self._transport, self._writes, self._write = transport, writes, write

    def write(self, data: bytes) -> None:
        self._writes.append(len(data))
        self._write(data)

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)


async def test_trailers_are_left_out(site: Site, place: Place) -> None:
    async with Server(site, tls=place.tls()) as server, speaking2(server, place) as connection:
        id_ = connection.begin("POST", "/a")
        await connection.add(id_, b"abc")
        connection.engine.send_headers(id_, [("x-trailer", "1")], end_stream=True)
        connection.flush()
        assert (await connection.answer(id_)).body == b"POST /a 3:abc"
    assert "x-trailer" not in site.requests[0].headers


async def test_an_upgrade_is_refused_with_the_reason(site: Site, place: Place) -> None:
    async with Server(site, tls=place.tls()) as server, speaking2(server, place) as connection:
        for path in ("/echo-upgrade", "/hijack-later"):
            site.gate.set()
            reply = await connection.ask("GET", path)
            assert reply.status == 400 and b"upgrades need HTTP/1.1" in reply.body
    with pytest.raises(NoUpgrade):
        site.requests[0].hijack()


async def test_connect_is_refused(site: Site, place: Place) -> None:
    async with Server(site, tls=place.tls()) as server, speaking2(server, place) as connection:
        id_ = connection.engine.get_next_available_stream_id()
        connection.engine.send_headers(id_, [(":method", "CONNECT"), (":authority", "localhost:1")])
        connection.replies[id_] = Reply()
        connection.flush()
        await connection.until(lambda: connection.replies[id_].status == 501)


# bodies


async def test_a_body_that_grows_too_large_is_refused_and_the_connection_goes_on(site: Site, place: Place) -> None:
    server = Server(site, tls=place.tls(), limits=Limits(body=1 << 20))
    async with server, speaking2(server, place) as connection:
        id_ = connection.begin("POST", "/up")
        await connection.add(id_, b"x" * (4 << 20))  # stops when it is told to
        assert connection.replies[id_].status == 413 and connection.replies[id_].broken == 0
        assert (await connection.ask("GET", "/next")).status == 200
    assert [request.path for request in site.requests] == ["/next"]


async def test_unfinished_bodies_have_a_limit_together(site: Site, place: Place) -> None:
    server = Server(site, tls=place.tls(), limits=Limits(bodies=1 << 20))
    async with server, speaking2(server, place) as connection:
        held = [connection.begin("POST", "/up") for _ in range(3)]
        for id_ in held:
            await connection.add(id_, b"x" * 400_000)
        await connection.until(lambda: connection.replies[held[2]].broken == REFUSED)
        await connection.add(held[0], b"y", end=True)
        assert (await connection.answer(held[0])).status == 200
        assert (await connection.ask("POST", "/again", body=b"x" * 400_000)).status == 200


async def test_a_body_that_does_not_come_is_408(site: Site, place: Place) -> None:
    clock = FakeClock()
    server = Server(site, tls=place.tls(), limits=Limits(read_timeout=30), clock=clock)
    async with server, speaking2(server, place) as connection:
        id_ = connection.begin("POST", "/up")
        await connection.add(id_, b"x")
        await until(lambda: server._connections)
        for _ in range(8):
            await clock.advance(5)
            await connection.add(id_, b"y")  # a trickle buys no time
        await connection.until(lambda: connection.replies[id_].broken is not None)
        assert connection.replies[id_].status == 408
        assert (await connection.ask("GET", "/next")).status == 200


# readers


async def test_a_slow_reader_is_cut_and_the_others_of_its_connection_are_not(site: Site, place: Place) -> None:
    server = Server(site, tls=place.tls(), limits=Limits(stream_backlog=1 << 20))
    async with server, speaking2(server, place) as connection:
        slow, quick = await connection.open("/stream"), await connection.open("/stream")
        slow.read = False
        lazy, eager = site.streams
        piece = b"x" * 65536
        for _ in range(1000):
            lazy.write(piece)
            eager.write(piece)
            await eager.drain()
            if lazy.closed:
                break
        assert lazy.closed and not eager.closed
        await connection.until(lambda: slow.broken == CANCEL)
        eager.write(b"still here")
        await connection.until(lambda: quick.body.endswith(b"still here"))
        assert not connection.ended and len(slow.body) <= 1 << 20


async def test_drain_waits_for_the_window_of_its_stream(site: Site, place: Place) -> None:
    async with Server(site, tls=place.tls()) as server, speaking2(server, place, window=65535) as connection:
        reply = await connection.open("/stream")
        reply.read = False
        stream = site.streams[0]
        stream.write(b"x" * 1_000_000)
        draining = asyncio.create_task(stream.drain())
        assert (await connection.ask("GET", "/other")).status == 200
        assert not draining.done() and len(reply.body) == 65535
        reply.read = True
        connection.engine.increment_flow_control_window(1 << 20, 1)
        connection.flush()
        await asyncio.wait_for(draining, PATIENCE)
        await connection.until(lambda: len(reply.body) == 1_000_000)


async def test_a_connection_that_lags_as_a_whole_loses_the_stream_that_lags_and_writes(
    site: Site, place: Place
) -> None:
    limits = Limits(stream_backlog=1 << 20, connection_backlog=2 << 20)
    async with Server(site, tls=place.tls(), limits=limits) as server, speaking2(server, place, window=1) as connection:
        for _ in range(8):
            (await connection.open("/stream")).read = False
        small = site.streams[-1]
        small.write(b"x" * 1000)
        for stream in site.streams[:-1]:
            stream.write(b"x" * 500_000)
        await connection.until(lambda: any(reply.broken == CANCEL for reply in connection.replies.values()))
        small.write(b"y")
        assert not small.closed  # it is not the one that fills the connection


async def test_a_stream_whose_reader_takes_nothing_is_cut_in_time(site: Site, place: Place) -> None:
    clock = FakeClock()
    server = Server(site, tls=place.tls(), limits=Limits(write_timeout=60, silence=1000), clock=clock)
    async with server, speaking2(server, place, window=65535) as connection:
        stuck = connection.begin("GET", "/large", end=True)
        connection.replies[stuck].read = False
        watch = await connection.open("/stream")
        await connection.until(lambda: len(connection.replies[stuck].body) == 65535)
        for _ in range(15):
            await clock.advance(5)
        await connection.until(lambda: connection.replies[stuck].broken == CANCEL)
        site.streams[0].write(b"alive")
        await connection.until(lambda: watch.body == b"alive")


async def test_a_peer_that_takes_nothing_at_all_is_cut_in_time(site: Site, place: Place) -> None:
    clock = FakeClock()
    server = Server(site, tls=place.tls(), limits=Limits(write_timeout=60), clock=clock)
    async with server, speaking2(server, place, window=1 << 30) as connection:
        await connection.ask("GET", "/")
        (ours,) = server._connections
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
        for _ in range(40):
            connection.begin("GET", "/large", end=True)
        assert isinstance(ours, served.Connection)
        await until(lambda: ours._paused_writing)
        assert len(server._connections) == 1
        for _ in range(15):
            await clock.advance(5)
        await until(lambda: not server._connections)


async def test_a_peer_that_has_vanished_answers_no_ping(site: Site, place: Place) -> None:
    clock = FakeClock()
    server = Server(site, tls=place.tls(), limits=Limits(silence=60), clock=clock)
    async with server, speaking2(server, place) as alive, speaking2(server, place) as dead:
        for connection in (alive, dead):
            await connection.open("/stream")
        dead.writer.transport.pause_reading()  # type: ignore[attr-defined]
        for _ in range(30):
            await clock.advance(5)
            await alive.ask("GET", "/")
        await until(lambda: len(server._connections) == 1)
        for _ in range(14):
            await clock.advance(5)
        await alive.until(lambda: alive.pings)  # the library answers them
        for _ in range(14):
            await clock.advance(5)
        await asyncio.sleep(0.05)
        assert not alive.ended


async def test_idle_connections_end_with_a_goaway(site: Site, place: Place) -> None:
    clock = FakeClock()
    server = Server(site, tls=place.tls(), limits=Limits(idle_timeout=100, silence=1000), clock=clock)
    async with server, speaking2(server, place) as idle, speaking2(server, place) as busy:
        await idle.ask("GET", "/")
        await busy.open("/stream")
        for _ in range(22):
            await clock.advance(5)
        await idle.at_end()
        assert idle.goaway == (0, 1) and not busy.ended


# abuse


async def flood(site: Site, place: Place, data: bytes, times: int) -> tuple[int, int] | None:
    """Send the same again and again until the server has had enough; what it says."""
    async with (
        Server(site, tls=place.tls(), limits=Limits(linger=0.5)) as server,
        speaking2(server, place) as connection,
    ):
        await connection.ask("GET", "/first")
        for _ in range(times):
            connection.writer.write(data)
            await asyncio.sleep(0)
            if connection.goaway or connection.ended:
                break
        await connection.at_end()
        return connection.goaway


@pytest.mark.parametrize(
    ("data", "times"),
    [
        (frame(PING, 0, 0, b"12345678") * 50, 100),
        (frame(SETTINGS, 0, 0) * 50, 100),
        (frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65535)) * 50, 100),
    ],
    ids=["ping", "settings", "settings with values"],
)
async def test_floods_are_told_to_calm_down(site: Site, place: Place, data: bytes, times: int) -> None:
    goaway = await flood(site, place, data, times)
    assert goaway is not None and goaway[0] == CALM


async def test_a_flood_of_empty_data(site: Site, place: Place) -> None:
    async with (
        Server(site, tls=place.tls(), limits=Limits(linger=0.5)) as server,
        speaking2(server, place) as connection,
    ):
        id_ = connection.begin("POST", "/up")
        for _ in range(100):
            connection.writer.write(frame(DATA, 0, id_) * 50)
            await asyncio.sleep(0)
        await connection.at_end()
        assert connection.goaway is not None and connection.goaway[0] == CALM
    assert not site.requests


async def test_rapid_reset(site: Site, place: Place) -> None:
    async with (
        Server(site, tls=place.tls(), limits=Limits(linger=0.5)) as server,
        speaking2(server, place) as connection,
    ):
        for _ in range(2000):
            id_ = connection.begin("GET", "/wait", end=True)
            connection.engine.reset_stream(id_, CANCEL)
            if not id_ % 100:
                connection.flush()
                await asyncio.sleep(0)
            if connection.ended:
                break
        connection.flush()
        await connection.at_end()
        assert connection.goaway is not None and connection.goaway[0] == CALM
    assert len(site.requests) < 250 + 10


async def test_a_request_that_is_reset_as_it_comes_is_not_served(site: Site, place: Place) -> None:
    async with Server(site, tls=place.tls()) as server, speaking2(server, place) as connection:
        await connection.ask("GET", "/first")
        for _ in range(20):
            id_ = connection.engine.get_next_available_stream_id()
            pseudo = [(":method", "GET"), (":scheme", "https"), (":authority", "x"), (":path", "/gone")]
            connection.engine.send_headers(id_, pseudo, end_stream=True)
            connection.engine.reset_stream(id_, CANCEL)
        connection.flush()
        await connection.ask("GET", "/last")
    assert [request.path for request in site.requests] == ["/first", "/last"]


async def test_handlers_of_streams_that_were_reset_count(site: Site, place: Place) -> None:
    async with (
        Server(site, tls=place.tls(), limits=Limits(streams=10)) as server,
        speaking2(server, place) as connection,
    ):
        for number in range(1, 11):
            id_ = connection.begin("GET", "/wait", end=True)
            await until(lambda: len(site.requests) == number)  # noqa: B023
            connection.engine.reset_stream(id_, CANCEL)
            connection.flush()
        refused = await connection.ask("GET", "/eleventh")
        assert refused.broken == REFUSED and len(site.requests) == 10
        site.gate.set()
        while (await connection.ask("GET", "/eleventh")).broken is not None:
            await asyncio.sleep(0.001)


async def test_a_flood_of_continuations(site: Site, place: Place) -> None:
    async with (
        Server(site, tls=place.tls(), limits=Limits(linger=0.5)) as server,
        speaking2(server, place) as connection,
    ):
        await connection.ask("GET", "/first")
        connection.writer.write(frame(HEADERS, 1, 3, b"\x82"))  # :method GET, without END_HEADERS
        for _ in range(100):
            connection.writer.write(frame(CONTINUATION, 0, 3, b""))
            await asyncio.sleep(0)
        await connection.at_end()
        assert connection.goaway is not None and connection.goaway[0] == CALM
    assert len(site.requests) == 1


async def test_a_head_far_above_the_limit_ends_the_connection(site: Site, place: Place) -> None:
    limits = Limits(head=8192, linger=0.5)
    async with Server(site, tls=place.tls(), limits=limits) as server, speaking2(server, place) as connection:
        connection.begin("GET", "/", [(f"x-{i}", "y" * 1000) for i in range(30)], end=True)
        await connection.at_end()
        assert connection.goaway is not None and connection.goaway[0] == CALM
    assert not site.requests


async def test_who_opens_more_streams_than_agreed_breaks_the_rules(site: Site, place: Place) -> None:
    async with (
        Server(site, tls=place.tls(), limits=Limits(streams=5)) as server,
        speaking2(server, place) as connection,
    ):
        await connection.ask("GET", "/first")
        assert connection.engine.remote_settings[h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS] == 5
        connection.engine.remote_settings = h2.settings.Settings(client=False)  # a client that does not listen
        for _ in range(6):
            connection.begin("GET", "/stream", end=True)
        await connection.at_end()
        assert connection.goaway is not None and connection.goaway[0] == PROTOCOL
    assert all(stream.closed for stream in site.streams)


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\0" * 100, frame(DATA, 0, 1, b"x"), frame(HEADERS, 5, 2, b"\x82")],
    ids=["http1", "zeros", "data without a stream", "an even stream"],
)
async def test_what_is_not_http2_ends_the_connection(site: Site, place: Place, data: bytes) -> None:
    async with Server(site, tls=place.tls(), limits=Limits(linger=0.1)) as server:
        tls = place.context("h2")
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=tls, server_hostname="localhost")
        if data[:1] != b"G":
            writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS, 0, 0))
        writer.write(data)
        got = await asyncio.wait_for(reader.read(), PATIENCE)
        assert b"\x07\x00\x00\x00\x00\x00" in got  # a GOAWAY
        writer.close()
        async with speaking2(server, place) as connection:
            assert (await connection.ask("GET", "/")).status == 200


async def test_a_malformed_request_costs_its_stream_only(site: Site, place: Place) -> None:
    async with Server(site, tls=place.tls()) as server, speaking2(server, place) as connection:
        connection.engine.config.validate_outbound_headers = False
        connection.engine.config.normalize_outbound_headers = False
        bad = await connection.ask("GET", "/", [("connection", "close")])
        assert bad.broken == int(h2.errors.ErrorCodes.PROTOCOL_ERROR)
        assert (await connection.ask("GET", "/next")).status == 200


# shutdown


async def test_close_says_goaway_lets_answers_finish_and_ends_streams(site: Site, place: Place) -> None:
    server = Server(site, tls=place.tls())
    await server.start()
    async with speaking2(server, place) as connection, speaking2(server, place) as idle:
        await idle.ask("GET", "/")
        busy = connection.begin("GET", "/wait", end=True)
        watch = await connection.open("/stream")
        closing = asyncio.create_task(server.close(grace=PATIENCE))
        await idle.at_end()
        assert idle.goaway == (0, 1)
        await connection.until(lambda: watch.ended)
        assert connection.goaway == (0, 3) and not closing.done()
        site.gate.set()
        assert (await connection.answer(busy)).body == b"waited"
        await asyncio.wait_for(closing, PATIENCE)


async def test_a_handler_goes_on_when_its_stream_has_gone(place: Place) -> None:
    gate, told = asyncio.Event(), asyncio.Event()
    requests: list[Request] = []

    async def later(request: Request) -> Response:
        requests.append(request)
        await gate.wait()
        told.set()
        return Response(200, b"unread")

    async with Server(later, tls=place.tls()) as server, speaking2(server, place) as connection:
        id_ = connection.begin("GET", "/", end=True)
        await until(lambda: requests)
        connection.engine.reset_stream(id_)
        connection.flush()
        await until(lambda: requests[0].disconnected)
        gate.set()
        await asyncio.wait_for(told.wait(), PATIENCE)
        assert (await connection.ask("GET", "/next")).status == 200
