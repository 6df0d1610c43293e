"""Which pod has to go when a resource of the node runs low, and what is told about it. Pure.

First those that use more than they asked for, then those of the lowest priority, then those that use most above what they asked for. Pods
that the node or the cluster cannot do without stay.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from api import quantity
from api.core_v1 import Container, Pod, Taint
from nodeagent.model.memory import Verdict
from nodeagent.model.origin import is_mirror, is_static
from nodeagent.plan import placement, qos
from nodeagent.plan.pressure import INODES, MEMORY, SIGNALS, STORAGE, Free, Threshold

EVICTED = "Evicted"
TOLERATED = "node.kubernetes.io/memory-pressure"


@dataclass(frozen=True, slots=True)
class ContainerUse:
    """What one container uses, in bytes."""

    memory: int = 0
    storage: int = 0  # its own layer and its logs


@dataclass(frozen=True, slots=True)
class PodUse:
    """What a pod uses: bytes, inodes, processes; and its disk-backed emptyDirs, in bytes."""

    memory: int = 0
    storage: int = 0
    inodes: int = 0
    processes: int = 0
    containers: Mapping[str, ContainerUse] = field(default_factory=dict)
    volumes: Mapping[str, int] = field(default_factory=dict)

    def of(self, resource: str) -> int:
        """By the name that messages use."""
        return {"memory": self.memory, STORAGE: self.storage, INODES: self.inodes}.get(resource, self.processes)


def is_critical(pod: Pod) -> bool:
    """Whether it is never evicted."""
    return is_static(pod) or is_mirror(pod) or (pod.spec.priority or 0) >= qos.SYSTEM_CRITICAL_PRIORITY


def rank(pods: Iterable[Pod], uses: Mapping[str, PodUse], resource: str) -> list[Pod]:
    """Those that may go, the first to go first. One whose use is not known goes before all others."""

    def order(pod: Pod) -> tuple[bool, bool, int, int]:
        use = uses.get(pod.metadata.uid or "")
        if use is None:
            return False, False, 0, 0
        above = use.of(resource) - _requested(pod, resource)
        exceeds = resource != "pids" and above > 0
        return True, not exceeds, pod.spec.priority or 0, -above

    return sorted((pod for pod in pods if not is_critical(pod)), key=order)


def _requested(pod: Pod, resource: str) -> int:
    return qos.pod_total(pod, resource, limits=False) if resource in ("memory", STORAGE) else 0


def verdict(pod: Pod, use: PodUse | None, threshold: Threshold, free: Free) -> Verdict:
    """Why this pod goes, in upstream's words."""
    resource = SIGNALS[threshold.signal].resource
    wanted = quantity.format_quantity(threshold.amount.of(free.capacity), "binary")
    left = quantity.format_quantity(free.available, "decimal" if resource in (INODES, "pids") else "binary")
    message = f"The node was low on resource: {resource}. Threshold quantity: {wanted}, available: {left}. "
    if use is not None and resource in ("memory", STORAGE):
        message += "".join(_greedy(pod, use, resource))
    return Verdict(EVICTED, message, disruption=message)


def _greedy(pod: Pod, use: PodUse, resource: str) -> Iterable[str]:
    for container in (*pod.spec.containers, *pod.spec.init_containers):
        found = use.containers.get(container.name)
        if found is None:
            continue
        used = found.memory if resource == "memory" else found.storage
        asked = container.resources.requests.get(resource, "0") if container.resources is not None else "0"
        if used > quantity.ceil(asked):
            text = quantity.canonical(asked)
            yield (
                f"Container {container.name} was using {quantity.format_quantity(used, 'binary')}, request is {text}, "
                f"has larger consumption of {resource}. "
            )


def over_its_limits(pod: Pod, use: PodUse) -> Verdict | None:
    """A pod that keeps more on the node's disk than it may, whatever is free."""
    for volume in pod.spec.volumes:
        limit = volume.empty_dir.size_limit if volume.empty_dir is not None else None
        if limit and 0 < quantity.ceil(limit) < use.volumes.get(volume.name, 0):
            text = quantity.canonical(limit)
            return Verdict(EVICTED, f'Usage of EmptyDir volume "{volume.name}" exceeds the limit "{text}". ')
    whole = qos.pod_total(pod, STORAGE, limits=True) if limits_storage(pod) else 0
    if whole and use.storage > whole:
        text = quantity.format_quantity(whole, "binary")
        return Verdict(EVICTED, f"Pod ephemeral local storage usage exceeds the total limit of containers {text}. ")
    for container in pod.spec.containers:
        found, limit = use.containers.get(container.name), _limit(container)
        if limit and found is not None and found.storage > quantity.ceil(limit):
            text = quantity.canonical(limit)
            return Verdict(EVICTED, f'Container {container.name} exceeded its local ephemeral storage limit "{text}". ')
    return None


def limits_storage(pod: Pod) -> bool:
    """Whether how much of the node's disk it uses has to be watched."""
    sized = any(v.empty_dir is not None and v.empty_dir.size_limit for v in pod.spec.volumes)
    return sized or any(_limit(c) for c in (*pod.spec.containers, *pod.spec.init_containers))


def _limit(container: Container) -> str:
    return container.resources.limits.get(STORAGE, "") if container.resources is not None else ""


def refusal(pod: Pod, conditions: Sequence[str]) -> Verdict | None:
    """Why a pod may not begin on a node under pressure; None if it may."""
    if not conditions or is_critical(pod):
        return None
    if tuple(conditions) == (MEMORY,) and _may_stay(pod):
        return None
    return Verdict(EVICTED, f"The node had condition: [{' '.join(conditions)}]. ", rejected=True)


def _may_stay(pod: Pod) -> bool:
    """Whether it has a claim to memory, or knows what it lets itself in for."""
    taint = Taint(key=TOLERATED, effect="NoSchedule")
    return qos.qos_class(pod) != qos.BEST_EFFORT or not placement.untolerated(
        [taint], pod.spec.tolerations, "NoSchedule"
    )
