"""How long a node takes from `wherry up` to Ready, and what it needs when idle. Runs in a test host of its own.

Packages are installed and images built before the clock starts, as after a first `up` and `down`; `up` itself is what a user runs.
"""

import argparse
import json
import time
from collections.abc import Iterator

from bench.frame import Metric, measured
from testbed import Node, Switch
from testbed.checkout import CHECKOUT

WHERRY = str(CHECKOUT / "wherry")
IDLE_SECONDS = 15


def add_options(parser: argparse.ArgumentParser) -> None:
    """What this benchmark takes."""
    parser.add_argument("--rounds", type=int, default=3, help="how often the cluster is started (default: %(default)s)")


def run(options: argparse.Namespace) -> Iterator[Metric]:
    """Start a node a few times, then let it idle."""
    with Switch() as switch, Node("bench", switch) as node:
        first = timed_up(node)
        yield measured("cluster.first_up_s", "s", first)
        times = []
        for _ in range(max(1, options.rounds)):
            node.run([WHERRY, "down"], timeout=120)
            times.append(timed_up(node))
        yield measured("cluster.up_to_ready_s", "s", sorted(times)[len(times) // 2], goal=("<=", 8), n=len(times))
        time.sleep(IDLE_SECONDS)
        memory = resident(node)
        yield measured("cluster.idle_rss_control_mb", "MB", memory["controlplane"], goal=("<=", 120))
        yield measured("cluster.idle_rss_node_mb", "MB", memory["agent"] + memory["proxy"], goal=("<=", 100))
        yield measured("cluster.idle_rss_containerd_mb", "MB", memory["containerd"])


def timed_up(node: Node) -> float:
    """Seconds of one `wherry up`, which ends when the node is Ready."""
    began = time.monotonic()
    node.run([WHERRY, "up"], timeout=180)
    return time.monotonic() - began


def resident(node: Node) -> dict[str, float]:
    """Resident memory of each component, as `wherry status` says."""
    said = json.loads(node.run([WHERRY, "status", "--json"]).text)
    return {one["name"]: one["memory_mb"] for one in said["components"]}
