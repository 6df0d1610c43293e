"""The fake API server behind a bad line: calls take turns, fail, lose their answers; watches lag, break and expire. All from one seed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from typing import Any

from api.kinds import Kind
from client import errors
from client.fake import FakeTransport
from client.transport import JSON, Listing, Query
from kit.clock import Clock


class FlakyTransport:
    """`client.transport.Transport` around another, with trouble while `trouble` is above 0."""

    def __init__(self, inner: FakeTransport, clock: Clock, rng: random.Random, trouble: float) -> None:
        self._inner, self._clock, self._rng = inner, clock, rng
        self.trouble = trouble
        self.lag = 0.3

    async def request(self, method: str, path: str, query: Query, body: bytes = b"", content_type: str = JSON) -> bytes:
        await self._turn()
        if self._strikes():
            if method == "PUT" or (method == "PATCH" and self._rng.random() < 0.5):
                raise errors.make(409, "the object has been modified; please apply your changes to the latest version")
            raise errors.unavailable("connection refused")
        answer = await self._inner.request(method, path, query, body, content_type)
        await self._turn()
        if self._strikes():
            raise errors.unavailable("the answer was lost")
        return answer

    async def list(self, kind: Kind[Any], namespace: str, query: Query) -> Listing:
        await self._turn()
        if self._strikes():
            raise errors.unavailable("connection refused")
        return await self._inner.list(kind, namespace, query)

    async def watch(self, kind: Kind[Any], namespace: str, query: Query) -> AsyncGenerator[tuple[str, bytes], None]:
        async for event in self._inner.watch(kind, namespace, query):
            if self.trouble and self._rng.random() < self.lag:
                await self._clock.sleep(self._rng.choice((0.1, 0.1, 0.5, 2.0)))
            yield event

    async def close(self) -> None:
        await self._inner.close()

    def _strikes(self) -> bool:
        return self._rng.random() < self.trouble

    async def _turn(self) -> None:
        for _ in range(self._rng.randrange(3) if self.trouble else 0):
            await asyncio.sleep(0)
