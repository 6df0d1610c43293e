"""Rules for roles and their bindings."""

from typing import Any

from api import kinds, names
from api.kinds import Kind
from api.rbac_v1 import ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject
from api.validation import metadata
from api.validation.problems import Problems
from api.validation.rules import Rules

_GROUP = "rbac.authorization.k8s.io"
_SUBJECTS = ("ServiceAccount", "User", "Group")


def role(found: Problems, obj: Role) -> None:
    """A Role."""
    for index, rule in enumerate(obj.rules):
        _rule(found, f"rules[{index}]", rule, namespaced=True)


def cluster_role(found: Problems, obj: ClusterRole) -> None:
    """A ClusterRole."""
    for index, rule in enumerate(obj.rules):
        _rule(found, f"rules[{index}]", rule, namespaced=False)
    if obj.aggregation_rule is not None:
        path = "aggregationRule.clusterRoleSelectors"
        selectors = obj.aggregation_rule.cluster_role_selectors
        if not selectors:
            found.required(path, "at least one clusterRoleSelector required if aggregationRule is non-nil")
        for index, selector in enumerate(selectors):
            before = len(found.causes)
            metadata.label_selector(found, f"{path}[{index}]", selector)
            if len(found.causes) > before:
                found.invalid(f"{path}[{index}]", None, "invalid label selector.")


def _rule(found: Problems, path: str, rule: PolicyRule, *, namespaced: bool) -> None:
    if not rule.verbs:
        found.required(f"{path}.verbs", "verbs must contain at least one value")
    urls = rule.non_resource_urls
    if urls:
        where = f"{path}.nonResourceURLs"
        if namespaced:
            found.invalid(where, urls, "namespaced rules cannot apply to non-resource URLs")
        if rule.api_groups or rule.resources or rule.resource_names:
            found.invalid(where, urls, "rules cannot apply to both regular resources and non-resource URLs")
        return
    if not rule.api_groups:
        found.required(f"{path}.apiGroups", "resource rules must supply at least one api group")
    if not rule.resources:
        found.required(f"{path}.resources", "resource rules must supply at least one resource")


def role_binding(found: Problems, obj: RoleBinding) -> None:
    """A RoleBinding."""
    _binding(found, obj, ("Role", "ClusterRole"), namespaced=True)


def cluster_role_binding(found: Problems, obj: ClusterRoleBinding) -> None:
    """A ClusterRoleBinding."""
    _binding(found, obj, ("ClusterRole",), namespaced=False)


def _binding(
    found: Problems, obj: RoleBinding | ClusterRoleBinding, roles: tuple[str, ...], *, namespaced: bool
) -> None:
    reference = obj.role_ref
    if reference.api_group != _GROUP:
        found.not_supported("roleRef.apiGroup", reference.api_group, (_GROUP,))
    if reference.kind not in roles:
        found.not_supported("roleRef.kind", reference.kind, roles)
    if not reference.name:
        found.required("roleRef.name")
    else:
        found.invalid_all("roleRef.name", reference.name, names.path_segment(reference.name))
    for index, subject in enumerate(obj.subjects):
        _subject(found, f"subjects[{index}]", subject, namespaced=namespaced)


def _subject(found: Problems, path: str, subject: Subject, *, namespaced: bool) -> None:
    if not subject.name:
        found.required(f"{path}.name")
    if subject.kind not in _SUBJECTS:
        found.not_supported(f"{path}.kind", subject.kind, _SUBJECTS)
    elif subject.kind == "ServiceAccount":
        if subject.name:
            found.invalid_all(f"{path}.name", subject.name, names.dns_subdomain(subject.name))
        if subject.api_group:
            found.not_supported(f"{path}.apiGroup", subject.api_group, ("",))
        if not namespaced and not subject.namespace:
            found.required(f"{path}.namespace")
    elif subject.api_group != _GROUP:
        found.not_supported(f"{path}.apiGroup", subject.api_group or "", (_GROUP,))


def _binding_changed(
    found: Problems, new: RoleBinding | ClusterRoleBinding, old: RoleBinding | ClusterRoleBinding
) -> None:
    if new.role_ref != old.role_ref:
        found.invalid("roleRef", new.role_ref, "cannot change roleRef")


RULES: dict[Kind[Any], Rules] = {
    kinds.ROLE: Rules(role, name=names.path_segment),
    kinds.CLUSTER_ROLE: Rules(cluster_role, name=names.path_segment),
    kinds.ROLE_BINDING: Rules(role_binding, _binding_changed, name=names.path_segment),
    kinds.CLUSTER_ROLE_BINDING: Rules(cluster_role_binding, _binding_changed, name=names.path_segment),
}
