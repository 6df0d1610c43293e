"""Starting and stopping a node's programs: through systemd where it is PID 1, else through a supervisor of our own."""

import json
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cli import supervise
from cli.errors import CliError
from cli.layout import CHECKOUT, Layout
from cli.programs import NAMES, Program, programs
from cli.waiting import wait_until
from kit.files import write_atomic
from linux import process, systemd
from linux.process import start


@dataclass(frozen=True)
class State:
    """Whether a program runs, as what process, and how often it was started again."""

    running: bool
    pid: int = 0
    restarts: int = 0
    word: str = "stopped"


class Services(Protocol):
    """What keeps programs running. All of it may be called twice."""

    def start(self, names: Sequence[str]) -> None:
        """Make these programs run, those with changed files from new."""

    def stop(self, names: Sequence[str]) -> None:
        """Stop these programs, the last first, and keep them stopped."""

    def running(self, names: Sequence[str]) -> bool:
        """Whether these run, with the files that they would be started with now."""

    def state(self, name: str) -> State:
        """One program's state."""

    def log_tail(self, name: str, lines: int) -> str:
        """The last lines a program wrote."""

    def remove(self) -> None:
        """Stop everything and forget it."""


def find(layout: Layout) -> Services:
    """The right one for this machine."""
    return SystemdServices(layout) if systemd.is_running() else SupervisedServices(layout)


