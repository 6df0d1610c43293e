"""The service proxy: cold start and single changes to the kernel, beside upstream's chain layout through nft and iptables-restore.

Each run is a process in a network namespace of its own. Without `--services` every backend is measured at the size of
its goal; the peer then has a size that it can do in seconds, and ours is measured at that size too (`--full`: the whole
size for both, which takes the peer minutes). With `--backend` the metrics carry no prefix.

`nft_listeners` is how many programs on this machine listen to nf_tables, in any network namespace: a running proxy is
one. While there is any, the kernel writes a message for every element of every transaction, and a cold start takes
about six times as long; so it is said, and a cold start should be judged where it is 0.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench import proxy_state
from bench.frame import Metric, measured, percentile
from bench.proxy_state import Size

Goal = tuple[Literal["<=", ">="], float]
BACKENDS = ("nftables", "iptables-nft", "iptables-legacy")
PEER_SIZE, IDLE = Size(500, 9), Size(1000, 3)
UNITS = {"_s": "s", "_us": "us", "_mb": "MB", "_ratio_10k": ""}


@dataclass(frozen=True)
class Case:
    """One backend at one size, and what it should reach there."""

    backend: str
    size: Size
    goals: dict[str, Goal]


IPTABLES_GOALS: dict[str, Goal] = {"cold_s": ("<=", 10), "change_p50_us": ("<=", 60_000)}
CASES = (
    Case(
        "nftables",
        Size(5000, 50),
        {"cold_s": ("<=", 1.5), "change_p50_us": ("<=", 1000), "change_p99_us": ("<=", 5000), "rss_mb": ("<=", 250)},
    ),
    Case("nftables", Size(40_000, 1), {"cold_s": ("<=", 1.0), "change_p50_us": ("<=", 1000)}),
    Case("iptables-legacy", Size(5000, 9), IPTABLES_GOALS),
    Case("iptables-nft", Size(5000, 9), IPTABLES_GOALS),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Sizes and backend."""
    parser.add_argument("--services", type=int, help="how many Services")
    parser.add_argument("--endpoints", type=int, help="endpoints of each")
    parser.add_argument(
        "--backend", choices=(*BACKENDS, "iptables"), help="only this one (iptables: the legacy variant)"
    )


def run(options: argparse.Namespace) -> Iterator[Metric]:
    """Measure in fresh network namespaces; needs root."""
    if os.geteuid() != 0:
        raise SystemExit("wherry bench: cannot measure the proxy: it needs root")
    wanted = "iptables-legacy" if options.backend == "iptables" else options.backend
    cases = [case for case in CASES if wanted in (None, case.backend)]
    if options.services or options.endpoints:
        cases = [_resized(case, options) for case in {case.backend: case for case in reversed(cases)}.values()]
    elif wanted:
        cases = cases[:1]
    yield measured("proxy.nft_listeners", "", nft_listeners())
    for case in cases:
        prefix = "proxy." if wanted else f"proxy.{case.backend}_{case.size}."
        yield from _ours(prefix, case, full=options.full)
        yield from _beside_peer(prefix, case, full=options.full)
    if wanted in (None, "nftables"):
        found = _node("idle", "nftables", str(IDLE.services), str(IDLE.endpoints))
        yield measured(f"proxy.idle_{IDLE}_rss_mb", "MB", found["idle_rss_mb"], goal=("<=", 45))
        yield measured(f"proxy.idle_{IDLE}_cpu_pct", "%", found["idle_cpu_pct"], goal=("<=", 0.2))
        found = _node("connect", "10000")
        yield measured("proxy.connect_one_us", "us", found["connect_one_us"])
        yield measured("proxy.connect_10k_us", "us", found["connect_10k_us"])
        yield measured("proxy.connect_ratio_10k", "", found["connect_ratio_10k"], goal=("<=", 1.05))


