"""HTTP/2 from peers that mean harm: resets that the server is made to send, frames without end, heads that unpack to much."""

from __future__ import annotations

import asyncio
import struct

import pytest

from kit.http.server import Limits, Server
from tests.unit.kit.talk import Connection2, Place, speaking2
from tests.unit.kit.test_http_h2 import CALM, HEADERS, PING, RST_STREAM, SETTINGS, frame, until
from tests.unit.kit.wire import Site

DATA, PRIORITY, WINDOW_UPDATE, CONTINUATION, UNKNOWN, PRIORITY_UPDATE = 0, 2, 8, 9, 0x77, 0x10
END_STREAM, END_HEADERS = 1, 4
PSEUDO = [(":method", "GET"), (":scheme", "https"), (":authority", "localhost"), (":path", "/wait")]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("pki"))


@pytest.fixture
async def site() -> Site:
    return Site()


def request(connection: Connection2, id_: int) -> None:
    """A request behind the library's back, which would refuse what comes after it."""
    head = connection.engine.encoder.encode(PSEUDO)
    connection.writer.write(frame(HEADERS, END_STREAM | END_HEADERS, id_, head))


@pytest.mark.parametrize(
    ("type_", "payload"),
    [
        (WINDOW_UPDATE, struct.pack(">I", 0)),
        (WINDOW_UPDATE, struct.pack(">I", 0x7FFFFFFF)),
        (DATA, b"after the end"),
        (HEADERS, b"\x82"),
        (PRIORITY, b"abc"),
    ],
    ids=["window by nothing", "window too large", "data after the end", "head after the end", "priority too short"],
)
async def test_who_makes_the_server_reset_loses_the_connection(
    site: Site, place: Place, type_: int, payload: bytes
) -> None:
    """Else each such stream leaves a handler at work, and another may be opened in its place."""
    async with (
        Server(site, tls=place.tls(), limits=Limits(linger=0.5)) as server,
        speaking2(server, place) as connection,
    ):
        request(connection, 1)
        await until(lambda: site.requests)
        connection.writer.write(frame(type_, END_STREAM | END_HEADERS if type_ == HEADERS else 0, 1, payload))
        await connection.at_end()
        assert connection.goaway is not None and connection.goaway[0]
    assert len(site.requests) == 1


@pytest.mark.parametrize(
    "data",
    [
        frame(PRIORITY, 0, 1, struct.pack(">IB", 0, 1)),
        frame(PRIORITY_UPDATE, 0, 0, struct.pack(">I", 1) + b"u=1"),
        frame(UNKNOWN, 0, 0),
        frame(RST_STREAM, 0, 1, struct.pack(">I", 8)),
    ],
    ids=["priority", "priority update", "unknown", "reset of what has ended"],
)
async def test_frames_that_bring_nothing(site: Site, place: Place, data: bytes) -> None:
    async with (
        Server(site, tls=place.tls(), limits=Limits(linger=0.5)) as server,
        speaking2(server, place) as connection,
    ):
        await connection.ask("GET", "/first")
        while not connection.goaway and not connection.ended:
            connection.writer.write(data * 200)
            await asyncio.sleep(0.001)
        assert connection.goaway is not None and connection.goaway[0] == CALM


async def test_settings_with_more_entries_than_there_are_settings(site: Site, place: Place) -> None:
    async with (
        Server(site, tls=place.tls(), limits=Limits(linger=0.5)) as server,
        speaking2(server, place) as connection,
    ):
        connection.writer.write(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65535) * 100))
        await connection.at_end()
        assert connection.goaway is not None and connection.goaway[0] == CALM


@pytest.mark.parametrize("data", [frame(PING, 0, 0, b"12345678"), frame(SETTINGS, 0, 0)], ids=["ping", "settings"])
async def test_who_asks_and_does_not_read_is_cut(site: Site, place: Place, data: bytes) -> None:
    async with (
        Server(site, tls=place.tls(), limits=Limits(linger=0.1)) as server,
        speaking2(server, place) as connection,
    ):
        await connection.ask("GET", "/first")
        (ours,) = server._connections
        connection.writer.transport.pause_reading()  # type: ignore[attr-defined]
        most = 0
        for _ in range(200):
            connection.writer.write(data * 50)
            await asyncio.sleep(0.001)
            most = max(most, ours._transport.get_write_buffer_size())  # type: ignore[attr-defined]
            if not server._connections:
                break
        await until(lambda: not server._connections)
        assert most < 1 << 20


async def test_a_small_head_that_unpacks_to_a_large_one(site: Site, place: Place) -> None:
    """One long field in the table of the compression, and then two bytes for each time it is there again."""
    limits = Limits(head=16384, linger=0.5)
    async with Server(site, tls=place.tls(), limits=limits) as server, speaking2(server, place) as connection:
        await connection.ask("GET", "/first", [("x-long", "y" * 3500)])
        again = connection.engine.encoder.encode([*PSEUDO, *[("x-long", "y" * 3500)] * 2000])
        assert len(again) < 5000
        connection.writer.write(frame(HEADERS, END_STREAM | END_HEADERS, 3, again))
        await connection.at_end()
        assert connection.goaway is not None and connection.goaway[0] == CALM
    assert [request.path for request in site.requests] == ["/first"]


async def test_a_head_in_many_frames_with_something_in_each(site: Site, place: Place) -> None:
    async with (
        Server(site, tls=place.tls(), limits=Limits(linger=0.5)) as server,
        speaking2(server, place) as connection,
    ):
        await connection.ask("GET", "/first")
        connection.writer.write(frame(HEADERS, END_STREAM, 3, connection.engine.encoder.encode(PSEUDO)))
        while not connection.goaway and not connection.ended:
            connection.writer.write(frame(CONTINUATION, 0, 3, b"\x00\x03x-a\x01b"))
            await asyncio.sleep(0.001)
        assert connection.goaway is not None and connection.goaway[0] == CALM
    assert len(site.requests) == 1


async def test_a_peer_with_a_large_table_has_us_keep_no_large_one(site: Site, place: Place) -> None:
    async with Server(site, tls=place.tls()) as server, speaking2(server, place) as connection:
        connection.writer.write(frame(SETTINGS, 0, 0, struct.pack(">HI", 1, 1 << 30)))
        for number in range(200):
            await connection.ask("GET", f"/{number}")
        table = connection.engine.decoder.header_table
        assert table.maxsize <= 4096 and table._current_size <= 4096


async def test_what_costs_nothing_is_endured(site: Site, place: Place) -> None:
    """Windows that grow by one, answers to pings that nobody sent: read, and nothing is kept."""
    async with Server(site, tls=place.tls()) as server, speaking2(server, place) as connection:
        for data in (frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)), frame(PING, 1, 0, b"12345678")):
            connection.writer.write(data * 5000)
            assert (await connection.ask("GET", "/quick")).status == 200
            (ours,) = server._connections
            assert ours._transport.get_write_buffer_size() == 0  # type: ignore[attr-defined]
