"""/metrics/cadvisor: what control groups, pods and containers use, under the names and labels that dashboards know. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from linux.cgroup_detail import GroupDetail
from linux.cgroup_use import GroupUse
from nodeagent.report.facts import MachineFacts
from nodeagent.report.measures import Labels, head, line
from nodeagent.server.container_measures import DETAILS, DEVICES, MEASURES
from nodeagent.server.interfaces import COUNTS, Interface, interface_of
from nodeagent.server.meter import Reading
from nodeagent.server.resource_metrics import Place
from nodeagent.server.survey import Survey, SurveyedPod

_NO = ""


class Group(NamedTuple):
    """One control group, and what is known of it."""

    labels: Labels
    use: GroupUse
    started: float
    detail: GroupDetail


def container_metrics(reading: Reading, survey: Survey, started: Mapping[Place, float]) -> bytes:
    """The whole page."""
    groups = list(_groups(reading, survey, started))
    at = int(survey.at * 1000)
    lines = _family(
        "cadvisor_version_info", "gauge", "Always 1; the labels tell what this machine runs.", _version(survey), 0
    )
    for measure in MEASURES:
        samples = [({**g.labels, **measure.labels}, measure.read(g.use)) for g in groups if measure.only(g.use)]
        lines += _family(f"container_{measure.name}", measure.kind, measure.text, samples, at)
    for detail in DETAILS:
        shown = [(g.labels, detail.read(g.detail)) for g in groups if detail.only(g.detail)]
        lines += _family(f"container_{detail.name}", detail.kind, detail.text, shown, at)
    for name, text, read in DEVICES:
        used = [({**g.labels, "device": d.device}, float(read(d))) for g in groups for d in g.detail.devices]
        lines += _family(f"container_fs_{name}_total", "counter", text, used, at)
    faults = [
        ({**g.labels, "failure_type": kind, "scope": scope}, count)
        for g in groups
        for kind, count in (("pgfault", g.use.faults), ("pgmajfault", g.use.major_faults))
        for scope in ("container", "hierarchy")
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
    lines += _machine(reading, survey.machine)
    return "\n".join([*lines, ""]).encode()


def _version(survey: Survey) -> list[tuple[Labels, float]]:
    kernel, system = (survey.machine.kernel, survey.machine.os_image) if survey.machine is not None else (_NO, _NO)
    empty = dict.fromkeys(("cadvisorRevision", "cadvisorVersion", "dockerVersion"), _NO)
    return [({**empty, "kernelVersion": kernel, "osVersion": system}, 1)]


def _groups(reading: Reading, survey: Survey, started: Mapping[Place, float]) -> Iterator[Group]:
    """The machine, all pods, each pod, each container."""

    def group(path: str, labels: Labels, begun: float) -> Iterator[Group]:
        if (use := survey.groups.get(path)) is not None:
            yield Group(labels, use, begun, survey.details.get(path, GroupDetail()))

    yield from group("/", _labels("/"), reading.machine.boot)
    top = survey.details.get(survey.pods_group)
    yield from group(survey.pods_group, _labels(survey.pods_group), top.made if top is not None else 0.0)
    for pod in survey.pods.values():
        yield from group(pod.group, _labels(pod.group, pod), pod.started)
        for one in pod.containers:
            place = (pod.namespace, pod.name, one.name)
            labels = _labels(one.group, pod, container=one.name, image=one.image, name=one.id)
            yield from group(one.group, labels, started.get(place, 0.0))


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
    """What went over interfaces, as the kernel counts it; where it cannot be asked, as the runtime tells."""
    found: list[tuple[Labels, Interface]] = [(_labels("/"), one) for one in survey.network]
    told = {stats.attributes.metadata.uid: stats.linux.network for stats in reading.pods}
    for pod in survey.pods.values():
        labels = _labels(f"{pod.group}/{pod.sandbox}", pod, name=pod.sandbox)
        interfaces = survey.networks.get(pod.uid)
        if interfaces is None and pod.own_network and pod.uid in told:
            usage = told[pod.uid]
            interfaces = [interface_of(one) for one in (usage.default_interface, *usage.interfaces) if one.name]
        found += [(labels, one) for one in interfaces or ()]
    lines: list[str] = []
    for name, read, text in COUNTS:
        samples = [({**labels, "interface": one.name}, float(read(one))) for labels, one in found]
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


def _machine(reading: Reading, facts: MachineFacts | None) -> list[str]:
    machine = reading.machine
    names = (facts.boot_id, facts.machine_id, facts.system_uuid) if facts is not None else (_NO, _NO, _NO)
    labels = dict(zip(("boot_id", "machine_id", "system_uuid"), names, strict=True))
    sockets, cores = read_cores()
    numbers = (
        ("cpu_cores", "Processors, as the kernel counts them.", machine.cpus),
        ("cpu_physical_cores", "Cores of processors.", cores or machine.cpus),
        ("cpu_sockets", "Sockets of processors.", sockets or 1),
        ("memory_bytes", "Memory that the machine has.", machine.memory + machine.available),
        ("swap_bytes", "Swap that the machine has.", machine.swap_used + machine.swap_free),
    )
    lines = [
        line
        for name, text, value in numbers
        for line in _family(f"machine_{name}", "gauge", text, [(labels, value)], 0)
    ]
    text = "1 if there was an error while getting machine metrics, 0 otherwise."
    return lines + _family("machine_scrape_error", "gauge", text, [({}, 0)], 0)


def read_cores(file: str = "/proc/cpuinfo") -> tuple[int, int]:
    """How many sockets and cores there are; (0, 0) where the kernel does not tell."""
    try:
        with open(file) as lines:
            text = lines.read()
    except OSError:
        return 0, 0
    found = set()
    for block in text.split("\n\n"):
        fields = {
            name.strip(): value.strip() for name, _, value in (line.partition(":") for line in block.splitlines())
        }
        if "core id" in fields:
            found.add((fields.get("physical id", "0"), fields["core id"]))
    return len({socket for socket, _ in found}), len(found)


def _family(name: str, kind: str, text: str, samples: Iterable[tuple[Labels, float]], at: int) -> list[str]:
    found = list(samples)
    if not found:
        return []
    return [*head(name, kind, text, ""), *(line(name, labels, value, at) for labels, value in found)]
