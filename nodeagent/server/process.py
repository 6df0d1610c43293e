"""What this process uses, under the names that every program has for it."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

from nodeagent.report.measures import Shown

_NO_LIMIT = float(2**64)


def process_numbers(proc: Path = Path("/proc")) -> Iterator[Shown]:
    """Read now."""
    own = proc / "self"
    fields = (own / "stat").read_text().rpartition(")")[2].split()  # the name before it may hold anything
    tick, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    boot = next(int(line.split()[1]) for line in (proc / "stat").read_text().splitlines() if line.startswith("btime "))
    received, sent = _network(own)
    yield _counter("cpu_seconds_total", "Processor time in seconds.", (int(fields[11]) + int(fields[12])) / tick)
    yield _gauge("max_fds", "How many files may be open.", _limit(resource.RLIMIT_NOFILE))
    yield _counter("network_receive_bytes_total", "What came over the network that it is in.", received)
    yield _counter("network_transmit_bytes_total", "What went over the network that it is in.", sent)
    yield _gauge("open_fds", "How many files are open.", len(os.listdir(own / "fd")))
    yield _gauge("resident_memory_bytes", "Memory that it holds.", int(fields[21]) * page)
    yield started(boot + int(fields[19]) / tick)
    yield _gauge("virtual_memory_bytes", "Addresses that it has taken.", int(fields[20]))
    yield _gauge("virtual_memory_max_bytes", "Addresses that it may take.", _limit(resource.RLIMIT_AS))


def started(at: float) -> Shown:
    """When the process began, which more than one page tells."""
    return _gauge("start_time_seconds", "When it began, in seconds since 1970.", at)


def start_time(proc: Path = Path("/proc")) -> float:
    """When this process began."""
    found = next(one for one in process_numbers(proc) if one.name == "process_start_time_seconds")
    return found.samples[0][1]


def _limit(which: int) -> float:
    limit = resource.getrlimit(which)[0]
    return _NO_LIMIT if limit == resource.RLIM_INFINITY else float(limit)


def _network(own: Path) -> tuple[int, int]:
    received = sent = 0
    for line in (own / "net/dev").read_text().splitlines()[2:]:
        numbers = line.partition(":")[2].split()
        received, sent = received + int(numbers[0]), sent + int(numbers[8])
    return received, sent


def _gauge(name: str, text: str, value: float) -> Shown:
    return Shown(f"process_{name}", text, [({}, value)], stage="")


def _counter(name: str, text: str, value: float) -> Shown:
    return Shown(f"process_{name}", text, [({}, value)], "counter", stage="")
