"""Scenes for kernels with control groups of version 2: which groups there are, what stands in them, and who is protected."""

import re
from pathlib import Path
from typing import Any

import msgspec

from api.core_v1 import ContainerStateTerminated, Pod, ResourceRequirements
from linux.cgroup_use import read_group
from nodeagent.config import Reservations
from nodeagent.serving import container_group, group_path
from tests.cri.inside.basics import state_of
from tests.cri.inside.lives import _resize
from tests.cri.inside.server import _get
from tests.cri.stage import Stage, make_pod, shell

ROOT = Path("/sys/fs/cgroup")
MIB = 1 << 20


def _same(seen: Any, wanted: Any) -> None:
    assert seen == wanted, f"seen {seen}, wanted {wanted}"


def _weight(shares: int) -> str:
    return str(1 + (shares - 2) * 9999 // 262142)


def _read(group: str, *names: str) -> dict[str, str]:
    return {name: (ROOT / group.strip("/") / name).read_text().strip() for name in names}


def _exactly(cpu: str, memory: str) -> ResourceRequirements:
    both = {"cpu": cpu, "memory": memory}
    return ResourceRequirements(requests=both, limits=both)


def _group(stage: Stage, pod: Pod) -> str:
    return group_path(stage.agent.doors.cgroups.parent(pod))


def _container_group(stage: Stage, pod: Pod, name: str) -> str:
    ident = state_of(pod, name).container_id.removeprefix("containerd://")
    return container_group(_group(stage, pod), ident)


def _scores(group: str) -> set[int]:
    """How the kernel values each process in a group and below, when memory runs out."""
    pids = [pid for file in (ROOT / group.strip("/")).rglob("cgroup.procs") for pid in file.read_text().split()]
    return {int(Path(f"/proc/{pid}/oom_score_adj").read_text()) for pid in pids}


async def groups(stage: Stage) -> None:
    """Every class of service has its group, weight and limits, and its place in the order of those who die first."""
    sleep = "exec sleep 1000"
    wanted = {
        "guaranteed": _exactly("100m", "64Mi"),
        "burstable": ResourceRequirements(requests={"cpu": "200m", "memory": "100Mi"}, limits={"cpu": "500m"}),
        "besteffort": None,
    }
    for name, needs in wanted.items():
        await stage.create(make_pod(name, shell("a", sleep, resources=needs)))
    pods = {name: await stage.phase(name, "Running") for name in wanted}

    machine = stage.agent.settings.memory_capacity
    top = group_path(stage.agent.doors.cgroups.top())
    page = 4096
    whole = {"cpu.weight": _weight(1024), "memory.max": str((machine - 100 * MIB) // page * page)}  # there is one CPU
    _same(_read(top, *whole), whole)
    inner = {name: str(Path(_group(stage, pod)).parent) for name, pod in pods.items()}
    _same(inner["guaranteed"], top)
    _same(_read(inner["burstable"], *whole), {"cpu.weight": _weight(204), "memory.max": "max"})
    _same(_read(inner["besteffort"], *whole), {"cpu.weight": "1", "memory.max": "max"})

    files = ("cpu.weight", "cpu.max", "memory.max", "pids.max")
    own = {name: tuple(_read(_group(stage, pod), *files).values()) for name, pod in pods.items()}
    wanted_of_pods = {
        "guaranteed": (_weight(102), "10000 100000", str(64 * MIB), "500"),
        "burstable": (_weight(204), "50000 100000", "max", "500"),
        "besteffort": ("1", "max 100000", "max", "500"),
    }
    _same(own, wanted_of_pods)
    files = ("cpu.weight", "cpu.max", "memory.max", "memory.swap.max", "memory.oom.group", "memory.min", "memory.high")
    inside = {name: tuple(_read(_container_group(stage, pod, "a"), *files).values()) for name, pod in pods.items()}
    rest = ("0", "1", "0", "max")
    wanted_of_containers = {name: (*values[:3], *rest) for name, values in wanted_of_pods.items()}
    _same(inside, wanted_of_containers)

    asked = 1000 - 1000 * 100 * MIB // machine
    wanted_scores = {"guaranteed": -997, "burstable": asked, "besteffort": 1000}
    for name, pod in pods.items():
        _same(_scores(_container_group(stage, pod, "a")), {wanted_scores[name]})
        _same(_scores(_group(stage, pod)), {wanted_scores[name], -998})  # the sandbox's own process
    _same(Path("/proc/self/oom_score_adj").read_text().strip(), "-999")
    for name, pod in pods.items():
        assert pod.metadata.uid in stage.agent.doors.cgroups.known(), name
        await stage.delete(name)
        assert not (ROOT / _group(stage, pod).strip("/")).exists(), name


groups.changes = {"pod_pids_limit": 500, "reserved": Reservations(kube={"memory": "100Mi"})}  # type: ignore[attr-defined]


async def killed_with_all_its_processes(stage: Stage) -> None:
    """When a child takes too much the whole container goes, for memory; its neighbour in the pod stays.

    containerd may not tell so: it reads the count of the container's group when that is gone. The pod's group stays.
    """
    limits = ResourceRequirements(limits={"memory": "32Mi"})
    parent = shell("a", "tail /dev/zero; echo survived; sleep 1000", resources=limits)
    await stage.create(make_pod("greedy", parent, shell("b", "sleep 1000"), restart_policy="Never"))

    def end() -> ContainerStateTerminated | None:
        status = state_of(stage.pod("greedy"), "a")
        return status.state.terminated if status and status.state else None

    await stage.until(end, "it ends")
    pod, ended = stage.pod("greedy"), end()
    assert pod is not None and ended is not None
    _same((ended.exit_code, ended.reason), (137, "OOMKilled"))
    assert "oom_group_kill 1" in _read(_group(stage, pod), "memory.events")["memory.events"].splitlines()
    assert await stage.log(pod, "a") == ""
    await stage.until(lambda: state_of(stage.pod("greedy"), "b").state.running, "the neighbour runs")


async def too_many_processes(stage: Stage) -> None:
    """A pod has as many processes as it may, and not one more; the machine does not suffer."""
    script = "for n in $(seq 40); do sleep 1000 & done; echo all; wait"
    await stage.create(make_pod("many", shell("a", script), restart_policy="Never"))
    pod = await stage.phase("many", "Failed")

    async def said() -> None:  # the runtime tells the end of a container without waiting for the last of its log
        assert "can't fork" in await stage.log(pod, "a")

    await stage.agrees(said, "it is told why")


too_many_processes.changes = {"pod_pids_limit": 30}  # type: ignore[attr-defined]


async def numbers(stage: Stage) -> None:
    """What collectors of metrics read is what the files of version 2 say."""
    limits = ResourceRequirements(limits={"cpu": "500m", "memory": "64Mi"})
    await stage.create(make_pod("web", shell("a", "echo hello; exec sleep 1000", resources=limits)))
    pod = await stage.phase("web", "Running")
    group = _container_group(stage, pod, "a")
    top = group_path(stage.agent.doors.cgroups.top())

    async def agree() -> None:
        summary = msgspec.json.decode((await _get(stage, "/stats/summary")).body)
        page = (await _get(stage, "/metrics/cadvisor")).body.decode()
        seen, whole = read_group(group), read_group(top)
        assert seen is not None and whole is not None
        memory, cpu = (summary["pods"][0]["containers"][0][name] for name in ("memory", "cpu"))
        _same(memory["workingSetBytes"], seen.working_set)
        _same(memory["availableBytes"], 64 * MIB - seen.working_set)
        _same((memory["rssBytes"], memory["pageFaults"]), (seen.rss, seen.faults))
        _same(cpu["usageCoreNanoSeconds"], seen.cpu)
        (together,) = (one["memory"] for one in summary["node"]["systemContainers"] if one["name"] == "pods")
        _same(together["availableBytes"], whole.memory_limit - whole.working_set)
        for name, value in {
            "memory_usage_bytes": seen.memory,
            "memory_max_usage_bytes": seen.most_memory,
            "spec_memory_limit_bytes": 64 * MIB,
            "spec_cpu_quota": 50_000,
            "spec_cpu_shares": 500,  # 512, as much as a weight can tell
            "cpu_cfs_periods_total": seen.periods,
            "processes": 1,
        }.items():
            (found,) = re.findall(rf'^container_{name}{{container="a",.*}} (\S+) \d+$', page, re.MULTILINE)
            _same((name, float(found)), (name, value))

    await stage.agrees(agree, "they agree")


async def resized(stage: Stage) -> None:
    """The groups of the pod and of its container get other limits; the container lives on."""
    await stage.create(make_pod("grows", shell("a", "exec sleep 1000", resources=_exactly("100m", "64Mi"))))
    pod = await stage.phase("grows", "Running")
    wanted = {"cpu.max": "20000 100000", "memory.max": str(96 * MIB), "cpu.weight": _weight(204)}
    await _resize(stage, "grows", _exactly("200m", "96Mi"))

    async def fit() -> None:
        for group in (_group(stage, pod), _container_group(stage, pod, "a")):
            _same(_read(group, *wanted), wanted)

    await stage.agrees(fit, "the kernel has the new limits")
    _same(state_of(stage.pod("grows"), "a").container_id, state_of(pod, "a").container_id)
