"""The feed goes on whatever one object or one watcher does."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from api import kinds
from controlplane.apiserver.cache import Cache
from controlplane.apiserver.call import Watching
from controlplane.apiserver.selection import Selection
from controlplane.apiserver.watching import QueueWatcher
from controlplane.store.interface import Change, Compacted, Range, Record

KEY = "/registry/core/configmaps/default/"


def config_map(name: str) -> bytes:
    return f'{{"kind":"ConfigMap","apiVersion":"v1","metadata":{{"name":"{name}","namespace":"default"}}}}'.encode()


class Store:
    """A store whose state and changes the test writes."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.revision = 1
        self.batches: asyncio.Queue[list[Change] | Exception | None] = asyncio.Queue()

    async def range(self, prefix: str, **_: object) -> Range:
        return Range(list(self.records), self.revision)

    async def watch(self, prefix: str, after: int) -> AsyncIterator[list[Change]]:
        while (batch := await self.batches.get()) is not None:
            if isinstance(batch, Exception):
                raise batch
            yield batch


def put(revision: int, name: str, value: bytes | None = None) -> Change:
    return Change(revision, KEY + name, value or config_map(name), None, revision)


@pytest.fixture
async def fed():
    """(store, cache, its entries), running."""
    store = Store()
    cache = Cache(store, [kinds.CONFIG_MAP])
    await cache.load()
    running = asyncio.ensure_future(cache.run())
    yield store, cache, cache.resources[kinds.CONFIG_MAP]
    await store.batches.put(None)
    await running


async def test_an_object_that_cannot_be_read_is_left_out(fed):
    store, cache, kept = fed
    await store.batches.put([put(2, "bad", b"nonsense"), put(3, "good")])
    await cache.caught_up(3)
    assert kept.keys == ["default/good"]


async def test_a_watcher_that_fails_is_alone_in_it(fed):
    store, cache, kept = fed

    class Broken(QueueWatcher):
        def offer(self, event) -> None:
            raise RuntimeError("no")

    watchers = [kind(Watching(kept, Selection(), 1), lambda: None) for kind in (Broken, QueueWatcher)]
    for watcher in watchers:
        watcher.begin(cache.revision)
    await store.batches.put([put(2, "a")])
    await cache.caught_up(2)
    assert watchers[0].overrun
    assert len(watchers[1].queue) == 1
    assert list(kept.listeners) == [watchers[1]]


async def test_changes_of_what_nobody_keeps_only_move_the_revision(fed):
    store, cache, _ = fed
    await store.batches.put([Change(5, "/registry/core/pods/default/p", b"{}", None, 5)])
    await cache.caught_up(5)
    assert cache.revision == 5


async def test_a_broken_feed_is_made_good(fed):
    store, cache, kept = fed
    await store.batches.put([put(2, "stays"), put(3, "goes")])
    await cache.caught_up(3)
    watcher = QueueWatcher(Watching(kept, Selection(), 3), lambda: None)
    watcher.begin(3)
    store.records = [
        Record(KEY + "stays", config_map("stays"), 2, 2),
        Record(KEY + "new", config_map("new"), 8, 8),
    ]
    store.revision = 9
    await store.batches.put(Compacted(3, 7))
    await cache.caught_up(9)
    assert kept.keys == ["default/new", "default/stays"]
    assert [type_ for type_, _ in watcher.queue] == ["ADDED", "DELETED"]


async def test_waiting_for_a_revision(fed):
    store, cache, _ = fed
    waiting = asyncio.ensure_future(cache.caught_up(4))
    await store.batches.put([put(2, "a")])
    await cache.caught_up(2)
    assert not waiting.done()
    await store.batches.put([put(4, "b")])
    await asyncio.wait_for(waiting, 120)
