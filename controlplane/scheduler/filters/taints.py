"""Taints keep pods away that do not tolerate them. Node readiness arrives here too, as taints."""

from __future__ import annotations

from controlplane.scheduler.model import NodeState, Pod
from controlplane.scheduler.tolerance import tolerates_any

REASON = "node(s) had untolerated taint(s)"
HARD = ("NoSchedule", "NoExecute")


def check(pod: Pod, state: NodeState) -> tuple[str, ...]:
    """Refuse a node with a hard taint that no toleration of the pod covers."""
    for taint in state.node.taints:
        if taint.effect in HARD and not tolerates_any(pod.tolerations, taint):
            return (REASON,)
    return ()
