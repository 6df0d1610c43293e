"""`wherry bench api`: the API server over TLS, from the outside.

The server runs in a process of its own, on one core, with SQLite on disk and every write durable; the load comes from this process, on
another. Reads are measured in turns with a bare server that answers the same bytes, which is the limit of our HTTP and TLS on this machine,
and with nginx, which is anybody's.
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from bench import h2_load, nginx
from bench.frame import Metric, measured, percentile
from bench.https_load import Connection, Watchers, closed_loop, connect, context, request

PODS = "/api/v1/namespaces/default/pods"
STRATEGIC = "application/strategic-merge-patch+json"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
ROUNDS = 3
_CORES = os.sched_getaffinity(0)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of its own."""
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each load runs")
    parser.add_argument("--watchers", type=int, default=1000, help="watchers of the fan-out")
    parser.add_argument("--pods", type=int, default=10_000, help="pods of the memory measurement")


def run(options: argparse.Namespace) -> Iterator[Metric]:
    """Measure."""
    _allow_files(2 * options.watchers + 200)
    if _pinned():
        os.sched_setaffinity(0, set(sorted(_CORES)[1:]))
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-api-")))
        started = time.perf_counter()
        server = stack.enter_context(_process(directory))
        yield measured("api.start_s", "s", time.perf_counter() - started, goal=("<=", 1.5))
        tls = context(directory)

        def connections(port: int, count: int) -> list[Connection]:
            made = [connect(port, tls) for _ in range(count)]
            for connection in made:
                stack.callback(connection.sock.close)
            return made

        yield from _reads(options.seconds, server, connections, stack, directory)
        yield from _creates(options.seconds, server.port, connections)
        yield from _fanout(options.watchers, server.port, connections, directory)
        yield from _fanout2(options.watchers, server.port, connections, directory)
        yield from _memory(options.pods)


