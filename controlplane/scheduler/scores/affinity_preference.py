"""Preferred node affinity."""

from __future__ import annotations

from controlplane.scheduler.affinity import matches
from controlplane.scheduler.model import NodeState, Pod


def rate(pod: Pod, state: NodeState) -> float:
    """The sum of the weights of the preferred terms that match."""
    return sum(preferred.weight for preferred in pod.preferred if matches(preferred.term, state.node))
