"""The HTTP transport where servers differ or break: item types, cut lines, error events, tokens, odd answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from api import kinds
from client import errors
from client.http import HttpTransport
from client.kubeconfig import Access, KubeconfigError
from kit.http.model import Answer, Request, Response
from kit.http.server import Server


@asynccontextmanager
async def asking(handler: Callable[[Request], Answer], **access: str) -> AsyncIterator[HttpTransport]:
    async with Server(handler) as server:
        transport = HttpTransport(Access(f"http://127.0.0.1:{server.port}/base", **access))  # type: ignore[arg-type]
        try:
            yield transport
        finally:
            await transport.close()


def saying(*pieces: bytes) -> Callable[[Request], Answer]:
    def handler(request: Request) -> Answer:
        stream = request.start_stream(200, [("Content-Type", "application/json")])
        for piece in pieces:
            stream.write(piece)
        stream.close()
        return None

    return handler


async def test_items_of_upstream_lists_get_their_kind() -> None:
    items = b'[{"metadata":{"name":"a"}},{"kind":"Pod","metadata":{}}]'
    body = b'{"kind":"PodList","metadata":{"resourceVersion":"7","continue":"more"},"items":%b}' % items
    async with asking(lambda request: Response(200, body)) as transport:
        listing = await transport.list(kinds.POD, "default", {})
    assert listing.items == [
        b'{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"}}',
        b'{"kind":"Pod","metadata":{}}',
    ]
    assert (listing.revision, listing.continue_) == ("7", "more")


async def test_an_empty_list_may_have_null_items() -> None:
    async with asking(lambda request: Response(200, b'{"metadata":{"resourceVersion":"7"},"items":null}')) as transport:
        assert (await transport.list(kinds.POD, "", {})).items == []


async def test_what_is_asked() -> None:
    asked: list[Request] = []

    def handler(request: Request) -> Response:
        asked.append(request)
        return Response(200, b"{}")

    async with asking(handler, token="secret") as transport:
        await transport.request(
            "PATCH", "/api/v1/a b", {"labelSelector": "a=b,c in (d)"}, b"[]", "application/json-patch+json"
        )
        await transport.request("GET", "/version", {})
    first, second = asked
    assert (first.method, first.path, first.query) == ("PATCH", "/base/api/v1/a b", {"labelSelector": ["a=b,c in (d)"]})
    assert (
        first.header("content-type") == "application/json-patch+json"
        and first.header("authorization") == "Bearer secret"
    )
    assert "content-type" not in second.headers and second.header("accept") == "application/json"


EVENT = b'{"type":"ADDED","object":{"metadata":{"name":"\xc3\xbc"}}}\n'


@pytest.mark.parametrize("size", [1, 7, 50, 1000])
async def test_lines_cut_anywhere(size: int) -> None:
    text = EVENT + b"\n" + EVENT.replace(b"ADDED", b"MODIFIED") + b'{"type":"BOOKMARK","object":{}}\n'
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    async with asking(saying(*pieces)) as transport:
        events = [event async for event in transport.watch(kinds.POD, "", {})]
    assert events == [("ADDED", EVENT[25:-2]), ("MODIFIED", EVENT[25:-2]), ("BOOKMARK", b"{}")]


async def test_an_error_event_is_raised() -> None:
    status = b'{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410,"message":"too old"}'
    line = b'{"type":"ERROR","object":%b}\n' % status
    async with asking(saying(EVENT, line)) as transport:
        watch = transport.watch(kinds.POD, "", {})
        assert (await anext(watch))[0] == "ADDED"
        with pytest.raises(errors.Expired, match="too old"):
            await anext(watch)


async def test_a_line_that_is_no_event() -> None:
    async with asking(saying(EVENT, b"nonsense\n")) as transport:
        with pytest.raises(errors.Unavailable, match="sent no event"):
            async for _ in transport.watch(kinds.POD, "", {}):
                pass


async def test_a_watch_that_breaks_is_told_from_one_that_ends() -> None:
    def handler(request: Request) -> None:
        stream = request.start_stream(200)
        stream.write(EVENT)
        asyncio.get_running_loop().call_later(0.02, stream.abort)

    async with asking(handler) as transport:
        watch = transport.watch(kinds.POD, "", {})
        assert (await anext(watch))[0] == "ADDED"
        with pytest.raises(errors.Unavailable):
            await anext(watch)


@pytest.mark.parametrize(
    ("status", "body", "error", "message"),
    [
        (
            404,
            b'{"kind":"Status","status":"Failure","reason":"NotFound","message":"gone","code":404}',
            errors.NotFound,
            "^gone$",
        ),
        (
            409,
            b'{"kind":"Status","status":"Failure","reason":"AlreadyExists","message":"m"}',
            errors.AlreadyExists,
            "^m$",
        ),
        (409, b"", errors.Conflict, "the server answered 409"),
        (410, b'{"kind":"Status","status":"Failure","reason":"Gone","message":"m"}', errors.Expired, "m"),
        (403, b"<html>no</html>", errors.Forbidden, "the server answered 403: <html>no</html>"),
        (429, b"", errors.TooManyRequests, "429"),
        (500, b"oops", errors.Unavailable, "oops"),
        (503, b"\xff", errors.Unavailable, "503"),
        (302, b"", errors.ApiError, "302"),
        (401, b'{"kind":"Pod"}', errors.Unauthorized, "401"),
    ],
)
async def test_answers_that_say_no(status: int, body: bytes, error: type[errors.ApiError], message: str) -> None:
    async with asking(lambda request: Response(status, body)) as transport:
        with pytest.raises(error, match=message) as refused:
            await transport.request("GET", "/x", {})
        with pytest.raises(error):
            async for _ in transport.watch(kinds.POD, "", {}):
                pass
    assert refused.value.code == status


async def test_an_answer_that_is_no_list() -> None:
    async with asking(lambda request: Response(200, b"nonsense")) as transport:
        with pytest.raises(errors.Unavailable, match="sent no list"):
            await transport.list(kinds.POD, "", {})


async def test_nobody_there() -> None:
    transport = HttpTransport(Access("http://127.0.0.1:1"))
    with pytest.raises(errors.Unavailable, match="connection refused"):
        await transport.request("GET", "/x", {})
    with pytest.raises(errors.Unavailable, match="connection refused"):
        async for _ in transport.watch(kinds.POD, "", {}):
            pass


async def test_a_token_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    seen: list[str] = []

    def handler(request: Request) -> Response:
        seen.append(request.header("authorization"))
        return Response(200, b"{}")

    file = tmp_path / "token"
    async with asking(handler, token_file=str(file)) as transport:
        with pytest.raises(errors.Unavailable, match="cannot read token .*: No such file"):
            await transport.request("GET", "/x", {})
        for text in ("one\n", "two"):
            (tmp_path / "new").write_text(text)
            (tmp_path / "new").rename(file)
            await transport.request("GET", "/x", {})
        file.unlink()  # being replaced: the last one is good for now
        await transport.request("GET", "/x", {})
    assert seen == ["Bearer one", "Bearer two", "Bearer two"]


def test_unusable_certificates_are_a_clear_error() -> None:
    with pytest.raises(KubeconfigError, match="cannot talk to https://a"):
        HttpTransport(Access("https://a", ca=b"garbage"))
