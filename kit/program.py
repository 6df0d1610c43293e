"""A program's main: the fast loop, memory settings, signals, an exit status."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

from kit import log, memory
from kit.clock import Clock
from kit.supervisor import Supervisor

C = TypeVar("C")
TRIM_SECONDS = 300.0
FILES = 65536

_log = log.get("program")


def main(
    run: Callable[[C, Supervisor], Awaitable[None]],
    config: C,
    *,
    name: str = "wherry",
    level: str = "info",
    style: log.Style | None = None,
) -> int:
    """Run an app until it ends; answers the exit status. `run` wires the app, spawns its parts and returns."""
    import uvloop

    log.configure(level, style)
    _adopt_logging()
    memory.configure()
    _allow_files()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        supervisor = runner.run(_run(run, config, name))
        if (
            supervisor.abandoned
        ):  # a part that will not stop must not keep the process, and the runner would wait for it
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(supervisor.exit_status or 1)
    return supervisor.exit_status


async def _run(run: Callable[[C, Supervisor], Awaitable[None]], config: C, name: str) -> Supervisor:
    supervisor = Supervisor()
    started = supervisor.clock.monotonic()
    try:
        async with supervisor:
            await run(config, supervisor)
            memory.freeze()
            took, size = supervisor.clock.monotonic() - started, memory.resident() >> 20
            _log.info("started", program=name, seconds=round(took, 3), resident_mb=size, pid=os.getpid())
            trimming = Trimming(supervisor.clock)
            supervisor.defer("trimming", trimming.stop)
    except Exception as error:  # the loop's edge
        # What a door refuses reads "cannot X: reason" and is enough for the user; anything else is ours to find.
        say = _log.error if isinstance(error, OSError) or str(error).startswith("cannot ") else _log.exception
        say("cannot start", program=name, error=error)
        supervisor.exit_status = 1
    return supervisor


class Trimming:
    """Gives freed memory back now and then: after thousands of connections most of it would stay with malloc."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._timer = clock.call_later(TRIM_SECONDS, self._trim)

    def _trim(self) -> None:
        memory.trim()
        self._timer = self._clock.call_later(TRIM_SECONDS, self._trim)

    def stop(self) -> None:
        """No more."""
        self._timer.cancel()


class _Adopted(logging.Handler):
    """What libraries log through `logging` comes out like the rest."""

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, object] = {}
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = record.exc_info[1]
        target = log.get(record.name)
        if fields:
            target.exception(record.getMessage(), **fields)
        elif record.levelno >= logging.ERROR:
            target.error(record.getMessage())
        else:
            target.warning(record.getMessage())


def _allow_files() -> None:
    """Each connection is a file; the soft limit of 1024 is for programs that use select."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if hard == resource.RLIM_INFINITY else min(hard, FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _adopt_logging() -> None:
    root = logging.getLogger()
    root.handlers[:] = [_Adopted(logging.WARNING)]
    root.setLevel(logging.WARNING)
