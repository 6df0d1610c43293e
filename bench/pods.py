"""How fast pods start: from POST to Running seen on a watch, beside the bare sequence of CRI calls, in turns on one test host.

One at a time, and thirty at once; the bare calls of a burst go four at a time, which is as fast as any. `--full` fills the node and
watches what the agent needs.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from statistics import median

from bench.frame import Metric, measured
from testbed import Node, Switch
from testbed.checkout import CHECKOUT

WHERRY = str(CHECKOUT / "wherry")


def add_options(parser: argparse.ArgumentParser) -> None:
    """What this benchmark takes."""
    parser.add_argument("--rounds", type=int, default=20, help="pods started one by one (default: %(default)s)")
    parser.add_argument("--bursts", type=int, default=3, help="how often thirty are started (default: %(default)s)")


def run(options: argparse.Namespace) -> Iterator[Metric]:
    """Bring up a node, then measure on it."""
    with Switch() as switch, Node("benchpods", switch) as node:
        node.run([WHERRY, "up"], timeout=180)
        seen = _play(node, "single", options.rounds)
        cri, agent = median(seen["cri"]), median(seen["agent"])
        yield measured("pods.cri_p50_s", "s", cri, n=options.rounds)
        yield measured("pods.agent_p50_s", "s", agent, n=options.rounds)
        yield measured("pods.p50_ratio", "x", agent / cri, goal=("<=", 1.10), n=options.rounds)
        seen = _play(node, "burst", options.bursts)
        cri, agent = median(seen["cri"]), median(seen["agent"])
        yield measured("pods.cri_burst_pods_s", "pods/s", cri, n=options.bursts)
        yield measured("pods.agent_burst_pods_s", "pods/s", agent, n=options.bursts)
        yield measured("pods.burst_ratio", "x", median(seen["ratio"]), goal=(">=", 0.95), n=options.bursts)
        yield measured("pods.burst_half_share", "x", median(seen["half"]), goal=("<=", 0.55), n=options.bursts)
        if options.full:
            seen = _play(node, "full", 110)
            yield measured("pods.agent_rss_110_mb", "MB", seen["rss"][0], goal=("<=", 80))
            yield measured("pods.agent_cpu_110_pct", "%", seen["cpu"][0], goal=("<=", 5))


def _play(node: Node, what: str, count: int) -> dict[str, list[float]]:
    """Measure on the host; the last line printed is the result."""
    argv = [sys.executable, "-m", "bench.pods_lab", what, str(count)]
    said = node.run(argv, timeout=600, env={"PYTHONPATH": str(CHECKOUT)}).text
    result: dict[str, list[float]] = json.loads(said.splitlines()[-1])
    return result