def nft_listeners() -> int:
    """Netlink sockets that are in the group of nf_tables' notices, in all network namespaces."""
    found, seen = 0, set()
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            namespace = os.stat(directory / "ns/net").st_ino
            if namespace in seen:
                continue
            lines = (directory / "net/netlink").read_text().splitlines()[1:]
        except OSError:
            continue  # it has ended
        seen.add(namespace)
        columns = (line.split() for line in lines)
        found += sum(1 for column in columns if column[1] == "12" and int(column[3], 16) & 1 << 6)
    return found


def _resized(case: Case, options: argparse.Namespace) -> Case:
    size = Size(options.services or case.size.services, options.endpoints or case.size.endpoints)
    return Case(case.backend, size, case.goals if size == case.size else {})


def _ours(prefix: str, case: Case, *, full: bool) -> Iterator[Metric]:
    rounds = 200 if case.backend == "nftables" or full else 20
    found = _node(case.backend, str(case.size.services), str(case.size.endpoints), str(rounds))
    count = int(found.pop("n"))
    for name, value in found.items():
        unit = next((unit for end, unit in UNITS.items() if name.endswith(end)), "")
        yield measured(
            prefix + name, unit, value, goal=case.goals.get(name), n=count if "p50" in name or "p99" in name else 1
        )


def _beside_peer(prefix: str, case: Case, *, full: bool) -> Iterator[Metric]:
    """The peer, and unless that is the case's own size, ours at the peer's."""
    size = case.size if full else min(case.size, PEER_SIZE, key=lambda one: one.services * one.endpoints)
    if case.size.endpoints == 1:
        return
    ours = _node(case.backend, str(size.services), str(size.endpoints), "20") if size != case.size else {}
    cold, changes = _peer(case.backend, size, 6)
    at = f"_{size}" if size != case.size else ""
    for name in ("cold_s", "change_p50_us"):
        if ours:
            yield measured(f"{prefix}same{at}_{name}", "s" if name == "cold_s" else "us", ours[name])
    yield measured(f"{prefix}peer{at}_cold_s", "s", cold)
    yield measured(f"{prefix}peer{at}_change_p50_us", "us", percentile(changes, 50) * 1e6, n=len(changes))


def _node(*arguments: str) -> dict[str, float]:
    """Run one measurement in a new network namespace."""
    argv = ["unshare", "--net", sys.executable, "-m", "bench.proxy_node", *arguments]
    done = subprocess.run(argv, stdout=subprocess.PIPE, check=True)
    return {name: float(value) for name, value in json.loads(done.stdout.splitlines()[-1]).items()}


def _peer(backend: str, size: Size, rounds: int) -> tuple[float, list[float]]:
    """Upstream's layout, written by the program that upstream calls: seconds cold, and for each change."""
    if backend == "nftables":
        command, whole, change = "nft -f -", proxy_state.nft_peer(size), proxy_state.nft_peer_change
    else:
        command = f"iptables{backend.removeprefix('iptables')}-restore -w 5 --noflush"
        whole, change = proxy_state.iptables_peer(size), proxy_state.iptables_peer_change
    with _Shell() as shell:
        cold = shell.timed(command, whole)
        changes = [seconds for turn in range(rounds // 2) for seconds in _both(shell, command, change, size, turn * 37)]
    return cold, changes


def _both(
    shell: _Shell, command: str, change: Callable[[Size, int], list[str]], size: Size, turn: int
) -> Iterator[float]:
    for text in change(size, turn % size.services):
        yield shell.timed(command, text)


class _Shell:
    """A process that holds a network namespace, in which programs are run."""

    def __enter__(self) -> _Shell:
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "echo; exec cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._holder.stdout is not None
        self._holder.stdout.readline()
        return self

    def timed(self, command: str, text: str) -> float:
        """Seconds that the program takes with this input."""
        argv = ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net", *command.split()]
        began = time.perf_counter()
        subprocess.run(argv, input=text.encode(), check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began

    def __exit__(self, *_: object) -> None:
        self._holder.communicate()
