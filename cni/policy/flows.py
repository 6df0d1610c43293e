"""Flows of addresses that pods give back. They are not judged again, and who gets an address next must not inherit any.

The kernel's table is read once for all who leave at the same time: whoever comes while it is being read waits for the next
reading, together with all others who do. For a few IPv4 addresses the kernel picks their flows itself, which is much cheaper.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from kit import log
from linux import conntrack
from linux.conntrack import Conntrack, Ends, Flow

FEW = 8  # three walks through the table each; the cost of reading all is that of thirty
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
                mine = sorted(ip for ip in ips if len(ip) == (4 if family == 4 else 16))
                forgotten += door.delete(family, _flows_of(door, family, mine))
            return forgotten
        finally:
            door.close()


def _flows_of(door: Conntrack, family: int, ips: list[bytes]) -> list[Flow]:
    """All flows of these addresses, some of them more than once."""
    if family == 4 and len(ips) <= FEW:
        wanted = (ends for ip in ips for ends in (Ends(source=ip), Ends(destination=ip), Ends(reply_source=ip)))
        return [flow for ends in wanted for flow in door.flows(family, ends=ends)]
    gone = frozenset(ips)
    each = ((flow, (flow.source, flow.destination, flow.reply_source)) for flow in door.flows(family))
    return [flow for flow, has in each if not gone.isdisjoint(has)]
