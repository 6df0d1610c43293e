"""/stats/summary: what pods use, from the runtime's own numbers."""

from collections.abc import Iterable
from typing import Any

from api import times
from nodeagent.cri.port import CONTAINER_NAME
from proto import cri_v1_pb2 as pb

Json = dict[str, Any]


def summarize(node: str, stats: Iterable[pb.PodSandboxStats], now: float) -> Json:
    """The summary as metrics collectors read it."""
    return {"node": {"nodeName": node, "startTime": times.format_time(now)}, "pods": [_pod(s) for s in stats]}


def _pod(stats: pb.PodSandboxStats) -> Json:
    meta = stats.attributes.metadata
    linux = stats.linux
    pod: Json = {
        "podRef": {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid},
        "containers": [_container(c) for c in linux.containers],
    }
    if linux.HasField("cpu"):
        pod["cpu"] = _cpu(linux.cpu)
    if linux.HasField("memory"):
        pod["memory"] = _memory(linux.memory)
    if linux.HasField("network"):
        default = linux.network.default_interface
        pod["network"] = {
            "time": _time(linux.network.timestamp),
            "name": default.name,
            "rxBytes": default.rx_bytes.value,
            "rxErrors": default.rx_errors.value,
            "txBytes": default.tx_bytes.value,
            "txErrors": default.tx_errors.value,
        }
    if linux.HasField("process"):
        pod["process_stats"] = {"process_count": linux.process.process_count.value}
    return pod


def _container(stats: pb.ContainerStats) -> Json:
    labels = stats.attributes.labels
    container: Json = {"name": labels.get(CONTAINER_NAME, stats.attributes.metadata.name)}
    if stats.HasField("cpu"):
        container["cpu"] = _cpu(stats.cpu)
    if stats.HasField("memory"):
        container["memory"] = _memory(stats.memory)
    if stats.HasField("writable_layer"):
        layer = stats.writable_layer
        container["rootfs"] = {"time": _time(layer.timestamp), "usedBytes": layer.used_bytes.value}
    return container


def _cpu(usage: pb.CpuUsage) -> Json:
    numbers: Json = {"time": _time(usage.timestamp), "usageCoreNanoSeconds": usage.usage_core_nano_seconds.value}
    if usage.HasField("usage_nano_cores"):
        numbers["usageNanoCores"] = usage.usage_nano_cores.value
    return numbers


def _memory(usage: pb.MemoryUsage) -> Json:
    return {
        "time": _time(usage.timestamp),
        "workingSetBytes": usage.working_set_bytes.value,
        "usageBytes": usage.usage_bytes.value,
        "rssBytes": usage.rss_bytes.value,
        "pageFaults": usage.page_faults.value,
        "majorPageFaults": usage.major_page_faults.value,
    }


def _time(nanoseconds: int) -> str:
    return times.format_time(nanoseconds / 1e9)
