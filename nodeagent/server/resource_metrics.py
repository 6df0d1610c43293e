"""/metrics/resource: the few numbers that autoscaling lives on, in the text form that Prometheus reads."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from nodeagent.cri.port import CONTAINER_NAME
from nodeagent.report.measures import head, line
from nodeagent.server.meter import Reading
from proto import cri_v1_pb2 as pb

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
Place = tuple[str, str, str]  # namespace, pod, container
_SECOND = 1_000_000_000


class Sample(NamedTuple):
    """One number, and when it was measured (milliseconds, 0 for now)."""

    labels: Mapping[str, str]
    value: float
    at: int = 0


def exposition(reading: Reading, started: Mapping[Place, float]) -> bytes:
    """The whole page; `started` tells when each container did."""
    lines: list[str] = []
    for name, type_, help_, samples in _families(reading, started):
        stage = "ALPHA" if "_swap_" in name else "STABLE"
        lines += head(name, type_, help_, stage) if samples else ()
        lines += [line(name, *sample) for sample in samples]
    return "\n".join([*lines, ""]).encode()


def _families(reading: Reading, started: Mapping[Place, float]) -> Iterator[tuple[str, str, str, list[Sample]]]:
    now, machine = int(reading.at * 1000), reading.machine
    used, held, pods_used, pods_held = _uses(reading)
    yield (
        "container_cpu_usage_seconds_total",
        "counter",
        "Cumulative cpu time consumed by the container in core-seconds",
        used,
    )
    yield "container_memory_working_set_bytes", "gauge", "Current working set of the container in bytes", held
    since = [Sample(_of(place), at) for place, at in sorted(started.items()) if at]
    yield (
        "container_start_time_seconds",
        "gauge",
        "Start time of the container since unix epoch in seconds",
        since,
    )
    of_containers, limits, of_pods = _swap(reading)
    text = "Swap that the container may take in bytes. Where the runtime tells."
    yield "container_swap_limit_bytes", "gauge", text, limits
    text = "Swap that the container takes in bytes. Where the runtime tells."
    yield "container_swap_usage_bytes", "gauge", text, of_containers
    cpu = [Sample({}, machine.cpu / _SECOND, now)]
    yield "node_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the node in core-seconds", cpu
    memory = [Sample({}, machine.memory, now)]
    yield "node_memory_working_set_bytes", "gauge", "Current working set of the node in bytes", memory
    swap = [Sample({}, machine.swap_used, now)]
    yield (
        "node_swap_usage_bytes",
        "gauge",
        "Current swap usage of the node in bytes. Reported only on non-windows systems",
        swap,
    )
    yield "pod_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed by the pod in core-seconds", pods_used
    yield "pod_memory_working_set_bytes", "gauge", "Current working set of the pod in bytes", pods_held
    yield "pod_swap_usage_bytes", "gauge", "Swap that the pod takes in bytes. Where the runtime tells.", of_pods
    told = "1 if there was an error while getting container metrics, 0 otherwise"
    yield "resource_scrape_error", "gauge", told, [Sample({}, 0)]


def _uses(reading: Reading) -> tuple[list[Sample], list[Sample], list[Sample], list[Sample]]:
    """Processor time and memory of containers, and of pods."""
    used: list[Sample] = []
    held: list[Sample] = []
    pods_used: list[Sample] = []
    pods_held: list[Sample] = []
    for pod in reading.pods:
        meta = pod.attributes.metadata
        labels = {"namespace": meta.namespace, "pod": meta.name}
        _measure(pod.linux, labels, pods_used, pods_held)
        for one in pod.linux.containers:
            _measure(one, {"container": one.attributes.labels.get(CONTAINER_NAME, ""), **labels}, used, held)
    return used, held, pods_used, pods_held


def _swap(reading: Reading) -> tuple[list[Sample], list[Sample], list[Sample]]:
    """What containers take and may take of swap, and what pods take."""
    used: list[Sample] = []
    limits: list[Sample] = []
    of_pods: list[Sample] = []
    for pod in reading.pods:
        meta, total, at = pod.attributes.metadata, 0, 0
        labels = {"namespace": meta.namespace, "pod": meta.name}
        for one in pod.linux.containers:
            if one.HasField("swap"):
                swap, named = one.swap, {"container": one.attributes.labels.get(CONTAINER_NAME, ""), **labels}
                at, now = swap.timestamp // 1_000_000, swap.swap_usage_bytes.value
                used.append(Sample(named, now, at))
                limits.append(Sample(named, now + swap.swap_available_bytes.value, at))
                total += now
        if at:
            of_pods.append(Sample(labels, total, at))
    return used, limits, of_pods


def _measure(
    stats: pb.LinuxPodSandboxStats | pb.ContainerStats,
    labels: dict[str, str],
    used: list[Sample],
    held: list[Sample],
) -> None:
    if stats.HasField("cpu"):
        cpu = stats.cpu
        used.append(Sample(labels, cpu.usage_core_nano_seconds.value / _SECOND, cpu.timestamp // 1_000_000))
    if stats.HasField("memory"):
        memory = stats.memory
        held.append(Sample(labels, memory.working_set_bytes.value, memory.timestamp // 1_000_000))


def _of(place: Place) -> dict[str, str]:
    return {"container": place[2], "namespace": place[0], "pod": place[1]}
