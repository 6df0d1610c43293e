"""/stats/summary: what the machine and its pods use. Pure, but for the look at this very process."""

from collections.abc import Mapping
from typing import Any

from api import times
from linux.cgroup_detail import Pressure
from nodeagent.cri.port import CONTAINER_NAME
from nodeagent.server.disks import Filesystem, Usage
from nodeagent.server.interfaces import interface_of
from nodeagent.server.meter import MACHINE, Reading, read_own_use
from nodeagent.server.process import start_time
from nodeagent.server.resource_metrics import Place
from nodeagent.server.storage import StorageUse
from nodeagent.server.survey import PodDisks, Survey, SurveyedPod
from proto import cri_v1_pb2 as pb

Json = dict[str, Any]


def summarize(
    node: str, reading: Reading, survey: Survey | None = None, started: Mapping[Place, float] | None = None
) -> Json:
    """The summary as metrics collectors read it; without a survey only processors and memory."""
    pods = [_pod(s, reading.rates, survey, started or {}) for s in reading.pods if s.attributes.metadata.uid]
    return {"node": _node(node, reading, survey), "pods": pods}


def _node(name: str, reading: Reading, survey: Survey | None) -> Json:
    machine, at = reading.machine, times.format_time(reading.at)
    cpu: Json = {"time": at, "usageNanoCores": reading.rates.get(MACHINE, 0), "usageCoreNanoSeconds": machine.cpu}
    memory: Json = {"time": at, "availableBytes": machine.available, "workingSetBytes": machine.memory}
    node: Json = {"nodeName": name, "startTime": times.format_time(machine.boot), "cpu": cpu, "memory": memory}
    if survey is None:
        return node
    if (whole := survey.groups.get("/")) is not None:
        memory |= {"usageBytes": whole.memory or machine.memory, "rssBytes": whole.rss}
        memory |= {"pageFaults": whole.faults, "majorPageFaults": whole.major_faults}
    _add_waits(node, survey, "/", at)
    node["systemContainers"] = _system_containers(survey, machine.available + machine.memory)
    if survey.network:
        interfaces = [one.told() for one in survey.network]
        node["network"] = {"time": at, **interfaces[0], "interfaces": interfaces}
    if survey.root is not None:
        node["fs"] = _filesystem(survey.root, survey.at)
    if survey.images is not None:
        images = _filesystem(survey.images, survey.at, survey.image_use)
        node["runtime"] = {"imageFs": images, "containerFs": images}
    node["rlimit"] = {"time": at, "maxpid": survey.processes[1], "curproc": survey.processes[0]}
    node["swap"] = {"time": at, "swapAvailableBytes": machine.swap_free, "swapUsageBytes": machine.swap_used}
    return node


def _system_containers(survey: Survey, installed: int) -> list[Json]:
    """The agent itself, and all pods together."""
    at = times.format_time(survey.at)
    found = []
    path = survey.pods_group
    group, detail = survey.groups.get(path), survey.details.get(path)
    if group is not None:
        rate = {"usageNanoCores": survey.rates[path]} if path in survey.rates else {}
        pods: Json = {
            "name": "pods",
            "startTime": times.format_time(detail.made) if detail is not None else None,
            "cpu": {"time": at, **rate, "usageCoreNanoSeconds": group.cpu},
            "memory": {
                "time": at,
                "availableBytes": max(0, (group.memory_limit or installed) - group.working_set),
                "usageBytes": group.memory,
                "workingSetBytes": group.working_set,
                "rssBytes": group.rss,
                "pageFaults": group.faults,
                "majorPageFaults": group.major_faults,
            },
            "swap": {"time": at, "swapUsageBytes": group.swap},
        }
        _add_waits(pods, survey, path, at)
        found.append(pods)
    own = read_own_use()
    cpu, memory = {"time": at, "usageCoreNanoSeconds": own.cpu}, own.memory
    sizes = {"time": at, "usageBytes": memory, "workingSetBytes": memory, "rssBytes": memory}
    found.append({"name": "kubelet", "startTime": times.format_time(start_time()), "cpu": cpu, "memory": sizes})
    return found


def _add_waits(what: Json, survey: Survey, path: str, at: str) -> None:
    """How long processes of a group waited, where the kernel counts it."""
    detail = survey.details.get(path)
    if detail is None:
        return
    what["io"] = {"time": at}
    for kind, (some, full) in detail.pressure.items():
        if kind in what:
            what[kind]["psi"] = {"full": _pressure(full), "some": _pressure(some)}


def _pressure(one: Pressure) -> Json:
    return {"total": one.total, "avg10": one.avg10, "avg60": one.avg60, "avg300": one.avg300}


