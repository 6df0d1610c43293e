"""The supervisor as a process: it starts, restarts, takes over, stops."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.supervise import LOG_BYTES, read_record, read_restarts

LONG = ["sleep", "1000"]


class Bench:
    """One supervisor and its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.logs = folder / "log"
        self.logs.mkdir()
        self.process: subprocess.Popen[bytes] | None = None

    def want(self, **programs: tuple[list[str], str]) -> None:
        listed = [
            {"name": name, "argv": argv, "digest": digest, "stopSeconds": 5}
            for name, (argv, digest) in programs.items()
        ]
        (self.folder / "supervisor.json").write_text(json.dumps(listed))
        if self.process is not None:
            self.process.send_signal(signal.SIGHUP)

    def start(self, log: str = "/dev/null") -> None:
        argv = [sys.executable, "-m", "cli.supervise", str(self.folder), str(self.logs)]
        with open(log, "w") as stderr:
            self.process = subprocess.Popen(argv, stderr=stderr)
        until(lambda: self.process is not None and self.pid("supervisor") == self.process.pid)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self) -> int:
        if self.process is None:
            self.start()
        assert self.process is not None
        self.process.terminate()
        code = self.process.wait(120)
        self.process = None
        return code

    def pid(self, name: str) -> int:
        record = read_record(self.folder / "pids" / f"{name}.json")
        return record.pid if record else 0


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.want()
    made.stop()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "it does not come true"
        time.sleep(0.01)


def test_starts_restarts_and_stops(bench: Bench) -> None:
    bench.want(a=(LONG, "1"))
    bench.start()
    until(lambda: bench.pid("a"))
    first = bench.pid("a")
    os.kill(first, signal.SIGKILL)
    until(lambda: bench.pid("a") not in (0, first))
    second = bench.pid("a")
    assert bench.stop() == 0
    assert not Path(f"/proc/{second}").exists()


def test_a_new_supervisor_takes_over_what_runs(bench: Bench) -> None:
    bench.want(a=(LONG, "1"), b=(LONG, "1"))
    bench.start()
    until(lambda: bench.pid("a") and bench.pid("b"))
    first, other = bench.pid("a"), bench.pid("b")
    bench.kill()
    bench.start()
    bench.want(a=(LONG, "1"), b=(LONG, "2"))
    until(lambda: bench.pid("b") not in (0, other))
    assert bench.pid("a") == first
    os.kill(first, signal.SIGKILL)  # it is no child of the new one, and is watched all the same
    until(lambda: bench.pid("a") not in (0, first))


def test_a_program_that_is_missing_does_not_stop_the_others(bench: Bench) -> None:
    bench.want(a=(["/nonexistent/program"], "1"), b=(LONG, "1"))
    bench.start()
    until(lambda: bench.pid("b"))
    assert bench.pid("a") == 0


def test_restarts_are_counted_also_while_it_does_not_run(bench: Bench) -> None:
    bench.want(a=(["sh", "-c", "exit 1"], "1"))
    bench.start()
    until(lambda: read_restarts(bench.folder / "pids/a.json") >= 3)


def test_a_full_disk_ends_nothing(bench: Bench) -> None:
    bench.want(a=(LONG, "1"))
    bench.start(log="/dev/full")
    until(lambda: bench.pid("a"))
    first = bench.pid("a")
    os.kill(first, signal.SIGKILL)
    until(lambda: bench.pid("a") not in (0, first))


def test_long_logs_are_cut(bench: Bench) -> None:
    with open(bench.logs / "a.log", "wb") as log:
        log.truncate(LOG_BYTES + 1)
    bench.want(a=(["sh", "-c", "echo new; exec sleep 1000"], "1"))
    bench.start()
    until((bench.logs / "a.log.1").exists)
    until(lambda: (bench.logs / "a.log").exists() and (bench.logs / "a.log").stat().st_size < 100)


def test_a_broken_file_changes_nothing(bench: Bench) -> None:
    bench.want(a=(LONG, "1"))
    bench.start()
    until(lambda: bench.pid("a"))
    first = bench.pid("a")
    (bench.folder / "supervisor.json").write_text("{")
    assert bench.process is not None
    bench.process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert bench.pid("a") == first
