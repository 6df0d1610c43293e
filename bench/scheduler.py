"""`wherry bench scheduler`: the scheduler in a whole control plane, seen from outside over TLS.

The burst: pods are created as fast as the server takes them, and counted when a watch shows them bound. The limit beside it is what this
client binds by hand on the same server, without a scheduler. The latency: pods come one after the other, from the answer to the POST to
the watch event that shows the node.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from api import kinds
from bench.control_plane import NAMESPACE, Nodes, Process, many, running
from bench.frame import Metric, measured, percentile
from client import Client


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of its own."""
    parser.add_argument("--nodes", type=int, default=1000, help="nodes to choose from")
    parser.add_argument("--pods", type=int, default=0, help="pods of the burst (default 2000, with --full 10000)")
    parser.add_argument("--single", type=int, default=200, help="pods of the latency measurement")


def run(options: argparse.Namespace) -> Iterator[Metric]:
    """Measure."""
    pods = options.pods or (10_000 if options.full else 2000)
    with tempfile.TemporaryDirectory(prefix="bench-scheduler-") as directory, running(Path(directory)) as server:
        rate = asyncio.run(_by_hand(server, min(pods, 1000)))
        yield measured("scheduler.by_hand_per_s", "pods/s", rate, n=min(pods, 1000))
    with (
        tempfile.TemporaryDirectory(prefix="bench-scheduler-") as directory,
        running(Path(directory), "scheduler") as server,
    ):
        rate, delays = asyncio.run(_scheduled(server, options.nodes, pods, options.single))
        yield measured("scheduler.bound_per_s", "pods/s", rate, goal=(">=", 150), n=pods)
        p50, p99 = percentile(delays, 50) * 1000, percentile(delays, 99) * 1000
        yield measured("scheduler.queued_to_bound_p50_ms", "ms", p50, n=len(delays))
        yield measured("scheduler.queued_to_bound_p99_ms", "ms", p99, goal=("<=", 50), n=len(delays))
        yield measured("scheduler.rss_mb", "MB", server.rss_mb)


async def _by_hand(server: Process, pods: int) -> float:
    client = server.client()
    await Nodes(client).make(1)
    names = [f"pod-{i:05}" for i in range(pods)]
    await many(lambda name: _create(client, name), names)

    async def bind(name: str) -> None:
        target = {"kind": "Node", "name": "node-0000"}
        body = {"kind": "Binding", "apiVersion": "v1", "metadata": {"name": name}, "target": target}
        data = msgspec.json.encode(body)
        await client.create_raw(kinds.POD, data, NAMESPACE, name=name, subresource="binding")

    started = time.perf_counter()
    await many(bind, names)
    return pods / (time.perf_counter() - started)


async def _scheduled(server: Process, nodes: int, pods: int, single: int) -> tuple[float, list[float]]:
    client = server.client()
    made = Nodes(client)
    await made.make(nodes)
    bound: dict[str, float] = {}
    changed = asyncio.Event()

    def seen(key: str, _: object, pod: tuple[str, bool, bool] | None) -> None:
        if pod is not None and pod[0] and key not in bound:
            bound[key] = time.perf_counter()
            changed.set()

    made.informer.subscribe(seen)
    follow = asyncio.create_task(made.informer.run())
    await made.informer.synced.wait()

    async def until(count: int) -> None:
        while len(bound) < count:
            changed.clear()
            await changed.wait()

    delays = []
    async with asyncio.timeout(600):
        for i in range(single):
            name = f"single-{i:04}"
            await _create(client, name)
            created = time.perf_counter()
            await until(i + 1)
            delays.append(max(0.0, bound[f"{NAMESPACE}/{name}"] - created))
        started = time.perf_counter()
        await many(lambda i: _create(client, f"pod-{i:05}"), range(pods))
        await until(single + pods)
    elapsed = max(bound.values()) - started
    follow.cancel()
    return pods / elapsed, delays


async def _create(client: Client, name: str) -> None:
    container = {"name": "c", "image": "web:1", "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}
    metadata = {"name": name, "namespace": NAMESPACE}
    body = {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": {"containers": [container]}}
    await client.create_raw(kinds.POD, msgspec.json.encode(body), NAMESPACE)
