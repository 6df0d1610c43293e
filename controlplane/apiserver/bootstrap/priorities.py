"""The two PriorityClasses that every cluster has."""

from __future__ import annotations

from api import kinds
from api.meta_v1 import ObjectMeta
from api.scheduling_v1 import PriorityClass
from controlplane.apiserver.bootstrap.ensure import Wanted

_CLASSES = (
    (
        "system-node-critical",
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
    (
        "system-cluster-critical",
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
)


def wanted() -> list[Wanted]:
    """The classes; what somebody made of them stays."""
    return [
        Wanted(kinds.PRIORITY_CLASS, PriorityClass(metadata=ObjectMeta(name=name), value=value, description=why))
        for name, value, why in _CLASSES
    ]
