"""A request passed on to a pod, a service or a node, and the answer passed back, as it comes.

Headers that are about one connection stay on it; credentials for the API server go no further. Redirects and links of HTML pages lead
through the proxy again (`links.py`). A page that is larger than `_LARGEST_PAGE`, or in an encoding that we do not read, is passed as it
is. An upgrade joins the two connections.
"""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from typing import TYPE_CHECKING
from urllib.parse import quote

from controlplane.apiserver import status
from controlplane.apiserver.call import Target
from controlplane.apiserver.connect.links import Rewriter, join
from controlplane.apiserver.connect.onward import onward
from controlplane.apiserver.connect.places import Location
from controlplane.apiserver.connect.refusals import dialing
from kit.clock import Clock, deadline
from kit.http.client import ClientError, HttpClient, Incoming
from kit.http.model import BODILESS, Request, Response, StreamClosed
from kit.http.relay import pass_on, wants_upgrade

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "proxy-connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_NOT_BACK = _HOP_BY_HOP | {
    "date",  # the server has its own
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
}
_SAFE = "/~!$&'()*+,;=:@"  # in a path, besides letters, digits and "-._"
_LARGEST_PAGE = 4 * 1024 * 1024  # bytes of HTML that are looked through
_AT_ONCE = 64 * 1024  # bytes of HTML that are looked through while others wait
_LOOK_SECONDS = 1.0


async def proxy(request: Request, target: Target, location: Location, core: Core) -> Response | None:
    """Serve one request. Raises StatusError before anything was answered."""
    path = join("/", target.behind) if target.behind else ""
    client = HttpClient(
        location.address,
        location.port,
        location.tls,
        host_header=request.header("host") or location.authority,
        lenient=True,
        clock=core.clock,
    )
    try:
        if wants_upgrade(request):
            return await _upgrade(request, client, _escaped(path), core.clock)
        if not path and request.method in ("GET", "HEAD"):
            return _with_slash(request)
        return await Passage(request, location, path, core.clock).run(client)
    finally:
        await client.close()


async def _upgrade(request: Request, client: HttpClient, path: str, clock: Clock) -> Response | None:
    with dialing():
        return await pass_on(request, client, _with_query(request, path or "/"), onward(request), clock)


def _with_slash(request: Request) -> Response:
    """Relative links of a page work only below a path that ends with a slash."""
    path, mark, query = request.target.partition("?")
    return Response(301, b"", "", [("Location", f"{path}/{mark}{query}")])


def _with_query(request: Request, path: str) -> str:
    query = request.target.partition("?")[2]
    return f"{path}?{query}" if query else path


def _escaped(path: str) -> str:
    return quote(path, safe=_SAFE)


