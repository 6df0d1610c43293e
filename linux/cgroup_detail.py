"""What few ask of a control group: how long its processes waited, what they read and wrote, what they have open, what went over their
network; both versions of cgroups. It is read file by file and process by process, so only when somebody asks."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from linux.cgroup_use import ROOT

PROC = Path("/proc")
KINDS = ("cpu", "io", "memory")


@dataclass(frozen=True, slots=True)
class Pressure:
    """How long some, or all, waited: in hundredths of the last 10, 60, 300 seconds, and in microseconds since the beginning."""

    avg10: float = 0.0
    avg60: float = 0.0
    avg300: float = 0.0
    total: int = 0


@dataclass(frozen=True, slots=True)
class DeviceUse:
    """What was read from a device and written to it."""

    device: str
    read_bytes: int = 0
    written_bytes: int = 0
    reads: int = 0
    writes: int = 0


@dataclass(frozen=True, slots=True)
class GroupDetail:
    """`pressure` by what was waited for: (some, full)."""

    made: float = 0.0
    threads_most: int = 0
    swap_limit: int = 0
    pressure: Mapping[str, tuple[Pressure, Pressure]] = field(default_factory=dict)
    devices: tuple[DeviceUse, ...] = ()
    descriptors: int = 0
    sockets: int = 0
    files_most: int = 0  # that its first process may have open
    processes: tuple[int, ...] = ()


def read_detail(path: str, root: Path = ROOT, proc: Path = PROC) -> GroupDetail | None:
    """Look at the group at `path` (from the root of the hierarchy); None if there is no such group."""
    relative = path.lstrip("/")
    unified = (root / "cgroup.controllers").exists()
    group = root / relative if unified else root / "memory" / relative
    try:
        made = group.stat().st_ctime
    except OSError:
        return None
    tasks, blocks = (group, group) if unified else (root / name / relative for name in ("pids", "blkio"))
    processes = tuple(map(int, _text(group / "cgroup.procs").split()))
    descriptors, sockets = _open_files(processes, proc)
    waited = [(kind, proc / "pressure" / kind if not relative else group / f"{kind}.pressure") for kind in KINDS]
    return GroupDetail(
        made=made,
        threads_most=_number(tasks / "pids.max"),
        swap_limit=_swap_limit(group, unified),
        pressure={kind: found for kind, file in waited if (found := _pressure(file)) is not None},
        devices=tuple(_unified_devices(group) if unified else _split_devices(blocks)),
        descriptors=descriptors,
        sockets=sockets,
        files_most=_files_most(processes, proc),
        processes=processes,
    )


def _pressure(file: Path) -> tuple[Pressure, Pressure] | None:
    found = {}
    for line in _text(file).splitlines():
        name, *words = line.split()
        fields = dict(word.split("=", 1) for word in words)
        found[name] = Pressure(
            float(fields["avg10"]), float(fields["avg60"]), float(fields["avg300"]), int(fields["total"])
        )
    return (found["some"], found.get("full", Pressure())) if "some" in found else None


def _unified_devices(group: Path) -> Iterator[DeviceUse]:
    for line in _text(group / "io.stat").splitlines():
        number, *words = line.split()
        fields = {name: int(value) for name, _, value in (word.partition("=") for word in words) if value.isdecimal()}
        if fields:
            counts = (fields.get(name, 0) for name in ("rbytes", "wbytes", "rios", "wios"))
            yield DeviceUse(_device(number), *counts)


def _split_devices(group: Path) -> Iterator[DeviceUse]:
    counts: dict[str, dict[str, int]] = {}
    for file, what in (("io_service_bytes", "bytes"), ("io_serviced", "count")):
        text = _text(group / f"blkio.throttle.{file}_recursive") or _text(group / f"blkio.throttle.{file}")
        for words in map(str.split, text.splitlines()):
            if len(words) == 3 and words[1] in ("Read", "Write"):
                counts.setdefault(words[0], {})[words[1] + what] = int(words[2])
    for number, found in counts.items():
        numbers = (found.get(name, 0) for name in ("Readbytes", "Writebytes", "Readcount", "Writecount"))
        yield DeviceUse(_device(number), *numbers)


def _device(number: str) -> str:
    """The file of a device by its numbers, as `8:0`."""
    try:
        return "/dev/" + os.path.basename(os.readlink(f"/sys/dev/block/{number}"))
    except OSError:
        return number


def _open_files(processes: tuple[int, ...], proc: Path) -> tuple[int, int]:
    """How many files processes have open, and how many of them are sockets."""
    files = sockets = 0
    for pid in processes:
        try:
            with os.scandir(proc / str(pid) / "fd") as entries:
                for entry in entries:
                    files += 1
                    sockets += os.readlink(entry.path).startswith("socket:")
        except OSError:
            continue  # it ended while we look
    return files, sockets


def _files_most(processes: tuple[int, ...], proc: Path) -> int:
    text = _text(proc / str(processes[0]) / "limits") if processes else ""
    words = next((line.split() for line in text.splitlines() if line.startswith("Max open files")), [])
    return int(words[3]) if len(words) > 3 and words[3].isdecimal() else 0


def _swap_limit(group: Path, unified: bool) -> int:
    if unified:
        return _number(group / "memory.swap.max")
    both, memory = _number(group / "memory.memsw.limit_in_bytes"), _number(group / "memory.limit_in_bytes")
    return max(0, both - memory) if both < 1 << 60 else 0


def _number(file: Path) -> int:
    text = _text(file)
    return int(text) if text.isdecimal() else 0


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
