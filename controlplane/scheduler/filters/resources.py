"""Requests must fit in what the node has left; the number of pods is a resource too."""

from __future__ import annotations

from controlplane.scheduler.model import NodeState, Pod

TOO_MANY = "Too many pods"


def check(pod: Pod, state: NodeState) -> tuple[str, ...]:
    """Name every resource that is short. A request of zero fits on a full node."""
    allocatable, requested = state.node.allocatable, state.requested
    short: list[str] = []
    if state.count + 1 > allocatable.get("pods", 0):
        short.append(TOO_MANY)
    for name, amount in pod.requests.items():
        if amount and amount > allocatable.get(name, 0) - requested.get(name, 0):
            short.append(f"Insufficient {name}")
    return tuple(short)
