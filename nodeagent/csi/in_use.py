"""Volumes that have to be attached before they are mounted: which of them this node uses, as its status tells.

Whoever detaches volumes leaves those alone that a node says it uses. So a volume is named there before we look whether it is attached, and
until nothing of it is mounted any more:

    named in volumesInUse -> seen in volumesAttached -> mounted ... unmounted -> no longer named
"""

import asyncio
from collections.abc import Callable, Collection

from kit.clock import Clock, deadline
from nodeagent.csi import ledger

PATIENCE = 10.0  # for the API server to take a status


class VolumesInUse:
    """See the module. `changed` is called when the status has something new to tell; `told` when it has been told."""

    def __init__(self, root: str, clock: Clock) -> None:
        self.changed: Callable[[], object] = lambda: None
        self._root = root
        self._clock = clock
        self._users: dict[str, set[str]] | None = None  # name -> uids of pods
        self._told: Collection[str] = ()
        self._news = asyncio.Event()

    def names(self) -> list[str]:
        """What the status is to tell."""
        return sorted(self._known())

    async def take(self, uid: str, name: str) -> bool:
        """A pod is about to use it; whether the API server has heard of that."""
        self._known().setdefault(name, set()).add(uid)
        try:
            async with deadline(self._clock, PATIENCE):
                while name not in self._told:
                    self._news.clear()
                    self.changed()
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    def release(self, uid: str) -> None:
        """Nothing of this pod is mounted any more."""
        known = self._known()
        for users in known.values():
            users.discard(uid)
        unused = [name for name, users in known.items() if not users]
        for name in unused:
            del known[name]
        if unused:
            self._told = set(self._told).difference(unused)  # whoever wants one again waits until that is told again
            self.changed()

    def told(self, names: Collection[str]) -> None:
        """The API server has taken a status with these."""
        self._told = names
        self._news.set()

    def _known(self) -> dict[str, set[str]]:
        if self._users is None:  # what an agent before us has left mounted
            self._users = {}
            for record in ledger.records(self._root):
                if record.attached:
                    self._users.setdefault(unique_name(*record.volume), set()).add(record.uid)
        return self._users


def unique_name(driver: str, handle: str) -> str:
    """A volume as the status of a node names it."""
    return f"kubernetes.io/csi/{driver}^{handle}"
