"""RBAC's default roles and bindings: made when missing; rules and subjects that an administrator took away come back, additions stay.

An object whose autoupdate annotation says "false" is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from api import kinds
from api.rbac_v1 import ClusterRole, PolicyRule
from api.selectors import from_struct
from controlplane.apiserver.access.escalation import uncovered
from controlplane.apiserver.bootstrap.controller_roles import CONTROLLER_ROLES
from controlplane.apiserver.bootstrap.ensure import Remade, Wanted
from controlplane.apiserver.bootstrap.policy import (
    AUTOUPDATE,
    bindings,
    cluster_bindings,
    cluster_roles,
    of_controllers,
    read,
    roles,
)
from controlplane.apiserver.bootstrap.roles import CLUSTER_ROLES, ROLES


def wanted() -> list[Wanted]:
    """All defaults; the aggregated roles have their rules already."""
    own, namespaced = read(CLUSTER_ROLES), read(ROLES)
    everywhere = [*own, *of_controllers(read(CONTROLLER_ROLES))]
    made = cluster_roles(everywhere)
    while changed := aggregated(made):
        for role, rules in changed:
            role.rules = rules
    return [
        *(Wanted(kinds.CLUSTER_ROLE, role, reconcile_role) for role in made),
        *(Wanted(kinds.CLUSTER_ROLE_BINDING, one, reconcile_binding) for one in cluster_bindings(everywhere)),
        *(Wanted(kinds.ROLE, role, reconcile_role) for role in roles(namespaced)),
        *(Wanted(kinds.ROLE_BINDING, one, reconcile_binding) for one in bindings(namespaced)),
    ]


def reconcile_role(found: Any, wanted: Any) -> Any:
    """The role with what it lacks; None if it lacks nothing or is not ours to change."""
    changed = _add_metadata(found.metadata, wanted.metadata)
    aggregation = getattr(wanted, "aggregation_rule", None)
    if aggregation is None:
        missing = uncovered(found.rules, wanted.rules)
        found.rules = [*found.rules, *missing]
        changed |= bool(missing)
    elif found.aggregation_rule is None:
        found.aggregation_rule, changed = aggregation, True
    else:
        present = found.aggregation_rule.cluster_role_selectors
        lacking = [selector for selector in aggregation.cluster_role_selectors if selector not in present]
        found.aggregation_rule.cluster_role_selectors = [*present, *lacking]
        changed |= bool(lacking)
    return found if changed and not _protected(found) else None


def reconcile_binding(found: Any, wanted: Any) -> Any:
    """The binding with the subjects it lacks; what a binding binds to can only be changed by making it anew."""
    if _protected(found):
        return None
    if found.role_ref != wanted.role_ref:
        return Remade(wanted)
    missing = [subject for subject in wanted.subjects if subject not in found.subjects]
    found.subjects = [*found.subjects, *missing]
    return found if _add_metadata(found.metadata, wanted.metadata) or missing else None


def aggregated(roles: Sequence[ClusterRole]) -> list[tuple[ClusterRole, list[PolicyRule]]]:
    """The roles whose rules are not those of the roles they select, and what their rules ought to be."""
    by_name = sorted(roles, key=lambda role: role.metadata.name or "")
    return [
        (role, rules)
        for role in by_name
        if role.aggregation_rule is not None and (rules := _union(role, by_name)) != role.rules
    ]


def _union(role: ClusterRole, others: Sequence[ClusterRole]) -> list[PolicyRule]:
    assert role.aggregation_rule is not None
    found: list[PolicyRule] = []
    for struct in role.aggregation_rule.cluster_role_selectors:
        selector = from_struct(struct)
        for other in others:
            if other is not role and selector.matches(other.metadata.labels):
                found += [rule for rule in other.rules if rule not in found]
    return found


def _add_metadata(found: Any, wanted: Any) -> bool:
    """Add missing labels and annotations; whether there were any."""
    labels = {**wanted.labels, **found.labels}
    annotations = {**wanted.annotations, **found.annotations}
    changed = labels != found.labels or annotations != found.annotations
    found.labels, found.annotations = labels, annotations
    return bool(changed)


def _protected(found: Any) -> bool:
    return bool(found.metadata.annotations.get(AUTOUPDATE) == "false")
