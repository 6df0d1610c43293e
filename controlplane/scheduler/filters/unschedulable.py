"""A cordoned node takes only pods that tolerate being there."""

from __future__ import annotations

from controlplane.scheduler.model import NodeState, Pod, Taint
from controlplane.scheduler.tolerance import tolerates_any

REASON = "node(s) were unschedulable"
CORDONED = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")


def check(pod: Pod, state: NodeState) -> tuple[str, ...]:
    """Refuse a node with spec.unschedulable unless the pod tolerates the taint of the same meaning."""
    if not state.node.unschedulable or tolerates_any(pod.tolerations, CORDONED):
        return ()
    return (REASON,)
