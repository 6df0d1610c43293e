"""One measured proxy in a process and a network namespace of its own: prints one JSON object.

The proxy is the real one (`proxy.app`), fed through real informers by a transport that makes up the API server's bytes;
only the network to it is missing. A change is measured from its bytes to the kernel's acknowledgement.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import socket
import sys
import time
from collections.abc import AsyncGenerator
from typing import Any

import uvloop

from api import kinds
from api.kinds import Kind
from bench import proxy_state
from bench.frame import percentile
from bench.proxy_state import Size
from client.client import Client
from client.transport import Listing, Query
from kit import memory
from kit.supervisor import Supervisor
from proxy.app import start
from proxy.config import Config
from proxy.model.addresses import TCP, endpoint, pack
from proxy.model.facts import Facts
from proxy.plan.desired import Desired, Frontend, Route
from proxy.sync.syncer import Syncer

IDLE_SECONDS = 5.0


class Source:
    """An API server that lists a made-up state and then says what it is told to."""

    def __init__(self, size: Size) -> None:
        self._size = size
        self._queues: dict[str, asyncio.Queue[tuple[str, bytes]]] = {}

    async def request(self, method: str, path: str, query: Query, body: bytes = b"", content_type: str = "") -> bytes:
        """Nothing but lists and watches is asked for."""
        raise NotImplementedError(path)

    async def list(self, kind: Kind[Any], namespace: str, query: Query) -> Listing:
        """The whole state."""
        makers = {kinds.SERVICE.plural: proxy_state.services, kinds.ENDPOINT_SLICE.plural: proxy_state.slices}
        maker = makers.get(kind.plural)
        return Listing(list(maker(self._size)) if maker else [], str(self._size.services + 1))

    async def watch(self, kind: Kind[Any], namespace: str, query: Query) -> AsyncGenerator[tuple[str, bytes], None]:
        """What `tell` says."""
        queue = self._queues.setdefault(kind.plural, asyncio.Queue())
        while True:
            yield await queue.get()

    def tell(self, kind: Kind[Any], event: str, data: bytes) -> None:
        """An event for the watchers."""
        self._queues.setdefault(kind.plural, asyncio.Queue()).put_nowait((event, data))

    async def close(self) -> None:
        """Nothing to close."""


async def measure(backend: str, size: Size, rounds: int) -> dict[str, float]:
    """Cold start, then single changes."""
    source = Source(size)
    async with Supervisor(signals=False) as supervisor:
        syncer = await start(_config(backend), Client(source), supervisor)
        await syncer.programmed.wait()
        found = {"cold_s": _cold_seconds(syncer), "cpu_s": _cpu(), "rss_mb": await _settled()}
        found["peak_rss_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        found |= await _changes(source, syncer, size, rounds)
        supervisor.stop()
    return found


async def idle(backend: str, size: Size, seconds: float) -> dict[str, float]:
    """What a proxy takes that has nothing to do; the bench's own modules are in it."""
    async with Supervisor(signals=False) as supervisor:
        syncer = await start(_config(backend), Client(Source(size)), supervisor)
        await syncer.programmed.wait()
        resident = await _settled()
        before = _cpu()
        await asyncio.sleep(seconds)
        used = _cpu() - before
        supervisor.stop()
    return {"idle_rss_mb": resident, "idle_cpu_pct": 100 * used / seconds}


def _config(backend: str) -> Config:
    mode, _, variant = backend.partition("-")
    return Config(
        node_name="node-0", kubeconfig="", mode=mode, cluster_cidr="10.128.0.0/9", healthz="", metrics="",  # type: ignore[arg-type]
        iptables_variant=variant or "auto",  # type: ignore[arg-type]
    )  # fmt: skip


def _cpu() -> float:
    """Seconds of this process and of the programs that it has run."""
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in spent)


async def _settled() -> float:
    """Megabytes after what a program does when it has started: kit.program."""
    memory.freeze()
    gc.collect()
    memory.trim()
    await asyncio.sleep(0.5)  # the kernel still works on what the start left behind
    return memory.resident() / 2**20


def _cold_seconds(syncer: Syncer) -> float:
    text = syncer._metrics.registry.render().decode()
    wanted = "kubeproxy_sync_full_proxy_rules_duration_seconds_sum"
    return max(float(line.split()[-1]) for line in text.splitlines() if line.startswith(wanted))


