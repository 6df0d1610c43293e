"""A node whose cpu and memory are used in like shares wastes neither."""

from __future__ import annotations

from controlplane.scheduler.model import NodeState, Pod

TOP = 100.0


def rate(pod: Pod, state: NodeState) -> float:
    """100 less the deviation between the shares of cpu and memory that would be in use."""
    allocatable = state.node.allocatable
    cpu = _share(state.scored_cpu + pod.scored_cpu, allocatable.get("cpu", 0))
    memory = _share(state.scored_memory + pod.scored_memory, allocatable.get("memory", 0))
    return (1 - abs(cpu - memory) / 2) * TOP


def _share(used: int, whole: int) -> float:
    return min(1.0, used / whole) if whole else 1.0
