"""What is SQLite's alone: its file."""

from __future__ import annotations

import asyncio
from pathlib import Path

import apsw
import pytest

from controlplane.store.interface import Unavailable
from controlplane.store.sqlite import SqliteStore
from kit.clock import FakeClock


async def test_a_new_file_starts_at_zero(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db")
    assert store.revision == 0
    await store.close()


async def test_a_second_process_is_refused(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db")
    with pytest.raises(Unavailable, match="another process uses it"):
        await SqliteStore.open(tmp_path / "store.db")
    await store.close()


async def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.db").write_bytes(b"this is not a database" * 100)
    with pytest.raises(Unavailable, match="bad.db"):
        await SqliteStore.open(tmp_path / "bad.db")


async def test_the_write_ahead_log_begins_anew_while_writes_go_on(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db", FakeClock())  # no timer helps
    pages = 0
    other = apsw.Connection(str(tmp_path / "store.db"))
    async with asyncio.timeout(60):
        while True:
            await asyncio.gather(*(store.put(f"/{n}", b"x" * 4000) for n in range(500)))
            before, (pages, _) = pages, other.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
            if pages < before:
                break
    assert before < 40_000
    other.close()
    await store.close()
