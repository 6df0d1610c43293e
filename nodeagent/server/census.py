"""Numbers that are read off the agent when somebody asks: what there is of pods, containers and volumes, and what this program is."""

from __future__ import annotations

import platform
from collections import Counter as Count
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kit.expiry import expiry
from nodeagent.model.origin import is_static
from nodeagent.model.seen import ContainerState
from nodeagent.model.spec import is_terminal
from nodeagent.plan.pod import is_ending
from nodeagent.report.facts import ARCHITECTURES, VERSION
from nodeagent.report.measures import BETA, Sample, Shown
from nodeagent.server.survey import PodDisks, SurveyedPod
from nodeagent.sync.worker import PodWorker
from nodeagent.volumes.pod import PodVolumes

if TYPE_CHECKING:
    from nodeagent.app import Agent

# What upstream lets people switch and this agent does, by stage.
_FEATURES: Mapping[str, tuple[str, ...]] = {
    "": (
        *(
            "ExecProbeTimeout",
            "ImageMaximumGCAge",
            "ImageVolume",
            "InPlacePodVerticalScaling",
            "KubeletFineGrainedAuthz",
        ),
        *("KubeletPSI", "PodLifecycleSleepAction", "PodLifecycleSleepActionAllowZero", "PodObservedGenerationTracking"),
        *("ServiceAccountTokenPodNodeInfo", "SidecarContainers", "UserNamespacesSupport"),
    ),
    "BETA": (
        *("ComponentFlagz", "ComponentStatusz", "ContainerCheckpoint", "ContainerRestartRules", "GracefulNodeShutdown"),
        *("GracefulNodeShutdownBasedOnPodPriority", "KubeletCrashLoopBackOffMax", "PodLevelResources"),
        *(
            "PodReadyToStartContainersCondition",
            "PreventStaticPodAPIReferences",
            "RestartAllContainersOnContainerExits",
        ),
    ),
}


def census(agent: Agent) -> Iterator[Shown]:
    """Everything but volumes, which take longer to look at."""
    workers = list(agent.pods.workers.values())
    yield from about(agent.config.node_name)
    yield from pods(workers)
    yield Shown("volume_manager_total_volumes", "Volumes of pods, by plugin.", _volumes(workers, agent.doors.volumes))
    groups = agent.doors.cgroups.cgroups
    yield _one("kubelet_cgroup_version", "The version of control groups here.", groups.version)
    mirrors = agent.link.mirrors.count() if agent.link is not None else 0
    yield _one("kubelet_mirror_pods", "Objects in the API server that show static pods.", mirrors)
    yield from certificates(agent)
    yield from own_shares()
    if agent.link is not None:
        queue = agent.link.reporter.queue
        named = {"name": "pod_status"}
        yield Shown("workqueue_adds_total", "Keys that were to be looked at.", [(named, queue.added)], "counter", BETA)
        yield Shown("workqueue_depth", "Keys that wait.", [(named, len(queue))], stage=BETA)
        yield Shown("workqueue_retries_total", "Keys tried again.", [(named, queue.retried)], "counter", BETA)


def about(node: str) -> Iterator[Shown]:
    """Which node this is, and which program."""
    yield Shown("kubelet_node_name", "The node's name; the number is always 1.", [({"node": node}, 1)])
    major, minor = VERSION.removeprefix("v").split(".")[:2]
    build = {
        "build_date": "1970-01-01T00:00:00Z",
        "compiler": platform.python_implementation().lower(),
        "git_commit": "",
        "git_tree_state": "clean",
        "git_version": VERSION,
        "go_version": f"python{platform.python_version()}",
        "major": major,
        "minor": minor,
        "platform": f"linux/{ARCHITECTURES.get(platform.machine(), platform.machine())}",
    }
    yield Shown("kubernetes_build_info", "Always 1; the labels tell the version.", [(build, 1)], stage=BETA)
    features = sorted((name, stage) for stage, names in _FEATURES.items() for name in names)
    samples: list[Sample] = [({"name": name, "stage": stage}, 1) for name, stage in features]
    yield Shown("kubernetes_feature_enabled", "What this agent does of what can be switched.", samples, stage=BETA)
    text = "Where the numbers of containers come from."
    yield Shown("kubelet_metrics_provider", text, [({"provider": "cri"}, 1)])
    yield _one("kubelet_node_config_error", "Whether the agent's configuration is not the wished one: never.", 0)


def pods(workers: list[PodWorker]) -> Iterator[Shown]:
    """Pods and their containers."""
    seen = [worker.state.seen.overlay(worker.state.exits) for worker in workers]
    ready = sum(one.sandbox is not None and one.sandbox.ready for one in seen)
    yield _one("kubelet_running_pods", "Pods whose sandbox runs.", ready)
    states = Count(c.state.value for one in seen for c in one.containers)
    for state in (ContainerState.CREATED, ContainerState.RUNNING, ContainerState.EXITED):
        states.setdefault(state.value, 0)
    samples: list[Sample] = [({"container_state": state}, count) for state, count in sorted(states.items())]
    yield Shown("kubelet_running_containers", "Containers, by state.", samples)
    wished = [worker for worker in workers if not worker.state.memory.gone]
    active = [w for w in wished if not (w.state.memory.cleaned or is_terminal(w.state.pod))]
    yield _by_origin("kubelet_desired_pods", "Pods that there should be.", wished)
    yield _by_origin("kubelet_active_pods", "Those of them that have not ended.", active)
    yield Shown("kubelet_working_pods", "Pods that have a worker, by what it does.", _working(workers))
    extra = sum(len(worker.state.pod.spec.ephemeral_containers) for worker in wished)
    yield _one("kubelet_managed_ephemeral_containers", "Ephemeral containers in pods.", extra)
    yield from _resizes(wished)


