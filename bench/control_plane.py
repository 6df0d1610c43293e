"""A control plane in a process of its own, for `bench scheduler` and `bench controllers`, and nodes that only report.

    python -m bench.control_plane DIRECTORY [--scheduler] [--controllers]

Writes certificates into DIRECTORY, listens on a free port of 127.0.0.1 and prints it when ready.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from api import kinds
from bench.api_server import ADVERTISED, certificates, tls
from client import Client, Informer
from client.errors import ApiError
from client.http import HttpTransport
from client.kubeconfig import Access
from controlplane.apiserver.server import ApiServer, Settings
from controlplane.controllers import app as controllers
from controlplane.scheduler import app as scheduler
from controlplane.store.sqlite import SqliteStore
from kit import program
from kit.supervisor import Supervisor

NAMESPACE = "default"
PARTS = ("scheduler", "controllers")


class Process:
    """A running control plane."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, directory: Path) -> None:
        self._process, self._port, self._directory = process, port, directory

    def client(self) -> Client:
        """An administrator's client over TLS."""
        read = (self._directory / name for name in ("ca.crt", "admin.crt", "admin.key"))
        ca, cert, key = (path.read_bytes() for path in read)
        return Client(HttpTransport(Access(f"https://127.0.0.1:{self._port}", ca, cert, key)))

    @property
    def rss_mb(self) -> float:
        """Resident memory."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    @property
    def cpu_s(self) -> float:
        """Processor time used so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def running(directory: Path, *parts: str) -> Iterator[Process]:
    """Start a control plane with these parts; the API server is always there."""
    command = [sys.executable, "-m", "bench.control_plane", str(directory), *(f"--{part}" for part in parts)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"cannot start the control plane: it ended with status {process.wait()}")
        yield Process(process, int(line), directory)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        process.stdout.close()


class Nodes:
    """Nodes that report at once what they are told to run; one watch for all of them."""

    def __init__(self, client: Client, pods: int = 110) -> None:
        self._client = client
        self._pods = pods
        self._work: asyncio.Queue[tuple[str, str, bool]] = asyncio.Queue()
        self._addresses = 0
        self.informer: Informer[tuple[str, bool, bool]] = Informer(client, kinds.POD, _seen)
        self.informer.subscribe(self._changed)

    async def make(self, count: int) -> None:
        """Create `count` ready nodes."""
        room = {"cpu": "16", "memory": "64Gi", "pods": str(self._pods)}

        async def one(i: int) -> None:
            body = {"kind": "Node", "apiVersion": "v1", "metadata": {"name": f"node-{i:04}"}}
            await self._client.create_raw(kinds.NODE, msgspec.json.encode(body))
            status = {"allocatable": room, "conditions": [{"type": "Ready", "status": "True"}]}
            await self._client.patch(kinds.NODE, f"node-{i:04}", {"status": status}, subresource="status")

        await many(one, range(count))

    async def run(self, workers: int = 8) -> None:
        """Follow pods and report, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.informer.run())
            for _ in range(workers):
                group.create_task(self._report())

    def _changed(self, key: str, _: object, seen: tuple[str, bool, bool] | None) -> None:
        if seen is not None and seen[0] and (seen[1] or seen[2]):
            namespace, name = key.split("/")
            self._work.put_nowait((namespace, name, seen[1]))

    async def _report(self) -> None:
        while True:
            namespace, name, deleting = await self._work.get()
            try:
                if deleting:
                    await self._client.delete(kinds.POD, name, namespace, grace=0)
                    continue
                self._addresses += 1
                ip = f"10.{self._addresses >> 16}.{self._addresses >> 8 & 255}.{self._addresses & 255}"
                ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
                status = {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "conditions": [ready]}
                patch = msgspec.json.encode({"status": status})
                await self._client.patch_raw(kinds.POD, name, patch, namespace, subresource="status")
            except ApiError:
                continue  # gone, or changed meanwhile: another event comes


class _Meta(msgspec.Struct, rename="camel"):
    deletion_timestamp: str | None = None


class _Part(msgspec.Struct, rename="camel"):
    node_name: str | None = None
    phase: str | None = None


class _Pod(msgspec.Struct):
    metadata: _Meta
    spec: _Part
    status: _Part = msgspec.field(default_factory=_Part)


_pods = msgspec.json.Decoder(_Pod)


def _seen(data: bytes) -> tuple[str, bool, bool]:
    """Node, whether told to go, whether still pending."""
    pod = _pods.decode(data)
    pending = (pod.status.phase or "Pending") == "Pending"
    return pod.spec.node_name or "", pod.metadata.deletion_timestamp is not None, pending


async def many(act: Any, items: Sequence[Any] | range, at_once: int = 32) -> None:
    """Await `act(item)` for all, some at once."""
    waiting = list(reversed(items))

    async def worker() -> None:
        while waiting:
            await act(waiting.pop())

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(worker())


async def _serve(options: argparse.Namespace, supervisor: Supervisor) -> None:
    store = await SqliteStore.open(options.directory / "store.db", supervisor.clock)
    supervisor.defer("store", store.close)
    api = ApiServer(store, Settings(ADVERTISED), supervisor.clock)
    await api.start(supervisor)
    (server,) = await api.listen([("127.0.0.1", 0)], tls(options.directory), supervisor)
    if options.scheduler:
        await scheduler.run(api.client("system:kube-scheduler"), supervisor.clock, supervisor)
    if options.controllers:
        await controllers.run(api.client("system:kube-controller-manager"), supervisor.clock, supervisor)
    print(server.port, flush=True)


def main() -> int:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    for part in PARTS:
        parser.add_argument(f"--{part}", action="store_true")
    options = parser.parse_args()
    certificates(options.directory)
    return program.main(_serve, options, name="bench", level="warning")


if __name__ == "__main__":
    sys.exit(main())