class Passage:
    """One request and its answer."""

    def __init__(self, request: Request, location: Location, path: str, clock: Clock) -> None:
        self._request = request
        self._clock = clock
        self._path = _escaped(path)
        whole = request.path
        suffix = path + "/" if whole.endswith("/") and not path.endswith("/") else path
        prefix = whole.removesuffix(suffix)
        forwarded = join(_escaped(prefix), self._path or "/")
        self._forwarded_uri = forwarded if path.endswith("/") or not path else forwarded.rstrip("/")
        self._rewriter = Rewriter(_escaped(prefix), frozenset({location.authority, request.header("host")}))

    async def run(self, client: HttpClient) -> Response | None:
        """Ask, and pass the answer on. Raises StatusError if there is none."""
        request = self._request
        async with AsyncExitStack() as stack:
            try:
                incoming = await self._ask(client, stack)
            except ClientError as error:
                raise status.StatusError(503, "ServiceUnavailable", f"error trying to reach service: {error}") from None
            if incoming.status < 200:  # 101: nobody has asked for another protocol
                raise status.StatusError(
                    502, "", f"the backend's answer makes no sense: its status is {incoming.status}"
                )
            headers = self._headers_back(incoming)
            if request.method == "HEAD" or incoming.status in BODILESS:
                return self._without_body(incoming, headers)
            pieces = self._body(incoming, headers)
            async with aclosing(pieces):
                await self._pour(incoming.status, headers, pieces)
        return None

    async def _ask(self, client: HttpClient, stack: AsyncExitStack) -> Incoming:
        """The head of the answer, unless the client goes before it comes. Raises ClientError."""
        request = self._request
        target = _with_query(request, self._path or "/")
        body = request.body if request.incoming is None else aiter(request.incoming)
        opened = client.stream(request.method, target, body=body, headers=self._headers_there(), timeout=None)
        asking = asyncio.ensure_future(stack.enter_async_context(opened))
        try:
            while not await self._within_a_moment(asking):
                if request.disconnected:
                    raise ClientError("the client has gone")
            return asking.result()
        finally:
            if not asking.done():
                asking.cancel()
                await asyncio.wait([asking])

    async def _within_a_moment(self, work: asyncio.Future[Incoming]) -> bool:
        try:
            async with deadline(self._clock, _LOOK_SECONDS):
                await asyncio.wait([work])
        except TimeoutError:
            return False
        return True

    def _headers_there(self) -> list[tuple[str, str]]:
        named = _named(self._request.header("connection"))
        kept = onward(self._request, *_HOP_BY_HOP, *named, "x-forwarded-uri")
        if self._request.incoming is not None and (length := self._request.header("content-length")):
            kept.append(("Content-Length", length))
        return [*kept, ("X-Forwarded-Uri", self._forwarded_uri)]

    def _headers_back(self, incoming: Incoming) -> list[tuple[str, str]]:
        without = _NOT_BACK.union(_named(incoming.headers.get("connection", "")))
        kept = []
        for raw_name, raw_value in incoming.raw_headers:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
            if name.lower() == "location":
                value = self._rewriter.link(value)
            if name.lower() not in without:
                kept.append((name, value))
        return kept

    def _without_body(self, incoming: Incoming, headers: list[tuple[str, str]]) -> Response | None:
        if self._request.method != "HEAD":
            return Response(incoming.status, b"", "", [pair for pair in headers if pair[0].lower() != "content-length"])
        self._request.start_stream(incoming.status, headers).close()  # a length without a body
        return None

    def _body(self, incoming: Incoming, headers: list[tuple[str, str]]) -> AsyncGenerator[bytes, None]:
        media = incoming.headers.get("content-type", "").partition(";")[0].strip()
        encoding = incoming.headers.get("content-encoding", "")
        if media == "text/html" and encoding in ("", "gzip", "deflate") and "location" not in incoming.headers:
            headers[:] = [pair for pair in headers if pair[0].lower() != "content-length"]
            return self._page(incoming, encoding)
        return _pieces(incoming)

    async def _page(self, incoming: Incoming, encoding: str) -> AsyncGenerator[bytes, None]:
        """The body of a page, with its links rewritten, or as it is if it is too large for that."""
        held = bytearray()
        async for piece in incoming:
            held += piece
            if len(held) > _LARGEST_PAGE:
                yield bytes(held)
                async for more in incoming:
                    yield more
                return
        if len(held) > _AT_ONCE:
            yield await asyncio.to_thread(rewrite, self._rewriter, bytes(held), encoding)
        else:
            yield rewrite(self._rewriter, bytes(held), encoding)

    async def _pour(self, code: int, headers: list[tuple[str, str]], pieces: AsyncGenerator[bytes, None]) -> None:
        """Send the answer as it comes; whichever side ends, the other does."""
        stream = self._request.start_stream(code, headers)

        async def pump() -> None:
            try:
                async for piece in pieces:
                    stream.write(piece)
                    await stream.drain()
            except StreamClosed:
                return
            except ClientError:
                stream.abort()  # the client must see that something is missing
                return
            stream.close()

        work = asyncio.ensure_future(pump())
        stream.on_close(work.cancel)  # a client that has gone must not wait for the next piece
        try:
            await asyncio.wait([work])
        finally:
            if not work.done():
                stream.abort()
                work.cancel()
                await asyncio.wait([work])


async def _pieces(incoming: Incoming) -> AsyncGenerator[bytes, None]:
    async for piece in incoming:
        yield piece


def rewrite(rewriter: Rewriter, body: bytes, encoding: str) -> bytes:
    """A page as bytes, in the encoding that it came in; what cannot be unpacked stays as it is."""
    try:
        plain = _unpacked(body, encoding)
    except (OSError, EOFError, zlib.error):
        return body
    if plain is None:
        return body
    text = plain.decode("utf-8", "surrogateescape")
    changed = rewriter.page(text)
    if changed == text:
        return body
    data = changed.encode("utf-8", "surrogateescape")
    if encoding == "gzip":
        return gzip.compress(data, 6, mtime=0)
    if encoding == "deflate":
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        return packer.compress(data) + packer.flush()
    return data


def _unpacked(body: bytes, encoding: str) -> bytes | None:
    """None if it would be too large."""
    if not encoding:
        return body
    unpacker = zlib.decompressobj(31 if encoding == "gzip" else -15)
    plain = unpacker.decompress(body, _LARGEST_PAGE)
    return plain if unpacker.eof else None


def _named(connection: str) -> list[str]:
    """The headers that a Connection header names as its own."""
    return [name.strip().lower() for name in connection.split(",") if name.strip()]
