"""The door for components in this process: the client's transport without sockets, through the same steps.

Lists and watches hand out the cache's own bytes, not copies; nothing is encoded that nobody reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from typing import TYPE_CHECKING, Any

from api import codec, conversion
from api.kinds import Kind
from api.meta_v1 import Status
from client import errors
from client.transport import JSON, Listing, Query
from controlplane.apiserver import status
from controlplane.apiserver.cache import TooOld
from controlplane.apiserver.call import Call, Connected, Listed, Relayed, Result, User, Watching
from controlplane.apiserver.identity.users import AUTHENTICATED
from controlplane.apiserver.pages import Pages
from controlplane.apiserver.pipeline import handle
from controlplane.apiserver.second_views import converted
from controlplane.apiserver.steps.encode import encode
from controlplane.apiserver.watching import QueueWatcher

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core


class LocalTransport:
    """`client.transport.Transport` for one user of this process."""

    def __init__(self, core: Core, pages: Pages, user: str, groups: tuple[str, ...] = ()) -> None:
        self._core = core
        self._pages = pages
        self._user = User(user, (*groups, AUTHENTICATED))
        self._agent = user.rpartition(":")[2]  # by which name it owns what it writes

    async def request(self, method: str, path: str, query: Query, body: bytes = b"", content_type: str = JSON) -> bytes:
        """One request; the body of a successful answer."""
        call = Call(method, path, query, JSON, content_type, body, self._user, agent=self._agent)
        try:
            result = await self._handle(call)
            if isinstance(result, Relayed):
                return b"".join([chunk async for chunk in result.chunks])
            if isinstance(result, Connected):
                raise status.bad_request("there is no connection inside the process")
            assert not isinstance(result, Watching), "watches have a method of their own"
            answer = encode(call, self._core, result)
        except status.StatusError as error:
            raise _api_error(error) from None
        if answer.status >= 300:
            raise errors.from_answer(answer.status, answer.body, f"{method} {path}")
        return answer.body

    async def list(self, kind: Kind[Any], namespace: str, query: Query) -> Listing:
        """The objects of a kind."""
        call = Call("GET", kind.path(namespace), query, user=self._user)
        try:
            listed = await self._handle(call)
        except status.StatusError as error:
            raise _api_error(error) from None
        assert isinstance(listed, Listed)
        items = [conversion.show(kind, item) for item in listed.items] if kind.stored_as is not None else listed.items
        return Listing(items, str(listed.revision), listed.continue_)

    async def watch(self, kind: Kind[Any], namespace: str, query: Query) -> AsyncGenerator[tuple[str, bytes], None]:
        """Events until the watch times out."""
        call = Call("GET", kind.path(namespace), {**query, "watch": "true"}, user=self._user)
        news = asyncio.Event()
        try:
            watching = await self._handle(call)
            assert isinstance(watching, Watching)
            watcher = QueueWatcher(watching, news.set)
            watcher.begin(self._core.cache.revision)
        except status.StatusError as error:
            raise _api_error(error) from None
        except TooOld as error:
            raise _expired(error.asked, error.oldest) from None
        ended = False

        def end() -> None:
            nonlocal ended
            ended = True
            news.set()

        timer = self._core.clock.call_later(watching.timeout, end)
        try:
            while not ended:
                await news.wait()
                news.clear()
                while watcher.queue:
                    event = watcher.queue.popleft()
                    yield event if kind.stored_as is None else (event[0], converted(kind, *event))
                if watcher.overrun:
                    raise _expired(watching.after, self._core.cache.revision)
        finally:
            timer.cancel()
            watcher.end()

    async def close(self) -> None:
        """There is nothing to close."""

    async def _handle(self, call: Call) -> Result:
        result = handle(call, self._core)
        if result is None:
            result = self._pages.serve(call)
        return await result if isinstance(result, Awaitable) else result


def _api_error(error: status.StatusError) -> errors.ApiError:
    return errors.from_status(codec.decode(Status, error.body()))


def _expired(asked: int, oldest: int) -> errors.ApiError:
    return _api_error(status.expired(f"too old resource version: {asked} ({oldest})"))
