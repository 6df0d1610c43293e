"""Flows of addresses that pods give back. They are not judged again, and who gets an address next must not inherit any.

The kernel's table is read once for all who leave at the same time: whoever comes while it is being read waits for the next
reading, together with all others who do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from kit import log
from linux import conntrack
from linux.conntrack import Conntrack

_log = log.get("policy")


class _Reading:
    def __init__(self) -> None:
        self.ips: set[bytes] = set()
        self.done = False


class Flows:
    """See the module."""

    def __init__(self, open_door: Callable[[], Conntrack] = conntrack.Kernel) -> None:
        self._open_door = open_door
        self._next = _Reading()
        self._turn = asyncio.Lock()

    async def forget(self, ips: Iterable[bytes]) -> None:
        """Forget all flows of these addresses; ConntrackError if that cannot be."""
        mine = self._next
        mine.ips.update(ips)
        async with self._turn:
            if mine.done:
                return
            if mine is self._next:
                self._next = _Reading()
            count = await asyncio.to_thread(self._forget, frozenset(mine.ips))
            mine.done = True
        _log.debug("forgot flows", addresses=len(mine.ips), flows=count)

    def _forget(self, ips: frozenset[bytes]) -> int:
        door = self._open_door()
        try:
            forgotten = 0
            for family in sorted({4 if len(ip) == 4 else 6 for ip in ips}):
                ends = ((one, (one.source, one.destination, one.reply_source)) for one in door.flows(family))
                forgotten += door.delete(family, [one for one, has in ends if not ips.isdisjoint(has)])
            return forgotten
        finally:
            door.close()
