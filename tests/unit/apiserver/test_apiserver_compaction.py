"""The past is forgotten five minutes late."""

import asyncio

from controlplane.apiserver.compaction import KEEP_SECONDS, compact_for_ever
from controlplane.store.interface import Unavailable
from kit.clock import FakeClock


class Store:
    """Counts revisions and remembers compactions."""

    def __init__(self) -> None:
        self.revision = 10
        self.compacted: list[int] = []
        self.broken = False

    async def compact(self, revision: int) -> None:
        if self.broken:
            raise Unavailable("cannot write: disk full")
        self.compacted.append(revision)


class Rings:
    def __init__(self) -> None:
        self.forgotten: list[int] = []

    def forget(self, revision: int) -> None:
        self.forgotten.append(revision)


async def test_compaction_lags_by_five_minutes_and_survives_a_full_disk():
    store, rings, clock = Store(), Rings(), FakeClock()
    running = asyncio.ensure_future(compact_for_ever(store, rings, clock))
    await clock.advance(KEEP_SECONDS - 1)
    assert store.compacted == []
    store.revision = 20
    await clock.advance(1)
    store.revision, store.broken = 30, True
    await clock.advance(KEEP_SECONDS)
    store.broken = False
    await clock.advance(KEEP_SECONDS)
    assert store.compacted == [10, 30]
    assert rings.forgotten == [10, 20, 30]
    running.cancel()
