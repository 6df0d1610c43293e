"""Why a node cannot take a pod: one pure function a file, the order in one place. Must not do I/O.

Each filter names the reasons why not; nothing means yes. `wanted` tells whether the filter can matter to a pod at
all, so that a pod without host ports never looks at ports of a thousand nodes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from controlplane.scheduler.filters import host_ports, node_affinity, node_name, resources, taints, unschedulable
from controlplane.scheduler.model import NodeState, Pod

Reasons = tuple[str, ...]
Check = Callable[[Pod, NodeState], Reasons]


@dataclass(frozen=True, slots=True)
class Filter:
    name: str
    check: Check
    wanted: Callable[[Pod], bool]


def _always(_: Pod) -> bool:
    return True


FILTERS = (
    Filter("unschedulable", unschedulable.check, _always),
    Filter("node-name", node_name.check, lambda pod: bool(pod.node)),
    Filter("taints", taints.check, _always),
    Filter("node-affinity", node_affinity.check, lambda pod: bool(pod.selector) or pod.required is not None),
    Filter("host-ports", host_ports.check, lambda pod: bool(pod.ports)),
    Filter("resources", resources.check, _always),
)
"""The first filter with a reason ends the questioning of a node, so the order decides which reason users read."""


def checks(pod: Pod) -> list[Check]:
    """The checks that can matter to `pod`, in order."""
    return [f.check for f in FILTERS if f.wanted(pod)]
