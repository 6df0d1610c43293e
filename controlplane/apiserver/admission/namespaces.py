"""Objects live in namespaces that exist and are not going away; the cluster's own namespaces stay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import kinds
from controlplane.apiserver import status
from controlplane.apiserver.write import CREATE, Write

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

IMMORTAL = frozenset({"default", "kube-system", "kube-public"})


def require_namespace(write: Write, core: Core) -> None:
    """Refuse to create in a namespace that is missing (404) or terminating (403)."""
    namespace = write.call.target.namespace
    if write.operation != CREATE or not namespace:
        return
    entry = core.cache.resources[kinds.NAMESPACE].entries.get(namespace)
    if entry is None:
        raise status.not_found(status.subject(kinds.NAMESPACE, namespace))
    if entry.fields[0] == "Terminating":
        refusal = status.forbidden(
            write.subject, f"unable to create new content in namespace {namespace} because it is being terminated"
        )
        cause = {
            "reason": "NamespaceTerminating",
            "message": f"namespace {namespace} is being terminated",
            "field": "metadata.namespace",
        }
        refusal.details = {**(refusal.details or {}), "causes": [cause]}
        raise refusal


def require_mortal(name: str) -> None:
    """Refuse to delete a namespace that the cluster itself needs."""
    if name in IMMORTAL:
        raise status.forbidden(status.subject(kinds.NAMESPACE, name), "this namespace may not be deleted")
