"""What every store engine promises. Add an engine to `ENGINES` and it is held to all of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controlplane.store.interface import Change, Compacted, CompareFailed, FutureRevision, Store, Unavailable
from controlplane.store.sqlite import SqliteStore
from kit.clock import FakeClock

ENGINES = {"sqlite": SqliteStore.open}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(params=ENGINES)
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> AsyncIterator[SqliteStore]:
    opened = await ENGINES[request.param](tmp_path / "store.db", clock)
    yield opened
    await opened.close()


async def take(watch: AsyncIterator[list[Change]], count: int) -> list[Change]:
    """The next `count` changes of a watch."""
    got: list[Change] = []
    async with asyncio.timeout(10):
        while len(got) < count:
            got += await anext(watch)
    return got


async def test_a_new_store_is_empty(store: Store) -> None:
    assert store.revision == 0
    assert await store.get("/a") is None
    assert (await store.range("/")).records == []


async def test_each_write_takes_the_next_revision(store: Store) -> None:
    assert await store.put("/a", b"1") == 1
    assert await store.put("/b", b"1") == 2
    assert await store.put("/a", b"2") == 3
    record = await store.get("/a")
    assert record is not None
    assert (record.value, record.create_revision, record.mod_revision) == (b"2", 1, 3)
    assert store.revision == 3


async def test_create_only_when_missing(store: Store) -> None:
    await store.put("/a", b"1", expected=0)
    with pytest.raises(CompareFailed) as failed:
        await store.put("/a", b"2", expected=0)
    assert failed.value.current is not None
    assert failed.value.current.value == b"1"
    assert store.revision == 1


async def test_compare_and_swap(store: Store) -> None:
    first = await store.put("/a", b"1")
    second = await store.put("/a", b"2", expected=first)
    with pytest.raises(CompareFailed):
        await store.put("/a", b"3", expected=first)
    with pytest.raises(CompareFailed):
        await store.delete("/a", expected=first)
    assert await store.delete("/a", expected=second) == 3
    assert await store.get("/a") is None


async def test_deleting_what_is_not_there_fails(store: Store) -> None:
    with pytest.raises(CompareFailed) as failed:
        await store.delete("/a")
    assert failed.value.current is None
    await store.put("/a", b"1")
    await store.delete("/a")
    with pytest.raises(CompareFailed):
        await store.put("/a", b"2", expected=1)


async def test_a_key_made_again_has_a_new_create_revision(store: Store) -> None:
    await store.put("/a", b"1")
    await store.delete("/a")
    await store.put("/a", b"2", expected=0)
    record = await store.get("/a")
    assert record is not None
    assert (record.create_revision, record.mod_revision) == (3, 3)


async def test_of_many_writers_with_one_expectation_exactly_one_wins(store: Store) -> None:
    first = await store.put("/a", b"0")
    results = await asyncio.gather(
        *(store.put("/a", b"%d" % n, expected=first) for n in range(50)), return_exceptions=True
    )
    assert sum(isinstance(r, int) for r in results) == 1
    assert sum(isinstance(r, CompareFailed) for r in results) == 49
    assert store.revision == 2


async def test_range_is_ordered_and_bounded_by_its_prefix(store: Store) -> None:
    for key in ("/p/c", "/p/a", "/q/a", "/p/b", "/pp"):
        await store.put(key, b"x")
    assert [r.key for r in (await store.range("/p/")).records] == ["/p/a", "/p/b", "/p/c"]
    page = await store.range("/p/", limit=2)
    assert ([r.key for r in page.records], page.remaining) == (["/p/a", "/p/b"], 1)
    rest = await store.range("/p/", start="/p/b\0", limit=2)
    assert ([r.key for r in rest.records], rest.remaining) == (["/p/c"], 0)


async def test_range_at_a_past_revision(store: Store) -> None:
    await store.put("/a", b"1")
    await store.put("/b", b"1")
    await store.put("/a", b"2")
    await store.delete("/b")
    seen = {at: {r.key: r.value for r in (await store.range("/", revision=at)).records} for at in (1, 2, 3, 4)}
    assert seen == {1: {"/a": b"1"}, 2: {"/a": b"1", "/b": b"1"}, 3: {"/a": b"2", "/b": b"1"}, 4: {"/a": b"2"}}
    with pytest.raises(FutureRevision):
        await store.range("/", revision=5)


async def test_watch_from_the_past_joins_the_present(store: Store) -> None:
    await store.put("/a", b"1")
    await store.put("/a", b"2")
    watch = store.watch("/", 1)
    assert await take(watch, 1) == [Change(2, "/a", b"2", b"1", 1)]
    await store.delete("/a")
    await store.put("/b", b"x")
    assert await take(watch, 2) == [Change(3, "/a", None, b"2", 1), Change(4, "/b", b"x", None, 4)]
    await watch.aclose()


async def test_watch_sees_only_its_prefix(store: Store) -> None:
    watch = store.watch("/p/", 0)
    await store.put("/q/a", b"1")
    await store.put("/p/a", b"1")
    assert [c.key for c in await take(watch, 1)] == ["/p/a"]
    await watch.aclose()


async def test_every_watcher_sees_every_change_once_in_order(store: Store) -> None:
    total = 300

    async def follow(after: int) -> list[int]:
        watch = store.watch("/", after)
        got = [c.revision for c in await take(watch, total - after)]
        await watch.aclose()
        return got

    early = asyncio.create_task(follow(0))
    await asyncio.gather(*(store.put(f"/{n % 7}", b"%d" % n) for n in range(total // 2)))
    late = [asyncio.create_task(follow(after)) for after in (0, 10, 149, 150)]
    await asyncio.gather(*(store.put(f"/{n % 7}", b"%d" % n) for n in range(total // 2)))
    assert await early == list(range(1, total + 1))
    for task, after in zip(late, (0, 10, 149, 150), strict=True):
        assert await task == list(range(after + 1, total + 1))


async def test_compaction_forgets_only_what_was_replaced(store: Store) -> None:
    for n in range(4):
        await store.put("/a", b"%d" % n)
    await store.put("/gone", b"x")
    await store.delete("/gone")
    await store.put("/b", b"x")
    await store.compact(6)
    with pytest.raises(Compacted):
        await store.range("/", revision=5)
    with pytest.raises(Compacted):
        await anext(store.watch("/", 5))
    at_six = await store.range("/", revision=6)
    assert {r.key: r.value for r in at_six.records} == {"/a": b"3"}
    watch = store.watch("/", 6)
    assert [c.key for c in await take(watch, 1)] == ["/b"]
    await watch.aclose()
    await store.compact(6)
    with pytest.raises(FutureRevision):
        await store.compact(8)


async def test_no_revision_is_used_twice_after_everything_was_deleted(store: SqliteStore, tmp_path: Path) -> None:
    await store.put("/a", b"1")
    await store.delete("/a")
    await store.compact(2)
    await store.close()
    again = await SqliteStore.open(tmp_path / "store.db")
    assert again.revision == 2
    assert await again.put("/a", b"2", expected=0) == 3
    await again.close()


async def test_a_key_with_a_time_to_live_is_deleted_when_it_is_due(store: Store, clock: FakeClock) -> None:
    await store.put("/event/1", b"x", ttl=60)
    await store.put("/event/2", b"x", ttl=120)
    await store.put("/event/3", b"x", ttl=60)
    await store.put("/event/3", b"y", ttl=600)
    watch = store.watch("/event/", 4)
    await clock.advance(61)
    assert [(c.key, c.value) for c in await take(watch, 1)] == [("/event/1", None)]
    await clock.advance(60)
    assert [(c.key, c.value) for c in await take(watch, 1)] == [("/event/2", None)]
    assert [r.key for r in (await store.range("/event/")).records] == ["/event/3"]
    await watch.aclose()


async def test_what_was_acknowledged_is_there_after_reopening(store: SqliteStore, tmp_path: Path) -> None:
    await asyncio.gather(*(store.put(f"/{n}", b"%d" % n) for n in range(100)))
    await store.close()
    with pytest.raises(Unavailable):
        await store.put("/late", b"x")
    again = await SqliteStore.open(tmp_path / "store.db")
    assert len((await again.range("/")).records) == 100
    await again.close()


async def test_a_second_process_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="another process uses it"):
        await SqliteStore.open(tmp_path / "store.db")


async def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.db").write_bytes(b"this is not a database" * 100)
    with pytest.raises(Unavailable, match="bad.db"):
        await SqliteStore.open(tmp_path / "bad.db")


@pytest.mark.parametrize("seed", range(20))
async def test_random_writes_equal_a_dictionary(store: Store, seed: int) -> None:
    rng = random.Random(seed)
    model: dict[str, bytes] = {}
    history: dict[int, dict[str, bytes]] = {0: {}}
    oldest = 0
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
    for at in range(max(oldest, 1), store.revision + 1):
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
