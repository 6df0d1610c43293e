"""The emptier node is better."""

from __future__ import annotations

from controlplane.scheduler.model import NodeState, Pod

TOP = 100.0


def rate(pod: Pod, state: NodeState) -> float:
    """The mean share of cpu and memory that stays free. A pod without requests counts as a small one, so that such pods spread too."""
    allocatable = state.node.allocatable
    cpu = _free(state.scored_cpu + pod.scored_cpu, allocatable.get("cpu", 0))
    memory = _free(state.scored_memory + pod.scored_memory, allocatable.get("memory", 0))
    return (cpu + memory) / 2


def _free(used: int, whole: int) -> float:
    return (whole - used) * TOP / whole if 0 < used <= whole else (TOP if whole and not used else 0.0)
