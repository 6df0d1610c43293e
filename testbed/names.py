"""Names of what a test makes on the machine, and the removal of what a killed test left behind.

Everything (network namespaces, cgroups, scratch folders) is named `wt-<pid>.<start>-<name>` after the process that owns it. A test process
that was killed cannot clean up; the next one finds names whose owner is gone and removes those, and only those.
"""

import os
import shutil
import signal
import time
from pathlib import Path

from linux.process import run

PREFIX = "wt-"
CGROUPS = Path("/sys/fs/cgroup")
NETNS = Path("/run/netns")


def scratch_root() -> Path:
    """Where nodes keep their disks: a real file system, since an overlay cannot lie on an overlay."""
    kind = run(["stat", "-f", "-c", "%T", "/var/tmp"]).text.strip()
    return Path("/dev/shm" if kind.startswith("overlay") else "/var/tmp")


def owned(name: str) -> str:
    """A name that tells its owner, this process."""
    pid = os.getpid()
    return f"{PREFIX}{pid}.{_start_time(pid)}-{name}"


def sweep() -> list[str]:
    """Remove what tests that are gone left behind; the names removed."""
    found = {path.name for folder in (NETNS, scratch_root(), *hierarchies()) for path in folder.glob(f"{PREFIX}*")}
    gone = sorted(name for name in found if not _alive(name))
    for name in gone:
        remove(name)
    return gone


def remove(name: str) -> None:
    """Remove all that carries this name: processes, cgroups, network namespace, scratch folder."""
    groups = [group for folder in hierarchies() if (group := folder / name).is_dir()]
    for group in groups:
        kill_group(group)
    for group in groups:
        remove_group(group)
    if (NETNS / name).exists():
        run(["ip", "netns", "delete", name], check=False)
    shutil.rmtree(scratch_root() / name, ignore_errors=True)


def hierarchies() -> list[Path]:
    """The roots of the cgroup hierarchies: one for v2, one per controller for v1."""
    if (CGROUPS / "cgroup.procs").exists():
        return [CGROUPS]
    return sorted(path for path in CGROUPS.iterdir() if path.is_dir() and not path.is_symlink())


def kill_group(group: Path, patience: float = 60) -> None:
    """SIGKILL every process in a cgroup and below, until none is left."""
    deadline = time.monotonic() + patience
    while pids := _members(group):
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if time.monotonic() > deadline:
            raise TimeoutError(f"cannot empty {group}: processes {pids} do not end")
        time.sleep(0.01)


def remove_group(group: Path, patience: float = 60) -> None:
    """Remove an empty cgroup and all below it; the kernel may need a moment after the last process."""
    deadline = time.monotonic() + patience
    while group.exists():
        for folder, _, _ in os.walk(group, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                pass
        if time.monotonic() > deadline:
            raise TimeoutError(f"cannot remove {group}")
        if group.exists():
            time.sleep(0.01)


def _members(group: Path) -> list[int]:
    pids: list[int] = []
    for folder, _, _ in os.walk(group):
        try:
            pids += map(int, Path(folder, "cgroup.procs").read_text().split())
        except OSError:  # a group that is being removed
            pass
    return [pid for pid in pids if pid > 0]


def _start_time(pid: int) -> str:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return fields[19]


def _alive(name: str) -> bool:
    owner, _, _ = name.removeprefix(PREFIX).partition("-")
    pid, _, start = owner.partition(".")
    try:
        return _start_time(int(pid)) == start
    except (OSError, ValueError, IndexError):
        return False
