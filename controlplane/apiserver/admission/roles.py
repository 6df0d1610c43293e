"""Nobody gives away more than he has: who writes a role has all of its rules, or may `escalate`; who binds one likewise, or may `bind`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from api import kinds
from api.kinds import Kind
from api.rbac_v1 import PolicyRule, RoleRef
from controlplane.apiserver import status
from controlplane.apiserver.access.attributes import Attributes
from controlplane.apiserver.access.decisions import may
from controlplane.apiserver.access.escalation import EVERYTHING, TooLarge, message, uncovered
from controlplane.apiserver.call import User
from controlplane.apiserver.identity.users import MASTERS
from controlplane.apiserver.write import Write

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

GROUP = "rbac.authorization.k8s.io"
_ROLES: tuple[Kind[Any], ...] = (kinds.CLUSTER_ROLE, kinds.ROLE)
_BINDINGS: tuple[Kind[Any], ...] = (kinds.CLUSTER_ROLE_BINDING, kinds.ROLE_BINDING)
_AGGREGATION = "must have cluster-admin privileges to use the aggregationRule"
_GARBAGE = ("owner_references", "finalizers", "managed_fields", "self_link", "resource_version")


def restrict_roles(write: Write, core: Core) -> None:
    """Refuse a role or binding that would give more than the user has."""
    user = write.call.user
    assert user is not None
    if write.kind not in _ROLES and write.kind not in _BINDINGS:
        return
    if MASTERS in user.groups or only_garbage(write):
        return
    if write.kind in _ROLES:
        _restrict_role(write, user, core)
    else:
        _restrict_binding(write, user, core)


def _restrict_role(write: Write, user: User, core: Core) -> None:
    target, kind = write.call.target, write.kind
    if may(user, Attributes("escalate", GROUP, kind.plural, "", target.namespace, target.name), core):
        return
    _confirm(write, user, write.new.rules, core)
    gathers = kind is kinds.CLUSTER_ROLE and (_aggregates(write.new) or _aggregates(write.old))
    if gathers and uncovered(_owned(user, target.namespace, core), EVERYTHING):
        raise status.forbidden(write.subject, _AGGREGATION)


def _restrict_binding(write: Write, user: User, core: Core) -> None:
    ref: RoleRef = write.new.role_ref
    namespace = write.call.target.namespace
    resource = {"ClusterRole": "clusterroles", "Role": "roles"}.get(ref.kind, "")
    if resource and may(user, Attributes("bind", ref.api_group, resource, "", namespace, ref.name), core):
        return
    rules = core.policies.rules_of(ref, namespace)
    if rules is None:
        kind = kinds.ROLE if ref.kind == "Role" else kinds.CLUSTER_ROLE
        raise status.not_found(status.subject(kind, ref.name))
    _confirm(write, user, rules, core)


def _confirm(write: Write, user: User, rules: list[PolicyRule] | tuple[PolicyRule, ...], core: Core) -> None:
    try:
        missing = uncovered(_owned(user, write.call.target.namespace, core), rules)
    except TooLarge as error:
        raise status.forbidden(
            write.subject, f"cannot tell whether you have all of these permissions: {error}"
        ) from None
    if missing:
        raise status.forbidden(write.subject, message(user, missing))


def _owned(user: User, namespace: str, core: Core) -> list[PolicyRule]:
    return [grant.rule for grant in core.policies.grants(user, namespace).all]


def _aggregates(role: Any) -> bool:
    return role is not None and role.aggregation_rule is not None and bool(role.aggregation_rule.cluster_role_selectors)


def only_garbage(write: Write) -> bool:
    """Whether nothing changes but what garbage collection writes."""
    if write.old is None:
        return False
    like_old = {field: getattr(write.old.metadata, field) for field in _GARBAGE}
    metadata = msgspec.structs.replace(write.new.metadata, **like_old)
    return bool(msgspec.structs.replace(write.new, metadata=metadata) == write.old)
