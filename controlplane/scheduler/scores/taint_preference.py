"""Fewer soft taints that the pod does not tolerate are better."""

from __future__ import annotations

from collections.abc import Sequence

from controlplane.scheduler.model import NodeState, Pod
from controlplane.scheduler.tolerance import tolerates_any

SOFT = "PreferNoSchedule"


def wanted(_: Pod, candidates: Sequence[NodeState]) -> bool:
    """Only where a candidate has a taint at all."""
    return any(state.node.taints for state in candidates)


def rate(pod: Pod, state: NodeState) -> float:
    """The number of soft taints that are not tolerated."""
    return sum(t.effect == SOFT and not tolerates_any(pod.tolerations, t) for t in state.node.taints)
