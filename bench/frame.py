"""`wherry bench NAME`: runs one benchmark module and prints what it measured, as a table or one JSON object a line.

A benchmark is a module `bench/NAME.py` with `add_options(parser)` (optional) and `run(options) -> Iterator[Metric]`. It drives the real
component through its real door and runs its peer, or the physical limit, in turns in the same call. A missed goal is printed, never an
error: machines are shared and noisy.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

NAMES = ("api", "store", "pods", "cni", "proxy", "scheduler", "controllers", "cluster")


@dataclass(frozen=True, slots=True)
class Metric:
    """One measured number. `goal` None: shown for comparison only, and `ok` is True."""

    bench: str
    metric: str
    value: float
    unit: str
    goal: float | None = None
    ok: bool = True
    n: int = 1


def measured(
    name: str, unit: str, value: float, *, goal: tuple[Literal["<=", ">="], float] | None = None, n: int = 1
) -> Metric:
    """A metric `bench.metric`, held against its goal."""
    bench, metric = name.split(".", 1)
    ok = goal is None or (value <= goal[1] if goal[0] == "<=" else value >= goal[1])
    return Metric(bench, metric, round(value, 4), unit, goal[1] if goal else None, ok, n)


def percentile(values: list[float], percent: float) -> float:
    """The nearest-rank percentile of measured values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def main(argv: list[str]) -> int:
    """Run `wherry bench`."""
    parser = argparse.ArgumentParser(prog="wherry bench", description="Measure, beside a peer or a physical limit.")
    parser.add_argument("name", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument("--full", action="store_true", help="the long form, which may take minutes")
    known, _ = parser.parse_known_args([word for word in argv if word not in ("-h", "--help")] or ["--help"])
    module = importlib.import_module(f"bench.{known.name}")
    if hasattr(module, "add_options"):
        module.add_options(parser)
    options = parser.parse_args(argv)
    _show(module.run(options), as_json=options.json)
    return 0


def _show(metrics: Iterator[Metric], *, as_json: bool) -> None:
    if not as_json:
        print(f"{'metric':34} {'value':>12} {'unit':8} {'goal':>12}")
    for m in metrics:
        if as_json:
            print(json.dumps(asdict(m)), flush=True)
            continue
        goal = "" if m.goal is None else f"{m.goal:12g} {'reached' if m.ok else 'missed'}"
        print(f"{m.bench + '.' + m.metric:34} {m.value:12g} {m.unit:8} {goal}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
