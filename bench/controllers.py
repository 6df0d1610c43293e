"""`wherry bench controllers`: a Deployment of 1,000 pods from `create` to all available, and what an idle control plane costs.

The whole control plane runs in a process of its own; nodes that report at once run in this one, so that the time is that of the control
plane alone (both share the machine's processors). The limit beside it is the time this client needs to create as many pods by hand.
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
from bench.control_plane import NAMESPACE, PARTS, Nodes, Process, many, running
from bench.frame import Metric, measured

PATIENCE = 300.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of its own."""
    parser.add_argument("--replicas", type=int, default=1000, help="pods of the Deployment")
    parser.add_argument("--nodes", type=int, default=20, help="nodes to put them on")
    parser.add_argument("--idle", type=float, default=5.0, help="seconds over which idleness is measured")


def run(options: argparse.Namespace) -> Iterator[Metric]:
    """Measure."""
    with tempfile.TemporaryDirectory(prefix="bench-controllers-") as directory, running(Path(directory)) as server:
        took = asyncio.run(_by_hand(server, options.replicas))
        yield measured(f"controllers.by_hand_{options.replicas}_s", "s", took)
    with (
        tempfile.TemporaryDirectory(prefix="bench-controllers-") as directory,
        running(Path(directory), *PARTS) as server,
    ):
        time.sleep(2)
        before = server.cpu_s
        time.sleep(options.idle)
        yield measured("controllers.idle_rss_mb", "MB", server.rss_mb, goal=("<=", 120))
        busy = (server.cpu_s - before) / options.idle * 100
        yield measured("controllers.idle_cpu_pct", "%", busy, goal=("<=", 2))
        took, gone = asyncio.run(_deployment(server, options.replicas, options.nodes))
        yield measured(f"controllers.deployment_{options.replicas}_s", "s", took, goal=("<=", 15))
        yield measured(f"controllers.scaled_to_0_from_{options.replicas}_s", "s", gone)
        yield measured("controllers.rss_mb", "MB", server.rss_mb, goal=("<=", 600))


async def _by_hand(server: Process, count: int) -> float:
    client = server.client()

    async def create(i: int) -> None:
        metadata = {"name": f"pod-{i:05}", "namespace": NAMESPACE}
        spec = {"containers": [{"name": "c", "image": "web:1"}]}
        body = {"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": spec}
        await client.create_raw(kinds.POD, msgspec.json.encode(body), NAMESPACE)

    started = time.perf_counter()
    await many(create, range(count))
    return time.perf_counter() - started


async def _deployment(server: Process, replicas: int, nodes: int) -> tuple[float, float]:
    client = server.client()
    made = Nodes(client, pods=max(110, 2 * replicas // nodes))
    await made.make(nodes)
    following = asyncio.create_task(made.run())
    await made.informer.synced.wait()
    container = {"name": "c", "image": "web:1"}
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    metadata = {"name": "web", "namespace": NAMESPACE}
    body = {"kind": "Deployment", "apiVersion": "apps/v1", "metadata": metadata, "spec": spec}
    available = asyncio.create_task(_watch(server, replicas))
    started = time.perf_counter()
    await client.create_raw(kinds.DEPLOYMENT, msgspec.json.encode(body), NAMESPACE)
    async with asyncio.timeout(PATIENCE):
        await available
    took = time.perf_counter() - started
    empty = asyncio.create_task(_watch(server, 0))
    started = time.perf_counter()
    await client.patch(kinds.DEPLOYMENT, "web", {"spec": {"replicas": 0}}, NAMESPACE)
    async with asyncio.timeout(PATIENCE):
        await empty
        while any(True for _ in made.informer.store):
            await asyncio.sleep(0.02)
    gone = time.perf_counter() - started
    following.cancel()
    return took, gone


async def _watch(server: Process, replicas: int) -> None:
    """Return when the Deployment says that just so many pods are there and available, and that it knows its newest spec."""
    async for event in server.client().watch(kinds.DEPLOYMENT, NAMESPACE):
        d = event.object
        known = (d.status.observed_generation or 0) >= (d.metadata.generation or 0)
        counts = (d.status.replicas or 0, d.status.available_replicas or 0)
        if known and d.spec.replicas == replicas and counts == (replicas, replicas):
            return
