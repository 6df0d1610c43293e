"""RBAC's default roles and bindings: read from the compact text in `roles.py` and `controller_roles.py`.

    name [to=X] [of=X] [user=.. | group=.. | account=namespace/name]...      a role, and who it is bound to by a binding of its name
        verbs groups resources [names]                                       a rule; lists with commas
        verbs urls paths

`read`, `write`, `all` and `say` are lists of verbs, `core` is the group without a name. `to=X` labels a role for aggregation into X, `of=X`
makes its rules the union of all roles with that label. `nobody` is a binding without subjects; `binding=` gives it another name. A line
that is indented twice goes on with the line before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from api.meta_v1 import LabelSelector, ObjectMeta
from api.rbac_v1 import (
    AggregationRule,
    ClusterRole,
    ClusterRoleBinding,
    PolicyRule,
    Role,
    RoleBinding,
    RoleRef,
    Subject,
)

GROUP = "rbac.authorization.k8s.io"
AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
BOOTSTRAPPING = {"kubernetes.io/bootstrapping": "rbac-defaults"}
CONTROLLER = "system:controller:"
_AGGREGATE = f"{GROUP}/aggregate-to-"
_VERBS = {
    "read": ["get", "list", "watch"],
    "write": ["create", "delete", "deletecollection", "patch", "update"],
    "all": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
    "say": ["create", "patch", "update"],
}


@dataclass(slots=True)
class Entry:
    """One role of the text, and who has it."""

    name: str
    namespace: str = ""
    to: str = ""
    of: str = ""
    binding: str = ""
    subjects: list[Subject] = field(default_factory=list)
    rules: list[PolicyRule] = field(default_factory=list)


def read(text: str) -> list[Entry]:
    """The entries of a text."""
    entries: list[Entry] = []
    for line in _lines(text):
        if line.startswith(" "):
            entries[-1].rules.append(_rule(line.split()))
        else:
            entries.append(_entry(line.split()))
    return entries


def cluster_roles(entries: Iterable[Entry]) -> list[ClusterRole]:
    """The roles; those that aggregate have the rules of those that are here."""
    found = list(entries)
    made = []
    for entry in found:
        role = ClusterRole(metadata=_meta(entry.name, "", entry.to), rules=entry.rules)
        if entry.of:
            selector = LabelSelector(match_labels={_AGGREGATE + entry.of: "true"})
            role.aggregation_rule = AggregationRule(cluster_role_selectors=[selector])
        made.append(role)
    return made


def cluster_bindings(entries: Iterable[Entry]) -> list[ClusterRoleBinding]:
    """The bindings of entries that have one."""
    return [
        ClusterRoleBinding(
            metadata=_meta(entry.binding),
            subjects=entry.subjects,
            role_ref=RoleRef(api_group=GROUP, kind="ClusterRole", name=entry.name),
        )
        for entry in entries
        if entry.binding
    ]


def roles(entries: Iterable[Entry]) -> list[Role]:
    """The roles of namespaces."""
    return [Role(metadata=_meta(entry.name, entry.namespace), rules=entry.rules) for entry in entries]


def bindings(entries: Iterable[Entry]) -> list[RoleBinding]:
    """The bindings in namespaces."""
    return [
        RoleBinding(
            metadata=_meta(entry.binding, entry.namespace),
            subjects=entry.subjects,
            role_ref=RoleRef(api_group=GROUP, kind="Role", name=entry.name),
        )
        for entry in entries
        if entry.binding
    ]


def of_controllers(entries: Iterable[Entry]) -> list[Entry]:
    """The same with a controller's names: each bound to its service account."""
    return [
        Entry(
            name=CONTROLLER + entry.name,
            binding=CONTROLLER + entry.name,
            subjects=[Subject(kind="ServiceAccount", name=entry.name, namespace="kube-system")],
            rules=entry.rules,
        )
        for entry in entries
    ]


def _lines(text: str) -> Iterator[str]:
    pending = ""
    for line in text.strip("\n").split("\n"):
        if line.startswith("        "):
            pending += ("" if pending.endswith(",") else " ") + line.strip()
            continue
        if pending:
            yield pending
        pending = line
    yield pending


def _entry(words: list[str]) -> Entry:
    namespace, slash, name = words[0].partition("/")
    entry = Entry(name, namespace) if slash else Entry(words[0])
    for word in words[1:]:
        key, _, value = word.partition("=")
        if key in ("to", "of", "binding"):
            setattr(entry, key, value)
        elif key != "nobody":
            entry.subjects.append(_subject(key, value))
    if len(words) > 1 and not entry.binding and (entry.subjects or "nobody" in words):
        entry.binding = entry.name
    return entry


def _subject(key: str, value: str) -> Subject:
    if key == "account":
        namespace, _, name = value.partition("/")
        return Subject(kind="ServiceAccount", name=name, namespace=namespace)
    return Subject(kind={"user": "User", "group": "Group"}[key], api_group=GROUP, name=value)


def _rule(words: list[str]) -> PolicyRule:
    verbs = _VERBS.get(words[0]) or words[0].split(",")
    if words[1] == "urls":
        return PolicyRule(verbs=verbs, non_resource_urls=words[2].split(","))
    groups = ["" if group == "core" else group for group in words[1].split(",")]
    names = words[3].split(",") if len(words) > 3 else []
    return PolicyRule(verbs=verbs, api_groups=groups, resources=words[2].split(","), resource_names=names)


def _meta(name: str, namespace: str = "", to: str = "") -> ObjectMeta:
    labels: dict[str, Any] = dict(BOOTSTRAPPING)
    if to:
        labels[_AGGREGATE + to] = "true"
    return ObjectMeta(name=name, namespace=namespace or None, labels=labels, annotations={AUTOUPDATE: "true"})
