"""/metrics/cadvisor: what control groups, pods and containers use, under the names and labels that dashboards know. Pure."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from linux.cgroup_use import GroupUse
from nodeagent.report.measures import Labels, escaped
from nodeagent.server.meter import Reading
from nodeagent.server.resource_metrics import Place
from nodeagent.server.survey import Survey, SurveyedPod, interface_counts

NANO = 1e9
_NO = ""


class Group(NamedTuple):
    """One control group, and what is known of it."""

    labels: Labels
    use: GroupUse
    started: float


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


def container_metrics(reading: Reading, survey: Survey | None, started: Mapping[Place, float]) -> bytes:
    """The whole page."""
    if survey is None:
        return b""
    groups = list(_groups(survey, started))
    at = int(survey.at * 1000)
    lines = ["# HELP cadvisor_version_info A metric with a constant '1' value.", "# TYPE cadvisor_version_info gauge"]
    lines.append(
        'cadvisor_version_info{cadvisorRevision="",cadvisorVersion="",dockerVersion="",kernelVersion="",osVersion=""} 1'
    )
    for measure in MEASURES:
        samples = [({**g.labels, **measure.labels}, measure.read(g.use)) for g in groups if measure.only(g.use)]
        lines += _family(f"container_{measure.name}", measure.kind, measure.text, samples, at)
    faults = [
        ({**g.labels, "failure_type": kind, "scope": "hierarchy"}, count)
        for g in groups
        for kind, count in (("pgfault", g.use.faults), ("pgmajfault", g.use.major_faults))
    ]
    lines += _family(
        "container_memory_failures_total", "counter", "Cumulative count of memory allocation failures.", faults, at
    )
    begun = [(g.labels, g.started) for g in groups if g.started]
    text = "Start time of the container since unix epoch in seconds."
    lines += _family("container_start_time_seconds", "gauge", text, begun, 0)
    seen = [(g.labels, survey.at) for g in groups]
    lines += _family("container_last_seen", "gauge", "Last time a container was seen by the exporter", seen, at)
    text = "1 if there was an error while getting container metrics, 0 otherwise."
    lines += _family("container_scrape_error", "gauge", text, [({}, 0)], 0)
    lines += _network(reading, survey, at)
    lines += _disks(reading, survey, at)
    lines += _machine(reading)
    return "\n".join([*lines, ""]).encode()


def _groups(survey: Survey, started: Mapping[Place, float]) -> Iterator[Group]:
    """The machine, all pods, each pod, each container."""
    for path in ("/", survey.pods_group):
        if (use := survey.groups.get(path)) is not None:
            yield Group(_labels(path), use, 0.0)
    for pod in survey.pods.values():
        if (use := survey.groups.get(pod.group)) is not None:
            yield Group(_labels(pod.group, pod), use, pod.started)
        for one in pod.containers:
            if (use := survey.groups.get(one.group)) is not None:
                place = (pod.namespace, pod.name, one.name)
                labels = _labels(one.group, pod, container=one.name, image=one.image, name=one.id)
                yield Group(labels, use, started.get(place, 0.0))


def _labels(
    path: str, pod: SurveyedPod | None = None, *, container: str = _NO, image: str = _NO, name: str = _NO
) -> Labels:
    return {
        "container": container,
        "id": path,
        "image": image,
        "name": name,
        "namespace": pod.namespace if pod is not None else _NO,
        "pod": pod.name if pod is not None else _NO,
    }


def _network(reading: Reading, survey: Survey, at: int) -> list[str]:
    """What went over interfaces: of pods, as the runtime tells; of the machine, as the kernel does."""
    found: list[tuple[Labels, Mapping[str, int | str]]] = [(_labels("/"), one) for one in survey.network]
    for stats in reading.pods:
        pod = survey.pods.get(stats.attributes.metadata.uid)
        if pod is not None and stats.linux.HasField("network"):
            labels = _labels(f"{pod.group}/{pod.sandbox}", pod, name=pod.sandbox)
            usage = stats.linux.network
            found += [
                (labels, interface_counts(one)) for one in (usage.default_interface, *usage.interfaces) if one.name
            ]
    lines: list[str] = []
    for field, name, text in (
        ("rxBytes", "receive_bytes", "Cumulative count of bytes received"),
        ("rxErrors", "receive_errors", "Cumulative count of errors encountered while receiving"),
        ("txBytes", "transmit_bytes", "Cumulative count of bytes transmitted"),
        ("txErrors", "transmit_errors", "Cumulative count of errors encountered while transmitting"),
    ):
        samples = [({**labels, "interface": str(one["name"])}, float(one[field])) for labels, one in found]
        lines += _family(f"container_network_{name}_total", "counter", text, samples, at)
    return lines


def _disks(reading: Reading, survey: Survey, at: int) -> list[str]:
    """Filesystems of the machine, and the writable layers of containers."""
    used: list[tuple[Labels, float]] = []
    limits: list[tuple[Labels, float]] = []
    if (root := survey.root) is not None:
        labels = {**_labels("/"), "device": "rootfs"}
        used.append((labels, root.used))
        limits.append((labels, root.capacity))
        inodes = [(labels, float(root.inodes))]
        free = [(labels, float(root.inodes_free))]
    else:
        inodes, free = [], []
    groups = {one.id: (pod, one) for pod in survey.pods.values() for one in pod.containers}
    for stats in (c for pod in reading.pods for c in pod.linux.containers):
        found = groups.get(stats.attributes.id)
        if found is not None and stats.HasField("writable_layer"):
            pod, one = found
            labels = {**_labels(one.group, pod, container=one.name, image=one.image, name=one.id), "device": ""}
            used.append((labels, stats.writable_layer.used_bytes.value))
    gauge = "gauge"
    return [
        *_family("container_fs_inodes_free", gauge, "Number of available Inodes", free, at),
        *_family("container_fs_inodes_total", gauge, "Number of Inodes", inodes, at),
        *_family(
            "container_fs_limit_bytes",
            gauge,
            "Bytes that can be consumed by the container on this filesystem.",
            limits,
            at,
        ),
        *_family(
            "container_fs_usage_bytes", gauge, "Bytes that are consumed by the container on this filesystem.", used, at
        ),
    ]


def _machine(reading: Reading) -> list[str]:
    machine = reading.machine
    labels = {"boot_id": "", "machine_id": "", "system_uuid": ""}
    memory = machine.memory + machine.available
    return [
        *_family("machine_cpu_cores", "gauge", "Number of logical CPU cores.", [(labels, machine.cpus)], 0),
        *_family("machine_memory_bytes", "gauge", "Amount of memory installed on the machine.", [(labels, memory)], 0),
        *_family(
            "machine_swap_bytes",
            "gauge",
            "Amount of swap memory available on the machine.",
            [(labels, machine.swap_used + machine.swap_free)],
            0,
        ),
        *_family(
            "machine_scrape_error",
            "gauge",
            "1 if there was an error while getting machine metrics, 0 otherwise.",
            [({}, 0)],
            0,
        ),
    ]


def _family(name: str, kind: str, text: str, samples: Iterable[tuple[Labels, float]], at: int) -> list[str]:
    found = list(samples)
    if not found:
        return []
    lines = [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]
    stamp = f" {at}" if at else ""
    for labels, value in found:
        shown = ",".join(f'{key}="{escaped(label)}"' for key, label in sorted(labels.items()))
        lines.append(f"{name}{{{shown}}} {value:.16g}{stamp}" if shown else f"{name} {value:.16g}{stamp}")
    return lines
