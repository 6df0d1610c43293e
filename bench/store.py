"""The store: durable commits per second, and the longest wait of a write while 100,000 keys are compacted."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator

from bench.frame import Metric, measured, percentile
from controlplane.store.sqlite import SqliteStore

VALUE = b"x" * 3000
WRITERS = 32


def run(options: argparse.Namespace) -> Iterator[Metric]:
    """Measure on the machine's own disk."""
    keys = 100_000 if options.full else 20_000
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as directory:
        rate, waits = asyncio.run(_measure(directory, keys))
    yield measured("store.sqlite_commit_rps", "1/s", rate, goal=(">=", 3000), n=keys)
    yield measured("store.sqlite_compact_stall_ms", "ms", max(waits) * 1e3, goal=("<=", 50), n=len(waits))
    yield measured("store.sqlite_compact_wait_p50_ms", "ms", percentile(waits, 50) * 1e3, n=len(waits))


async def _measure(directory: str, keys: int) -> tuple[float, list[float]]:
    store = await SqliteStore.open(f"{directory}/store.db")

    async def write(first: int) -> None:
        for n in range(first, keys, WRITERS):
            await store.put(f"/registry/pods/default/p{n}", VALUE)

    began = time.perf_counter()
    await asyncio.gather(*(write(first) for first in range(WRITERS)))
    rate = keys / (time.perf_counter() - began)
    for n in range(0, keys, 2):
        await store.put(f"/registry/pods/default/p{n}", VALUE)
    compaction = asyncio.create_task(store.compact(store.revision))
    waits = []
    while not compaction.done():
        asked = time.perf_counter()
        await store.put("/registry/leases/one", b"x")
        waits.append(time.perf_counter() - asked)
    await store.close()
    return rate, waits
