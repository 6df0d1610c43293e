"""What the processes of a control group use, by the kernel's own counts; both versions of cgroups, read as they are mounted."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
TICK = 10_000_000  # nanoseconds of the kernel's coarse clock, USER_HZ
UNLIMITED = 1 << 60


@dataclass(frozen=True, slots=True)
class GroupUse:
    """Times in nanoseconds, memory in bytes; limits are 0 where there is none."""

    cpu: int = 0
    user: int = 0
    system: int = 0
    periods: int = 0
    throttled: int = 0
    throttled_time: int = 0
    bursts: int = 0
    burst_time: int = 0
    cpu_shares: int = 0
    cpu_quota: int = 0
    cpu_period: int = 0
    memory: int = 0
    working_set: int = 0
    rss: int = 0
    cache: int = 0
    swap: int = 0
    mapped: int = 0
    active_file: int = 0
    inactive_file: int = 0
    kernel: int = 0
    most_memory: int = 0
    refused: int = 0
    faults: int = 0
    major_faults: int = 0
    out_of_memory: int = 0
    memory_limit: int = 0
    processes: int = 0
    threads: int = 0


def read_group(path: str, root: Path = ROOT) -> GroupUse | None:
    """What the group at `path` (from the root of the hierarchy) uses; None if there is no such group."""
    unified = (root / "cgroup.controllers").exists()
    relative = path.lstrip("/")
    return _unified(root / relative) if unified else _split(root, relative)


def _unified(group: Path) -> GroupUse | None:
    cpu = _pairs(group / "cpu.stat")
    if not cpu:
        return None
    memory, events = _pairs(group / "memory.stat"), _pairs(group / "memory.events")
    used = _number(group / "memory.current")
    quota, _, period = _text(group / "cpu.max").partition(" ")
    return GroupUse(
        cpu=cpu.get("usage_usec", 0) * 1000,
        user=cpu.get("user_usec", 0) * 1000,
        system=cpu.get("system_usec", 0) * 1000,
        periods=cpu.get("nr_periods", 0),
        throttled=cpu.get("nr_throttled", 0),
        throttled_time=cpu.get("throttled_usec", 0) * 1000,
        bursts=cpu.get("nr_bursts", 0),
        burst_time=cpu.get("burst_usec", 0) * 1000,
        cpu_shares=_shares(_number(group / "cpu.weight")),
        cpu_quota=int(quota) if quota.isdecimal() else 0,
        cpu_period=int(period) if period.isdecimal() else 0,
        memory=used,
        working_set=max(0, used - memory.get("inactive_file", 0)),
        rss=memory.get("anon", 0),
        cache=memory.get("file", 0),
        swap=_number(group / "memory.swap.current"),
        mapped=memory.get("file_mapped", 0),
        active_file=memory.get("active_file", 0),
        inactive_file=memory.get("inactive_file", 0),
        kernel=memory.get("kernel", 0),
        most_memory=_number(group / "memory.peak"),
        refused=events.get("max", 0),
        faults=memory.get("pgfault", 0),
        major_faults=memory.get("pgmajfault", 0),
        out_of_memory=events.get("oom_kill", 0),
        memory_limit=_limit(group / "memory.max"),
        processes=_lines(group / "cgroup.procs"),
        threads=_number(group / "pids.current"),
    )


def _split(root: Path, relative: str) -> GroupUse | None:
    accounts, memory = _first(root, ("cpuacct", "cpu,cpuacct"), relative), root / "memory" / relative
    scheduler = _first(root, ("cpu", "cpu,cpuacct"), relative)
    if not accounts.is_dir() and not memory.is_dir():
        return None
    times, stat, quotas = (
        _pairs(accounts / "cpuacct.stat"),
        _pairs(memory / "memory.stat"),
        _pairs(scheduler / "cpu.stat"),
    )
    used = _number(memory / "memory.usage_in_bytes")
    return GroupUse(
        cpu=_number(accounts / "cpuacct.usage"),
        user=times.get("user", 0) * TICK,
        system=times.get("system", 0) * TICK,
        periods=quotas.get("nr_periods", 0),
        throttled=quotas.get("nr_throttled", 0),
        throttled_time=quotas.get("throttled_time", 0),
        bursts=quotas.get("nr_bursts", 0),
        burst_time=quotas.get("burst_time", 0),
        cpu_shares=_number(scheduler / "cpu.shares"),
        cpu_quota=max(0, _number(scheduler / "cpu.cfs_quota_us")),
        cpu_period=_number(scheduler / "cpu.cfs_period_us"),
        memory=used,
        working_set=max(0, used - stat.get("total_inactive_file", 0)),
        rss=stat.get("total_rss", 0),
        cache=stat.get("total_cache", 0),
        swap=stat.get("total_swap", 0),
        mapped=stat.get("total_mapped_file", 0),
        active_file=stat.get("total_active_file", 0),
        inactive_file=stat.get("total_inactive_file", 0),
        kernel=_number(memory / "memory.kmem.usage_in_bytes"),
        most_memory=_number(memory / "memory.max_usage_in_bytes"),
        refused=_number(memory / "memory.failcnt"),
        faults=stat.get("total_pgfault", 0),
        major_faults=stat.get("total_pgmajfault", 0),
        out_of_memory=_pairs(memory / "memory.oom_control").get("oom_kill", 0),
        memory_limit=_limit(memory / "memory.limit_in_bytes"),
        processes=_lines(memory / "cgroup.procs"),
        threads=_number(root / "pids" / relative / "pids.current"),
    )


def _first(root: Path, names: tuple[str, ...], relative: str) -> Path:
    """The hierarchy of a controller, under the name it is mounted by here."""
    return next((root / name / relative for name in names if (root / name).is_dir()), root / names[0] / relative)


def _shares(weight: int) -> int:
    """A weight in the units of version 1."""
    return 2 + (weight - 1) * 262142 // 9999 if weight else 0


def _limit(file: Path) -> int:
    text = _text(file)
    return int(text) if text.isdecimal() and int(text) < UNLIMITED else 0


def _number(file: Path) -> int:
    text = _text(file)
    return int(text) if text.lstrip("-").isdecimal() else 0


def _lines(file: Path) -> int:
    return len(_text(file).splitlines())


def _pairs(file: Path) -> Mapping[str, int]:
    words = [line.split() for line in _text(file).splitlines()]
    return {pair[0]: int(pair[1]) for pair in words if len(pair) == 2 and pair[1].lstrip("-").isdecimal()}


def _text(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return ""