def certificates(agent: Agent) -> Iterator[Shown]:
    """For how long the agent's certificates hold. It is not the agent that renews them, so it cannot fail to."""
    now = agent.clock.now()
    pairs = (
        ("kubelet_certificate_manager_client_ttl_seconds", "of a client", agent.client_certificate),
        ("kubelet_certificate_manager_server_ttl_seconds", "of a server", _read(agent.config.pki.cert)),
    )
    for name, whose, pem in pairs:
        if (until := expiry(pem)) is not None:
            yield _one(name, f"Seconds for which the agent's certificate {whose} holds.", until - now)
    text = "Certificates that could not be renewed."
    for name in (
        "kubelet_certificate_manager_client_expiration_renew_errors",
        "kubelet_server_expiration_renew_errors",
    ):
        yield Shown(name, text, [({}, 0)], "counter")


def own_shares() -> Iterator[Shown]:
    """Who has processors, memory or devices to himself: nobody. Where things run best is left to the kernel."""
    for what, name in (("processors", "cpu"), ("memory", "memory")):
        text = f"Containers that were to have {what} to themselves, which nobody can."
        yield Shown(f"kubelet_{name}_manager_pinning_requests_total", text, [({}, 0)], "counter")
        text = f"Those of them that did not get {what}."
        yield Shown(f"kubelet_{name}_manager_pinning_errors_total", text, [({}, 0)], "counter")
    text = "Processors that belong to one container alone."
    yield _one("kubelet_cpu_manager_exclusive_cpu_allocation_count", text, 0)
    text = "Pods refused because what they need is in different places of the machine: none is."
    yield Shown("kubelet_topology_manager_admission_errors_total", text, [({}, 0)], "counter")


def logs(found: Iterable[SurveyedPod], disks: Mapping[str, PodDisks]) -> Shown:
    """What the logs of containers take."""
    samples: list[Sample] = [
        ({"container": name, "namespace": pod.namespace, "pod": pod.name, "uid": pod.uid}, used.used)
        for pod in found
        if (here := disks.get(pod.uid)) is not None
        for name, used in sorted(here.logs.items())
    ]
    return Shown("kubelet_container_log_filesystem_used_bytes", "Bytes that logs of containers take.", samples)


def _by_origin(name: str, text: str, workers: list[PodWorker]) -> Shown:
    static = sum(is_static(worker.state.pod) for worker in workers)
    return Shown(name, text, [({"static": ""}, len(workers) - static), ({"static": "true"}, static)])


def _working(workers: list[PodWorker]) -> list[Sample]:
    counts = Count(_work(worker) for worker in workers)
    lives, origins = ("sync", "terminated", "terminating"), ("", "true")
    keys = [(config, life, static) for config in ("desired", "orphan") for life in lives for static in origins]
    keys += [("runtime_only", life, "unknown") for life in lives]
    return [({"config": key[0], "lifecycle": key[1], "static": key[2]}, counts[key]) for key in keys]


def _work(worker: PodWorker) -> tuple[str, str, str]:
    """Who wants the pod, how far it is, and whether it is static."""
    pod, memory = worker.state.pod, worker.state.memory
    life = "terminated" if memory.cleaned else "terminating" if is_ending(pod, memory) else "sync"
    if memory.gone and not pod.spec.containers:
        return "runtime_only", life, "unknown"
    return "orphan" if memory.gone else "desired", life, "true" if is_static(pod) else ""


def _resizes(workers: list[PodWorker]) -> Iterator[Shown]:
    notes = [worker.state.memory for worker in workers]
    pending = Count(m.resize_pending.reason.lower() for m in notes if m.resize_pending is not None)
    samples: list[Sample] = [({"reason": reason}, count) for reason, count in sorted(pending.items())]
    yield Shown("kubelet_pod_pending_resizes", "Pods whose change of resources has to wait.", samples)
    going = sum(m.resize_progress is not None for m in notes)
    yield _one("kubelet_pod_in_progress_resizes", "Pods that are being given other resources.", going)


def _volumes(workers: list[PodWorker], known: PodVolumes) -> list[Sample]:
    counts: Count[tuple[str, str]] = Count()
    for worker in workers:
        memory = worker.state.memory
        for plugin in known.plugins(worker.state.pod) if not memory.cleaned else ():
            counts["desired_state_of_world", plugin] += not memory.gone
            counts["actual_state_of_world", plugin] += memory.volumes_ready
    return [({"plugin_name": kind, "state": state}, count) for (state, kind), count in sorted(counts.items())]


def _one(name: str, text: str, value: float) -> Shown:
    return Shown(name, text, [({}, value)])


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""