class _Server:
    """A running server process."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process, self.port = process, port

    @property
    def cpu(self) -> float:
        """Seconds of processor time so far."""
        times = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def rss_mb(self) -> float:
        """Resident memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def _process(directory: Path, *more: str) -> Iterator[_Server]:
    command = [*_pinned(), sys.executable, "-m", "bench.api_server", str(directory), *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line.strip():
            raise RuntimeError(f"the server did not start: {' '.join(command)}")
        yield _Server(process, int(line))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def _pinned() -> list[str]:
    """What a server's command line begins with: it has the first core, the load has the others."""
    cores = sorted(_CORES)
    return ["taskset", "-c", str(cores[0])] if len(cores) > 1 and shutil.which("taskset") else []


def _reads(
    seconds: float,
    server: _Server,
    connections: Callable[[int, int], list[Connection]],
    stack: ExitStack,
    directory: Path,
) -> Iterator[Metric]:
    """Also by the server's own processor time, which says more than the wall's when others use the machine."""
    one = connections(server.port, 1)
    number = itertools.count()
    _times(one, lambda: request("POST", PODS, pod(f"read-{next(number)}")), 500)
    one[0].sock.setblocking(True)
    public = directory / "public"
    public.mkdir()
    for name, path in (("get", f"{PODS}/read-7"), ("list500", f"{PODS}?limit=500")):
        (public / name).write_bytes(_ask(one[0], request("GET", path)))
    bare = stack.enter_context(_process(directory, "--bare", str(public / "get")))
    nginx_port = _nginx(directory, public, stack)
    turns = {"": (server.port, f"{PODS}/read-7"), "bare_": (bare.port, "/get"), "nginx_": (nginx_port, "/get")}
    best, took, spent = _in_turns(turns, lambda port: connections(port, 16), server, seconds)
    yield measured("api.get_rps", "1/s", best.pop(""), goal=(">=", 15_000), n=len(took))
    yield measured("api.get_per_cpu_s", "1/s", len(took) / spent)
    yield measured("api.get_p99_ms", "ms", percentile(took, 99) * 1000, n=len(took))
    for who, rate in best.items():
        yield measured(f"api.{who}get_rps", "1/s", rate)
    turns = {"": (server.port, f"{PODS}?limit=500"), "nginx_": (nginx_port, "/list500")}
    best, took, spent = _in_turns(turns, lambda port: connections(port, 4), server, seconds)
    yield measured("api.list500_rps", "1/s", best.pop(""), goal=(">=", 700), n=len(took))
    yield measured("api.list500_per_cpu_s", "1/s", len(took) / spent)
    for who, rate in best.items():
        yield measured(f"api.{who}list500_rps", "1/s", rate)


def _in_turns(
    turns: dict[str, tuple[int, str]], connections: Callable[[int], list[Connection]], server: _Server, seconds: float
) -> tuple[dict[str, float], list[float], float]:
    """The best rate of each, the times of ours and the processor time it took: in turns, so that a noisy neighbour meets all."""
    open_, best, took, spent = {}, {}, [], 0.0
    for who, (port, _) in turns.items():
        if port:
            open_[who], best[who] = connections(port), 0.0
    for _ in range(ROUNDS):
        for who, some in open_.items():
            asked = request("GET", turns[who][1])
            before = server.cpu
            rate, times = closed_loop(some, lambda asked=asked: asked, seconds / ROUNDS)  # type: ignore[misc]
            best[who] = max(best[who], rate)
            if not who:
                spent += server.cpu - before
                took += times
    return best, took, spent


def _creates(seconds: float, port: int, connections: Callable[[int, int], list[Connection]]) -> Iterator[Metric]:
    number = itertools.count()
    rate, took = closed_loop(
        connections(port, 32), lambda: request("POST", CONFIG_MAPS, config_map(f"made-{next(number)}")), seconds
    )
    yield measured("api.create_rps", "1/s", rate, goal=(">=", 3000), n=len(took))
    rate, took = closed_loop(connections(port, 32), lambda: request("POST", PODS, pod(f"made-{next(number)}")), seconds)
    yield measured("api.create_pods_rps", "1/s", rate, n=len(took))
    yield measured("api.create_pods_p99_ms", "ms", percentile(took, 99) * 1000, n=len(took))


def _fanout(
    count: int, port: int, connections: Callable[[int, int], list[Connection]], directory: Path
) -> Iterator[Metric]:
    """From a create being sent to the last watcher having it; beside a bare server that writes the same to as many."""
    objects = "/api/v1/namespaces/kube-system/configmaps"
    ours = _Fan(Watchers(connections(port, count), f"{objects}?watch=1"), connections(port, 1)[0], objects)
    with _process(directory, "--bare", str(directory / "public/get")) as bare:
        limit = _Fan(Watchers(connections(bare.port, count), "/watch"), connections(bare.port, 1)[0], "/fire")
        took: tuple[list[float], list[float]] = ([], [])
        for number in range(12):  # in turns
            took[0].append(ours.fire(f"news-{number}"))
            took[1].append(limit.fire(f"news-{number}"))
        ours.close()
        limit.close()
    middle, bare_middle = (sorted(times[2:])[len(times[2:]) // 2] * 1000 for times in took)
    yield measured(f"api.fanout_{count}_ms", "ms", middle, goal=("<=", 30), n=count)
    yield measured(f"api.bare_fanout_{count}_ms", "ms", bare_middle, n=count)


def _fanout2(
    count: int, port: int, connections: Callable[[int, int], list[Connection]], directory: Path
) -> Iterator[Metric]:
    """The same over HTTP/2."""
    objects = "/api/v1/namespaces/kube-public/configmaps"
    tls = context(directory, "h2")
    writer = connections(port, 1)[0]
    writer.sock.setblocking(True)
    fan = _Fan(h2_load.Watchers(port, tls, f"{objects}?watch=1", count), writer, objects)
    took = [fan.fire(f"news-{number}") for number in range(12)][2:]
    fan.close()
    yield measured(f"api.fanout_{count}_h2_ms", "ms", sorted(took)[len(took) // 2] * 1000, goal=("<=", 10), n=count)


def _nginx(directory: Path, public: Path, stack: ExitStack) -> int:
    """The port of an nginx that serves the files; 0, and a word why, if there is none."""
    try:
        return stack.enter_context(nginx.serving(nginx.find(), directory, public, _pinned()))
    except nginx.NotAvailable as error:
        print(f"nginx_* is left out: {error}", file=sys.stderr)
        return 0


class _Fan:
    """Watchers of one server, and a connection that makes news."""

    def __init__(self, watchers: Watchers | h2_load.Watchers, writer: Connection, create: str) -> None:
        self._watchers, self._writer, self._create = watchers, writer, create
        self._watchers.settle()

    def fire(self, name: str) -> float:
        """Seconds until all have seen an object of this name."""
        started = time.perf_counter()
        self._writer.sock.sendall(request("POST", self._create, config_map(name)))
        took = self._watchers.await_all(f'"{name}"'.encode()) - started
        self._writer.sock.recv(1 << 16)
        return took

    def close(self) -> None:
        """End all watches."""
        self._watchers.close()


def _memory(count: int) -> Iterator[Metric]:
    """A server of its own, so that nothing else is in it."""

    def each(ask: Callable[[int], bytes]) -> float:
        """What the server's memory is when all pods have been written to."""
        some = [connect(server.port, tls) for _ in range(16)]
        number = itertools.count()
        _times(some, lambda: ask(next(number)), count)
        for connection in some:
            connection.sock.close()
        time.sleep(1.0)
        return server.rss_mb

    with tempfile.TemporaryDirectory(prefix="bench-api-") as name, _process(Path(name)) as server:
        tls = context(Path(name))
        empty = server.rss_mb
        full = each(lambda i: request("POST", PODS, pod(f"kept-{i}")))
        each(lambda i: request("POST", f"{PODS}/kept-{i}/binding", _binding(f"kept-{i}")))
        running = each(lambda i: request("PATCH", f"{PODS}/kept-{i}/status", running_status(i), STRATEGIC))
        last = _ask(connect(server.port, tls), request("GET", f"{PODS}/kept-{count - 1}"))
        assert b'"phase":"Running"' in last, last
    yield measured("api.rss_empty_mb", "MB", empty)
    yield measured("api.rss_10k_pods_mb", "MB", full, goal=("<=", 120), n=count)
    yield measured("api.rss_10k_running_mb", "MB", running, goal=("<=", 140), n=count)


def _ask(connection: Connection, asked: bytes) -> bytes:
    connection.keep = True
    connection.send(asked)
    buffer = memoryview(bytearray(1 << 16))
    while not connection.receive(buffer):
        pass
    return bytes(connection.got).partition(b"\r\n\r\n")[2]


def _times(connections: list[Connection], next_request: Callable[[], bytes], count: int) -> None:
    """Send `count` requests over the connections, one after the other on each."""
    buffer = memoryview(bytearray(1 << 16))
    for connection in connections:
        connection.sock.setblocking(True)
    for first in range(0, count, len(connections)):
        batch = connections[: min(len(connections), count - first)]
        for connection in batch:
            connection.send(next_request())
        for connection in batch:
            while not connection.receive(buffer):
                pass


def pod(name: str) -> bytes:
    """A pod as a Deployment makes it: 3 KB once it is stored, with the record of who owns its fields."""
    environment = [{"name": f"SETTING_{i}", "value": f"value-{i}-of-some-length"} for i in range(2)]
    resources = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "500m", "memory": "256Mi"}}
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "initialDelaySeconds": 3, "periodSeconds": 10}
    container = {
        "name": "app",
        "image": "registry.example/team/app:1.2.3",
        "args": ["--listen=:8080", "--log=info"],
        "ports": [{"name": "http", "containerPort": 8080}],
        "env": environment,
        "resources": resources,
        "readinessProbe": probe,
        "volumeMounts": [{"name": "config", "mountPath": "/etc/app"}],
    }
    volumes = [{"name": "config", "configMap": {"name": "app-config"}}]
    labels = {"app": "web", "tier": "front", "pod-template-hash": "5f6b7c8d9"}
    owner = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "name": "web-5f6b7c8d9",
        "uid": "6f1c1f0e-7a94-4d4b-8a37-0a4c2c1d9b11",
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return msgspec.json.encode(
        {
            "kind": "Pod",
            "apiVersion": "v1",
            "metadata": {"name": name, "labels": labels, "ownerReferences": [owner]},
            "spec": {"containers": [container], "volumes": volumes},
        }
    )


def _binding(name: str) -> bytes:
    target = {"kind": "Node", "name": "node-1"}
    return msgspec.json.encode({"kind": "Binding", "apiVersion": "v1", "metadata": {"name": name}, "target": target})


def running_status(number: int) -> bytes:
    """What an agent says of such a pod once it runs: with it, and the record of who said so, the pod has 5.5 KB."""
    now, address = "2026-11-21T18:00:00Z", f"10.244.{number // 250}.{number % 250}"
    true = {"status": "True", "lastTransitionTime": now, "observedGeneration": 1}
    words = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")
    image = "registry.example/team/app"
    resources = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"cpu": "500m", "memory": "256Mi"}}
    container = {
        "name": "app",
        "state": {"running": {"startedAt": now}},
        "ready": True,
        "started": True,
        "restartCount": 0,
        "image": f"{image}:1.2.3",
        "imageID": f"{image}@sha256:{7:064x}",
        "containerID": f"containerd://{number:064x}",
        "resources": resources,
        "allocatedResources": resources["requests"],
        "volumeMounts": [{"name": "config", "mountPath": "/etc/app"}],
    }
    status = {
        "observedGeneration": 1,
        "phase": "Running",
        "conditions": [{"type": word, **true} for word in words],
        "hostIP": "192.0.2.20",
        "hostIPs": [{"ip": "192.0.2.20"}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": now,
        "containerStatuses": [container],
    }
    return msgspec.json.encode({"status": status})


def config_map(name: str) -> bytes:
    """A ConfigMap of 2 KB."""
    data = {f"key-{i}": "x" * 100 for i in range(17)}
    return msgspec.json.encode({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name}, "data": data})


def _allow_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))