def _pod(
    stats: pb.PodSandboxStats, rates: Mapping[str, int], survey: Survey | None, started: Mapping[Place, float]
) -> Json:
    meta, linux = stats.attributes.metadata, stats.linux
    known = survey.pods.get(meta.uid) if survey is not None else None
    disks = survey.disks.get(meta.uid) if survey is not None else None
    begun = {name: at for (ns, pod, name), at in started.items() if (ns, pod) == (meta.namespace, meta.name)}
    pod: Json = {
        "podRef": {"name": meta.name, "namespace": meta.namespace, "uid": meta.uid},
        "startTime": times.format_time(known.started) if known is not None and known.started else None,
        "containers": [_container(c, rates, survey, known, disks, begun) for c in linux.containers if _runs(c, known)],
    }
    if linux.HasField("cpu"):
        pod["cpu"] = _cpu(linux.cpu, rates.get(stats.attributes.id))
    if linux.HasField("memory"):
        pod["memory"] = _memory(linux.memory)
    if linux.HasField("network"):
        default, more = linux.network.default_interface, linux.network.interfaces
        interfaces = [interface_of(one).told() for one in (default, *more)]
        at = linux.network.timestamp or linux.cpu.timestamp  # some runtimes tell no time for it
        pod["network"] = {"time": _time(at), **interfaces[0], "interfaces": interfaces}
    if linux.HasField("process"):
        pod["process_stats"] = {"process_count": linux.process.process_count.value}
    if survey is not None and known is not None:
        _add_waits(pod, survey, known.group, times.format_time(survey.at))
        if (group := survey.groups.get(known.group)) is not None:
            pod["swap"] = {"time": times.format_time(survey.at), "swapUsageBytes": group.swap}
    if survey is not None and disks is not None:
        own = [{**_filesystem(v.filesystem, survey.disks_at, v.usage), "name": v.name} for v in disks.volumes]
        pod["volume"] = own + [_storage(one, survey.at) for one in survey.storage if one.storage.uid == meta.uid]
        layers = (
            Usage(c.writable_layer.used_bytes.value, c.writable_layer.inodes_used.value) for c in linux.containers
        )
        local = (one.usage for one in disks.volumes if one.local)
        used = sum((*layers, *disks.logs.values(), *local), disks.other)
        if survey.root is not None:
            pod["ephemeral-storage"] = _filesystem(survey.root, survey.disks_at, used)
    return pod


def _runs(stats: pb.ContainerStats, pod: SurveyedPod | None) -> bool:
    """Some runtimes also tell of containers that have ended."""
    return pod is None or any(one.id == stats.attributes.id for one in pod.containers)


def _storage(one: StorageUse, at: float) -> Json:
    found: Json = {**_filesystem(one.filesystem, at, one.usage), "name": one.storage.name}
    if one.storage.claim:
        found["pvcRef"] = {"name": one.storage.claim, "namespace": one.storage.namespace}
    if one.abnormal is not None:
        found["volumeHealthStats"] = {"abnormal": one.abnormal}
    return found


def _filesystem(found: Filesystem, at: float, used: Usage | None = None) -> Json:
    """A filesystem, and how much of it is taken by what is told of."""
    return {
        "time": times.format_time(at),
        "availableBytes": found.available,
        "capacityBytes": found.capacity,
        "usedBytes": found.used if used is None else used.used,
        "inodesFree": found.inodes_free,
        "inodes": found.inodes,
        "inodesUsed": found.inodes_used if used is None else used.inodes,
    }


def _container(
    stats: pb.ContainerStats,
    rates: Mapping[str, int],
    survey: Survey | None,
    pod: SurveyedPod | None,
    disks: PodDisks | None,
    started: Mapping[str, float],
) -> Json:
    name = stats.attributes.labels.get(CONTAINER_NAME, stats.attributes.metadata.name)
    begun = started.get(name, 0.0)
    container: Json = {"name": name, "startTime": times.format_time(begun) if begun else None}
    if stats.HasField("cpu"):
        container["cpu"] = _cpu(stats.cpu, rates.get(stats.attributes.id))
    if stats.HasField("memory"):
        container["memory"] = _memory(stats.memory)
    if stats.HasField("writable_layer"):
        layer = stats.writable_layer
        usage = Usage(layer.used_bytes.value, layer.inodes_used.value)
        at = layer.timestamp / 1e9
        images = survey.images if survey is not None else None
        container["rootfs"] = (
            _filesystem(images, at, usage) if images else {"time": _time(layer.timestamp), "usedBytes": usage.used}
        )
    if survey is not None and survey.root is not None and disks is not None:
        container["logs"] = _filesystem(survey.root, survey.disks_at, disks.logs.get(name, Usage()))
    if stats.HasField("swap"):
        swap = stats.swap
        container["swap"] = {
            "time": _time(swap.timestamp),
            "swapAvailableBytes": swap.swap_available_bytes.value,
            "swapUsageBytes": swap.swap_usage_bytes.value,
        }
    if survey is not None and pod is not None:
        path = next((one.group for one in pod.containers if one.id == stats.attributes.id), "")
        _add_group(container, survey, path)
    return container


def _add_group(container: Json, survey: Survey, path: str) -> None:
    """What the runtime does not tell of a container, but its control group does."""
    at = times.format_time(survey.at)
    _add_waits(container, survey, path, at)
    group, detail = survey.groups.get(path), survey.details.get(path)
    if group is not None and detail is not None:
        left = max(0, detail.swap_limit - group.swap)
        container.setdefault("swap", {"time": at, "swapAvailableBytes": left, "swapUsageBytes": group.swap})


def _cpu(usage: pb.CpuUsage, rate: int | None) -> Json:
    numbers: Json = {"time": _time(usage.timestamp), "usageCoreNanoSeconds": usage.usage_core_nano_seconds.value}
    if rate is not None:
        numbers["usageNanoCores"] = rate
    elif usage.HasField("usage_nano_cores"):
        numbers["usageNanoCores"] = usage.usage_nano_cores.value
    return numbers


def _memory(usage: pb.MemoryUsage) -> Json:
    available = {"availableBytes": usage.available_bytes.value} if usage.available_bytes.value else {}
    return {
        "time": _time(usage.timestamp),
        **available,
        "workingSetBytes": usage.working_set_bytes.value,
        "usageBytes": usage.usage_bytes.value,
        "rssBytes": usage.rss_bytes.value,
        "pageFaults": usage.page_faults.value,
        "majorPageFaults": usage.major_page_faults.value,
    }


def _time(nanoseconds: int) -> str:
    return times.format_time(nanoseconds / 1e9)
