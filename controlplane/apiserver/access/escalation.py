"""Nobody gives away more than he has: which rules of a role are not covered by those of who writes it. Pure.

A rule is taken apart until each part has one verb, one resource and at most one name; such a part is covered by one rule or not at all.
The parts of a rule are the product of its lists, so a small rule can have billions: those that one rule covers as a whole are not taken
apart, and of the others only so many are looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import msgspec

from api.rbac_v1 import PolicyRule
from controlplane.apiserver.call import User

EVERYTHING = (
    PolicyRule(verbs=["*"], api_groups=["*"], resources=["*"]),
    PolicyRule(verbs=["*"], non_resource_urls=["*"]),
)
MOST_PARTS = 20_000  # that are looked at, of all rules together
_MOST_MISSING = 1000


class TooLarge(Exception):
    """The rules have more parts than anybody would write."""


def uncovered(owned: Sequence[PolicyRule], given: Iterable[PolicyRule]) -> list[PolicyRule]:
    """The parts of `given` that no rule of `owned` covers, or the first of them. Raises TooLarge."""
    return list(islice(_uncovered(owned, given), _MOST_MISSING))


def _uncovered(owned: Sequence[PolicyRule], given: Iterable[PolicyRule]) -> Iterator[PolicyRule]:
    seen = 0
    for rule in given:
        if any(_covers_whole(own, rule) for own in owned):
            continue
        for part in _parts(rule):
            seen += 1
            if seen > MOST_PARTS:
                raise TooLarge(f"the rules have more than {MOST_PARTS} combinations of verb, group, resource and name")
            if not any(_covers(own, part) for own in owned):
                yield part


def _covers_whole(own: PolicyRule, rule: PolicyRule) -> bool:
    """Whether one rule is plainly enough for all of another that is about resources."""
    if rule.non_resource_urls or own.resource_names:
        return False
    pairs = ((own.verbs, rule.verbs), (own.api_groups, rule.api_groups), (own.resources, rule.resources))
    return all("*" in has or set(wanted) <= set(has) for has, wanted in pairs)


def message(user: User, missing: Sequence[PolicyRule]) -> str:
    """What upstream says of who tries to give away what he does not have."""
    groups = " ".join(_quoted(group) for group in user.groups)
    lines = "\n".join(sorted(_described(rule) for rule in _compact(missing)))
    return f"user {_quoted(user.name)} (groups=[{groups}]) is attempting to grant RBAC permissions not currently held:\n{lines}"


def _parts(rule: PolicyRule) -> Iterator[PolicyRule]:
    for group in rule.api_groups:
        for resource in rule.resources:
            for verb in rule.verbs:
                for names in [[name] for name in rule.resource_names] or [[]]:
                    yield PolicyRule(verbs=[verb], api_groups=[group], resources=[resource], resource_names=names)
    for url in rule.non_resource_urls:
        for verb in rule.verbs:
            yield PolicyRule(verbs=[verb], non_resource_urls=[url])


def _covers(own: PolicyRule, part: PolicyRule) -> bool:
    """Whether one rule is enough for a part."""
    if part.verbs[0] not in own.verbs and "*" not in own.verbs:
        return False
    if part.non_resource_urls:
        return any(_covers_path(url, part.non_resource_urls[0]) for url in own.non_resource_urls)
    if part.api_groups[0] not in own.api_groups and "*" not in own.api_groups:
        return False
    if own.resource_names and (not part.resource_names or part.resource_names[0] not in own.resource_names):
        return False
    resource = part.resources[0]
    _, slash, subresource = resource.partition("/")
    return resource in own.resources or "*" in own.resources or (bool(slash) and f"*/{subresource}" in own.resources)


def _covers_path(url: str, path: str) -> bool:
    return url == path or (url.endswith("*") and path.startswith(url.rstrip("*")))


def _compact(parts: Iterable[PolicyRule]) -> list[PolicyRule]:
    """Parts that differ in their verbs alone, as one rule."""
    found: dict[tuple[str, ...], PolicyRule] = {}
    for part in parts:
        key = (*part.api_groups, *part.resources, "/", *part.resource_names, *part.non_resource_urls)
        if part.non_resource_urls:
            key = (*key, *part.verbs)
        known = found.setdefault(key, msgspec.structs.replace(part, verbs=[]))
        known.verbs = [*known.verbs, *part.verbs]
    return list(found.values())


def _described(rule: PolicyRule) -> str:
    shown = (
        ("APIGroups", rule.api_groups),
        ("Resources", rule.resources),
        ("NonResourceURLs", rule.non_resource_urls),
        ("ResourceNames", rule.resource_names),
        ("Verbs", rule.verbs),
    )
    parts = [f"{name}:[{' '.join(_quoted(value) for value in values)}]" for name, values in shown if values]
    return "{" + ", ".join(parts) + "}"


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()
