"""Moving between engines, and backing up what is in use."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import apsw
import pytest

from cli.main import main
from controlplane.store import copying
from controlplane.store.choice import Etcd, open_engine, open_store
from controlplane.store.copying import CopyError, copy
from controlplane.store.etcd import EtcdStore
from controlplane.store.interface import Compacted, Store, Unavailable
from controlplane.store.sqlite import SqliteStore
from controlplane.store.sqlite.backup import AHEAD, BackupError, backup, restore
from kit.clock import SystemClock
from testbed.etcd import EtcdCluster

CLOCK = SystemClock()


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[EtcdCluster]:
    with EtcdCluster(tmp_path / "etcd") as cluster:
        yield cluster


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "store.db"


async def fill(store: Store, keys: int = 2500) -> None:
    """Keys, some of them written again or deleted, in all sorts of names."""
    rng = random.Random(1)
    names = [f"/registry/{rng.choice('abc')}/é{n}" for n in range(keys)]
    await asyncio.gather(*(store.put(name, rng.randbytes(rng.randrange(300))) for name in names))
    await asyncio.gather(*(store.put(name, b"again") for name in names[::7]))
    await asyncio.gather(*(store.delete(name) for name in names[::11]))
    await store.put("/registry/events/short", b"x", ttl=3600)


async def contents(store: Store) -> dict[str, bytes]:
    return {record.key: record.value for record in (await store.range("/")).records}


@pytest.mark.etcd
async def test_there_and_back_again(etcd: EtcdCluster, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = await SqliteStore.open(path)
    await fill(first)
    expected, revision = await contents(first), first.revision
    await first.close()
    there = "etcd:" + ",".join(etcd.place().endpoints)
    assert await asyncio.to_thread(main, ["store", "copy", "--from", str(path), "--to", there]) == 0
    assert f"Copied {len(expected) - 1} keys and 1 that expire" in capsys.readouterr().out
    middle = await EtcdStore.open(etcd.place())
    assert await contents(middle) == expected
    assert middle.revision > revision + len(expected)
    assert 3000 < (await middle.expiring("/"))["/registry/events/short"] <= 3600
    with pytest.raises(Compacted):
        await anext(middle.watch("/", revision))
    revision = middle.revision
    await middle.close()
    back = path.with_name("back.db")
    assert await asyncio.to_thread(main, ["store", "copy", "--from", there, "--to", str(back)]) == 0
    last = await SqliteStore.open(back)
    assert await contents(last) == expected
    assert last.revision > revision
    assert list(await last.expiring("/")) == ["/registry/events/short"]
    await last.close()


class Interrupted(SqliteStore):
    """Ends in the middle of a copy, as a power loss does."""

    puts = 0

    async def put(self, key: str, value: bytes, *, expected: int | None = None, ttl: float = 0) -> int:
        self.puts += 1
        if self.puts > 100:
            raise Unavailable("cannot write: no power")
        return await super().put(key, value, expected=expected, ttl=ttl)


async def test_a_copy_that_was_not_finished_is_not_used_and_can_be_done_again(path: Path) -> None:
    source = await SqliteStore.open(path)
    await fill(source, 300)
    target_path = path.with_name("target.db")
    broken = await Interrupted.open(target_path)
    with pytest.raises(ExceptionGroup):
        await copy(source, broken)
    await broken.close()
    with pytest.raises(Unavailable, match="a copy into it was not finished"):
        await open_store(target_path, CLOCK)
    target = await open_engine(target_path, CLOCK)
    done = await copy(source, target)
    assert await contents(target) == await contents(source)
    assert done.content.keys == len(await contents(source)) - 1
    assert done.expiring == 1
    await target.close()
    await (await open_store(target_path, CLOCK)).close()
    await source.close()


async def test_copy_refuses_a_store_with_keys(path: Path) -> None:
    source, target = await SqliteStore.open(path), await SqliteStore.open(path.with_name("target.db"))
    await source.put("/a", b"1")
    await target.put("/b", b"1")
    with pytest.raises(CopyError, match="holds keys already"):
        await copy(source, target)
    assert await contents(target) == {"/b": b"1"}
    await source.close()
    await target.close()


async def test_copy_notices_a_writer_at_the_source(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = await SqliteStore.open(path), await SqliteStore.open(path.with_name("target.db"))
    await fill(source, 50)
    start_after = target.start_after

    async def meanwhile(revision: int) -> None:
        await source.put("/late", b"x")
        await start_after(revision)

    monkeypatch.setattr(target, "start_after", meanwhile)
    with pytest.raises(CopyError, match="somebody wrote to the source"):
        await copy(source, target)
    assert await copying.unfinished(target)
    await source.close()
    await target.close()


BUSY = """
import asyncio, sys
from controlplane.store.sqlite import SqliteStore

async def main():
    store = await SqliteStore.open(sys.argv[1])
    for n in range(10**9):
        await asyncio.gather(store.put(f"/a/{n}", b"x" * 1000), store.put(f"/b/{n}", b"x" * 1000))
        if n % 500 == 0:
            await store.compact(store.revision - 100 if n else 0)
        print(n, flush=True)

asyncio.run(main())
"""


@pytest.fixture
def busy(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A store that another process writes to."""
    child = subprocess.Popen(
        [sys.executable, "-c", BUSY, str(path)], stdout=subprocess.PIPE, text=True, cwd=os.getcwd()
    )
    yield child
    child.kill()
    child.wait()
    assert child.stdout is not None
    child.stdout.close()


def lines_of(child: subprocess.Popen[str], count: int) -> int:
    """The number in the last of so many lines."""
    assert child.stdout is not None
    return [int(child.stdout.readline()) for _ in range(count)][-1]


