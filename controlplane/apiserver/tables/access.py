"""The tables of roles and their bindings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api import kinds
from api.kinds import Kind
from controlplane.apiserver.tables.ages import age
from controlplane.apiserver.tables.columns import BY_NAME_AND_CREATION, Cell, Layout, columns

if TYPE_CHECKING:
    from api.rbac_v1 import ClusterRoleBinding, RoleBinding


def _binding(obj: RoleBinding | ClusterRoleBinding, now: float) -> list[Cell]:
    users, groups, accounts = [], [], []
    for subject in obj.subjects:
        if subject.kind == "ServiceAccount":
            accounts.append(f"{subject.namespace or ''}/{subject.name}")
        elif subject.kind == "User":
            users.append(subject.name)
        elif subject.kind == "Group":
            groups.append(subject.name)
    return [
        obj.metadata.name,
        f"{obj.role_ref.kind}/{obj.role_ref.name}",
        age(obj.metadata.creation_timestamp, now),
        ", ".join(users),
        ", ".join(groups),
        ", ".join(accounts),
    ]


_BINDING = Layout(columns("Name", "Role", "Age", wide=("Users", "Groups", "ServiceAccounts")), _binding)

LAYOUTS: dict[Kind[Any], Layout] = {
    kinds.ROLE: BY_NAME_AND_CREATION,
    kinds.CLUSTER_ROLE: BY_NAME_AND_CREATION,
    kinds.ROLE_BINDING: _BINDING,
    kinds.CLUSTER_ROLE_BINDING: _BINDING,
}
