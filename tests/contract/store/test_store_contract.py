"""What every store engine promises. Add an engine to `ENGINES` and it is held to all of it."""

from __future__ import annotations

import asyncio
import itertools
import random
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from controlplane.store.etcd import EtcdStore
from controlplane.store.interface import (
    Change,
    Compacted,
    CompareFailed,
    FutureRevision,
    Op,
    Store,
    StoreError,
    Unavailable,
)
from controlplane.store.sqlite import SqliteStore
from kit.clock import FakeClock
from testbed.etcd import EtcdCluster


class Engine(Protocol):
    """A place for one test's keys, and the time that passes there."""

    async def open(self) -> Store: ...

    def seconds(self, seconds: float) -> float:
        """A time to live that is long or short in relation to others."""

    async def elapse(self, seconds: float) -> None:
        """Let that much of it pass, or leave it to who waits."""


class Sqlite:
    """A file, and a clock of the test's."""

    def __init__(self, folder: Path) -> None:
        self.path, self.clock = folder / "store.db", FakeClock()

    async def open(self) -> Store:
        return await SqliteStore.open(self.path, self.clock)

    def seconds(self, seconds: float) -> float:
        return seconds

    async def elapse(self, seconds: float) -> None:
        await self.clock.advance(seconds)


class Etcd:
    """A prefix in one etcd for all tests, which lives by its own clock."""

    numbers = itertools.count()

    def __init__(self, cluster: EtcdCluster) -> None:
        self.place = cluster.place(f"/test{next(self.numbers)}")

    async def open(self) -> Store:
        return await EtcdStore.open(self.place)

    def seconds(self, seconds: float) -> float:
        return seconds / 6  # 60 are not over before a test has written what it wants

    async def elapse(self, seconds: float) -> None:
        """Who watches waits long enough."""


@pytest.fixture(scope="module")
def etcd_cluster() -> Iterator[EtcdCluster]:
    """In memory, where no disk of others makes it slow."""
    memory = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as folder, EtcdCluster(Path(folder)) as cluster:
        yield cluster


@pytest.fixture(params=["sqlite", pytest.param("etcd", marks=pytest.mark.etcd)])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    return Sqlite(tmp_path) if request.param == "sqlite" else Etcd(request.getfixturevalue("etcd_cluster"))


@pytest.fixture
async def store(engine: Engine) -> AsyncIterator[Store]:
    opened = await engine.open()
    yield opened
    await opened.close()


@pytest.fixture
def base(store: Store) -> int:
    """The revision before the test's first write."""
    return store.revision


async def take(watch: AsyncIterator[list[Change]], count: int) -> list[Change]:
    """The next `count` changes of a watch."""
    got: list[Change] = []
    async with asyncio.timeout(120):
        while len(got) < count:
            got += await anext(watch)
    return got


async def test_a_new_store_is_empty(store: Store) -> None:
    assert await store.get("/a") is None
    assert (await store.range("/")).records == []


async def test_each_write_takes_the_next_revision(store: Store, base: int) -> None:
    assert await store.put("/a", b"1") == base + 1
    assert await store.put("/b", b"1") == base + 2
    assert await store.put("/a", b"2") == base + 3
    record = await store.get("/a")
    assert record is not None
    assert (record.value, record.create_revision, record.mod_revision) == (b"2", base + 1, base + 3)
    assert store.revision == await store.fresh() == base + 3


async def test_create_only_when_missing(store: Store, base: int) -> None:
    await store.put("/a", b"1", expected=0)
    with pytest.raises(CompareFailed) as failed:
        await store.put("/a", b"2", expected=0)
    assert failed.value.current is not None
    assert failed.value.current.value == b"1"
    assert store.revision == base + 1


async def test_compare_and_swap(store: Store, base: int) -> None:
    first = await store.put("/a", b"1")
    second = await store.put("/a", b"2", expected=first)
    with pytest.raises(CompareFailed):
        await store.put("/a", b"3", expected=first)
    with pytest.raises(CompareFailed):
        await store.delete("/a", expected=first)
    assert await store.delete("/a", expected=second) == base + 3
    assert await store.get("/a") is None