async def _changes(source: Source, syncer: Syncer, size: Size, rounds: int) -> dict[str, float]:
    revision = size.services + 10

    async def timed(kind: Kind[Any], event: str, data: bytes) -> float:
        await syncer.programmed.wait()
        await asyncio.sleep(0.002)
        began = time.perf_counter()
        source.tell(kind, event, data)
        await asyncio.sleep(0)
        while syncer.programmed.is_set():  # the informer has not got it yet
            await asyncio.sleep(0)
        await syncer.programmed.wait()
        return time.perf_counter() - began

    members = list(range(size.endpoints))
    change: list[float] = []
    remove: list[float] = []
    add: list[float] = []
    before = _cpu()
    for turn in range(rounds):
        number = turn * 7919 % size.services
        for kind_of, now in (
            ((remove, members[1:]), (change, members)) if size.endpoints > 1 else ((change, [1]), (change, [0]))
        ):
            revision += 1
            data = proxy_state.slice_json(size, number, now, revision)
            kind_of.append(await timed(kinds.ENDPOINT_SLICE, "MODIFIED", data))
    spent = (_cpu() - before) / (len(change) + len(remove))
    for turn in range(min(rounds, 50)):
        revision += 1
        add.append(await timed(kinds.SERVICE, "ADDED", proxy_state.service_json(size.services + turn, revision)))
    found = {
        "change_p50_us": percentile(change, 50) * 1e6,
        "change_p99_us": percentile(change, 99) * 1e6,
        "change_cpu_us": spent * 1e6,
        "add_service_p50_us": percentile(add, 50) * 1e6,
        "n": float(len(change)),
    }
    return found | ({"remove_p50_us": percentile(remove, 50) * 1e6} if remove else {})


def connect_ratio(services: int, rounds: int = 6, connections: int = 800) -> dict[str, float]:
    """Time of a new connection through the rules with many Services, against one Service; in turns."""
    import subprocess

    from linux.nft import Kernel
    from proxy.backends.nftables import NftablesBackend

    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for text in ("10.244.0.5/32", "10.1.1.1/32"):
        subprocess.run(["ip", "address", "add", text, "dev", "lo"], check=True)
    subprocess.run(["ip", "route", "add", "10.96.0.0/12", "dev", "lo"], check=True)
    listener = socket.create_server(("10.244.0.5", 8080), backlog=1024)
    target = Desired(
        "bench/t", 4, TCP, (Frontend(pack("10.96.0.1"), 80, Route.INTERNAL),), 0, False,
        endpoint(pack("10.244.0.5"), 8080), b"", b"",
    )  # fmt: skip
    others = [
        Desired(
            f"bench/{n}", 4, TCP, (Frontend(pack(proxy_state.vip(n + 1)), 80, Route.INTERNAL),), 0, False,
            endpoint(pack("10.244.0.6"), 8080), b"", b"",
        )
        for n in range(services - 1)
    ]  # fmt: skip
    door = Kernel()
    backend = NftablesBackend(door)
    times: dict[int, list[float]] = {1: [], services: []}
    for _ in range(rounds):
        for count, state in ((1, [target]), (services, [*others, target])):
            backend.replace(state, Facts())
            times[count].append(_connect_median(listener, connections))
    door.close()
    listener.close()
    one, many = min(times[1]), min(times[services])
    return {"connect_one_us": one * 1e6, "connect_10k_us": many * 1e6, "connect_ratio_10k": many / one}


def _connect_median(listener: socket.socket, connections: int) -> float:
    took = []
    for _ in range(connections):
        client = socket.socket()
        began = time.perf_counter()
        client.connect(("10.96.0.1", 80))
        took.append(time.perf_counter() - began)
        listener.accept()[0].close()
        client.close()
    return percentile(took, 50)


def main(argv: list[str]) -> int:
    """proxy_node BACKEND SERVICES ENDPOINTS ROUNDS, proxy_node idle BACKEND SERVICES ENDPOINTS, or proxy_node connect SERVICES."""
    if argv[0] == "connect":
        print(json.dumps(connect_ratio(int(argv[1]))))
        return 0
    memory.configure()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if argv[0] == "idle":
            found = runner.run(idle(argv[1], Size(int(argv[2]), int(argv[3])), IDLE_SECONDS))
        else:
            found = runner.run(measure(argv[0], Size(int(argv[1]), int(argv[2])), int(argv[3])))
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
