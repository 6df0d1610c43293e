"""What a write does to the owners of an object's fields, and what an applied configuration does to the object. Pure.

An update owns whatever it changed; others lose it. To apply a configuration is to own what it names: what it changes must not be another's
(a conflict, unless forced), and what the same manager named before and names no more goes, unless somebody else owns it too. Fields that a
write cannot change whatever it says (`Rules.reset`) are nobody's by that write.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from api.apply import sets
from api.apply.compare import Difference, compare, named
from api.apply.managers import (
    APPLY,
    BEFORE_APPLY,
    UPDATE,
    Identity,
    Managed,
    Owner,
    capped,
    given_up,
    identity,
)
from api.apply.merge import merge, remove, with_holders
from api.apply.schema import Shape
from api.apply.sets import Set

# What the server decides, so that nobody owns it.
SERVERS = sets.of(
    sets.field("apiVersion"),
    sets.field("kind"),
    sets.field("metadata"),
    *(
        sets.field("metadata", name)
        for name in (
            "name",
            "namespace",
            "creationTimestamp",
            "selfLink",
            "uid",
            "clusterName",
            "generation",
            "managedFields",
            "resourceVersion",
        )
    ),
)


class Conflicts(Exception):
    """An applied configuration changes what others own: who owns which fields."""

    def __init__(self, found: Mapping[Identity, Set]) -> None:
        super().__init__(f"conflicts with {len(found)} managers")
        self.found = found


@dataclass(frozen=True, slots=True)
class Rules:
    """Facts about the objects that are written, and about the part of them that a write can touch."""

    shape: Shape
    version: str
    subresource: str = ""
    reset: Set = None  # what such a write cannot change
    versions: frozenset[str] = field(default_factory=frozenset)  # other names of the same version


@dataclass(frozen=True, slots=True)
class Applier:
    """Who applies and when; with `force`, against the will of other owners."""

    manager: str
    now: str
    force: bool = False


@dataclass(frozen=True, slots=True)
class Applied:
    """`new` is None if the object has become what it was; its owners may have changed all the same."""

    new: dict[str, Any] | None
    managed: Managed


def updated(managed: Managed, difference: Difference, manager: str, rules: Rules, now: str) -> Managed:
    """The owners after an update that made this difference."""
    me = identity(manager, UPDATE, rules.version, rules.subresource)
    changed, removed = sets.without(difference.changed, rules.reset), sets.without(difference.removed, rules.reset)
    gained = sets.difference(changed, SERVERS)
    out: Managed = {}
    for who, owner in managed.items():
        if not _readable(owner, rules):
            continue
        # What I change and own already stays mine; the rest of what is changed is lost.
        left = given_up(owner, removed) if who == me and gained is changed else given_up(owner, changed, removed)
        if left is not None:
            out[who] = left
    if gained is not None:
        before = out.get(me)
        fields = sets.union(before.fields, gained) if before is not None else gained
        known = before.raw if before is not None and fields is before.fields else None
        out[me] = Owner(fields, known, rules.version, now)
    return capped(out)


def applied(live: dict[str, Any], config: dict[str, Any], managed: Managed, by: Applier, rules: Rules) -> Applied:
    """The object with the configuration applied, and its owners then. Raises Conflicts and ItemError."""
    shape, me = rules.shape, identity(by.manager, APPLY, rules.version, rules.subresource)
    managed = {who: owner for who, owner in managed.items() if _readable(owner, rules)}
    before = managed.get(me)
    names = sets.without(named(shape, config), rules.reset)
    everybody = names
    for who, owner in managed.items():
        if who != me:
            everybody = sets.union(everybody, owner.fields)
    new = merge(shape, live, config)
    if before is not None and before.fields is not None:
        new = _pruned(shape, new, before.fields, everybody)
    managed[me] = Owner(names, None, rules.version, before.time if before is not None else None)
    managed = _taken(managed, me, compare(shape, live, new), rules, by.force)
    mine = managed.get(me)
    if mine is not None:
        fields = sets.difference(mine.fields, SERVERS)
        if fields is None:
            del managed[me]
        else:
            raw = before.raw if before is not None and before.fields == fields else None
            managed[me] = Owner(fields, raw, rules.version, by.now if new != live else mine.time)
    return Applied(None if new == live else new, managed)


def before_apply(live: dict[str, Any], blank: dict[str, Any], rules: Rules, now: str) -> Managed:
    """The owners of an object that nobody has kept account of until it is applied: one, of all there is."""
    difference = compare(rules.shape, blank, live)
    return updated({}, difference, BEFORE_APPLY, rules, now)


def created(blank: dict[str, Any], new: dict[str, Any], manager: str, rules: Rules, now: str) -> Managed:
    """The owner of a new object's fields."""
    return updated({}, compare(rules.shape, blank, new), manager, rules, now)


def _readable(owner: Owner, rules: Rules) -> bool:
    """Versions that nobody serves any more own nothing."""
    return owner.version == rules.version or owner.version in rules.versions


def _taken(managed: Managed, me: Identity, difference: Difference, rules: Rules, force: bool) -> Managed:
    """The owners after the difference that applying made. Raises Conflicts."""
    changed, removed = sets.without(difference.changed, rules.reset), sets.without(difference.removed, rules.reset)
    conflicts = {}
    for who, owner in managed.items():
        if who != me and (both := sets.intersection(owner.fields, changed)) is not None:
            conflicts[who] = both
    if conflicts and not force:
        raise Conflicts(conflicts)
    out = {}
    for who, owner in managed.items():
        left = owner if who == me else given_up(owner, conflicts.get(who), removed)
        if left is not None and left.fields is not None:
            out[who] = left
    return out


def _pruned(shape: Shape, merged: Any, last: Set, owned: Set) -> Any:
    """The object without what its manager applied the last time and nobody owns now."""
    last, owned = with_holders(shape, last), with_holders(shape, owned)
    there = with_holders(shape, named(shape, merged))
    left = with_holders(shape, named(shape, remove(shape, merged, last)))
    less = remove(shape, merged, sets.difference(there, sets.union(left, owned)))
    gone = sets.difference(there, with_holders(shape, named(shape, less)))
    return remove(shape, merged, sets.intersection(gone, last))
