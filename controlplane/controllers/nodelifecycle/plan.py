"""What a node's silence means. Pure.

A node is trusted while its lease or its Ready condition keeps changing; the clock that counts is ours. After the grace its conditions
become Unknown, conditions become taints, and NoExecute taints drive away the pods that do not tolerate them. When no node at all is ready,
the fault is more likely on our side: then nobody is driven away.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from api import times
from controlplane.controllers.seen import SeenNode, SeenPod
from controlplane.controllers.seen.meta import instant
from controlplane.controllers.seen.node import NodeCondition, Taint
from controlplane.controllers.seen.pod import Toleration

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
CORDONED = "node.kubernetes.io/unschedulable"
PRESSURES = {
    "MemoryPressure": "node.kubernetes.io/memory-pressure",
    "DiskPressure": "node.kubernetes.io/disk-pressure",
    "PIDPressure": "node.kubernetes.io/pid-pressure",
    "NetworkUnavailable": "node.kubernetes.io/network-unavailable",
}
OURS = {NOT_READY, UNREACHABLE, CORDONED, *PRESSURES.values()}
KUBELETS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")


@dataclass(frozen=True, slots=True)
class Evictions:
    """Pods that must go now, and after how many seconds the next one must."""

    now: tuple[SeenPod, ...] = ()
    wait: float | None = None


def is_ready(node: SeenNode) -> bool:
    """Whether the node says it is ready."""
    ready = node.condition("Ready")
    return ready is not None and ready.status == "True"


def is_lost(node: SeenNode) -> bool:
    """Whether nobody knows how the node is."""
    ready = node.condition("Ready")
    return ready is not None and ready.status == "Unknown"


def plan_conditions(node: SeenNode, now: float) -> tuple[NodeCondition, ...]:
    """The conditions to write on a node that was silent for too long; none if that is said already."""
    changed: list[NodeCondition] = []
    for kind in KUBELETS:
        seen = node.condition(kind)
        if seen is None:
            never = "Kubelet never posted node status."
            heartbeat = times.format_time(node.created)
            changed.append(NodeCondition(kind, "Unknown", "NodeStatusNeverUpdated", never, heartbeat, now))
        elif seen.status != "Unknown":
            stopped = "Kubelet stopped posting node status."
            changed.append(replace(seen, status="Unknown", reason="NodeStatusUnknown", message=stopped, changed=now))
    return tuple(changed)


def plan_taints(node: SeenNode, now: float, *, evict: bool) -> tuple[Taint, ...] | None:
    """The taints the node should have, None if it has them. `evict`: whether pods may be driven away at all."""
    wanted = {(taint.key, taint.effect) for taint in _from_conditions(node, evict)}
    kept = [t for t in node.taints if t.key not in OURS or (t.key, t.effect) in wanted]
    there = {(taint.key, taint.effect) for taint in kept}
    stamp = times.format_time(now)
    added = [Taint(key, "", effect, stamp) for key, effect in sorted(wanted - there)]
    return (*kept, *added) if added or len(kept) != len(node.taints) else None


def _from_conditions(node: SeenNode, evict: bool) -> Iterable[Taint]:
    ready = node.condition("Ready")
    if ready is None or ready.status != "True":
        key = UNREACHABLE if ready is not None and ready.status == "Unknown" else NOT_READY
        yield Taint(key, "", "NoSchedule")
        if evict and ready is not None:
            yield Taint(key, "", "NoExecute")
    if node.unschedulable:
        yield Taint(CORDONED, "", "NoSchedule")
    for condition in node.conditions:
        if condition.type in PRESSURES and condition.status == "True":
            yield Taint(PRESSURES[condition.type], "", "NoSchedule")


def plan_evictions(node: SeenNode, pods: Iterable[SeenPod], now: float) -> Evictions:
    """Who must leave because of the node's NoExecute taints."""
    taints = [taint for taint in node.taints if taint.effect == "NoExecute"]
    due: list[SeenPod] = []
    waits: list[float] = []
    for pod in pods if taints else ():
        if pod.deleting or pod.finished:
            continue
        left = seconds_left(pod.tolerations, taints, now)
        if left is not None and left <= 0:
            due.append(pod)
        elif left is not None:
            waits.append(left)
    return Evictions(tuple(due), min(waits, default=None))


def seconds_left(tolerations: tuple[Toleration, ...], taints: list[Taint], now: float) -> float | None:
    """How long a pod may stay: None for ever, 0 not at all. The shortest toleration of any taint counts."""
    left: float | None = None
    for taint in taints:
        matching = [t for t in tolerations if _tolerates(t, taint)]
        if not matching:
            return 0
        limits = [t.seconds for t in matching if t.seconds is not None]
        if limits:
            since = instant(taint.added) or now
            rest = max(0.0, since + max(0, min(limits)) - now)
            left = rest if left is None else min(left, rest)
    return left


def _tolerates(toleration: Toleration, taint: Taint) -> bool:
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.operator == "Exists":
        return not toleration.key or toleration.key == taint.key
    return toleration.key == taint.key and toleration.value == taint.value
