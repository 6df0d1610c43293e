"""`wherry test`: installs what the tests need, runs every check and the whole suite, names each skipped or unsteady test and why."""

import argparse
import os
import signal
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.errors import CliError
from cli.layout import CHECKOUT
from cli.steps.packages import REQUIREMENTS
from kit.clock import SystemClock
from linux import packages
from linux.packages import Requirement
from linux.process import Child, start

# What tests need beyond what a node needs. Peers of the benchmarks are not among them.
FOR_TESTS = (
    Requirement("curl", "curl"),
    Requirement("ping", "iputils-ping"),
    Requirement("ps", "procps"),
    Requirement("sysctl", "procps"),
    Requirement("git", "git"),
    Requirement("openssl", "openssl"),
    Requirement("/lib/systemd/systemd", "systemd"),
    Requirement("dbus-daemon", "dbus"),
    Requirement("mmdebstrap", "mmdebstrap"),
    Requirement("etcd", "etcd-server"),
    Requirement("/usr/lib/cni/bridge", "containernetworking-plugins"),
    Requirement("linux.uml", "user-mode-linux"),
    Requirement("modprobe", "kmod"),
)
SECONDS = 3600  # for each check, and for all lanes together: what hangs is named before whoever runs this gives up
FAREWELL = 60  # for a lane that is interrupted, to report what it has


@dataclass(frozen=True)
class Check:
    """One program to run; quick ones first."""

    name: str
    argv: tuple[str, ...]


CHECKS = (
    Check("ruff check", ("ruff", "check", ".")),
    Check("ruff format", ("ruff", "format", "--check", ".")),
    Check("import contracts", ("lint-imports", "--no-cache")),
    Check("mypy", ("mypy",)),
)


# The whole suite runs in two lanes side by side: what changes kernels and runs clusters mostly waits, the rest computes.
# The rest is sooner done, so the longest of the others go with it.
KERNEL = "(root or containerd or cluster) and not long"
LANES = (KERNEL, f"not ({KERNEL})")


# Where a lane's pytest is told to write which test it runs (tests/conftest.py does).
RUNNING = "WHERRY_RUNNING_TEST"
# What the report calls the first failure of a test that then passed (tests/second_look.py).
FIRST_LOOK = "first look"


@dataclass(frozen=True)
class Lane:
    """One pytest, and the files that it leaves."""

    folder: Path
    number: int
    selection: str

    @property
    def report(self) -> Path:
        """What came of each test."""
        return self.folder / f"{self.number}.xml"

    @property
    def output(self) -> Path:
        """What it printed, if it did not print it straight to us."""
        return self.folder / f"{self.number}.txt"

    @property
    def running(self) -> Path:
        """The test that runs, or that ran last."""
        return self.folder / f"{self.number}.running"

    def cut_off(self, code: int | None) -> str:
        """In which test it ended before its time; "" if it came to its end."""
        if code is not None and self.report.exists():
            return ""
        last = self.running.read_text() if self.running.exists() else "no test at all"
        return f"{'took too long' if code is None else f'ended with status {code}'} in {last}"


@dataclass(frozen=True)
class Outcome:
    """How one check ended."""

    name: str
    ok: bool
    seconds: float
    detail: str = ""


def add_options(parser: argparse.ArgumentParser) -> None:
    """What `test` takes."""
    parser.add_argument("--quick", action="store_true", help="leave out tests that take more than ten seconds")
    parser.add_argument("paths", nargs="*", metavar="PATH", help="only these tests, without the other checks")


def run(options: argparse.Namespace) -> int:
    """Run all; 0 only when everything passed."""
    install()
    checks = () if options.paths else CHECKS
    outcomes = [run_check(check) for check in checks]
    with tempfile.TemporaryDirectory() as folder:
        tests, notes = run_tests(Path(folder), options.paths, "not slow" if options.quick else "")
    outcomes.append(tests)
    print("\n".join(summary(outcomes, notes)))
    return 0 if all(outcome.ok for outcome in outcomes) else 1


