"""Waiting for something that nothing announces, with an end."""

import asyncio
from collections.abc import Callable

from cli.errors import CliError
from kit.clock import Clock, SystemClock

INTERVAL = 0.02


def wait_until(condition: Callable[[], bool], seconds: float, what: str, clock: Clock | None = None) -> None:
    """Look until it is so; after `seconds` an error."""
    asyncio.run(_wait_until(condition, seconds, what, clock or SystemClock()))


async def _wait_until(condition: Callable[[], bool], seconds: float, what: str, clock: Clock) -> None:
    end = clock.monotonic() + seconds
    while not condition():
        if clock.monotonic() > end:
            raise CliError(
                what, f"not done after {seconds:g} s", "Look at 'wherry status' and the logs in /var/log/wherry"
            )
        await clock.sleep(INTERVAL)
