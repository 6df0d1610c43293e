"""Pods of one owner are better spread: a node's death then takes the fewest."""

from __future__ import annotations

from controlplane.scheduler.model import NodeState, Pod


def rate(pod: Pod, state: NodeState) -> float:
    """How many pods of the same owner the node has."""
    return state.owners.get(pod.owner, 0)
