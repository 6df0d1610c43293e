"""Defaults of bindings of roles."""

from collections.abc import Callable
from typing import Any

from api import kinds
from api.kinds import Kind
from api.rbac_v1 import ClusterRoleBinding, RoleBinding

GROUP = "rbac.authorization.k8s.io"


def binding(obj: RoleBinding | ClusterRoleBinding) -> None:
    """Defaults of a RoleBinding or ClusterRoleBinding."""
    obj.role_ref.api_group = obj.role_ref.api_group or GROUP
    for subject in obj.subjects:
        if not subject.api_group and subject.kind in ("User", "Group"):
            subject.api_group = GROUP


BY_KIND: dict[Kind[Any], Callable[[Any], None]] = {
    kinds.ROLE_BINDING: binding,
    kinds.CLUSTER_ROLE_BINDING: binding,
}
