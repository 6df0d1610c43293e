"""Control groups, version 1 and 2: port, kernel and fake.

A group is named by its path from the root of the hierarchy ("/kubepods/burstable"). In version 1 the same path exists once
a controller; we make it where we set limits, the container runtime makes it elsewhere, removal goes through all.
"""

import errno
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

PERIOD = 100_000
CONTROLLERS = ("cpu", "memory", "pids")
ROOT = Path("/sys/fs/cgroup")


class CgroupError(Exception):
    """A group could not be made or removed; reads "cannot X: reason"."""


class CgroupBusy(CgroupError):
    """Processes still live in the group: kill them first, or try again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a group may use. None: leave as it is; quota -1, memory 0 and processes 0: no limit."""

    shares: int | None = None
    quota: int | None = None
    memory: int | None = None
    processes: int | None = None


class Cgroups(Protocol):
    """Making, limiting and removing control groups."""

    version: int

    def ensure(self, path: str, limits: Limits) -> None:
        """Make the group and those above it if missing, and set its limits."""

    def remove(self, path: str) -> None:
        """Remove the group and all below; fine if it is not there."""

    def kill(self, path: str) -> int:
        """SIGKILL every process in the group and below; how many there were. They are gone a moment later."""

    def children(self, path: str) -> list[str]:
        """The names of the groups directly below."""

    def kills(self, path: str) -> tuple[int, int]:
        """How often the kernel killed for memory in the group and below: processes, and whole groups. Version 1 does not tell."""


def open_cgroups(root: Path = ROOT) -> Cgroups:
    """The hierarchy this machine has."""
    return UnifiedCgroups(root) if (root / "cgroup.controllers").exists() else SplitCgroups(root)


class UnifiedCgroups:
    """Version 2: one tree; a group passes controllers on to those below it."""

    version = 2

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root

    def ensure(self, path: str, limits: Limits) -> None:
        group = self.root
        for part in [p for p in path.split("/") if p]:
            _pass_on(group)
            group = group / part
            _make(group)
        for name, value in unified_values(limits).items():
            _write(group / name, value)

    def remove(self, path: str) -> None:
        _remove(self.root / path.lstrip("/"))

    def kill(self, path: str) -> int:
        return _kill([self.root / path.lstrip("/")])

    def children(self, path: str) -> list[str]:
        return _children(self.root / path.lstrip("/"))

    def kills(self, path: str) -> tuple[int, int]:
        return unified_kills(self.root / path.lstrip("/"))


class SplitCgroups:
    """Version 1: one tree a controller."""

    version = 1

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root

    def ensure(self, path: str, limits: Limits) -> None:
        for controller in CONTROLLERS:
            tree = self.root / controller
            if tree.is_dir():
                _make(tree / path.lstrip("/"))
        for name, value in split_values(limits).items():
            _write(self.root / name.partition(".")[0] / path.lstrip("/") / name, value)

    def remove(self, path: str) -> None:
        for tree in self._trees():
            _remove(tree / path.lstrip("/"))

    def kill(self, path: str) -> int:
        return _kill([tree / path.lstrip("/") for tree in self._trees()])

    def children(self, path: str) -> list[str]:
        return sorted({name for tree in self._trees() for name in _children(tree / path.lstrip("/"))})

    def kills(self, path: str) -> tuple[int, int]:
        return 0, 0  # a group counts only what was killed in itself, and that one is gone with its container

    def _trees(self) -> list[Path]:
        return [tree for tree in self.root.iterdir() if tree.is_dir() and not tree.is_symlink()]


def slice_path(name: str) -> str:
    """The path of a slice's group: it is inside the slices that its name begins with."""
    words = name.removesuffix(".slice").split("-")
    return "".join(f"/{'-'.join(words[: n + 1])}.slice" for n in range(len(words)))


def limits_swap(root: Path = ROOT, proc: Path = Path("/proc")) -> bool:
    """Whether groups of version 2 have a limit for swap. The group at the root has no such file, and there may be no other yet."""
    controllers = root / "cgroup.controllers"
    if not controllers.exists() or "memory" not in controllers.read_text().split():
        return False
    return (proc / "swaps").exists() and "swapaccount=0" not in (proc / "cmdline").read_text().split()


def weight_of(shares: int) -> int:
    """Shares of version 1 as a weight of version 2."""
    return 1 + (max(2, shares) - 2) * 9999 // 262142