async def test_a_backup_is_one_moment_of_a_store_in_use(
    path: Path, busy: subprocess.Popen[str], capsys: pytest.CaptureFixture[str]
) -> None:
    backups = []
    for n in range(3):
        acknowledged = lines_of(busy, 700)
        target = path.with_name(f"backup{n}.db")
        assert await asyncio.to_thread(main, ["store", "backup", "--store", str(path), str(target)]) == 0
        assert f"Backed up {path} to {target}" in capsys.readouterr().out
        assert target.stat().st_mode & 0o777 == 0o600
        backups.append((target, acknowledged))
    lines_of(busy, 10)  # it was not disturbed
    for target, acknowledged in backups:
        store = await SqliteStore.open(target)
        read = await store.range("/")
        pairs = [{r.key[3:] for r in read.records if r.key.startswith(prefix)} for prefix in ("/a/", "/b/")]
        assert len(pairs[0] ^ pairs[1]) <= 1  # the one that was being written
        assert {str(n) for n in range(acknowledged + 1)} <= pairs[0] & pairs[1]
        revisions = sorted(r.mod_revision for r in read.records)
        assert revisions == list(range(1, store.revision + 1))
        await store.close()


async def test_a_restore_goes_on_far_ahead(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = await SqliteStore.open(path)
    await fill(store, 200)
    expected, revision = await contents(store), store.revision
    saved = path.with_name("saved.db")
    found = backup(path, saved)
    assert (found.keys, found.revision) == (len(expected), revision)
    later = await store.put("/later", b"x")
    with pytest.raises(Unavailable, match="another process uses it"):
        restore(saved, path)
    await store.close()
    assert await asyncio.to_thread(main, ["store", "restore", "--store", str(path), str(saved)]) == 0
    assert f"Restored {path}: {len(expected)} keys" in capsys.readouterr().out
    again = await SqliteStore.open(path)
    assert await contents(again) == expected
    assert again.revision == revision + AHEAD
    with pytest.raises(Compacted):
        await anext(again.watch("/", later))
    assert await again.put("/new", b"x") == revision + AHEAD + 1
    await again.compact(again.revision)
    assert await contents(again) == expected | {"/new": b"x"}
    await again.close()
    replaced = await SqliteStore.open(path.with_name("store.db.replaced"))
    assert await contents(replaced) == expected | {"/later": b"x"}
    await replaced.close()


async def test_a_damaged_store_can_be_replaced(path: Path) -> None:
    store = await SqliteStore.open(path)
    await store.put("/a", b"1")
    backup(path, path.with_name("saved.db"))
    await store.close()
    path.write_bytes(b"rubbish" * 1000)
    restore(path.with_name("saved.db"), path)
    again = await SqliteStore.open(path)
    assert await contents(again) == {"/a": b"1"}
    await again.close()
    assert path.with_name("store.db.replaced").read_bytes().startswith(b"rubbish")


async def test_bad_files_are_named(path: Path) -> None:
    store = await SqliteStore.open(path)
    await store.put("/a", b"1")
    folder = path.parent
    with pytest.raises(BackupError, match="is there already"):
        backup(path, path)
    with pytest.raises(BackupError, match="there is no file .*nothing.db"):
        backup(folder / "nothing.db", folder / "b.db")
    await store.close()
    (folder / "text.db").write_bytes(b"this is not a database" * 100)
    with pytest.raises(BackupError, match=r"text.db.*not a database"):
        restore(folder / "text.db", path)
    other = apsw.Connection(str(folder / "other.db"))
    other.execute("CREATE TABLE x (y)")
    other.close()
    with pytest.raises(BackupError, match="not of a store"):
        restore(folder / "other.db", path)
    with pytest.raises(BackupError, match="cannot write"):
        backup(path, folder / "text.db" / "b.db")
    again = await SqliteStore.open(path)
    assert await contents(again) == {"/a": b"1"}
    await again.close()
    assert sorted(p.name for p in folder.glob("*.partial")) == []


def test_the_command_line_says_what_is_wrong(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, said in (
        (["copy", "--from", str(path), "--to", "x.db"], "there is no file"),
        (["copy", "--from", "etcd:127.0.0.1:9", "--to", "etcd:127.0.0.1:9"], "source and target are one"),
        (["copy", "--from", "etcd:127.0.0.1", "--to", str(path)], "'127.0.0.1' is no endpoint"),
        (["copy", "--from", "etcd:127.0.0.1:9", "--to", str(path)], "no endpoint answers. Check that it runs"),
        (["backup", "--store", str(path), "x.db"], "there is no file"),
    ):
        assert main(["store", *words]) == 1
        error = capsys.readouterr().err
        assert error.startswith("wherry: cannot ")
        assert said in error
    assert not path.exists()


def test_what_is_heavy_is_loaded_when_it_is_needed() -> None:
    """gRPC with etcd; cryptography with the first key or certificate; time zones with the first CronJob that names one."""
    heavy = ("grpc", "google.protobuf", "cryptography", "zoneinfo")
    code = f"import sys, controlplane.app, cli.store; sys.exit(any(m in sys.modules for m in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


async def test_a_place_of_etcd_reads_well() -> None:
    assert str(Etcd(endpoints=("http://a:1", "http://b:1"))) == "etcd at http://a:1, http://b:1"


@pytest.fixture(autouse=True)
async def nothing_is_left_open() -> AsyncIterator[None]:
    yield
    assert [t.get_name() for t in asyncio.all_tasks() if t.get_name().startswith(("etcd-", "store-"))] == []
