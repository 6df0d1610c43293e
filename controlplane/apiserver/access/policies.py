"""Roles and their bindings, as the cache has them, by whom they are for.

Theory of operation. An observer of the cache enters each role under its name and each binding under each of its subjects, as the user or
group that it means. What a user has in a namespace is put together when it is first asked for: the bindings of his name and groups, their
roles, their rules; it is kept until any role or binding changes, which is rare. Bindings that are built in count after all others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from api import codec, kinds
from api.kinds import Kind
from api.rbac_v1 import PolicyRule, RoleRef, Subject
from controlplane.apiserver.access.grants import Grant, Grants
from controlplane.apiserver.cache import Event, Kept
from controlplane.apiserver.call import User
from controlplane.apiserver.identity.users import account_name

KEPT = 4096  # grants
_ROLES = (kinds.CLUSTER_ROLE, kinds.ROLE)
_BINDINGS = (kinds.CLUSTER_ROLE_BINDING, kinds.ROLE_BINDING)


class Given(NamedTuple):
    """Rules that a user ("User", name) or a group ("Group", name) has without any object."""

    kind: str
    name: str
    rules: tuple[PolicyRule, ...]


class _Bound(NamedTuple):
    """A binding, for one of its subjects."""

    key: tuple[str, str]  # namespace ("" for the whole cluster) and name
    ref: RoleRef
    source: str


class Policies:
    """`given` is what is built in."""

    def __init__(self, given: Sequence[Given] = ()) -> None:
        self._given: dict[tuple[str, str], list[Given]] = {}
        for one in given:
            self._given.setdefault((one.kind, one.name), []).append(one)
        self._roles: dict[tuple[str, str], tuple[PolicyRule, ...]] = {}
        self._bound: dict[tuple[str, str], dict[tuple[str, str], _Bound]] = {}
        self._subjects: dict[tuple[str, str], tuple[tuple[str, str], ...]] = {}
        self._grants: dict[tuple[Any, str], Grants] = {}

    def observe(self, kept: Kept, event: Event) -> None:
        """Take over a change of a role or a binding."""
        if kept.kind in _ROLES:
            self._grants.clear()
            obj = None if event.gone else _decoded(kept.kind, event.entry.data)
            if obj is None:
                self._roles.pop(_key(event), None)
            else:
                self._roles[_key(event)] = tuple(obj.rules)
        elif kept.kind in _BINDINGS:
            self._grants.clear()
            self._bind(_key(event), None if event.gone else _decoded(kept.kind, event.entry.data))

    def grants(self, user: User, namespace: str) -> Grants:
        """What a user may do in a namespace, or with "" in the whole cluster."""
        key = ((user.name, user.groups), namespace)
        known = self._grants.get(key)
        if known is None:
            if len(self._grants) >= KEPT:
                self._grants.clear()
            known = self._grants[key] = self._collect(user, namespace)
        return known

    def rules_of(self, ref: RoleRef, namespace: str) -> tuple[PolicyRule, ...] | None:
        """The rules of a role as a binding in `namespace` names it; None if there is no such role."""
        if ref.kind == "Role":
            return self._roles.get((namespace, ref.name)) if namespace else None
        return self._roles.get(("", ref.name)) if ref.kind == "ClusterRole" else None

    def _bind(self, key: tuple[str, str], binding: Any) -> None:
        for before in self._subjects.pop(key, ()):
            held = self._bound[before]
            del held[key]
            if not held:
                del self._bound[before]
        if binding is None:
            return
        named: dict[tuple[str, str], str] = {}
        for subject in binding.subjects:
            if (who := _who(subject, key[0])) is not None:
                named.setdefault(who, _described(binding, subject, key[0]))
        for who, source in named.items():
            self._bound.setdefault(who, {})[key] = _Bound(key, binding.role_ref, source)
        self._subjects[key] = tuple(named)

    def _collect(self, user: User, namespace: str) -> Grants:
        grants: list[Grant] = []
        errors = []
        for bound in self._bindings(user, namespace):
            rules = self.rules_of(bound.ref, bound.key[0])
            if rules is None:
                errors.append(_missing(bound.ref))
                continue
            grants += [Grant(bound.source, rule) for rule in rules]
        for who in _identities(user):
            for given in self._given.get(who, ()):
                source = f'the rules built in for {given.kind} "{given.name}"'
                grants += [Grant(source, rule, given=True) for rule in given.rules]
        return Grants(grants, errors)

    def _bindings(self, user: User, namespace: str) -> list[_Bound]:
        """Those of the whole cluster first, each once, in order of their names."""
        found: dict[tuple[str, str], _Bound] = {}
        for who in _identities(user):
            for key, bound in self._bound.get(who, {}).items():
                if key[0] in ("", namespace):
                    found.setdefault(key, bound)
        return [found[key] for key in sorted(found)]


def _identities(user: User) -> Iterator[tuple[str, str]]:
    yield "User", user.name
    for group in user.groups:
        yield "Group", group


def _who(subject: Subject, namespace: str) -> tuple[str, str] | None:
    """The user or group that a subject means; an account without a namespace is one of the binding's own."""
    if subject.kind in ("User", "Group"):
        return subject.kind, subject.name
    where = subject.namespace or namespace
    if subject.kind != "ServiceAccount" or not where:
        return None
    return "User", account_name(where, subject.name)


def _described(binding: Any, subject: Subject, namespace: str) -> str:
    """A binding as reviews name it."""
    name, ref = binding.metadata.name, binding.role_ref
    what = f'RoleBinding "{name}/{namespace}"' if namespace else f'ClusterRoleBinding "{name}"'
    whom = subject.name
    if subject.kind == "ServiceAccount":
        whom = f"{whom}/{subject.namespace or namespace}"
    return f'{what} of {ref.kind} "{ref.name}" to {subject.kind} "{whom}"'


def _missing(ref: RoleRef) -> str:
    if ref.kind not in ("Role", "ClusterRole"):
        return f'unsupported role reference kind: "{ref.kind}"'
    return f'{ref.kind.lower()}.rbac.authorization.k8s.io "{ref.name}" not found'


def _key(event: Event) -> tuple[str, str]:
    return event.entry.namespace, event.entry.name


def _decoded(kind: Kind[Any], data: bytes) -> Any:
    """The object; None for one that cannot be read, which then allows nothing."""
    try:
        return codec.decode(kind, data)
    except (codec.DecodeError, msgspec.MsgspecError):
        return None
