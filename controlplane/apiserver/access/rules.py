"""What one rule of a role allows. Pure."""

from __future__ import annotations

from api.rbac_v1 import PolicyRule
from controlplane.apiserver.access.attributes import Attributes


def allows(rule: PolicyRule, wanted: Attributes) -> bool:
    """Whether the rule alone is enough."""
    if wanted.verb not in rule.verbs and "*" not in rule.verbs:
        return False
    if wanted.path:
        return any(_covers_path(url, wanted.path) for url in rule.non_resource_urls)
    if wanted.group not in rule.api_groups and "*" not in rule.api_groups:
        return False
    if rule.resource_names and wanted.name not in rule.resource_names:
        return False
    return _covers_resource(rule.resources, wanted)


def _covers_resource(resources: list[str], wanted: Attributes) -> bool:
    if wanted.combined in resources or "*" in resources:
        return True
    return bool(wanted.subresource) and f"*/{wanted.subresource}" in resources


def _covers_path(url: str, path: str) -> bool:
    return url in ("*", path) or (url.endswith("*") and path.startswith(url.rstrip("*")))


def line(verbs: str, resources: str = "", *, group: str = "", urls: str = "", names: str = "") -> PolicyRule:
    """A rule in one line: words separated by blanks; the core group is ""."""
    return PolicyRule(
        verbs=verbs.split(),
        api_groups=[] if urls else group.split() or [""],
        resources=resources.split(),
        resource_names=names.split(),
        non_resource_urls=urls.split(),
    )
