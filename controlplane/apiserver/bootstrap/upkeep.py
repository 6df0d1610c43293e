"""Sees to what follows from other objects, whenever one of those changes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from api.kinds import Kind
from api.selectors import SelectorError
from client.errors import ApiError
from controlplane.apiserver.cache import Cache, Event, Kept
from kit import log
from kit.clock import Clock

PAUSE_SECONDS = 1.0  # after an error

_log = log.get("apiserver.upkeep")


class Upkeep:
    """The task: it calls `settle` after changes of `kinds`. It looks again after its own writes, so chains come right in the end."""

    def __init__(
        self, cache: Cache, clock: Clock, kinds: Collection[Kind[Any]], settle: Callable[[], Awaitable[None]]
    ) -> None:
        self._clock, self._kinds, self._settle = clock, kinds, settle
        self._changed = asyncio.Event()
        cache.observe(self._observe)

    def _observe(self, kept: Kept, event: Event) -> None:
        if kept.kind in self._kinds:
            self._changed.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self._settle()
            except (ApiError, SelectorError) as error:
                _log.warning("an upkeep failed, will try again", upkeep=self._settle.__name__, error=error)
                await self._clock.sleep(PAUSE_SECONDS)
                self._changed.set()
