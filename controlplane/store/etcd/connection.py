"""Calls to whichever endpoint of an etcd cluster answers.

Each endpoint has a channel of its own, which reconnects by itself. A call waits until the endpoint in use is connected; if that one is
away, all are tried at once and the first that answers is used from then on. An endpoint that is there but cannot serve (its member has no
leader, or hangs) is left for another. A call that was sent is never sent again: only who asked knows whether twice is as good as once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from controlplane.store.choice import Etcd
from controlplane.store.interface import StoreError, TooLarge, Unavailable
from proto.call import Call, Request, Response

CALL_SECONDS = 10.0
OTHERS_SECONDS = 1.0
ANY_SECONDS = 4.0
_LEADER = (("hasleader", "true"),)  # a member that has lost its leader says so at once
_OPTIONS = (
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
)
_READY = grpc.ChannelConnectivity.READY
_AWAY = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class Refused(StoreError):
    """etcd answered no; `reason` is its own text."""

    def __init__(self, call: str, reason: str) -> None:
        super().__init__(f"cannot {call} in etcd: {reason}")
        self.reason = reason


class Connection:
    """The channels to one cluster."""

    def __init__(self, place: Etcd) -> None:
        self._place = place
        credentials = _credentials(place)
        self._channels = [_channel(host, credentials) for host in place.hosts]
        self._current = 0
        self._connecting: asyncio.Task[int] | None = None
        self._streams: set[Any] = set()
        self._closed = False

    async def call(self, call: Call[Request, Response], request: Request) -> Response:
        """One call. Raises Unavailable, TooLarge or Refused."""
        index = await self._connected()
        method = self._channels[index].unary_unary(
            call.path,
            request_serializer=call.request.SerializeToString,
            response_deserializer=call.response.FromString,
        )
        try:
            answer: Response = await method(request, timeout=CALL_SECONDS, metadata=_LEADER)
        except grpc.aio.AioRpcError as error:
            raise self._fault(call, index, error) from None
        except asyncio.CancelledError:
            if not self._ended_by_close():
                raise
            raise Unavailable(f"cannot {call.name.lower()} in etcd: the store is closed") from None
        return answer

    async def stream(self, call: Call[Request, Response], request: Request) -> AsyncIterator[Response]:
        """Open a stream with one request and yield what comes. Always ends with an error, or by `close`."""
        index = await self._connected()
        method = self._channels[index].stream_stream(
            call.path,
            request_serializer=call.request.SerializeToString,
            response_deserializer=call.response.FromString,
        )
        stream = method(metadata=_LEADER)  # type: ignore[call-arg]  # the requests are written, not iterated
        self._streams.add(stream)
        try:
            await stream.write(request)
            async for message in stream:
                yield message
        except grpc.aio.AioRpcError as error:
            raise self._fault(call, index, error) from None
        except (asyncio.CancelledError, asyncio.InvalidStateError):
            if not self._ended_by_close():
                raise
            return
        finally:
            self._streams.discard(stream)
            stream.cancel()
        raise Unavailable(f"cannot {call.name.lower()} in etcd: the server ended the stream")

    async def close(self) -> None:
        """Let calls end, cut off streams, close the channels."""
        if self._closed:
            return
        self._closed = True
        if self._connecting is not None:
            self._connecting.cancel()
        for stream in list(self._streams):
            stream.cancel()
        await asyncio.gather(*(channel.close(1.0) for channel in self._channels))

    async def _connected(self) -> int:
        """The number of an endpoint that is connected."""
        if self._closed:
            raise Unavailable(f"cannot use {self._place}: the store is closed")
        if self._channels[self._current].get_state(try_to_connect=True) is _READY:
            return self._current
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect(), name="etcd-connect")
            self._connecting.add_done_callback(self._end_connecting)
        try:
            return await asyncio.shield(self._connecting)
        except asyncio.CancelledError:
            if not self._ended_by_close():
                raise
            raise Unavailable(f"cannot use {self._place}: the store is closed") from None

    async def _connect(self) -> int:
        every = range(len(self._channels))
        others = [index for index in every if index != self._current]
        found = await self._first_ready([self._current, *others], OTHERS_SECONDS if others else ANY_SECONDS)
        if found is None and others:
            found = await self._first_ready(every, ANY_SECONDS)
        if found is None:
            hint = "Check that it runs" + (", and the certificates" if self._place.secure else " and speaks no TLS")
            raise Unavailable(f"cannot reach {self._place}: no endpoint answers. {hint}.")
        self._current = found
        return found

    def _end_connecting(self, task: asyncio.Task[int]) -> None:
        self._connecting = None
        if not task.cancelled():
            task.exception()  # seen, also if all who asked have gone

    async def _first_ready(self, indexes: Sequence[int], seconds: float) -> int | None:
        """The first of these endpoints to be connected within that time."""
        tasks = {asyncio.ensure_future(self._channels[index].channel_ready()): index for index in indexes}
        done, waiting = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        good = [tasks[task] for task in done if task.exception() is None]
        return min(good, key=indexes.index) if good else None

    def _fault(self, call: Call[Any, Any], index: int, error: grpc.aio.AioRpcError) -> StoreError:
        what, reason = call.name.lower(), error.details() or error.code().name
        if error.code() in _AWAY:
            if index == self._current:
                self._current = (index + 1) % len(self._channels)
            return Unavailable(f"cannot {what} in {self._place}: {reason}")
        if "too large" in reason or "larger than max" in reason:
            return TooLarge(f"cannot {what} in {self._place}: {reason}")
        if error.code() in (grpc.StatusCode.OUT_OF_RANGE, grpc.StatusCode.NOT_FOUND):
            return Refused(what, reason)
        return Unavailable(f"cannot {what} in {self._place}: {reason}")

    def _ended_by_close(self) -> bool:
        """Whether a CancelledError is gRPC's: it ends its calls by cancelling them, which must not be taken for the end of the task."""
        task = asyncio.current_task()
        return self._closed and (task is None or not task.cancelling())


def _channel(host: str, credentials: grpc.ChannelCredentials | None) -> grpc.aio.Channel:
    if credentials is None:
        return grpc.aio.insecure_channel(host, options=_OPTIONS)
    return grpc.aio.secure_channel(host, credentials, options=_OPTIONS)


def _credentials(place: Etcd) -> grpc.ChannelCredentials | None:
    if not place.secure:
        return None
    try:
        ca, key, cert = (Path(file).read_bytes() if file else None for file in (place.ca_cert, place.key, place.cert))
    except OSError as error:
        raise Unavailable(f"cannot read {error.filename}: {error.strerror}") from error
    return grpc.ssl_channel_credentials(ca, key, cert)