class SupervisedServices:
    """Programs below `cli.supervise`, which reads what it should run from a file."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def start(self, names: Sequence[str]) -> None:
        """Write the wish down and wake the supervisor, or start it."""
        self._keep([name for name in NAMES if name in names or self._is_wanted(name)], "start the programs")

    def stop(self, names: Sequence[str]) -> None:
        """Write the wish down and wake the supervisor."""
        for name in reversed(names) if self._supervisor() is None else ():
            self._end(name)
        if self._supervisor() is not None:
            self._keep([name for name in NAMES if name not in names and self._is_wanted(name)], "stop the programs")

    def running(self, names: Sequence[str]) -> bool:
        """From the pid files."""
        if self._supervisor() is None:
            return False
        seen = {name: self._record(name) for name in names}
        digests = {one.name: one.digest for one in programs(self.layout)}
        return all(record is not None and record.digest == digests[name] for name, record in seen.items())

    def state(self, name: str) -> State:
        """From the pid file."""
        record = self._record(name)
        if record is not None:
            return State(True, record.pid, record.restarts, "running")
        if self._supervisor() is None or not self._is_wanted(name):
            return State(False)
        return State(False, restarts=supervise.read_restarts(self.layout.pids / f"{name}.json"), word="restarting")

    def log_tail(self, name: str, lines: int) -> str:
        """From /var/log/wherry."""
        try:
            text = (self.layout.log / f"{name}.log").read_text(errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def remove(self) -> None:
        """End the supervisor, which ends all others first; what it does not end is killed."""
        supervisor = self._supervisor()
        if supervisor is not None:
            supervise.send(supervisor.pid, signal.SIGTERM)
            wait_until(lambda: self._supervisor() is None, 100, "stop the supervisor")
        for name in reversed(NAMES):
            self._end(name)

    def _keep(self, names: Sequence[str], what: str) -> None:
        wanted = [one for one in programs(self.layout) if one.name in names]
        document = [
            {
                "name": one.name,
                "argv": [_resolved(one.argv[0]), *one.argv[1:]],
                "digest": one.digest,
                "stopSeconds": one.stop_seconds,
            }
            for one in wanted
        ]
        write_atomic(self.layout.wanted, json.dumps(document, indent=1).encode())
        supervisor = self._supervisor()
        if supervisor is None:
            self._start_supervisor()
        else:
            supervise.send(supervisor.pid, signal.SIGHUP)
        expected = {one.name: one.digest for one in wanted}
        wait_until(lambda: self._is_so(expected), 45, what)

    def _record(self, name: str) -> supervise.Record | None:
        return supervise.read_record(self.layout.pids / f"{name}.json")

    def _end(self, name: str) -> None:
        record = self._record(name)
        if record is not None:
            end_process(record.pid, 20)

    def _supervisor(self) -> supervise.Record | None:
        return supervise.read_record(self.layout.pids / "supervisor.json")

    def _start_supervisor(self) -> None:
        argv = [sys.executable, "-P", "-m", "cli.supervise", str(self.layout.run), str(self.layout.log)]
        start(argv, log=self.layout.log / "supervisor.log", env=_environment(), cwd="/")
        wait_until(lambda: self._supervisor() is not None, 15, "start the supervisor")

    def _is_so(self, expected: dict[str, str]) -> bool:
        # A program that ends at once is started again and again: that is for the one who waits for its health to say.
        seen = {name: record for name in NAMES if (record := self._record(name)) is not None}
        return self._supervisor() is not None and all(
            record.digest == expected.get(name) for name, record in seen.items()
        )

    def _is_wanted(self, name: str) -> bool:
        try:
            return any(one["name"] == name for one in json.loads(self.layout.wanted.read_bytes()))
        except (OSError, ValueError):
            return False


class SystemdServices:
    """Programs as systemd services, wherry-NAME.service."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def start(self, names: Sequence[str]) -> None:
        """Write units, start those wanted, from new those that changed."""
        wanted = [one for one in programs(self.layout) if one.name in names]
        changed = [one.name for one in wanted if systemd.write_unit(unit(one.name), self._render(one))]
        try:
            if changed:
                systemd.reload()
            stale = [unit(name) for name in changed if systemd.state(unit(name)).active != "inactive"]
            if stale:
                systemd.restart(stale)
            systemd.enable_and_start([unit(one.name) for one in wanted])
        except systemd.SystemdError as error:
            remedy = "See 'systemctl status' and 'journalctl -u' of the units named wherry-*"
            raise CliError("start the programs", error, remedy) from error

    def stop(self, names: Sequence[str]) -> None:
        """Stop them, also for the next boot."""
        for name in reversed(names):
            if (systemd.UNITS / unit(name)).exists():
                systemd.disable([unit(name)])

    def running(self, names: Sequence[str]) -> bool:
        """Whether systemd runs them with the units that we would write."""
        return all(
            systemd.has_unit(unit(one.name), self._render(one)) and systemd.state(unit(one.name)).active == "active"
            for one in programs(self.layout)
            if one.name in names
        )

    def state(self, name: str) -> State:
        """As systemd sees it."""
        seen = systemd.state(unit(name))
        running = seen.active == "active" and seen.pid > 0
        word = {"active": "running", "activating": "restarting", "inactive": "stopped"}.get(seen.active, seen.active)
        return State(running, seen.pid, seen.restarts, word)

    def log_tail(self, name: str, lines: int) -> str:
        """From the journal."""
        argv = ["journalctl", "--no-pager", "-o", "cat", "-n", str(lines), "-u", unit(name)]
        try:
            return process.run(argv, check=False).text.rstrip()
        except process.ProcessError:
            return ""

    def remove(self) -> None:
        """Stop and remove the units."""
        systemd.remove_units([unit(name) for name in reversed(NAMES)])

    def _render(self, program: Program) -> str:
        template = (CHECKOUT / "systemd" / f"wherry-{program.name}.service").read_text()
        values = {
            "@EXEC@": " ".join(_quoted(word) for word in (_resolved(program.argv[0]), *program.argv[1:])),
            "@DIGEST@": program.digest,
            "@STOP@": str(program.stop_seconds),
            # A /tmp of its own would hide a checkout that lies there.
            "@PRIVATE_TMP@": "no" if CHECKOUT.is_relative_to("/tmp") or CHECKOUT.is_relative_to("/var/tmp") else "yes",
            "@LIB@": str(self.layout.lib),
            "@RUN@": str(self.layout.run),
        }
        for key, value in values.items():
            template = template.replace(key, value)
        return template


def unit(name: str) -> str:
    """The unit of a program."""
    return f"wherry-{name}.service"


def end_process(pid: int, seconds: float) -> None:
    """SIGTERM, and SIGKILL if it does not end in time."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    import select

    try:
        for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 10.0)):
            supervise.send(pid, number)
            if select.select([descriptor], [], [], patience)[0]:
                return
    finally:
        os.close(descriptor)


def _resolved(program: str) -> str:
    """An absolute path: neither systemd nor a daemon should depend on somebody's PATH."""
    return program if program.startswith("/") else shutil.which(program, path=process_path()) or program


def process_path() -> str:
    """Where programs are looked for."""
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _environment() -> dict[str, str]:
    """A daemon gets no leftovers of the caller's shell, but proxies and locale."""
    kept = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy") or name == "LANG"}
    return {**kept, "PATH": process_path(), "HOME": "/root"}


def _quoted(word: str) -> str:
    return word if all(c.isalnum() or c in "/._-=:" for c in word) else json.dumps(word).replace("%", "%%")
