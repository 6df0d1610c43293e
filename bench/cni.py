"""The CNI plugin: a whole process per request, beside Debian's Go `bridge` + `host-local`, in turns.

Each turn does one ADD and one DEL of a pod of its own with our plugin and the daemon, our plugin alone, and the Go plugins, in a
host namespace of our own. The figures are medians; a ratio is ours to Go's.
"""

import argparse
import statistics
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from bench import cni_kills, cni_policy
from bench.cni_lab import GO_PLUGINS, Answer, Lab, lab, need_go_plugins
from bench.frame import Metric, measured
from cni import install

NO_SUCH_SOCKET = "/nonexistent/cni.sock"
WAYS = ("daemon", "alone", "go")
PARALLEL = 200
KILLS, FULL_KILLS = 40, 1000


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of this benchmark."""
    parser.add_argument("--turns", type=int, default=60, help="ADDs and DELs of each kind (default 60)")


def run(options: argparse.Namespace) -> Iterator[Metric]:
    """Measure."""
    need_go_plugins()
    with lab("bench") as one:
        with one.daemon():
            yield from _ratios(_in_turns(one, options.turns), options.turns)
            yield from _parallel(one)
        yield from cni_policy.run(one, options.turns)
        yield from _kills(one, FULL_KILLS if options.full else KILLS)


def _in_turns(one: Lab, turns: int) -> dict[tuple[str, str], list[float]]:
    alone = _alone(one)
    calls = {
        "daemon": (one.plugin, one.network()),
        "alone": (alone, one.network()),
        "go": (f"{GO_PLUGINS}/bridge", one.go_network()),
    }
    times: dict[tuple[str, str], list[float]] = {(way, verb): [] for way in WAYS for verb in ("ADD", "DEL")}
    for way in WAYS:
        one.space(way)
    for turn in range(turns + 1):
        for way in WAYS[turn % 3 :] + WAYS[: turn % 3]:
            plugin, network = calls[way]
            for verb in ("ADD", "DEL"):
                answer = _checked(one.call(verb, way, network, plugin=plugin), f"{verb} ({way})")
                if turn:  # the first makes the bridge
                    times[way, verb].append(answer.seconds * 1000)
    for way in WAYS:
        one.end(way)
    return times


def _alone(one: Lab) -> str:
    """The plugin as it is when no daemon answers."""
    return str(install.install(one.folder / "alone", sys.executable, NO_SUCH_SOCKET, data_dir=one.data)[0])


def _ratios(times: dict[tuple[str, str], list[float]], turns: int) -> Iterator[Metric]:
    median = {key: statistics.median(values) for key, values in times.items()}
    for name, key in (
        ("add_ms", ("daemon", "ADD")),
        ("alone_add_ms", ("alone", "ADD")),
        ("go_add_ms", ("go", "ADD")),
        ("del_ms", ("daemon", "DEL")),
        ("alone_del_ms", ("alone", "DEL")),
        ("go_del_ms", ("go", "DEL")),
    ):
        yield measured(f"cni.{name}", "ms", median[key], n=turns)
    add, delete = median["go", "ADD"], median["go", "DEL"]
    yield measured("cni.add_ratio", "x", median["daemon", "ADD"] / add, goal=("<=", 1.0), n=turns)
    yield measured("cni.del_ratio", "x", median["daemon", "DEL"] / delete, goal=("<=", 1.0), n=turns)
    yield measured("cni.alone_ratio", "x", median["alone", "ADD"] / add, goal=("<=", 4.0), n=turns)


def _parallel(one: Lab) -> Iterator[Metric]:
    names = [f"m{n}" for n in range(PARALLEL)]
    for name in names:
        one.space(name)
    with ThreadPoolExecutor(PARALLEL) as threads:
        answers = list(threads.map(lambda name: one.call("ADD", name), names))
        given = [answer.body["ips"][0]["address"] for answer in answers if answer.code == 0]
        ended = list(threads.map(lambda name: one.call("DEL", name), names))
    failures = 2 * PARALLEL - len(set(given)) - sum(answer.code == 0 for answer in ended)
    for name in names:
        one.end(name)
    yield measured("cni.parallel_200_failures", "", failures, goal=("<=", 0), n=PARALLEL)
    slowest = max(answer.seconds for answer in answers) * 1000
    yield measured("cni.parallel_200_slowest_add_ms", "ms", slowest, n=PARALLEL)


def _kills(one: Lab, kills: int) -> Iterator[Metric]:
    report = cni_kills.kill_at_random(one, kills=kills, seed=1)
    yield measured("cni.leaked_after_kills", "", len(report.leaked), goal=("<=", 0), n=report.killed)


def _checked(answer: Answer, what: str) -> Answer:
    if answer.code:
        raise RuntimeError(f"{what} failed: {answer.output.decode(errors='replace')}")
    return answer