async def test_deleting_what_is_not_there_fails(store: Store, base: int) -> None:
    with pytest.raises(CompareFailed) as failed:
        await store.delete("/a")
    assert failed.value.current is None
    await store.put("/a", b"1")
    await store.delete("/a")
    with pytest.raises(CompareFailed):
        await store.put("/a", b"2", expected=base + 1)


async def test_a_key_made_again_has_a_new_create_revision(store: Store, base: int) -> None:
    await store.put("/a", b"1")
    await store.delete("/a")
    await store.put("/a", b"2", expected=0)
    record = await store.get("/a")
    assert record is not None
    assert (record.create_revision, record.mod_revision) == (base + 3, base + 3)


async def test_of_many_writers_with_one_expectation_exactly_one_wins(store: Store, base: int) -> None:
    first = await store.put("/a", b"0")
    results = await asyncio.gather(
        *(store.put("/a", b"%d" % n, expected=first) for n in range(50)), return_exceptions=True
    )
    assert sum(isinstance(r, int) for r in results) == 1
    assert sum(isinstance(r, CompareFailed) for r in results) == 49
    assert store.revision == base + 2


async def test_writes_that_are_done_together(store: Store, base: int) -> None:
    old = await store.put("/old", b"1")
    watch = store.watch("/", old)
    last = await store.commit(Op("/b", b"1", 0), Op("/old", None, old), Op("/nothing", None), Op("/a", b"1", 0))
    assert [(r.key, r.value) for r in (await store.range("/")).records] == [("/a", b"1"), ("/b", b"1")]
    found = await store.get("/a")
    assert found is not None
    assert found.mod_revision == last == store.revision == await store.fresh()
    changes = await take(watch, 3)
    assert [(c.key, c.value, c.previous) for c in sorted(changes, key=lambda c: c.key)] == [
        ("/a", b"1", None),
        ("/b", b"1", None),
        ("/old", None, b"1"),
    ]
    assert all(base + 1 < change.revision <= last for change in changes)
    await watch.aclose()


async def test_of_writes_together_none_is_done_if_one_cannot_be(store: Store) -> None:
    first = await store.put("/taken", b"1")
    for failing in (Op("/taken", b"2", 0), Op("/taken", None, first + 7), Op("/missing", b"2", first)):
        with pytest.raises(CompareFailed) as failed:
            await store.commit(Op("/new", b"1", 0), failing, Op("/taken2", b"1"))
        assert failed.value.key == failing.key
        assert (failed.value.current is not None) == (failing.key == "/taken")
    assert [r.key for r in (await store.range("/")).records] == ["/taken"]
    assert await store.fresh() == first


async def test_of_many_who_write_together_with_one_key_in_common_exactly_one_wins(store: Store) -> None:
    tries = (store.commit(Op(f"/mine/{n}", b"1", 0), Op("/common", b"%d" % n, 0)) for n in range(30))
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(r, int) for r in results) == 1
    assert sum(isinstance(r, CompareFailed) for r in results) == 29
    winner = await store.get("/common")
    assert winner is not None
    assert [r.key for r in (await store.range("/mine/")).records] == [f"/mine/{winner.value.decode()}"]


async def test_range_is_ordered_and_bounded_by_its_prefix(store: Store) -> None:
    for key in ("/p/c", "/p/a", "/q/a", "/p/b", "/pp"):
        await store.put(key, b"x")
    assert [r.key for r in (await store.range("/p/")).records] == ["/p/a", "/p/b", "/p/c"]
    page = await store.range("/p/", limit=2)
    assert ([r.key for r in page.records], page.remaining) == (["/p/a", "/p/b"], 1)
    rest = await store.range("/p/", start="/p/b\0", limit=2)
    assert ([r.key for r in rest.records], rest.remaining) == (["/p/c"], 0)


