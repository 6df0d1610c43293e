"""What cannot be written must harm neither the writer nor the machine."""

import asyncio
from pathlib import Path

import pytest

from controlplane.store.interface import Unavailable
from controlplane.store.sqlite import SqliteStore
from controlplane.store.sqlite.writer import Expire, Task
from kit.clock import FakeClock


async def test_a_write_that_cannot_be_does_not_end_the_writer(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db", FakeClock())
    with pytest.raises(Unavailable):
        await store.put("/\ud800", b"x")
    assert await store.put("/a", b"x") == 1
    await store.close()


async def test_an_expiry_that_fails_is_tried_again_after_a_pause(tmp_path: Path) -> None:
    clock = FakeClock()
    store = await SqliteStore.open(tmp_path / "store.db", clock)
    await store.put("/event", b"x", ttl=60)
    tries = []
    submit = store._writer.submit

    def counting(task: Task) -> None:
        if isinstance(task, Expire):
            tries.append(task)
        submit(task)

    store._writer.submit = counting
    store._writer._connection.execute("PRAGMA query_only = 1")  # as a full disk would
    await clock.advance(60.5)
    for _ in range(20):
        with pytest.raises(Unavailable):
            await store.put("/b", b"x")
    assert len(tries) == 1
    store._writer._connection.execute("PRAGMA query_only = 0")
    await clock.advance(2)
    while await store.get("/event") is not None:
        await asyncio.sleep(0.001)
    assert len(tries) == 2
    await store.close()
