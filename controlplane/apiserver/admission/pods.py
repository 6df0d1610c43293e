"""What a pod gets that its author need not know: patience with failing nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import kinds
from api.core_v1 import Toleration
from controlplane.apiserver.write import Write

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

PATIENCE_SECONDS = 300
_FAILING = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def add_tolerations(write: Write, core: Core) -> None:
    """Stay for five minutes on a node that stops answering, unless the pod says otherwise."""
    if write.kind is not kinds.POD or write.subresource:
        return
    spec = write.new.spec
    missing = [
        Toleration(key=key, operator="Exists", effect="NoExecute", toleration_seconds=PATIENCE_SECONDS)
        for key in _FAILING
        if not any(t.key in (key, None, "") and t.effect in ("NoExecute", None, "") for t in spec.tolerations)
    ]
    if missing:
        spec.tolerations = [*spec.tolerations, *missing]
