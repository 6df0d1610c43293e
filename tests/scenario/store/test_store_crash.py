"""An acknowledged write survives SIGKILL at any moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

from controlplane.store.sqlite import SqliteStore

WRITER = """
import asyncio, sys
from controlplane.store.sqlite import SqliteStore

async def main():
    store = await SqliteStore.open(sys.argv[1])
    async def writer(name):
        n = 0
        while True:
            revision = await store.put(f"/{name}/{n}", b"x" * 500, expected=0)
            print(revision, f"/{name}/{n}", flush=True)
            n += 1
            if n % 50 == 0 and name == "w0":
                await store.compact(store.revision)
    await asyncio.gather(*(writer(f"w{i}-{sys.argv[2]}" if i else f"w0-{sys.argv[2]}") for i in range(8)))

asyncio.run(main())
"""


async def test_no_acknowledged_write_is_lost_and_no_revision_is_used_twice(tmp_path: Path) -> None:
    rng = random.Random(7)
    path = tmp_path / "store.db"
    acknowledged: dict[int, str] = {}
    for round_ in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), str(round_)], stdout=subprocess.PIPE, text=True, cwd=os.getcwd()
        )
        assert child.stdout is not None
        for _ in range(rng.randint(1, 400)):
            line = child.stdout.readline()
            revision, key = line.split()
            assert int(revision) not in acknowledged
            acknowledged[int(revision)] = key
        child.send_signal(signal.SIGKILL)
        for line in child.stdout.read().splitlines(keepends=True):
            if line.endswith("\n"):  # the last one may be cut off
                revision, key = line.split()
                acknowledged.setdefault(int(revision), key)
        child.wait()
        child.stdout.close()
        store = await SqliteStore.open(path)
        present = {r.key: r.mod_revision for r in (await store.range("/")).records}
        await store.close()
        assert max(present.values()) <= store.revision
        missing = [key for revision, key in acknowledged.items() if present.get(key) != revision]
        assert missing == []
