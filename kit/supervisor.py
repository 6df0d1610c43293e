"""Runs the parts of a program and ends them together.

Parts are started with `spawn`, in the order in which the program needs them. What ends the program: a signal, `stop()`, the last part
finishing, or a part that crashes and is not to be restarted (exit status 1). Ending goes in reverse order of starting, so that whoever
uses something is gone before it: a part is cancelled and has `grace` seconds; what was registered with `defer` is called in its place in
that order. A second signal takes the grace away.

    async with Supervisor() as supervisor:
        await run(config, supervisor)      # spawns, returns
    return supervisor.exit_status          # the block ends when the program has ended
"""

from __future__ import annotations

import asyncio
import inspect
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from kit import log
from kit.backoff import Backoff
from kit.clock import Clock, SystemClock, deadline

Factory = Callable[[], Awaitable[None]]
STABLE = 60.0  # a part that ran this long starts its back-off anew
_log = log.get("supervisor")


@dataclass(slots=True, eq=False)
class Part:
    """One thing to end: a running task, or a call to make."""

    name: str
    close: Callable[[], Awaitable[object] | object] | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class Supervisor:
    """A task group with names, restarts, signals and an order."""

    def __init__(
        self,
        clock: Clock | None = None,
        *,
        grace: float = 10.0,
        signals: bool = True,
        backoff: Backoff | None = None,
    ) -> None:
        self.exit_status = 0
        self._clock = clock or SystemClock()
        self._grace = grace
        self._signals = signals
        self._backoff = backoff or Backoff(base=0.1, cap=30.0, jitter=0.2)
        self._parts: list[Part] = []
        self._stopping = asyncio.Event()
        self._hurry: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.abandoned: list[str] = []

    @property
    def clock(self) -> Clock:
        """The clock the parts should use."""
        return self._clock

    @property
    def stopping(self) -> bool:
        """Whether the end has begun."""
        return self._stopping.is_set()

    def spawn(self, name: str, factory: Factory, *, restart: bool = False) -> Part:
        """Run `factory()` as a part. If it crashes it is started again after a back-off, or ends the program."""
        part = Part(name)
        part.task = asyncio.create_task(self._watch(part, factory, restart), name=name)
        self._parts.append(part)
        return part

    def defer(self, name: str, close: Callable[[], Awaitable[object] | object]) -> Part:
        """Call `close` when everything started later has ended."""
        part = Part(name, close=close)
        self._parts.append(part)
        return part

    def stop(self, reason: str = "asked to", status: int = 0) -> None:
        """Begin the end; the first reason given counts, and so does the first status that is not 0."""
        if not self.stopping:
            _log.info("stopping", reason=reason)
        self.exit_status = self.exit_status or status
        self._stopping.set()

    async def end(self, part: Part) -> None:
        """End one part before its time: cancel it and wait for it, or make its call."""
        if part in self._parts:
            self._parts.remove(part)
        await self._end(part)

    async def wait(self) -> None:
        """Return when the end begins."""
        await self._stopping.wait()

    async def __aenter__(self) -> Supervisor:
        if self._signals:
            loop = asyncio.get_running_loop()
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._on_signal, number)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                if not any(part.task for part in self._parts):
                    self.stop("nothing to run")
                await self._stopping.wait()
            else:
                self.stop("start-up failed", status=1)
        finally:
            await self._end_all()
            if self._signals:
                loop = asyncio.get_running_loop()
                for number in (signal.SIGTERM, signal.SIGINT):
                    loop.remove_signal_handler(number)

    def _on_signal(self, number: int) -> None:
        if self.stopping and not self._hurry.done():
            self._hurry.set_result(None)
        self.stop(signal.Signals(number).name)

    async def _watch(self, part: Part, factory: Factory, restart: bool) -> None:
        retries = self._backoff.retries()
        while True:
            started = self._clock.monotonic()
            try:
                await factory()
                break
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is not None and task.cancelling():
                    raise
                error: Exception = RuntimeError("cancelled by itself")
            except Exception as crash:  # the loop's edge
                error = crash
            if not restart:
                _log.exception("crashed", part=part.name, error=error)
                self.stop(f"{part.name} crashed", status=1)
                break
            if self._clock.monotonic() - started >= STABLE:
                retries.reset()
            delay = retries.next()
            _log.exception("crashed, will restart", part=part.name, error=error, after=delay)
            await self._clock.sleep(delay)
        if part in self._parts:
            self._parts.remove(part)
        if not self.stopping and not any(other.task for other in self._parts):
            self.stop("all parts have finished")

    async def _end_all(self) -> None:
        while self._parts:
            await self._end(self._parts.pop())

    async def _end(self, part: Part) -> None:
        try:
            if part.task is not None:
                part.task.cancel()
                await self._patience(part.name, part.task)
            elif part.close is not None:
                result = part.close()
                if inspect.isawaitable(result):
                    await self._patience(part.name, asyncio.ensure_future(result))
        except Exception as error:  # one part's failing end must not keep the others
            _log.exception("cannot stop cleanly", part=part.name, error=error)

    async def _patience(self, name: str, work: asyncio.Future[Any]) -> None:
        try:
            async with deadline(self._clock, self._grace):
                await asyncio.wait([work, self._hurry], return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            pass
        if not work.done():
            work.cancel()
            self.abandoned.append(name)
            _log.warning("did not stop in time", part=name, grace=self._grace)
        elif not work.cancelled() and (error := work.exception()) is not None:
            _log.exception("cannot stop cleanly", part=name, error=error)
