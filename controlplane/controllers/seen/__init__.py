"""What controllers remember of objects: small frozen extracts, read straight from the bytes. Must not do I/O."""

from __future__ import annotations

from controlplane.controllers.seen.meta import Owner, Seen, seen
from controlplane.controllers.seen.node import SeenLease, SeenNode
from controlplane.controllers.seen.pod import SeenPod
from controlplane.controllers.seen.scope import SeenConfigMap, SeenNamespace
from controlplane.controllers.seen.service import SeenEndpoints, SeenService, SeenSlice
from controlplane.controllers.seen.workload import SeenDeployment, SeenReplicaSet

__all__ = [
    "Owner",
    "Seen",
    "SeenConfigMap",
    "SeenDeployment",
    "SeenEndpoints",
    "SeenLease",
    "SeenNamespace",
    "SeenNode",
    "SeenPod",
    "SeenReplicaSet",
    "SeenService",
    "SeenSlice",
    "seen",
]
