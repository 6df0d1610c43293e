"""HTTP/2 on one server connection.

The engine (`h2_engine`) knows frames; this file decides. Requests are answered side by side; a handler knows nothing of it. What handlers
write goes into the engine and is taken out once per turn of the event loop, so that an event for many watchers of one connection is one
write to its socket.

Slow readers. Each stream has its own window: what the peer does not take of one waits in the engine and hurts no other. A stream that lags
by more than `limits.stream_backlog`, or the one that writes when the whole connection lags by `limits.connection_backlog`, is reset; so is
one whose waiting bytes have not moved for `limits.write_timeout`. Only when the socket itself takes nothing for that long, the connection
goes.

Abuse. Heads, bodies, the sum of unfinished bodies, streams and handlers at a time are bounded. Frames that cost us and bring nothing
(pings, settings, resets, empty data) are counted; who sends more than `NOISE` of them above the normal rate is told to calm down and cut.
A request that is reset in the same read as it came in is never served.

Shutdown. GOAWAY names the last request that is served; the peer repeats later ones elsewhere. Streams end, answers finish, then the
connection closes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING, cast

from kit import log
from kit.http import h2_engine as h2
from kit.http.h2_streams import BodyStream, Exchange
from kit.http.incoming import SMALL, IncomingBody
from kit.http.model import NoUpgrade, Request, Response
from kit.http.peers import Peered

if TYPE_CHECKING:
    from kit.http.server import Server

_log = log.get("http")
CHUNK = 256 * 1024  # taken out of the engine at a time
LOW_WATER = 64 * 1024  # a stream with no more than this waiting has caught up
NOISE = 1000
NOISE_PER_TICK = 500


class Connection(Peered, asyncio.Protocol):
    """One accepted connection whose TLS handshake has chosen h2."""

    gone = h2.Gone

    def __init__(self, server: Server) -> None:
        self._server = server
        self._limits = server.limits
        self.unasked = server.unasked
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        # With less than this waiting of a stream, it is others who fill the connection.
        self.share = server.limits.stream_backlog // 16
        self.engine = h2.Engine(server.limits.streams, server.limits.head)
        self._exchanges: dict[int, Exchange] = {}
        self._receiving: dict[int, Exchange] = {}  # whose request is not complete
        self._received = 0  # bytes of their bodies
        # Answered before the request was complete: reset once the answer is out.
        self._refused: dict[int, Exchange] = {}
        self._draining: dict[int, BodyStream] = {}
        self._busy = 0  # handlers at work, also those whose stream has gone
        self._last = 0  # the highest stream
        self._noise = 0
        self.flush_due = True  # nothing is to be scheduled before the transport is there
        self._paused_writing = False
        self._pinged = False
        self._lost = False  # or as good as lost
        self.closing = False
        self.since = self._heard = server.tick

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send our settings."""
        self._transport = cast(asyncio.Transport, transport)
        self._server.attached(self)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:
        """Let everybody know, and drop what points back at us."""
        self._lost = True
        self._lose_exchanges()
        self._server.detached(self)

    def data_received(self, data: bytes) -> None:
        """Take in frames, serve what is complete, and answer in one write."""
        if self._lost:
            return
        self._heard, self._pinged = self._server.tick, False
        self.flush_due = True  # by the end of this
        try:
            self._take(self.engine.receive(data))
        except h2.Violation as violation:
            self._give_up(violation)
        else:
            self._flush()

    def pause_writing(self) -> None:
        """The socket takes no more for now."""
        self._paused_writing = True
        self.since = self._server.tick

    def resume_writing(self) -> None:
        """It does again."""
        self._paused_writing = False
        self.since = self._server.tick
        self._flush()

    # what comes in

    def _take(self, events: list[h2.Event]) -> None:
        complete: dict[int, Exchange] = {}
        for event in events:
            match event:
                case h2.RequestReceived():
                    self._begin(event, complete)
                case h2.DataReceived():
                    self._add(event, complete)
                case h2.StreamClosed():
                    complete.pop(event.stream_id, None)
                    self._close(event.stream_id)
                case h2.TrailersReceived():
                    self._complete(event.stream_id, complete)
                case h2.PingReceived() | h2.SettingsReceived() | h2.StreamReset():
                    self._count_noise()
                case h2.ConnectionClosed():
                    self._end()
                case _:
                    pass  # windows, acknowledgements and a peer's GOAWAY are the engine's business
        for exchange in complete.values():
            if not exchange.closed:
                self._serve(exchange)

    def _begin(self, event: h2.RequestReceived, complete: dict[int, Exchange]) -> None:
        self._last = id_ = event.stream_id
        self._exchanges[id_] = exchange = Exchange(self, id_, self._server.tick)
        if self._busy >= self._limits.streams:  # handlers of streams that the peer has reset are still at work
            self._reset(id_, h2.REFUSED)
            return
        exchange.read_head(event.headers)
        if not event.end_stream:
            self._receiving[id_] = exchange
        if exchange.head > self._limits.head:
            self._refuse(exchange, 431, f"the head of the request is larger than {self._limits.head} bytes")
        elif exchange.method == "CONNECT":
            self._refuse(exchange, 501, "there is no proxy here")
        elif event.end_stream:
            complete[id_] = exchange
        else:
            self._expect_body(exchange, complete)

    def _expect_body(self, exchange: Exchange, complete: dict[int, Exchange]) -> None:
        streamed = self._server.streamed is not None and self._server.streamed(exchange.target.encode("latin-1"))
        for name, value in exchange.headers:
            if name == b"content-length" and value.isdigit():
                streamed = streamed and int(value) > SMALL
                if not streamed and self._is_too_large(exchange, int(value)):
                    return
            if name == b"expect":
                if value.lower() != b"100-continue":
                    self._refuse(exchange, 417, "the only expectation that can be met is 100-continue")
                    return
                try:
                    self.engine.inform(exchange.id, b"100")
                except h2.Gone:
                    return
        if streamed:
            exchange.incoming = IncomingBody(partial(self._taken, exchange.id))
            complete[exchange.id] = exchange

    def _is_too_large(self, exchange: Exchange, size: int) -> bool:
        """Refuse a body that is too large, or too large for who sends it."""
        known = self._server.known
        if size > exchange.most and known is not None and exchange.most < self._limits.body:
            request = Request(exchange.method, exchange.target, exchange.headers, b"", exchange)
            if known(request):
                exchange.most = self._limits.body
        if size > exchange.most:
            self._refuse(exchange, 413, f"the body of the request is larger than {exchange.most} bytes")
        return size > exchange.most

    def _taken(self, id_: int, amount: int) -> None:
        """Bytes of a body are on their way to who wanted them."""
        if not self._lost:
            try:
                self.engine.acknowledge(id_, amount)
            except h2.Gone:
                return
            self.wrote()

    def _add(self, event: h2.DataReceived, complete: dict[int, Exchange]) -> None:
        data, exchange = event.data, self._receiving.get(event.stream_id)
        if not data and not event.end_stream:
            self._count_noise()
        if exchange is not None and exchange.incoming is not None:
            if data:
                exchange.incoming.feed(data)
            if event.end_stream:
                self._complete(event.stream_id, complete)
            return
        if data:
            self._taken(event.stream_id, len(data))
        if exchange is None:
            return  # refused before
        if data:
            exchange.body.append(data)
            exchange.size += len(data)
            self._received += len(data)
            if exchange.size > exchange.most and self._is_too_large(exchange, exchange.size):
                return
            if self._received > self._limits.bodies:
                self._forget_body(exchange)
                self._reset(exchange.id, h2.REFUSED)  # it was not served, so the peer may try again
                return
        if event.end_stream:
            self._complete(event.stream_id, complete)

    def _complete(self, id_: int, complete: dict[int, Exchange]) -> None:
        exchange = self._receiving.pop(id_, None)
        if exchange is None:
            return
        if exchange.incoming is not None:
            exchange.incoming.finish()  # it is served already
            return
        self._received -= exchange.size
        complete[id_] = exchange

    def _forget_body(self, exchange: Exchange) -> None:
        if self._receiving.pop(exchange.id, None) is not None:
            self._received -= exchange.size
            exchange.body.clear()
            if exchange.incoming is not None:
                exchange.incoming.fail()
                exchange.incoming.drop()

    def _close(self, id_: int) -> None:
        exchange = self._exchanges.pop(id_, None)
        if exchange is None:
            return
        self._forget_body(exchange)
        self._refused.pop(id_, None)
        self._draining.pop(id_, None)
        exchange.lost()
        if not self._exchanges:
            self.since = self._server.tick

    def _count_noise(self) -> None:
        self._noise += 1
        if self._noise > NOISE:
            raise h2.Violation(h2.CALM, "too many frames that carry nothing")

    # answering

    def _serve(self, exchange: Exchange) -> None:
        request = exchange.request()
        try:
            answer = self._server.handler(request)
        except Exception as error:  # the loop's edge
            self._crashed(exchange, request, error)
            return
        if isinstance(answer, Response):
            exchange.respond(answer)
        elif answer is None:
            self._unanswered(exchange, request)
        else:
            self._busy += 1
            task = asyncio.get_running_loop().create_task(self._finish(exchange, request, answer))
            self._server.tasks.add(task)

    async def _finish(self, exchange: Exchange, request: Request, answer: Awaitable[Response | None]) -> None:
        try:
            response = await answer
        except Exception as error:  # the loop's edge
            self._crashed(exchange, request, error)
            return
        except asyncio.CancelledError:
            if not exchange.closed:
                self.cut(exchange.id)
            raise
        finally:
            self._busy -= 1
            self._server.tasks.discard(asyncio.current_task())
        if response is not None:
            exchange.respond(response)
        else:
            self._unanswered(exchange, request)

    def _crashed(self, exchange: Exchange, request: Request, error: Exception) -> None:
        if isinstance(error, NoUpgrade):
            exchange.respond(Response(400, f"{error}\n".encode(), "text/plain"))
            return
        _log.exception("handler crashed", method=request.method, target=request.target, error=error)
        if exchange.stream is not None:
            exchange.stream.abort()
        elif not exchange.answered:
            exchange.respond(Response(500, b"internal error\n", "text/plain"))

    def _unanswered(self, exchange: Exchange, request: Request) -> None:
        if not exchange.answered and not exchange.closed:
            self._crashed(exchange, request, RuntimeError("the handler gave no answer"))

    def _refuse(self, exchange: Exchange, status: int, reason: str) -> None:
        """Answer what cannot be served; what is still to come of the request is not wanted."""
        if exchange.id in self._receiving:
            self._forget_body(exchange)
            self._refused[exchange.id] = exchange
        exchange.respond(Response(status, f"{reason}\n".encode(), "text/plain"))

    def answered(self, exchange: Exchange) -> None:
        """An answer is complete: if its request is not, the rest is not wanted."""
        if exchange.incoming is not None and exchange.id in self._receiving:
            self._forget_body(exchange)
            self._refused[exchange.id] = exchange

    def cut(self, id_: int) -> None:
        """Reset a stream."""
        if not self._lost:
            self._reset(id_, h2.CANCEL)

    def _reset(self, id_: int, code: int) -> None:
        try:
            self.engine.reset(id_, code)
        except h2.Gone:
            return
        self.wrote()

    # what goes out

    def wrote(self) -> None:
        """Something is in the engine: it goes out at the end of this turn of the loop, with all else."""
        if not self.flush_due:
            self.flush_due = True
            asyncio.get_running_loop().call_soon(self._flush)

    def lags(self, id_: int, stream: BodyStream) -> bool:
        """Whether a stream's bytes wait for its reader; `stream` is then woken when they no longer do."""
        if self._lost:
            return False
        if not self._paused_writing:
            self._flush()
        if self.engine.queued(id_) <= LOW_WATER:
            return False
        self._draining[id_] = stream
        return True

    def lags_too_far(self, id_: int) -> bool:
        """Whether a stream that lags by more than `share` is to be cut: it lags by too much, or the connection does."""
        limits, queued = self._limits, self.engine.queued
        if queued(id_) <= limits.stream_backlog and queued() <= limits.connection_backlog:
            return False
        if not self._paused_writing:
            self._flush()  # perhaps only nobody has come round to sending it
        return queued(id_) > limits.stream_backlog or (
            queued() > limits.connection_backlog and queued(id_) > self.share
        )

    def _flush(self) -> None:
        self.flush_due = False
        if self._lost:
            return
        engine, transport = self.engine, self._transport
        try:
            while not self._paused_writing and (data := engine.take(CHUNK)):
                transport.write(data)
            if self._refused:
                self._end_refused()
            if events := engine.events():
                self._take(events)
        except h2.Violation as violation:
            self._give_up(violation)
            return
        if self._draining:
            self._wake_drained()
        if self.closing and not self._exchanges and not self._paused_writing:
            self._end()

    def _end_refused(self) -> None:
        """The answers that are out: what still comes of these requests is thrown away."""
        out = [id_ for id_ in self._refused if not self.engine.queued(id_)]
        for id_ in out:
            del self._refused[id_]
            self._reset(id_, h2.NO_ERROR)

    def _wake_drained(self) -> None:
        for id_ in [id_ for id_ in self._draining if self.engine.queued(id_) <= LOW_WATER]:
            self._draining.pop(id_).wake()

    # closing

    def _end(self) -> None:
        """All is said: send what is written and close."""
        self._lost = True
        self._lose_exchanges()
        self._transport.close()

    def _lose_exchanges(self) -> None:
        exchanges = list(self._exchanges.values())
        for exchange in list(self._receiving.values()):
            self._forget_body(exchange)
        for kept in (self._exchanges, self._receiving, self._refused, self._draining):
            kept.clear()
        for exchange in exchanges:
            exchange.lost()

    def _give_up(self, violation: h2.Violation) -> None:
        """Say why, and close when that has had a moment to arrive."""
        _log.info("cut a connection", remote=self.remote, code=violation.code, reason=str(violation))
        self._lost = True
        self._transport.write(h2.goaway(self._last, violation.code, str(violation)))
        self._lose_exchanges()
        self._server.clock.call_later(self._limits.linger, self._transport.abort)

    def sweep(self, tick: int) -> None:
        """Called now and then by the server: end what has stalled."""
        limits = self._limits
        if self._lost:
            return
        self._noise = max(0, self._noise - NOISE_PER_TICK)
        if self._paused_writing:
            if self._age(tick, self.since) > limits.write_timeout:
                self._transport.abort()
        elif not self._exchanges:
            if self._age(tick, self.since) > limits.idle_timeout:
                self.shut()
        else:
            self._sweep_exchanges(tick)
            self._sweep_silence(tick)

    def _sweep_exchanges(self, tick: int) -> None:
        for exchange in list(self._receiving.values()):
            if exchange.incoming is None and self._age(tick, exchange.since) > self._limits.read_timeout:
                self._refuse(exchange, 408, "the request did not come in time")
        for exchange in list(self._exchanges.values()):
            if exchange.id in self._receiving and exchange.incoming is None:
                continue
            sent = exchange.written - self.engine.queued(exchange.id)
            if sent != exchange.sent or sent == exchange.written:
                exchange.sent, exchange.since = sent, tick
            elif exchange.answered and self._age(tick, exchange.since) > self._limits.write_timeout:
                _log.info("cut a reader that takes nothing", remote=self.remote, stream=exchange.id)
                self.cut(exchange.id)

    def _sweep_silence(self, tick: int) -> None:
        """A peer that has vanished without a word answers no ping."""
        silence = self._age(tick, self._heard)
        if silence > self._limits.silence:
            if not self._pinged:
                self._pinged = True
                try:
                    self.engine.ping()
                except h2.Gone:
                    return
                self.wrote()
            elif silence > 2 * self._limits.silence:
                self._transport.abort()

    def _age(self, tick: int, since: int) -> float:
        return (tick - since) * self._server.TICK

    def shut(self) -> None:
        """Take no new requests; streams end, answers finish, then the connection closes."""
        if self._lost or self.closing:
            return
        self.closing = True
        for exchange in list(self._exchanges.values()):
            if exchange.stream is not None:
                exchange.stream.close()
        try:
            self.engine.goaway()
        except h2.Gone:
            self._end()
        self._flush()

    def abort(self) -> None:
        """Close now."""
        self._transport.abort()

    @property
    def streams(self) -> int:
        """How many requests are on their way, in work or being answered."""
        return len(self._exchanges)

    # what an Exchange needs

    @property
    def date(self) -> tuple[bytes, bytes]:
        """The Date header."""
        return (b"date", self._server.date[6:-2])
