"""The file from which the runtime learns of the pod network: written when the node gets addresses for pods, and kept as it is to be.

Until it is there, no pod can have a network. So the node's readiness tells why it cannot be written, and it is tried again.
"""

import asyncio
from collections.abc import Callable

from kit import log
from kit.backoff import Backoff
from kit.clock import Clock, deadline

RETRY = Backoff(base=0.5, cap=10.0)
_log = log.get("network-file")


class NetworkFile:
    """See the module. `write` takes addresses and MTU and returns what went wrong; `tell` hears of each new outcome."""

    def __init__(
        self, write: Callable[[tuple[str, ...], int], str], clock: Clock, tell: Callable[[str], object]
    ) -> None:
        self._write = write
        self._clock = clock
        self._tell = tell
        self._ranges: tuple[str, ...] = ()
        self._mtu = 0
        self._look = asyncio.Event()

    def ranges(self, found: tuple[str, ...]) -> None:
        """The node has these addresses for pods; none: as before. The file is looked at in any case."""
        self._ranges = found or self._ranges
        self._look.set()

    def mtu(self, found: int) -> None:
        """The ways to other nodes' pods have room for this; pods that are made from now on get it."""
        self._mtu = found
        self._look.set()

    async def run(self) -> None:
        """Until cancelled."""
        retries = RETRY.retries()
        told = None
        while True:
            self._look.clear()
            wanted = self._ranges, self._mtu
            problem = self._write(*wanted) if self._ranges else ""
            if self._ranges and (wanted, problem) != told:
                told = wanted, problem
                self._tell(problem)
                if problem:
                    _log.warning("the runtime cannot be told of the pod network, will try again", error=problem)
            if not problem:
                retries.reset()
            try:
                async with deadline(self._clock, retries.next() if problem else None):
                    await self._look.wait()
            except TimeoutError:
                pass
