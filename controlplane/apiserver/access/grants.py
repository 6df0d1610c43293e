"""The rules that one user has in one namespace, and whence; made for quick answers and kept until roles or bindings change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from api.rbac_v1 import PolicyRule
from controlplane.apiserver.access.attributes import Attributes
from controlplane.apiserver.access.rules import allows

_MOST_SPREAD = 4096  # entries for one rule; a rule of longer lists is read each time


class Grant(NamedTuple):
    """A rule and the binding that gives it."""

    source: str
    rule: PolicyRule
    given: bool = False  # built in, by no binding


class Grants:
    """All rules of a user in a namespace. `errors` says which bindings lead to no role."""

    __slots__ = ("_exact", "_others", "all", "errors")

    def __init__(self, grants: Iterable[Grant], errors: Sequence[str]) -> None:
        self.all = tuple(grants)
        self.errors = tuple(errors)
        self._exact: dict[tuple[str, str, str], str] = {}
        self._others: list[Grant] = []
        for grant in self.all:
            if not self._spread(grant):
                self._others.append(grant)

    def _spread(self, grant: Grant) -> bool:
        """Enter a rule that can be looked up; False if it has to be read each time."""
        rule = grant.rule
        if rule.resource_names or rule.non_resource_urls:
            return False
        if len(rule.verbs) * len(rule.api_groups) * len(rule.resources) > _MOST_SPREAD:
            return False
        if "*" in rule.verbs or "*" in rule.api_groups or any("*" in resource for resource in rule.resources):
            return False
        for group in rule.api_groups:
            for resource in rule.resources:
                for verb in rule.verbs:
                    self._exact.setdefault((verb, group, resource), grant.source)
        return True

    def source(self, wanted: Attributes) -> str | None:
        """The binding that allows it; None if none does."""
        if not wanted.path:
            found = self._exact.get((wanted.verb, wanted.group, wanted.combined))
            if found is not None:
                return found
        return next((grant.source for grant in self._others if allows(grant.rule, wanted)), None)