async def test_range_at_a_past_revision(store: Store, base: int) -> None:
    await store.put("/a", b"1")
    await store.put("/b", b"1")
    await store.put("/a", b"2")
    await store.delete("/b")
    seen = {at: {r.key: r.value for r in (await store.range("/", revision=base + at)).records} for at in (1, 2, 3, 4)}
    assert seen == {1: {"/a": b"1"}, 2: {"/a": b"1", "/b": b"1"}, 3: {"/a": b"2", "/b": b"1"}, 4: {"/a": b"2"}}
    with pytest.raises(FutureRevision):
        await store.range("/", revision=base + 5)


async def test_watch_from_the_past_joins_the_present(store: Store, base: int) -> None:
    await store.put("/a", b"1")
    await store.put("/a", b"2")
    watch = store.watch("/", base + 1)
    assert await take(watch, 1) == [Change(base + 2, "/a", b"2", b"1", base + 1)]
    await store.delete("/a")
    await store.put("/b", b"x")
    assert await take(watch, 2) == [
        Change(base + 3, "/a", None, b"2", base + 1),
        Change(base + 4, "/b", b"x", None, base + 4),
    ]
    await watch.aclose()


async def test_watch_sees_only_its_prefix(store: Store, base: int) -> None:
    watch = store.watch("/p/", base)
    await store.put("/q/a", b"1")
    await store.put("/p/a", b"1")
    assert [c.key for c in await take(watch, 1)] == ["/p/a"]
    await watch.aclose()


