"""nodeSelector and required node affinity."""

from __future__ import annotations

from controlplane.scheduler.affinity import matches_any
from controlplane.scheduler.model import NodeState, Pod

REASON = "node(s) didn't match Pod's node affinity/selector"


def check(pod: Pod, state: NodeState) -> tuple[str, ...]:
    """Every label of nodeSelector and, if there are required terms, at least one of them must match."""
    labels = state.node.labels
    for key, value in pod.selector:
        if labels.get(key) != value:
            return (REASON,)
    if pod.required is not None and not matches_any(pod.required, state.node):
        return (REASON,)
    return ()
