"""Post-start hooks: what a server sees to once it answers, each with a check in /readyz and /livez until it has been done.

A hook that fails is tried again; one with an interval comes back for ever, all of one interval at the same wake-up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from client.errors import ApiError
from controlplane.store.interface import StoreError
from kit import log
from kit.clock import Clock

RETRY_SECONDS = 1.0

_log = log.get("apiserver.hooks")


@dataclass(eq=False, slots=True)
class Hook:
    """`run` sees to something; `every` so many seconds, 0 for once."""

    name: str
    run: Callable[[], Awaitable[None]]
    every: float = 0.0
    done: bool = False

    @property
    def check(self) -> str:
        """The check's name."""
        return f"poststarthook/{self.name}"

    def problem(self) -> str:
        """ "" when it has been done."""
        return "" if self.done else "not finished"


class Hooks:
    """The hooks of a server, in stages: one begins when those before it are done."""

    def __init__(self, clock: Clock, *stages: tuple[Hook, ...]) -> None:
        self._clock = clock
        self._stages = stages
        self.all = [hook for stage in stages for hook in stage]
        self._finished = asyncio.Event()

    async def first(self) -> None:
        """Do all of them once."""
        for stage in self._stages:
            await asyncio.gather(*(self._until_done(hook) for hook in stage))
        self._finished.set()

    async def finished(self) -> None:
        """Return when all have been done."""
        await self._finished.wait()

    async def repeat(self) -> None:
        """Come back to those with an interval, for ever."""
        await self.finished()
        intervals = sorted({hook.every for hook in self.all if hook.every})
        async with asyncio.TaskGroup() as group:
            for every in intervals:
                group.create_task(self._repeat([hook for hook in self.all if hook.every == every], every))

    async def _repeat(self, hooks: list[Hook], every: float) -> None:
        while True:
            await self._clock.sleep(every)
            for hook in hooks:
                await self._try(hook)

    async def _until_done(self, hook: Hook) -> None:
        while not await self._try(hook):
            await self._clock.sleep(RETRY_SECONDS)
        hook.done = True

    async def _try(self, hook: Hook) -> bool:
        try:
            await hook.run()
        except (ApiError, StoreError) as error:
            _log.warning("a hook failed, will try again", hook=hook.name, error=error)
            return False
        return True