def install() -> None:
    """Debian packages; without root only a note, since the tests that need them then say so themselves."""
    wanted = packages.missing((*REQUIREMENTS, *FOR_TESTS))
    if not wanted:
        return
    if os.geteuid() != 0:
        print(f"wherry: not root, so not installed: {' '.join(wanted)}", flush=True)
        return
    print(f"wherry: installing {' '.join(wanted)}", flush=True)
    try:
        packages.install(wanted)
    except packages.PackagesError as error:
        raise CliError(f"install {' '.join(wanted)}", error.reason, error.remedy) from error


def run_check(check: Check) -> Outcome:
    """One check, its output straight to ours."""
    print(f"== {check.name}", flush=True)
    clock = SystemClock()
    began = clock.monotonic()
    code = _end(_begin(check.argv))
    return Outcome(check.name, code == 0, clock.monotonic() - began, "" if code == 0 else f"exit status {code}")


def run_tests(folder: Path, paths: Sequence[str], only: str) -> tuple[Outcome, list[str]]:
    """pytest on some paths, or on everything in lanes; the first shows its progress, the others speak when they are done.

    With it comes what is to be said of single tests.
    """
    print("== pytest", flush=True)
    clock = SystemClock()
    began = clock.monotonic()
    lanes = [Lane(folder, number, lane) for number, lane in enumerate(("",) if paths else LANES)]
    children = []
    for lane in lanes:
        marked = " and ".join(f"({expression})" for expression in (lane.selection, only) if expression)
        argv = ("pytest", f"--junitxml={lane.report}", "-o", "junit_family=xunit2", *(["-m", marked] * bool(marked)))
        children.append(_begin((*argv, *paths), lane.output if lane.number else None, {RUNNING: str(lane.running)}))
    ended = []
    try:
        for lane, child in zip(lanes, children, strict=True):
            code = _end(child, SECONDS - (clock.monotonic() - began))
            ended.append((lane, code))
            if lane.output.exists():
                print(lane.output.read_text(errors="replace"), flush=True)
    finally:
        for child in children:
            child.stop()
    made = [lane.report for lane in lanes if lane.report.exists()]
    notes = [note for report in made for note in read_notes(report)]
    ok = all(code == 0 for _, code in ended) and len(made) == len(lanes)
    detail = "; ".join([counts(made), *(cut for lane, code in ended if (cut := lane.cut_off(code)))])
    return Outcome("pytest", ok, clock.monotonic() - began, detail), notes


def _begin(argv: Sequence[str], log: Path | None = None, more: Mapping[str, str] | None = None) -> Child:
    program = str(Path(sys.executable).parent / argv[0])
    path = f"{Path(sys.executable).parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    environment = {**os.environ, "PATH": path, **(more or {})}
    return start((program, *argv[1:]), log=log or sys.stdout.fileno(), cwd=CHECKOUT, env=environment)


def _end(child: Child, seconds: float = SECONDS) -> int | None:
    """The exit status; None, and the child is interrupted and then stopped, if it takes too long."""
    try:
        code = child.wait(max(0, seconds))
        if code is None:
            child.signal(signal.SIGINT)
            child.wait(FAREWELL)
    finally:
        child.stop()
    return code


def read_notes(report: Path) -> Iterator[str]:
    """From pytest's report: which tests were skipped and why, and which passed at their second look only, and what the first one met."""
    for case in ET.parse(report).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        skipped = case.find("skipped")
        if skipped is not None:
            yield f"skipped {name}: {skipped.get('message') or 'no reason given'}"
        first = case.find(f"properties/property[@name='{FIRST_LOOK}']")
        if first is not None and case.find("failure") is None and case.find("error") is None:
            yield f"unsteady {name}: {first.get('value')}"


def counts(reports: Iterable[Path]) -> str:
    """How many of what."""
    total = bad = skipped = 0
    for report in reports:
        suite = next(ET.parse(report).iter("testsuite"))
        total += int(suite.get("tests", 0))
        bad += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped += int(suite.get("skipped", 0))
    return f"{total - bad - skipped} passed, {bad} failed, {skipped} skipped"


def summary(outcomes: Sequence[Outcome], notes: Sequence[str]) -> list[str]:
    """The end of the output: a line for each check, a line for each test of which there is something to say."""
    lines = [
        "== summary",
        *(f"{'ok    ' if one.ok else 'FAILED'}  {one.name:18} {one.seconds:7.1f} s  {one.detail}" for one in outcomes),
        *notes,
    ]
    return [line.rstrip() for line in lines]
