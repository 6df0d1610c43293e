"""A server that is killed again and again loses nothing: not a write, not an event, not the order of either."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from api import kinds
from api.core_v1 import ConfigMap
from controlplane.store.etcd import EtcdStore
from controlplane.store.interface import PROGRESS, Change, Store
from controlplane.store.sqlite import SqliteStore
from testbed.etcd import EtcdCluster
from tests.scenario.apiserver.crash import (
    NAMESPACE,
    SHARED,
    Door,
    History,
    Place,
    Seen,
    Watcher,
    Writer,
    config_map,
)

KEYS = f"/registry/core/configmaps/{NAMESPACE}/"
WRITERS = 8
MOST_BETWEEN = 60  # acknowledged writes between two kills
SELECTORS = (
    ("", lambda writer: True),
    ("", lambda writer: True),
    ("writer=w0", lambda writer: writer == "w0"),
    ("writer notin (w0, w1)", lambda writer: writer not in ("w0", "w1")),
)


@asynccontextmanager
async def at_work(place: Place, history: History, seed: int) -> AsyncIterator[list[Watcher]]:
    """Writers and watchers, until the end of the block; any failure of theirs ends it."""
    after = await write(place, history, SHARED, "0")
    watchers = [Watcher(place, seed + n, str(after), *selector) for n, selector in enumerate(SELECTORS)]
    writers = [Writer(place, history, f"w{n}", seed) for n in range(WRITERS)]
    async with asyncio.TaskGroup() as group:
        watching = [group.create_task(watcher.run()) for watcher in watchers]
        writing = [group.create_task(writer.run()) for writer in writers]
        yield watchers
        for writer in writers:
            writer.stopping = True
        await asyncio.gather(*writing)
        for writer_name in ("w0", "w2"):  # who has seen these has seen all
            revision = await write(place, history, f"last-{writer_name}", "0", writer_name)
            for watcher in watchers:
                if watcher.wants(writer_name):
                    await watcher.until(revision)
        for task in watching:
            task.cancel()


async def write(place: Place, history: History, name: str, n: str, writer: str = "") -> int:
    """A write while no server is being killed; its revision."""
    door = Door(place, random.Random(0))
    client = await door.client()
    made = await client.create(kinds.CONFIG_MAP, config_map(name, n, writer))
    history.acknowledge(made)
    await door.leave()
    return int(made.metadata.resource_version or 0)


async def acknowledged(history: History, count: int) -> None:
    """Wait for as many more acknowledged writes."""
    wanted = len(history.revisions) + count
    async with asyncio.timeout(120):
        while len(history.revisions) < wanted:
            history.news.clear()
            await history.news.wait()


async def changes_of(store: Store) -> list[tuple[Seen, str]]:
    """Every change of the objects as the store has kept it, with the object's writer."""
    found: list[tuple[Seen, str]] = []
    newest = await store.fresh()
    present = (await store.range(KEYS)).records
    last = max(record.mod_revision for record in present)
    assert last <= newest
    async for batch in store.watch(KEYS, 0):
        found += [_seen(change) for change in batch if change.key != PROGRESS]
        if found and found[-1][0].revision >= last:
            return found
    raise AssertionError("the store ended the watch")


def _seen(change: Change) -> tuple[Seen, str]:
    type_ = "DELETED" if change.value is None else "ADDED" if change.previous is None else "MODIFIED"
    obj = msgspec.json.decode(change.value or change.previous or b"", type=ConfigMap)
    return Seen(change.revision, type_, obj.metadata.name or "", obj.data["n"]), obj.metadata.labels["writer"]


async def check(store: Store, history: History, watchers: list[Watcher]) -> None:
    """Hold what clients were told against what is there."""
    changes = await changes_of(store)
    revisions = [seen.revision for seen, _ in changes]
    assert revisions == sorted(set(revisions)), "a revision is used twice"
    told = {seen.revision: (seen.name, seen.n) for seen, _ in changes}
    lost = {revision: what for revision, what in history.revisions.items() if told.get(revision) != what}
    assert lost == {}
    records = (await store.range(KEYS)).records
    objects = [msgspec.json.decode(record.value, type=ConfigMap) for record in records]
    present = {obj.metadata.name: obj.data["n"] for obj in objects}
    wrong = {name: (present.get(name), may) for name, may in history.states.items() if present.get(name) not in may}
    assert wrong == {}
    count = int(present[SHARED])
    assert history.increments <= count <= history.increments + history.maybe_increments
    first = revisions[0]
    for watcher in watchers:
        wanted = [seen for seen, writer in changes if seen.revision > first and watcher.wants(writer)]
        assert watcher.seen == wanted
        assert watcher.lists == 0, "the history was there and not told"
    assert history.unknown > 0, "no write met a kill"


async def test_a_server_that_is_killed_20_times_loses_nothing(tmp_path: Path):
    rng, history = random.Random(11), History()
    path = tmp_path / "store.db"
    place = Place(tmp_path, str(path))
    try:
        await place.start()
        async with at_work(place, history, 11) as watchers:
            for _ in range(20):
                await acknowledged(history, rng.randint(1, MOST_BETWEEN))
                await place.kill()
                await place.start()
            await acknowledged(history, 1)
    finally:
        await place.close()
    store = await SqliteStore.open(path)
    await check(store, history, watchers)
    await store.close()


@pytest.mark.etcd
async def test_of_two_servers_on_one_etcd_one_is_killed_again_and_again(tmp_path: Path):
    rng, history = random.Random(12), History()
    with EtcdCluster(tmp_path / "etcd") as etcd:
        place = Place(tmp_path, etcd.place().endpoints[0])
        try:
            await place.start(0)
            await place.start(1)
            async with at_work(place, history, 12) as watchers:
                for _ in range(10):
                    await acknowledged(history, rng.randint(1, MOST_BETWEEN))
                    await place.kill(1)
                    await acknowledged(history, rng.randint(1, MOST_BETWEEN))
                    await place.start(1)
                await acknowledged(history, 1)
        finally:
            await place.close()
        store = await EtcdStore.open(etcd.place())
        await check(store, history, watchers)
        await store.close()
