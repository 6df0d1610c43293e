"""The stores: durable commits per second, the longest wait of a write while 100,000 keys are compacted, and etcd beside its bare calls.

The longest wait for plain synced appends stands beside that of the compaction: less is not to be had from this disk.

etcd is measured when it is installed (package etcd-server). Its peer in the same run is a loop of bare calls with the same
transactions over the same gRPC library: what the engine costs is the difference.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import uvloop

from bench.frame import Metric, measured, percentile
from controlplane.store.interface import Store
from controlplane.store.sqlite import SqliteStore
from testbed.etcd import EtcdCluster

VALUE = b"x" * 3000
WRITERS = 32
TURNS = 4
ETCD_WRITES = 2000
Put = Callable[[str], Awaitable[object]]


def run(options: argparse.Namespace) -> Iterator[Metric]:
    """Measure on the machine's own disk."""
    keys = 100_000 if options.full else 20_000
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as directory:
        rate, waits = uvloop.run(_measure(directory, keys))
        syncs = _sync_waits(Path(directory, "plain"), len(waits))
    yield measured("store.sqlite_commit_rps", "1/s", rate, goal=(">=", 3000), n=keys)
    yield measured("store.sqlite_compact_stall_ms", "ms", max(waits) * 1e3, goal=("<=", 50), n=len(waits))
    yield measured("store.sqlite_compact_wait_p50_ms", "ms", percentile(waits, 50) * 1e3, n=len(waits))
    yield measured("store.fsync_stall_ms", "ms", max(syncs) * 1e3, n=len(syncs))
    if shutil.which("etcd") is None:
        print("bench: etcd is not installed (package etcd-server), so it is not measured", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory(prefix="wherry-bench-") as directory, EtcdCluster(Path(directory)) as etcd:
        ours, bare, asked = uvloop.run(_measure_etcd(etcd))
    yield measured("store.etcd_commit_rps", "1/s", ours, n=TURNS * ETCD_WRITES)
    yield measured("store.etcd_peer_rps", "1/s", bare, n=TURNS * ETCD_WRITES)
    yield measured("store.etcd_to_peer", "ratio", ours / bare, goal=(">=", 0.8), n=TURNS)
    yield measured("store.etcd_fresh_p50_ms", "ms", percentile(asked, 50) * 1e3, n=len(asked))


def _sync_waits(path: Path, count: int) -> list[float]:
    """What the disk alone makes a writer wait: as many plain appends, each synced."""
    waits = []
    with open(path, "ab", buffering=0) as file:
        for _ in range(count):
            began = time.perf_counter()
            file.write(VALUE * 20)
            os.fdatasync(file.fileno())
            waits.append(time.perf_counter() - began)
    return waits


async def _write(put: Put, keys: int) -> float:
    """Writes per second of many writers."""

    async def write(first: int) -> None:
        for n in range(first, keys, WRITERS):
            await put(f"/registry/pods/default/p{n}")

    began = time.perf_counter()
    await asyncio.gather(*(write(first) for first in range(WRITERS)))
    return keys / (time.perf_counter() - began)


def _put_of(store: Store) -> Put:
    return lambda key: store.put(key, VALUE)


async def _measure(directory: str, keys: int) -> tuple[float, list[float]]:
    store = await SqliteStore.open(f"{directory}/store.db")
    rate = await _write(_put_of(store), keys)
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


async def _measure_etcd(etcd: EtcdCluster) -> tuple[float, float, list[float]]:
    """Rates of the engine and of bare calls, in turns, and how long it takes to learn the newest revision."""
    import grpc.aio

    from controlplane.store.etcd import EtcdStore
    from proto import etcd_v3_calls as calls
    from proto import etcd_v3_pb2 as pb

    store = await EtcdStore.open(etcd.place())
    async with grpc.aio.insecure_channel(etcd.place().hosts[0]) as channel:
        call = channel.unary_unary(
            calls.TXN.path,
            request_serializer=pb.TxnRequest.SerializeToString,
            response_deserializer=pb.TxnResponse.FromString,
        )

        def bare_put(key: str) -> Awaitable[object]:
            put = pb.RequestOp(request_put=pb.PutRequest(key=f"/bare{key}".encode(), value=VALUE))
            return call(pb.TxnRequest(success=[put]))

        rates: dict[str, list[float]] = {"ours": [], "bare": []}
        for _ in range(TURNS):
            rates["ours"].append(await _write(_put_of(store), ETCD_WRITES))
            rates["bare"].append(await _write(bare_put, ETCD_WRITES))
    asked = []
    for _ in range(500):
        began = time.perf_counter()
        await store.fresh()
        asked.append(time.perf_counter() - began)
    await store.close()
    return percentile(rates["ours"], 50), percentile(rates["bare"], 50), asked
