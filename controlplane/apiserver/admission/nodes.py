"""What a new Node gets: no pod may come before somebody has seen the node ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import kinds
from api.core_v1 import Taint
from controlplane.apiserver.write import CREATE, Write

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

NOT_READY = "node.kubernetes.io/not-ready"


def taint_new_node(write: Write, core: Core) -> None:
    """The node life cycle takes the taint away when the node is ready."""
    if write.kind is not kinds.NODE or write.operation != CREATE:
        return
    taints = write.new.spec.taints
    if not any(t.key == NOT_READY and t.effect == "NoSchedule" for t in taints):
        write.new.spec.taints = [*taints, Taint(key=NOT_READY, effect="NoSchedule")]
