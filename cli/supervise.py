"""The process that keeps the programs of a node running where systemd does not.

`python -m cli.supervise FOLDER` reads FOLDER/supervisor.json, a list of programs in the order of starting, and makes it
so: starts what should run, stops what should not (in reverse order), starts again what ended or what has changed. SIGHUP:
read the file again. SIGTERM: stop all and end. It is level-triggered: `plan` compares wanted and seen and says what to
do; every event (a program's end, a signal, a time) only makes it look again.

Programs are sessions of their own and outlive this process if it is killed; the next one finds them by their pid files
(pid, start time, digest) and watches them through pidfds, as if they were its children. After a quick end the next start
waits: 0.1 s, doubled up to 10 s, anew after 10 s of running. Logs are appended to by the programs themselves, copied away
and cut here when they grow. Imports are few on purpose: this process lives as long as the node.
"""

import json
import os
import select
import shutil
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from linux.process import Child, NotInstalled, describe_code, start

FIRST_WAIT, LONGEST_WAIT, STABLE = 0.1, 10.0, 10.0
LOG_BYTES = 16 << 20
HOUSEKEEPING = 60.0


@dataclass(frozen=True)
class Wanted:
    """A program that should run."""

    name: str
    argv: tuple[str, ...]
    digest: str
    stop_seconds: float


@dataclass(frozen=True)
class Seen:
    """What is known of one program. `pid` 0: it does not run."""

    name: str
    pid: int = 0
    digest: str = ""
    stop_seconds: float = 20.0
    started: float = 0.0
    restarts: int = 0
    wait: float = 0.0  # the last pause before a start
    not_before: float = 0.0
    stopping_until: float = 0.0  # after this moment SIGKILL; 0: it was not asked to stop
    killed: bool = False


@dataclass(frozen=True)
class Action:
    """What to do with one program: start, terminate, kill."""

    verb: str
    name: str


def plan(wanted: Sequence[Wanted], seen: Mapping[str, Seen], now: float) -> tuple[list[Action], float]:
    """What to do now, and in how many seconds to look again if nothing happens."""
    actions: list[Action] = []
    look_again = HOUSEKEEPING
    by_name = {want.name: want for want in wanted}
    order = [want.name for want in wanted]
    # What is not wanted any more comes first, the last started first, one at a time.
    leaving = [
        one for one in seen.values() if one.pid and (one.name not in by_name or by_name[one.name].digest != one.digest)
    ]
    for one in reversed(leaving):
        if not one.stopping_until:
            actions.append(Action("terminate", one.name))
        elif now >= one.stopping_until and not one.killed:
            actions.append(Action("kill", one.name))
        else:
            look_again = min(look_again, max(one.stopping_until - now, 0.0) if not one.killed else 1.0)
        if one.name not in by_name:
            break
    for name in order:
        one = seen.get(name, Seen(name))
        if one.pid:
            continue
        if now >= one.not_before:
            actions.append(Action("start", name))
        else:
            look_again = min(look_again, one.not_before - now)
    return actions, look_again


def after_end(one: Seen, now: float) -> Seen:
    """A program that ended: when to start it again."""
    if one.stopping_until:  # it was asked to
        return Seen(one.name, restarts=one.restarts)
    quick = now - one.started < STABLE
    wait = min(one.wait * 2 or FIRST_WAIT, LONGEST_WAIT) if quick else FIRST_WAIT
    return Seen(one.name, restarts=one.restarts + 1, wait=wait, not_before=now + wait)


