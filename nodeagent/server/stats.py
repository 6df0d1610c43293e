"""/stats/summary: what the machine and its pods use."""

from collections.abc import Mapping
from typing import Any

from api import times
from nodeagent.cri.port import CONTAINER_NAME
from nodeagent.server.meter import MACHINE, Reading
from proto import cri_v1_pb2 as pb

Json = dict[str, Any]


def summarize(node: str, reading: Reading) -> Json:
    """The summary as metrics collectors read it."""
    return {"node": _node(node, reading), "pods": [_pod(s, reading.rates) for s in reading.pods]}


def _node(name: str, reading: Reading) -> Json:
    machine, at = reading.machine, times.format_time(reading.at)
    cpu: Json = {"time": at, "usageCoreNanoSeconds": machine.cpu}
    if MACHINE in reading.rates:
        cpu["usageNanoCores"] = reading.rates[MACHINE]
    memory = {"time": at, "workingSetBytes": machine.memory, "availableBytes": machine.available}
    return {"nodeName": name, "startTime": times.format_time(machine.boot), "cpu": cpu, "memory": memory}


def _pod(stats: pb.PodSandboxStats, rates: Mapping[str, int]) -> Json:
    meta = stats.attributes.metadata
    linux = stats.linux
    pod: Json = {
        "podRef": {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid},
        "containers": [_container(c, rates) for c in linux.containers],
    }
    if linux.HasField("cpu"):
        pod["cpu"] = _cpu(linux.cpu, rates.get(stats.attributes.id))
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


def _container(stats: pb.ContainerStats, rates: Mapping[str, int]) -> Json:
    labels = stats.attributes.labels
    container: Json = {"name": labels.get(CONTAINER_NAME, stats.attributes.metadata.name)}
    if stats.HasField("cpu"):
        container["cpu"] = _cpu(stats.cpu, rates.get(stats.attributes.id))
    if stats.HasField("memory"):
        container["memory"] = _memory(stats.memory)
    if stats.HasField("writable_layer"):
        layer = stats.writable_layer
        container["rootfs"] = {"time": _time(layer.timestamp), "usedBytes": layer.used_bytes.value}
    return container


def _cpu(usage: pb.CpuUsage, rate: int | None) -> Json:
    numbers: Json = {"time": _time(usage.timestamp), "usageCoreNanoSeconds": usage.usage_core_nano_seconds.value}
    if rate is not None:
        numbers["usageNanoCores"] = rate
    elif usage.HasField("usage_nano_cores"):
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
