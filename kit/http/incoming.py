"""A request's body that is handed over as it comes, instead of being held until it is whole: for what is passed on elsewhere.

Which requests these are the server is told (`Server.streamed`). The connection is read no faster than the body is taken. If the answer is
given before the body has come, the rest of it is thrown away.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

from kit.http.errors import ClientError

HIGH_WATER = 256 * 1024
SMALL = 64 * 1024  # bodies up to this length are held as always


class BodyBroken(ClientError):
    """The client went before its body was complete."""


class IncomingBody:
    """Iterate over it once. `taken` is told how many bytes were."""

    __slots__ = ("_broken", "_dropped", "_pieces", "_taken", "_waiter", "complete", "size")

    def __init__(self, taken: Callable[[int], object]) -> None:
        self._taken = taken
        self._pieces: deque[bytes] = deque()
        self._broken = self._dropped = False
        self._waiter: asyncio.Future[None] | None = None
        self.complete = False  # all of it has come
        self.size = 0  # bytes that have come and were not taken

    @property
    def full(self) -> bool:
        """Whether no more should come for now."""
        return self.size > HIGH_WATER

    def feed(self, data: bytes) -> None:
        """A piece has come."""
        if self._dropped:
            self._taken(len(data))
            return
        self._pieces.append(data)
        self.size += len(data)
        self._wake()

    def finish(self) -> None:
        """All of it has come."""
        self.complete = True
        self._wake()

    def fail(self) -> None:
        """The rest will never come."""
        self._broken = True
        self._wake()

    def drop(self) -> None:
        """Nobody reads it (any more)."""
        self._dropped = True
        self._pieces.clear()
        size, self.size = self.size, 0
        if size:
            self._taken(size)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            while self._pieces:
                piece = self._pieces.popleft()
                self.size -= len(piece)
                self._taken(len(piece))
                yield piece
            if self.complete:
                return
            if self._broken:
                raise BodyBroken("cannot read the body of the request: the client has gone")
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