@dataclass
class Supervision:
    """The shell around `plan`: starts, signals, watches."""

    folder: Path
    logs: Path
    clock: Callable[[], float]
    wanted: list[Wanted] = field(default_factory=list)
    seen: dict[str, Seen] = field(default_factory=dict)
    watched: dict[int, str] = field(default_factory=dict)  # pidfd -> name
    children: dict[str, Child] = field(default_factory=dict)  # those that this process has started itself
    ending: bool = False

    def run(self, wake_reader: int) -> None:
        """Until SIGTERM, and all have stopped."""
        self._adopt()
        self._read()
        while True:
            actions, seconds = plan(self.wanted, self.seen, self.clock())
            for action in actions:
                self._do(action)
            if actions:
                continue
            if self.ending and not any(one.pid for one in self.seen.values()):
                return
            self._cut_logs()
            self._wait(wake_reader, seconds)

    def _wait(self, wake_reader: int, seconds: float) -> None:
        poll = select.poll()
        poll.register(wake_reader, select.POLLIN)
        for descriptor in self.watched:
            poll.register(descriptor, select.POLLIN)
        for descriptor, _ in poll.poll(seconds * 1000 + 1):
            if descriptor != wake_reader:
                self._ended(descriptor)
                continue
            numbers = os.read(wake_reader, 100)
            if signal.SIGTERM in numbers or signal.SIGINT in numbers:
                self.ending, self.wanted = True, []
            elif signal.SIGHUP in numbers:
                self._read()

    def _read(self) -> None:
        if self.ending:
            return
        try:
            listed = json.loads((self.folder / "supervisor.json").read_bytes())
            self.wanted = [Wanted(one["name"], tuple(one["argv"]), one["digest"], one["stopSeconds"]) for one in listed]
        except (OSError, ValueError, KeyError, TypeError) as error:
            say(f"cannot read {self.folder}/supervisor.json: {error!r}; what runs stays")
        for name, one in self.seen.items():  # a new wish does not wait for an old failure
            self.seen[name] = replace(one, not_before=0.0)

    def _do(self, action: Action) -> None:
        one = self.seen.get(action.name, Seen(action.name))
        if action.verb == "start":
            self._start(next(want for want in self.wanted if want.name == action.name), one)
            return
        say(f"{action.verb} {action.name} (process {one.pid})")
        if action.verb == "terminate":
            self.seen[action.name] = replace(one, stopping_until=self.clock() + one.stop_seconds)
            send(one.pid, signal.SIGTERM)
        else:
            self.seen[action.name] = replace(one, killed=True)
            send(one.pid, signal.SIGKILL)

    def _start(self, want: Wanted, one: Seen) -> None:
        now = self.clock()
        try:
            child = start(want.argv, log=self.logs / f"{want.name}.log")
        except (NotInstalled, OSError) as error:
            say(f"cannot start {want.name}: {error}")
            self.seen[want.name] = replace(after_end(replace(one, started=now), now), restarts=one.restarts)
            return
        pid = child.pid
        self.children[want.name] = child  # a forgotten one would be reaped before it can be watched
        say(f"started {want.name} (process {pid})")
        self.seen[want.name] = replace(
            one,
            pid=pid,
            digest=want.digest,
            stop_seconds=want.stop_seconds,
            started=now,
            stopping_until=0.0,
            killed=False,
        )
        self._watch(pid, want.name)
        self._record(self.seen[want.name], start_time(pid))

    def _record(self, one: Seen, start: int) -> None:
        """Write a pid file: pid 0 when it does not run."""
        path = self.folder / "pids" / f"{one.name}.json"
        record = {"pid": one.pid, "start": start, "digest": one.digest, "restarts": one.restarts}
        try:
            path.with_suffix(".new").write_text(json.dumps(record))
            path.with_suffix(".new").rename(path)
        except OSError as error:  # a full disk must not end what keeps the node running
            say(f"cannot write {path}: {error}")

    def _watch(self, pid: int, name: str) -> None:
        self.watched[os.pidfd_open(pid)] = name

    def _ended(self, descriptor: int) -> None:
        name = self.watched.pop(descriptor)
        os.close(descriptor)
        one = self.seen[name]
        child = self.children.pop(name, None)
        status = describe_code(child.wait(1)) if child is not None else "it was not a child of this process"
        self.seen[name] = after_end(one, self.clock())
        self._record(self.seen[name], 0)
        wait = self.seen[name].wait
        say(f"{name} (process {one.pid}) ended: {status}" + (f"; next start in {wait:g} s" if wait else ""))

    def _adopt(self) -> None:
        """Take over programs that an earlier supervisor left running."""
        (self.folder / "pids").mkdir(exist_ok=True)
        for path in sorted((self.folder / "pids").glob("*.json")):
            record = read_record(path)
            if record is None or path.stem == "supervisor":
                continue
            try:
                self._watch(record.pid, path.stem)
            except ProcessLookupError:  # it has just ended
                continue
            self.seen[path.stem] = Seen(
                path.stem, record.pid, record.digest, started=self.clock(), restarts=record.restarts
            )
            say(f"took over {path.stem} (process {record.pid})")

    def _cut_logs(self) -> None:
        for path in self.logs.glob("*.log"):
            try:
                if path.stat().st_size > LOG_BYTES:
                    shutil.copyfile(path, path.with_suffix(".log.1"))
                    os.truncate(path, 0)
            except OSError as error:
                say(f"cannot cut {path}: {error}")


@dataclass(frozen=True)
class Record:
    """A pid file: a process that is surely the one that was meant."""

    pid: int
    digest: str
    restarts: int


def read_record(path: Path) -> Record | None:
    """What a pid file says, if that very process still runs."""
    try:
        said = json.loads(path.read_bytes())
        state, *_ = fields = _stat(said["pid"])
        if int(fields[19]) != said["start"] or state == "Z":  # a zombie has ended
            return None
        return Record(said["pid"], said["digest"], said["restarts"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_restarts(path: Path) -> int:
    """How often a program was started again, whether it runs or not."""
    try:
        return int(json.loads(path.read_bytes())["restarts"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def start_time(pid: int) -> int:
    """When a process started, in the kernel's ticks: with the pid it names one process for ever."""
    return int(_stat(pid)[19])


def _stat(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def send(pid: int, number: int) -> None:
    """A signal to a process that may just have ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def uptime() -> float:
    """Seconds since boot: a steady clock without importing one (kit.clock brings asyncio with it)."""
    return float(Path("/proc/uptime").read_bytes().split()[0])


def say(text: str) -> None:
    """One line to the log; if nobody can take it, it is lost."""
    try:
        os.write(2, f"{uptime():.2f} {text}\n".encode())
    except OSError:
        pass


def catch_signals() -> int:
    """Turn signals into bytes on a pipe; its reading end."""
    reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    return reader


def main(folder: Path, logs: Path) -> None:
    """Note who we are, and stay."""
    (folder / "pids").mkdir(parents=True, exist_ok=True)
    wake_reader = catch_signals()  # before anybody can know of us and send one
    own = {"pid": os.getpid(), "start": start_time(os.getpid()), "digest": "", "restarts": 0}
    (folder / "pids/supervisor.json").write_text(json.dumps(own))
    Supervision(folder, logs, uptime).run(wake_reader)
    (folder / "pids/supervisor.json").unlink(missing_ok=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
