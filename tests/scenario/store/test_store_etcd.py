"""The etcd engine when things go wrong around it: kills, other members, other clusters, certificates."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from controlplane.store.choice import Etcd
from controlplane.store.etcd import EtcdStore
from controlplane.store.interface import PROGRESS, Change, CompareFailed, TooLarge, Unavailable
from kit import pki
from testbed.etcd import EtcdCluster, Tls

pytestmark = pytest.mark.etcd


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[EtcdCluster]:
    with EtcdCluster(tmp_path) as cluster:
        yield cluster


@pytest.fixture
async def store(etcd: EtcdCluster) -> AsyncIterator[EtcdStore]:
    opened = await EtcdStore.open(etcd.place())
    yield opened
    await opened.close()


class Follower:
    """Collects what a watch tells."""

    def __init__(self, store: EtcdStore, after: int) -> None:
        self.changes: list[Change] = []
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._follow(store, after))

    async def _follow(self, store: EtcdStore, after: int) -> None:
        async for batch in store.watch("/", after):
            self.changes += batch
            self._news.set()

    async def until(self, revision: int) -> list[Change]:
        """Everything told, when the watch has come to `revision`."""
        async with asyncio.timeout(180):
            while not self.changes or self.changes[-1].revision < revision:
                self._news.clear()
                await self._news.wait()
        self._task.cancel()
        return self.changes


class Writer:
    """Creates keys one by one, each until it is there, until told to stop; `acknowledged` has their revisions."""

    def __init__(self, store: EtcdStore, name: str, acknowledged: dict[str, int]) -> None:
        self._stopping = False
        self._task = asyncio.create_task(self._write(store, name, acknowledged))

    async def stop(self) -> None:
        self._stopping = True
        async with asyncio.timeout(180):
            await self._task

    async def _write(self, store: EtcdStore, name: str, acknowledged: dict[str, int]) -> None:
        for n in itertools.count():
            key = f"/{name}/{n}"
            while key not in acknowledged:
                try:
                    acknowledged[key] = await store.put(key, b"x", expected=0)
                except Unavailable:
                    await asyncio.sleep(0.01)
                except CompareFailed as failed:  # kept, though the answer was lost
                    assert failed.current is not None
                    acknowledged[key] = failed.current.mod_revision
            if self._stopping:
                return


async def more(acknowledged: dict[str, int], count: int) -> None:
    """Wait until so many more have been written."""
    enough = len(acknowledged) + count
    async with asyncio.timeout(180):
        while len(acknowledged) < enough:
            await asyncio.sleep(0.005)


async def test_a_kill_of_etcd_loses_and_doubles_nothing(etcd: EtcdCluster, store: EtcdStore) -> None:
    base = store.revision
    followers = [Follower(store, base) for _ in range(3)]
    acknowledged: dict[str, int] = {}
    writers = [Writer(store, f"w{n}", acknowledged) for n in range(4)]
    for _ in range(4):
        await more(acknowledged, 150)
        etcd.kill(etcd.members[0])
        await asyncio.sleep(0.05)
        etcd.start(etcd.members[0])
    await more(acknowledged, 50)
    for writer in writers:
        await writer.stop()
    last = max(acknowledged.values())
    present = {r.key: r.mod_revision for r in (await store.range("/")).records}
    assert present == acknowledged
    for follower in followers:
        told = await follower.until(last)
        assert [c.revision for c in told] == list(range(base + 1, last + 1))
        assert {c.key: c.revision for c in told} == acknowledged


@pytest.mark.slow
async def test_a_member_may_fail(tmp_path: Path) -> None:
    with EtcdCluster(tmp_path, members=3) as cluster:
        store = await EtcdStore.open(cluster.place())
        follower = Follower(store, store.revision)
        acknowledged: dict[str, int] = {}
        writer = Writer(store, "w", acknowledged)
        for member in cluster.members:
            await more(acknowledged, 50)
            cluster.kill(member)
            await more(acknowledged, 50)
            cluster.start(member)
            await asyncio.to_thread(cluster.wait_healthy, member)
        await writer.stop()
        last = max(acknowledged.values())
        assert {c.key: c.revision for c in await follower.until(last)} == acknowledged
        await store.close()


async def test_clusters_share_an_etcd_by_prefix(etcd: EtcdCluster, store: EtcdStore) -> None:
    other = await EtcdStore.open(etcd.place("/other"))
    longer = await EtcdStore.open(etcd.place("/wherry2"))
    for n, one in enumerate((store, other, longer)):
        await one.put("/a", b"%d" % n, expected=0)
    assert [(r.key, r.value) for r in (await store.range("/")).records] == [("/a", b"0")]
    assert [(r.key, r.value) for r in (await longer.range("/")).records] == [("/a", b"2")]
    await other.close()
    await longer.close()


async def test_a_watch_comes_to_a_revision_that_others_made(etcd: EtcdCluster, store: EtcdStore) -> None:
    other = await EtcdStore.open(etcd.place("/other"))
    mine = await store.put("/a", b"1")
    follower = Follower(store, mine - 1)
    theirs = await other.put("/a", b"2")
    assert await store.fresh() == theirs
    told = await follower.until(theirs)
    assert [c.key for c in told] == ["/a", PROGRESS]
    assert told[-1].revision > theirs
    await other.close()


async def test_what_one_wrote_the_other_sees(etcd: EtcdCluster, store: EtcdStore) -> None:
    other = await EtcdStore.open(etcd.place())
    follower = Follower(store, store.revision)
    written = [await other.put(f"/{n}", b"x") for n in range(20)]
    assert await store.fresh() == written[-1]
    told = await follower.until(written[-1])
    assert [c.revision for c in told if c.key != PROGRESS] == written  # a slow watch may have been moved on by a fence
    assert min(await asyncio.gather(*(store.fresh() for _ in range(50)))) >= written[-1]
    await store.compact(written[10])
    await other.compact(written[5])  # another API server was quicker
    await other.close()


async def test_a_value_that_is_too_large_is_refused(store: EtcdStore) -> None:
    with pytest.raises(TooLarge, match="larger than|too large"):
        await store.put("/a", b"x" * (2 << 20))
    assert await store.get("/a") is None


async def test_a_large_range_comes_in_pages(store: EtcdStore) -> None:
    await asyncio.gather(*(store.put(f"/{n:05}", b"x" * 100) for n in range(2100)))
    assert [r.key for r in (await store.range("/")).records] == [f"/{n:05}" for n in range(2100)]
    page = await store.range("/", limit=1500)
    assert (len(page.records), page.remaining) == (1500, 600)


async def test_nobody_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"cannot reach etcd at http://127.0.0.1:9: no endpoint answers"):
        await EtcdStore.open(Etcd(endpoints=("http://127.0.0.1:9",)))


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        (Etcd(endpoints=()), "at least one endpoint"),
        (Etcd(endpoints=("127.0.0.1",)), "'127.0.0.1' is no endpoint"),
        (Etcd(endpoints=("ftp://a:1",)), "is no endpoint"),
        (Etcd(endpoints=("a:70000",)), "is no endpoint"),
        (Etcd(endpoints=("http://a:1", "https://b:1")), "either all endpoints are https, or none"),
        (Etcd(endpoints=("a:1",), cert="x"), "cert and key belong together"),
        (Etcd(endpoints=("a:1",), ca_cert="/nowhere"), "there is no file /nowhere"),
        (Etcd(endpoints=("a:1",), prefix="x/"), "prefix 'x/'"),
    ],
)
async def test_a_place_that_makes_no_sense_is_refused(place: Etcd, problem: str) -> None:
    with pytest.raises(Unavailable, match=problem):
        await EtcdStore.open(place)


async def test_tls(tmp_path: Path) -> None:
    ca, stranger = pki.make_ca("etcd"), pki.make_ca("stranger")
    pki.issue(ca, "etcd", dns=["localhost"], ips=["127.0.0.1"], server=True, client=True).save(
        tmp_path / "etcd.crt", tmp_path / "etcd.key"
    )
    (tmp_path / "ca.crt").write_bytes(ca.cert)
    (tmp_path / "stranger.crt").write_bytes(stranger.cert)
    with EtcdCluster(
        tmp_path / "data", tls=Tls(tmp_path / "ca.crt", tmp_path / "etcd.crt", tmp_path / "etcd.key")
    ) as etcd:
        store = await EtcdStore.open(etcd.place())
        await store.put("/a", b"1")
        assert (await store.range("/")).records[0].value == b"1"
        await store.close()
        wrong = Etcd(endpoints=etcd.place().endpoints, ca_cert=str(tmp_path / "stranger.crt"))
        with pytest.raises(Unavailable, match="Check that it runs, and the certificates"):
            await EtcdStore.open(wrong)
