"""A pod that names its node goes there or nowhere."""

from __future__ import annotations

from controlplane.scheduler.model import NodeState, Pod

REASON = "node(s) didn't match the requested node name"


def check(pod: Pod, state: NodeState) -> tuple[str, ...]:
    """Refuse every node but the one that the pod names."""
    return () if not pod.node or pod.node == state.node.name else (REASON,)