def unified_values(limits: Limits) -> dict[str, str]:
    """Files and their contents in version 2."""
    values = {}
    if limits.shares is not None:
        values["cpu.weight"] = str(weight_of(limits.shares))
    if limits.quota is not None:
        values["cpu.max"] = f"{limits.quota if limits.quota > 0 else 'max'} {PERIOD}"
    if limits.memory is not None:
        values["memory.max"] = str(limits.memory or "max")
    if limits.processes is not None:
        values["pids.max"] = str(limits.processes or "max")
    return values


def split_values(limits: Limits) -> dict[str, str]:
    """Files and their contents in version 1."""
    values = {}
    if limits.shares is not None:
        values["cpu.shares"] = str(limits.shares)
    if limits.quota is not None:
        values["cpu.cfs_period_us"] = str(PERIOD)
        values["cpu.cfs_quota_us"] = str(limits.quota)
    if limits.memory is not None:
        values["memory.limit_in_bytes"] = str(limits.memory or -1)
    if limits.processes is not None:
        values["pids.max"] = str(limits.processes or "max")
    return values


def unified_kills(group: Path) -> tuple[int, int]:
    """Processes and whole groups killed for memory in a group of version 2 and below; kernels before 5.17 count no groups."""
    try:
        lines = (group / "memory.events").read_text().splitlines()
    except OSError:
        return 0, 0  # it is not there, or nobody counts its memory
    counts = dict(line.split() for line in lines)
    return int(counts.get("oom_kill", 0)), int(counts.get("oom_group_kill", 0))


class FakeCgroups:
    """Control groups as a dictionary."""

    def __init__(self, version: int = 2) -> None:
        self.version = version
        self.groups: dict[str, Limits] = {}
        self.busy: set[str] = set()
        self.killed: dict[str, tuple[int, int]] = {}

    def ensure(self, path: str, limits: Limits) -> None:
        self.groups[path] = limits

    def remove(self, path: str) -> None:
        if path in self.busy:
            raise CgroupBusy(f"cannot remove cgroup {path}: processes live in it")
        for known in [p for p in self.groups if p == path or p.startswith(path + "/")]:
            del self.groups[known]

    def kill(self, path: str) -> int:
        killed = {p for p in self.busy if p == path or p.startswith(path + "/")}
        self.busy -= killed
        return len(killed)

    def children(self, path: str) -> list[str]:
        prefix = path.rstrip("/") + "/"
        return sorted({p[len(prefix) :].partition("/")[0] for p in self.groups if p.startswith(prefix)})

    def kills(self, path: str) -> tuple[int, int]:
        return self.killed.get(path, (0, 0))


def _make(group: Path) -> None:
    try:
        group.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CgroupError(f"cannot make cgroup {group}: {error.strerror}") from error


def _pass_on(group: Path) -> None:
    """Let groups below have the controllers that are there."""
    available = (group / "cgroup.controllers").read_text().split()
    passed = (group / "cgroup.subtree_control").read_text().split()
    if missing := [f"+{name}" for name in CONTROLLERS if name in available and name not in passed]:
        _write(group / "cgroup.subtree_control", " ".join(missing))


def _write(file: Path, value: str) -> None:
    try:
        file.write_text(value)
    except FileNotFoundError:
        return  # the kernel has not got this controller
    except OSError as error:
        raise CgroupError(f"cannot set {file} to {value}: {error.strerror}") from error


def _remove(group: Path) -> None:
    for directory, _, _ in os.walk(group, topdown=False):
        try:
            os.rmdir(directory)
        except FileNotFoundError:
            continue
        except OSError as error:
            kind = CgroupBusy if error.errno == errno.EBUSY else CgroupError
            raise kind(f"cannot remove cgroup {directory}: {error.strerror}") from error


def _kill(groups: list[Path]) -> int:
    pids: set[int] = set()
    for group in groups:
        for file in (Path(folder) / "cgroup.procs" for folder, _, _ in os.walk(group)):
            try:
                pids |= {int(word) for word in file.read_text().split()}
            except OSError:
                continue  # removed meanwhile
    pids -= {0, 1, os.getpid()}  # 0: outside of our PID namespace
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    return len(pids)


def _children(group: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in group.iterdir() if entry.is_dir())
    except FileNotFoundError:
        return []
