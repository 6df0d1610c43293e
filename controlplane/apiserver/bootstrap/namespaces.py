"""The namespaces that every cluster has."""

from __future__ import annotations

from api import kinds
from api.core_v1 import Namespace
from api.meta_v1 import ObjectMeta
from controlplane.apiserver.bootstrap.ensure import Wanted

NAMES = ("default", "kube-system", "kube-public", "kube-node-lease")


def wanted() -> list[Wanted]:
    """All of them."""
    return [Wanted(kinds.NAMESPACE, Namespace(metadata=ObjectMeta(name=name))) for name in NAMES]
