"""What a handler and its client may rely on, whatever version of HTTP is between them. On both event loops."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from kit.http import server as server_module
from kit.http.model import Request, Response
from kit.http.server import Limits, Server
from tests.unit.kit.talk import Connection1, Connection2, Place, speaking1, speaking2
from tests.unit.kit.wire import Site

Speaking = Callable[..., AbstractAsyncContextManager[Connection1 | Connection2]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("pki"))


@pytest.fixture(params=[speaking1, speaking2], ids=["http1", "http2"])
def speaking(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
async def site() -> Site:
    return Site()


@pytest.mark.parametrize(
    ("method", "body"), [("GET", b""), ("POST", b"hello"), ("PUT", b"x" * 300_000), ("DELETE", b"")]
)
async def test_requests_and_answers(site: Site, place: Place, speaking: Speaking, method: str, body: bytes) -> None:
    async with Server(site, tls=place.tls()) as server, speaking(server, place) as connection:
        for _ in range(2):
            reply = await connection.ask(method, "/a%20b?x=1&y=", body=body)
            assert (reply.status, reply.headers["content-type"]) == (200, "text/plain")
            assert reply.body == f"{method} /a%20b?x=1&y= {len(body)}:".encode() + body
            assert reply.headers["content-length"] == str(len(reply.body)) and reply.headers["date"].endswith("GMT")
    assert (site.requests[0].path, site.requests[0].query) == ("/a b", {"x": ["1"], "y": [""]})


async def test_headers_come_by_name_in_lower_case_and_joined(site: Site, place: Place, speaking: Speaking) -> None:
    async with Server(site, tls=place.tls()) as server, speaking(server, place) as connection:
        await connection.ask("GET", "/", [("x-a", "1"), ("x-a", "2"), ("accept", "text/plain")])
        request = site.requests[0]
        assert request.remote == "127.0.0.1"
    assert {name: request.header(name) for name in ("host", "x-a", "accept")} == {
        "host": "localhost",
        "x-a": "1, 2",
        "accept": "text/plain",
    }
    assert not any(name.startswith(":") for name in request.headers)


@pytest.mark.parametrize("shown", [True, False])
async def test_the_client_s_certificate(place: Place, speaking: Speaking, shown: bool) -> None:
    peers: list[tuple[str, tuple[str, ...]] | None] = []

    def handler(request: Request) -> Response:
        peers.append((request.peer.common_name, request.peer.organizations) if request.peer else None)
        return Response()

    async with Server(handler, tls=place.tls()) as server, speaking(server, place, certificate=shown) as connection:
        await connection.ask("GET", "/")
        await connection.ask("GET", "/")
    assert peers == [("admin", ("system:masters",)) if shown else None] * 2


async def test_head_has_the_length_but_no_body(site: Site, place: Place, speaking: Speaking) -> None:
    async with Server(site, tls=place.tls()) as server, speaking(server, place) as connection:
        reply = await connection.ask("HEAD", "/abc")
        assert (reply.status, reply.headers["content-length"], reply.body) == (200, "12", b"")
        assert (await connection.ask("GET", "/next")).body == b"GET /next 0:"


async def test_no_content_has_no_length(site: Site, place: Place, speaking: Speaking) -> None:
    async with Server(site, tls=place.tls()) as server, speaking(server, place) as connection:
        reply = await connection.ask("GET", "/empty")
        assert reply.status == 204 and "content-length" not in reply.headers


async def test_a_large_answer_in_pieces(site: Site, place: Place, speaking: Speaking) -> None:
    async with Server(site, tls=place.tls()) as server, speaking(server, place) as connection:
        assert (await connection.ask("GET", "/large")).body == b"x" * 1_000_000


async def test_expectations(site: Site, place: Place, speaking: Speaking) -> None:
    async with Server(site, tls=place.tls()) as server, speaking(server, place) as connection:
        reply = await connection.ask("POST", "/up", [("expect", "100-continue")], b"hi")
        assert (reply.informed, reply.status, reply.body) == ([100], 200, b"POST /up 2:hi")


async def test_another_expectation_cannot_be_met(site: Site, place: Place, speaking: Speaking) -> None:
    async with Server(site, tls=place.tls()) as server, speaking(server, place) as connection:
        assert (await connection.ask("POST", "/up", [("expect", "miracles")], b"hi")).status == 417
    assert not site.requests


@pytest.mark.parametrize(("size", "status"), [(1 << 20, 200), ((1 << 20) + 1, 413)])
async def test_bodies_have_a_limit(site: Site, place: Place, speaking: Speaking, size: int, status: int) -> None:
    server = Server(site, tls=place.tls(), limits=Limits(body=1 << 20))
    async with server, speaking(server, place) as connection:
        if status == 200:
            reply = await connection.ask("POST", "/up", body=b"x" * size)
        else:
            reply = await connection.promise("/up", size)
        assert reply.status == status
    assert len(site.requests) == (status == 200)


@pytest.mark.parametrize(
    ("who", "size", "status"),
    [("jane", 2000, 200), ("", 1000, 200), ("", 1001, 413), ("joe", 1001, 413), ("jane", 2001, 413)],
)
async def test_strangers_may_not_send_much(
    site: Site, place: Place, speaking: Speaking, monkeypatch: pytest.MonkeyPatch, who: str, size: int, status: int
) -> None:
    """Neither what they announce nor what comes; who they are is asked only when it matters."""
    monkeypatch.setattr(server_module, "SMALL", 1000)
    asked: list[str] = []

    def known(request: Request) -> bool:
        asked.append(f"{request.method} {request.path} {request.header('x-who')}")
        return request.header("x-who") == "jane"

    server = Server(site, tls=place.tls(), limits=Limits(body=2000, linger=0.5), known=known)
    async with server:
        for announced in (True, False):
            async with speaking(server, place) as connection:
                reply = await connection.post("/a", [("x-who", who)], b"x" * size, announced=announced)
                assert reply.status == status
    assert asked == ([f"POST /a {who}"] * 2 if size > 1000 else [])
    assert len(site.requests) == (2 if status == 200 else 0)


async def test_heads_have_a_limit(site: Site, place: Place, speaking: Speaking) -> None:
    server = Server(site, tls=place.tls(), limits=Limits(head=8192))
    async with server, speaking(server, place) as connection:
        assert (await connection.ask("GET", "/", [("x-a", "y" * 9000)])).status == 431
    assert not site.requests


@pytest.mark.parametrize("path", ["/crash", "/crash-later", "/none"])
async def test_a_crashing_handler_is_500(
    site: Site, place: Place, speaking: Speaking, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with Server(site, tls=place.tls()) as server, speaking(server, place) as connection:
        reply = await connection.ask("GET", path)
        assert (reply.status, reply.body) == (500, b"internal error\n")
        assert (await connection.ask("GET", "/next")).status == 200


async def test_an_answer_may_come_later(site: Site, place: Place, speaking: Speaking) -> None:
    async with Server(site, tls=place.tls()) as server, speaking(server, place) as connection:
        site.gate.set()
        assert (await connection.ask("GET", "/wait")).body == b"waited"


async def test_a_stream_piece_by_piece(site: Site, place: Place, speaking: Speaking) -> None:
    async with Server(site, tls=place.tls()) as server, speaking(server, place) as connection:
        reply = await connection.open("/stream")
        stream, ended = site.streams[0], []
        stream.on_close(lambda: ended.append(1))
        for piece in (b"one", b"", b"two"):
            stream.write(piece)
            await stream.drain()
        await connection.until(lambda: reply.body == b"onetwo")
        assert not reply.ended and not stream.closed
        stream.write(b"three")
        stream.close()
        stream.write(b"too late")
        await connection.until(lambda: reply.ended)
        await stream.wait_closed()
        assert reply.body == b"onetwothree" and ended == [1]


async def test_a_stream_that_breaks_off_does_not_end_well(site: Site, place: Place, speaking: Speaking) -> None:
    async with Server(site, tls=place.tls()) as server, speaking(server, place) as connection:
        reply = await connection.open("/stream")
        site.streams[0].write(b"one")
        await connection.until(lambda: reply.body == b"one")
        site.streams[0].abort()
        await connection.until(lambda: reply.broken is not None)
        assert not reply.ended and site.streams[0].closed


async def test_a_stream_tells_when_its_reader_has_gone(site: Site, place: Place, speaking: Speaking) -> None:
    async with Server(site, tls=place.tls()) as server:
        async with speaking(server, place) as connection:
            await connection.open("/stream")
            assert not site.requests[0].disconnected
        await site.streams[0].wait_closed()
        assert site.streams[0].closed and site.requests[0].disconnected
        site.streams[0].write(b"nobody hears it")


async def test_a_stream_for_one_who_has_gone_is_closed_from_the_start(
    site: Site, place: Place, speaking: Speaking
) -> None:
    async with Server(site, tls=place.tls()) as server:
        async with speaking(server, place) as connection:
            task = connection.open("/stream-later")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(task, 0.2)
        while not site.requests[0].disconnected:
            await asyncio.sleep(0.001)
        site.gate.set()
        while not site.streams:
            await asyncio.sleep(0.001)
        assert site.streams[0].closed


async def test_header_values_cannot_break_out(place: Place, speaking: Speaking) -> None:
    def handler(request: Request) -> Response:
        return Response(200, b"x", "text/plain", [("X-A", "b\r\nX-Evil: 1"), ("X-B", "ü")])

    async with Server(handler, tls=place.tls()) as server, speaking(server, place) as connection:
        reply = await connection.ask("GET", "/")
        assert reply.status == 200 and "x-evil" not in reply.headers and "X-Evil: 1" in reply.headers["x-a"]
