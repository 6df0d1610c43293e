"""What is SQLite's alone: its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from controlplane.store.interface import Unavailable
from controlplane.store.sqlite import SqliteStore


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
