"""Where a pod goes: the pure decision."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from controlplane.scheduler.filters import Check, checks
from controlplane.scheduler.model import NodeState, Pod
from controlplane.scheduler.scores import totals

ENOUGH = 100
"""So many possible nodes are enough to choose from; in a larger cluster more would cost time and win nothing."""


@dataclass(frozen=True, slots=True)
class Placement:
    node: str
    looked_at: int = 0
    """How many nodes were questioned: the next pod starts behind them."""


@dataclass(frozen=True, slots=True)
class Unschedulable:
    nodes: int
    reasons: Mapping[str, int] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """The text users know: `0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.`"""
        if not self.nodes:
            return "no nodes available to schedule pods"
        histogram = ", ".join(sorted(f"{count} {reason}" for reason, count in self.reasons.items()))
        return f"0/{self.nodes} nodes are available: {histogram}."


def plan_placement(pod: Pod, nodes: Sequence[NodeState], start: int = 0) -> Placement | Unschedulable:
    """The best node for `pod`. `start` rotates both the search and the choice among equals, so that equals take turns."""
    asked = checks(pod)
    candidates: list[NodeState] = []
    refused: Counter[str] = Counter()
    looked_at = 0
    for i in range(len(nodes)):
        state = nodes[(start + i) % len(nodes)]
        looked_at += 1
        reasons = _first_reasons(asked, pod, state)
        if reasons:
            refused.update(reasons)
            continue
        candidates.append(state)
        if len(candidates) == ENOUGH:
            break
    if not candidates:
        return Unschedulable(len(nodes), dict(refused))
    if len(candidates) == 1:
        return Placement(candidates[0].node.name, looked_at)
    scores = totals(pod, candidates)
    best = max(range(len(candidates)), key=scores.__getitem__)
    return Placement(candidates[best].node.name, looked_at)


def _first_reasons(asked: list[Check], pod: Pod, state: NodeState) -> tuple[str, ...]:
    for check in asked:
        reasons = check(pod, state)
        if reasons:
            return reasons
    return ()
