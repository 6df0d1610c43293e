"""The numbers of control groups by the names that dashboards know, and where they are read from."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from linux.cgroup_detail import DeviceUse, GroupDetail
from linux.cgroup_use import GroupUse

NANO = 1e9


class Measure(NamedTuple):
    """A metric that is one number of a group."""

    name: str
    kind: str
    text: str
    read: Callable[[GroupUse], float]
    only: Callable[[GroupUse], bool] = lambda use: True
    labels: Mapping[str, str] = {}


def _always(use: GroupUse) -> bool:
    return True


def _has_quota(use: GroupUse) -> bool:
    return use.cpu_quota > 0


MEASURES = (
    Measure("cpu_cfs_burst_periods_total", "counter", "Periods with bursts.", lambda u: u.bursts, _has_quota),
    Measure("cpu_cfs_burst_seconds_total", "counter", "Time of bursts.", lambda u: u.burst_time / NANO, _has_quota),
    Measure(
        "cpu_cfs_periods_total",
        "counter",
        "Number of elapsed enforcement period intervals.",
        lambda u: u.periods,
        _has_quota,
    ),
    Measure(
        "cpu_cfs_throttled_periods_total",
        "counter",
        "Number of throttled period intervals.",
        lambda u: u.throttled,
        _has_quota,
    ),
    Measure(
        "cpu_cfs_throttled_seconds_total",
        "counter",
        "Total time duration the container has been throttled.",
        lambda u: u.throttled_time / NANO,
        _has_quota,
    ),
    Measure(
        "cpu_system_seconds_total",
        "counter",
        "Cumulative system cpu time consumed in seconds.",
        lambda u: u.system / NANO,
    ),
    Measure(
        "cpu_usage_seconds_total",
        "counter",
        "Cumulative cpu time consumed in seconds.",
        lambda u: u.cpu / NANO,
        _always,
        {"cpu": "total"},
    ),
    Measure(
        "cpu_user_seconds_total", "counter", "Cumulative user cpu time consumed in seconds.", lambda u: u.user / NANO
    ),
    Measure("memory_cache", "gauge", "Number of bytes of page cache memory.", lambda u: u.cache),
    Measure("memory_failcnt", "counter", "Number of memory usage hits limits", lambda u: u.refused),
    Measure("memory_kernel_usage", "gauge", "Size of kernel memory allocated in bytes.", lambda u: u.kernel),
    Measure("memory_mapped_file", "gauge", "Size of memory mapped files in bytes.", lambda u: u.mapped),
    Measure("memory_max_usage_bytes", "gauge", "Maximum memory usage recorded in bytes", lambda u: u.most_memory),
    Measure("memory_rss", "gauge", "Size of RSS in bytes.", lambda u: u.rss),
    Measure("memory_swap", "gauge", "Container swap usage in bytes.", lambda u: u.swap),
    Measure("memory_total_active_file_bytes", "gauge", "Current total active file in bytes.", lambda u: u.active_file),
    Measure(
        "memory_total_inactive_file_bytes", "gauge", "Current total inactive file in bytes.", lambda u: u.inactive_file
    ),
    Measure(
        "memory_usage_bytes",
        "gauge",
        "Current memory usage in bytes, including all memory regardless of when it was accessed",
        lambda u: u.memory,
    ),
    Measure("memory_working_set_bytes", "gauge", "Current working set in bytes.", lambda u: u.working_set),
    Measure(
        "oom_events_total",
        "counter",
        "Count of out of memory events observed for the container",
        lambda u: u.out_of_memory,
    ),
    Measure("processes", "gauge", "Number of processes running inside the container.", lambda u: u.processes),
    Measure(
        "spec_cpu_period", "gauge", "CPU period of the container.", lambda u: u.cpu_period, lambda u: u.cpu_period > 0
    ),
    Measure("spec_cpu_quota", "gauge", "CPU quota of the container.", lambda u: u.cpu_quota, _has_quota),
    Measure(
        "spec_cpu_shares", "gauge", "CPU share of the container.", lambda u: u.cpu_shares, lambda u: u.cpu_shares > 0
    ),
    Measure("spec_memory_limit_bytes", "gauge", "Memory limit for the container.", lambda u: u.memory_limit),
    Measure("spec_memory_reservation_limit_bytes", "gauge", "Memory reservation limit for the container.", lambda u: 0),
    Measure("threads", "gauge", "Number of threads running inside the container", lambda u: u.threads),
)


class Detail(NamedTuple):
    """A metric that is one number of what few ask for."""

    name: str
    kind: str
    text: str
    read: Callable[[GroupDetail], float]
    only: Callable[[GroupDetail], bool] = lambda detail: True


def _waited(kind: str, place: int) -> tuple[Callable[[GroupDetail], float], Callable[[GroupDetail], bool]]:
    """Seconds for which some (0) or all (1) waited; groups of which the kernel does not tell have none."""
    return lambda d: d.pressure[kind][place].total / 1e6, lambda d: kind in d.pressure


DETAILS = (
    Detail("file_descriptors", "gauge", "Open files.", lambda d: d.descriptors),
    Detail("sockets", "gauge", "Open sockets.", lambda d: d.sockets),
    Detail("spec_memory_swap_limit_bytes", "gauge", "Swap that it may take.", lambda d: d.swap_limit),
    Detail("threads_max", "gauge", "Threads that it may have; 0 is no limit.", lambda d: d.threads_most),
    *(
        Detail(f"pressure_{kind}_{word}_seconds_total", "counter", f"{text} for {kind}.", *_waited(kind, place))
        for kind in ("cpu", "io", "memory")
        for place, word, text in (
            (1, "stalled", "Time for which all waited"),
            (0, "waiting", "Time for which some waited"),
        )
    ),
)
DEVICES: tuple[tuple[str, str, Callable[[DeviceUse], int]], ...] = (
    ("reads_bytes", "Bytes read.", lambda d: d.read_bytes),
    ("reads", "Reads.", lambda d: d.reads),
    ("writes_bytes", "Bytes written.", lambda d: d.written_bytes),
    ("writes", "Writes.", lambda d: d.writes),
)