async def test_every_watcher_sees_every_change_once_in_order(store: Store, base: int) -> None:
    total = 300

    async def follow(after: int) -> list[int]:
        watch = store.watch("/", base + after)
        got = [c.revision - base for c in await take(watch, total - after)]
        await watch.aclose()
        return got

    early = asyncio.create_task(follow(0))
    await asyncio.gather(*(store.put(f"/{n % 7}", b"%d" % n) for n in range(total // 2)))
    late = [asyncio.create_task(follow(after)) for after in (0, 10, 149, 150)]
    await asyncio.gather(*(store.put(f"/{n % 7}", b"%d" % n) for n in range(total // 2)))
    assert await early == list(range(1, total + 1))
    for task, after in zip(late, (0, 10, 149, 150), strict=True):
        assert await task == list(range(after + 1, total + 1))


async def test_compaction_forgets_only_what_was_replaced(store: Store, base: int) -> None:
    for n in range(4):
        await store.put("/a", b"%d" % n)
    await store.put("/gone", b"x")
    await store.delete("/gone")
    await store.put("/b", b"x")
    await store.compact(base + 6)
    with pytest.raises(Compacted):
        await store.range("/", revision=base + 5)
    with pytest.raises(Compacted):
        await anext(store.watch("/", base + 5))
    at_six = await store.range("/", revision=base + 6)
    assert {r.key: r.value for r in at_six.records} == {"/a": b"3"}
    watch = store.watch("/", base + 6)
    assert [c.key for c in await take(watch, 1)] == ["/b"]
    await watch.aclose()
    await store.compact(base + 6)
    with pytest.raises(FutureRevision):
        await store.compact(base + 8)


async def test_no_revision_is_used_twice_after_everything_was_deleted(engine: Engine, store: Store, base: int) -> None:
    await store.put("/a", b"1")
    await store.delete("/a")
    await store.compact(base + 2)
    await store.close()
    again = await engine.open()
    assert again.revision == base + 2
    assert await again.put("/a", b"2", expected=0) == base + 3
    await again.close()


async def test_a_key_with_a_time_to_live_is_deleted_when_it_is_due(engine: Engine, store: Store, base: int) -> None:
    await store.put("/event/3", b"x", ttl=engine.seconds(60))
    await store.put("/event/3", b"y", ttl=engine.seconds(6000))
    await store.put("/event/4", b"x", ttl=engine.seconds(60))
    await store.put("/event/4", b"y")
    await store.put("/event/2", b"x", ttl=engine.seconds(90))
    await store.put("/event/1", b"x", ttl=engine.seconds(60))
    left = await store.expiring("/event/")
    assert sorted(left) == ["/event/1", "/event/2", "/event/3"]
    assert left["/event/2"] < left["/event/3"] <= engine.seconds(6000)
    watch = store.watch("/event/", base + 6)
    await engine.elapse(61)
    gone = await take(watch, 1)
    await engine.elapse(30)
    gone += await take(watch, 2 - len(gone))  # who is slow is told of both at once
    assert [(c.revision, c.key, c.value, c.previous) for c in gone] == [
        (base + 7, "/event/1", None, b"x"),
        (base + 8, "/event/2", None, b"x"),
    ]
    assert [r.key for r in (await store.range("/event/")).records] == ["/event/3", "/event/4"]
    await watch.aclose()
    await store.delete("/event/3")


async def test_keys_due_at_once_are_deleted_one_revision_each(engine: Engine, store: Store, base: int) -> None:
    await asyncio.gather(*(store.put(f"/{n}", b"x", ttl=engine.seconds(60)) for n in range(10)))
    watch = store.watch("/", base + 10)
    await engine.elapse(61)
    assert [c.revision for c in await take(watch, 10)] == list(range(base + 11, base + 21))
    await watch.aclose()


async def test_an_empty_store_can_start_after_a_revision(engine: Engine, store: Store, base: int) -> None:
    await store.put("/gone", b"x")
    await store.delete("/gone")
    start = base + 1_000_000
    await store.start_after(start)
    first = await store.put("/a", b"1")
    assert first > start
    assert await store.put("/a", b"2", expected=first) == first + 1
    await store.close()
    again = await engine.open()
    record = await again.get("/a")
    assert record is not None
    assert (record.create_revision, record.mod_revision, again.revision) == (first, first + 1, first + 1)
    watch = again.watch("/", first)
    assert await take(watch, 1) == [Change(first + 1, "/a", b"2", b"1", first)]
    await watch.aclose()
    with pytest.raises(Compacted):
        await anext(again.watch("/", start - 1))
    with pytest.raises(Compacted):
        await again.range("/", revision=base + 1)
    with pytest.raises(StoreError, match="there are keys already"):
        await again.start_after(start + 10)
    await again.close()


async def test_what_was_acknowledged_is_there_after_reopening(engine: Engine, store: Store) -> None:
    await asyncio.gather(*(store.put(f"/{n}", b"%d" % n) for n in range(100)))
    await store.close()
    with pytest.raises(Unavailable):
        await store.put("/late", b"x")
    again = await engine.open()
    assert len((await again.range("/")).records) == 100
    await again.close()


async def test_closing_ends_the_watches(store: Store, base: int) -> None:
    seen = asyncio.Event()

    async def follow() -> None:
        async for _ in store.watch("/", base):
            seen.set()

    following = asyncio.create_task(follow())
    await store.put("/a", b"1")
    async with asyncio.timeout(120):
        await seen.wait()
        await store.close()
        await following


@pytest.mark.parametrize("seed", range(20))
async def test_random_writes_equal_a_dictionary(store: Store, base: int, seed: int) -> None:
    rng = random.Random(seed)
    model: dict[str, bytes] = {}
    history: dict[int, dict[str, bytes]] = {base: {}}
    oldest = base
    for step in range(150):
        key = f"/{rng.randrange(8)}"
        if rng.random() < 0.3 and key in model:
            revision = await store.delete(key)
            del model[key]
        else:
            model[key] = b"%d" % step
            revision = await store.put(key, model[key])
        history[revision] = dict(model)
        if rng.random() < 0.05:
            oldest = rng.randint(oldest, revision)
            await store.compact(oldest)
    for at in range(max(oldest, base + 1), store.revision + 1):
        assert {r.key: r.value for r in (await store.range("/", revision=at)).records} == history[at]
    watch = store.watch("/", oldest)
    replayed = dict(history[oldest])
    for change in await take(watch, store.revision - oldest):
        assert replayed.get(change.key) == change.previous
        if change.value is None:
            del replayed[change.key]
        else:
            replayed[change.key] = change.value
        assert replayed == history[change.revision]
    await watch.aclose()
