"""The door to the network: HTTP requests become calls, results become responses and streams."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, TypeVar

from controlplane.apiserver import compression, status, warning_headers
from controlplane.apiserver.cache import TooOld
from controlplane.apiserver.call import Answer, Call, Connected, Found, Listed, Relayed, Result, Watching
from controlplane.apiserver.connect.reading import read_out
from controlplane.apiserver.identity import bearer
from controlplane.apiserver.identity.front_proxies import FrontProxies
from controlplane.apiserver.identity.impersonation import PREFIX
from controlplane.apiserver.identity.users import UNAUTHENTICATED
from controlplane.apiserver.instruments import Instruments
from controlplane.apiserver.load import Lane, Load
from controlplane.apiserver.pages import Pages
from controlplane.apiserver.pipeline import handle
from controlplane.apiserver.representation import STREAMED, Poured
from controlplane.apiserver.steps.authenticate import authenticate
from controlplane.apiserver.steps.encode import encode, refuse, representation
from controlplane.apiserver.steps.route import route
from controlplane.apiserver.watching import StreamWatcher
from kit import log
from kit.http import websocket
from kit.http.model import NoUpgrade, Request, Response, Stream, StreamClosed
from kit.http.relay import wants_websocket
from kit.http.server import Limits
from kit.http.websocket_server import FrameStream

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

T = TypeVar("T")
_log = log.get("apiserver")


class NetworkDoor:
    """A handler for `kit.http.server.Server`."""

    def __init__(self, core: Core, pages: Pages, instruments: Instruments, load: Load) -> None:
        self._core = core
        self._pages = pages
        self._instruments = instruments
        self._load = load
        self._documents = compression.Documents()

    def __call__(self, request: Request) -> Response | Awaitable[Response | None] | None:
        """Answer one request; at once where that is possible."""
        core = self._core
        started = core.clock.monotonic()
        call = _call(request, core.front)
        try:
            if self._load.full:
                self._admit(call)
            result = handle(call, core)
            if result is None:
                result = self._pages.serve(call)
            if not isinstance(result, Found):  # the most frequent is the quickest
                if isinstance(result, Awaitable | Connected):
                    return self._counted(call, self._later(request, call, result, started))
                if isinstance(result, Watching):
                    return self._watch(request, call, result, started)
                if isinstance(result, Listed) and (poured := representation(call, core).pieces(result)) is not None:
                    return self._counted(call, self._pour(request, call, poured, started))
                assert not isinstance(result, Relayed)  # relays are always awaited
            answer = encode(call, core, result)
        except status.StatusError as error:
            answer = refuse(error, call, self._core)
        except Exception as error:  # the loop's edge: a fault of ours is answered in the API's form too
            answer = _fault(error, call, self._core)
        if len(answer.body) > compression.THRESHOLD and call.method == "GET":
            return self._respond_large(request, call, answer, started)
        return self._respond(call, answer, started)

    def knows(self, request: Request) -> bool:
        """Whether a request is from somebody who has proved who he is: others may not send much before they are turned away."""
        call = _call(request, self._core.front)
        try:
            authenticate(call, self._core)
        except status.StatusError:
            return False
        return call.user is not None and UNAUTHENTICATED not in call.user.groups

    def _admit(self, call: Call) -> None:
        """Nothing of the request may have begun when it is told to come back. Raises StatusError."""
        authenticate(call, self._core)
        route(call, self._core)
        if self._load.refuses(call):
            raise status.too_many_requests("Too many requests, please try again later.")

    def _counted(self, call: Call, answer: Awaitable[T]) -> Awaitable[T]:
        lane = self._load.lane(call)
        if lane is not None:
            lane.enter()
            return _in_lane(lane, answer)
        return answer if call.verb == "watch" else _lasting(self._instruments.lasting(call), answer)

    async def _later(
        self, request: Request, call: Call, result: Awaitable[Result] | Connected, started: float
    ) -> Response | None:
        try:
            done = result if isinstance(result, Connected) else await result
            if isinstance(done, Connected | Relayed):
                response = await (done.run(request) if isinstance(done, Connected) else self._relay(request, done))
                self._done(call, response.status if response is not None else request.answered, started)
                return response
            if isinstance(done, Watching):
                if (rest := self._watch(request, call, done, started)) is not None:
                    await rest
                return None
            if isinstance(done, Listed) and (poured := representation(call, self._core).pieces(done)) is not None:
                await self._pour(request, call, poured, started)
                return None
            answer = encode(call, self._core, done)
        except status.StatusError as error:
            answer = refuse(error, call, self._core)
        except NoUpgrade:
            answer = refuse(_no_upgrade(), call, self._core)
        except Exception as error:  # the loop's edge
            answer = _fault(error, call, self._core)
        if len(answer.body) > compression.THRESHOLD and call.method == "GET":
            return await self._respond_large(request, call, answer, started)
        return self._respond(call, answer, started)

    async def _respond_large(self, request: Request, call: Call, answer: Answer, started: float) -> Response:
        if answer.status == 200:
            answer.headers += compression.VARY
            if compression.accepted(request.header("accept-encoding")):
                tag = next((value for name, value in answer.headers if name == "ETag"), "")
                answer.body = await self._documents.packed(answer.body, tag)
                answer.headers += compression.HEADERS
        return self._respond(call, answer, started)

    def _respond(self, call: Call, answer: Answer, started: float) -> Response:
        self._done(call, answer.status, started)
        headers = answer.headers
        if warnings := warning_headers.headers(call):
            headers += warnings
        return Response(answer.status, answer.body, answer.content_type, headers)

    def _done(self, call: Call, code: int, started: float) -> None:
        self._instruments.done(call, code, self._core.clock.monotonic() - started)

    async def _pour(self, request: Request, call: Call, poured: Poured, started: float) -> None:
        """Send a large list as fast as its reader takes it, without ever holding all of it; others run between the pieces."""
        form = ("Content-Type", representation(call, self._core).content_type)
        headers = (form, *compression.VARY, *warning_headers.headers(call))
        packing = compression.Pieces() if compression.accepted(request.header("accept-encoding")) else None
        if packing is not None:
            headers += compression.HEADERS
        elif poured.length is not None:
            headers += (("Content-Length", str(poured.length)),)
        stream = request.start_stream(200, headers)
        try:
            for number, piece in enumerate(poured.pieces, 1):
                stream.write(piece if packing is None else await packing.add(piece))
                await stream.drain()
                if number % poured.stride == 0:
                    await self._core.clock.sleep(0)
            if packing is not None:
                stream.write(packing.end())
            stream.close()
        except StreamClosed:
            pass
        self._done(call, 200, started)

    def _watch(self, request: Request, call: Call, watching: Watching, started: float) -> Awaitable[None] | None:
        core = self._core
        form = representation(call, core)
        if not form.lines:
            raise status.not_acceptable(STREAMED)
        stream: Stream
        if wants_websocket(request):
            stream, form = self._frames(request), core.representations.framed(form)
        else:
            stream = request.start_stream(200, [("Content-Type", form.watch_type), *warning_headers.headers(call)])
        watcher = StreamWatcher(watching, form, stream)
        try:
            rest = watcher.begin(core.cache.revision)
        except TooOld as error:
            watcher.fail(status.expired(f"too old resource version: {error.asked} ({error.oldest})").body())
            self._done(call, request.answered, started)
            return None
        except BaseException:  # the stream is the answer, so nobody else can end it
            watcher.abandon()
            raise
        timer = core.clock.call_later(watching.timeout, stream.close)
        gauge = self._instruments.lasting(call)
        gauge.inc()

        def ended() -> None:
            watcher.end()
            timer.cancel()
            gauge.dec()
            self._done(call, request.answered, started)

        stream.on_close(ended)
        return rest

    def _frames(self, request: Request) -> Stream:
        """A WebSocket to write to; whatever protocol the client offers first is what it gets, save its token. Raises StatusError."""
        try:
            protocols = websocket.offered(request.header("sec-websocket-protocol"))
            offered = [name for name in protocols if not name.startswith(bearer.PROTOCOL)]
            _, headers = websocket.answer(request.headers, offered or ("",))
            raw = request.hijack(101, headers)
        except websocket.NoHandshake as error:
            raise status.bad_request(str(error)) from None
        except NoUpgrade:
            raise _no_upgrade() from None
        return FrameStream(raw, self._core.clock, Limits().stream_backlog)

    async def _relay(self, request: Request, relayed: Relayed) -> Response | None:
        if wants_websocket(request):
            return await read_out(request, relayed.chunks, self._core.clock)
        stream = request.start_stream(relayed.status, [("Content-Type", relayed.content_type)])
        pump = asyncio.ensure_future(_pump(stream, relayed))
        stream.on_close(pump.cancel)  # a reader that has gone must not wait for the next piece
        await asyncio.wait([pump])
        if not pump.cancelled() and (error := pump.exception()) is not None:
            _log.info("a relay broke", error=error)
            stream.abort()
        return None


async def _lasting(gauge: Any, answer: Awaitable[T]) -> T:
    gauge.inc()
    try:
        return await answer
    finally:
        gauge.dec()


async def _in_lane(lane: Lane, answer: Awaitable[T]) -> T:
    try:
        return await answer
    finally:
        lane.leave()


def _fault(error: Exception, call: Call, core: Core) -> Answer:
    _log.exception("cannot answer a request", method=call.method, path=call.path, error=error)
    return refuse(status.internal_error(f"{type(error).__name__} in the server; its log says more"), call, core)


async def _pump(stream: Stream, relayed: Relayed) -> None:
    try:
        async for chunk in relayed.chunks:
            stream.write(chunk)
            await stream.drain()
    finally:
        await relayed.chunks.aclose()
    stream.close()


def _no_upgrade() -> status.StatusError:
    return status.bad_request("Upgrade request required: it needs HTTP/1.1, and this is HTTP/2")


def _call(request: Request, front: FrontProxies | None) -> Call:
    user, peer, stranger = (None, request.peer, False) if front is None else front.meet(request)
    headers = request.headers
    target = request.target
    call = Call(
        request.method,
        request.path,
        {name: values[0] for name, values in request.query.items()} if "?" in target else {},
        headers.get("accept", ""),
        headers.get("content-type", ""),
        request.body,
    )
    if "?" in target:
        call.repeated = request.query
    call.user = user
    if peer is not None and peer.common_name:
        call.subject, call.fingerprint = (peer.common_name, peer.organizations), peer.fingerprint
    else:
        call.token = bearer.token(headers) or (bearer.BROKEN if stranger else "")
    for name in headers:
        if name.startswith(PREFIX):
            call.impersonation = request.raw_headers
            break
    call.if_none_match = headers.get("if-none-match", "")
    call.agent = headers.get("user-agent", "")
    call.told = True
    return call
