"""What becomes of an object whose owners, or whose own deletion, ask for something. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from controlplane.controllers.garbagecollector.graph import FOREGROUND, ORPHAN, Node
from controlplane.controllers.seen import Owner, Seen

Policy = Literal["Background", "Foreground", "Orphan"]


class State(Enum):
    """How an owner stands."""

    SOLID = "there"
    WAITING = "being deleted in the foreground"
    ABSENT = "gone"


@dataclass(frozen=True, slots=True)
class Keep:
    """Nothing to do."""


@dataclass(frozen=True, slots=True)
class Unlink:
    """One owner is enough: forget those that are gone or going."""

    uids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Delete:
    policy: Policy


@dataclass(frozen=True, slots=True)
class Release:
    """Its deletion waited for `finalizer`, which is done."""

    finalizer: str


@dataclass(frozen=True, slots=True)
class Await:
    """Dependents that must go first; those of them that are not on their way are to be looked at."""

    dependents: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Abandon:
    """Take the owner off these dependents, then let it go."""

    dependents: tuple[Node, ...]


Step = Keep | Unlink | Delete | Release | Await | Abandon


def plan_owned(item: Seen, states: Mapping[str, State], has_dependents: bool) -> Step:
    """An object by the state of its owners; `states` by uid."""
    if not item.owners or item.deleting:
        return Keep()
    solid = [o for o in item.owners if states[o.uid] is State.SOLID]
    others = tuple(o.uid for o in item.owners if states[o.uid] is not State.SOLID)
    if solid:
        return Unlink(others) if others else Keep()
    if any(states[o.uid] is State.WAITING for o in item.owners) and has_dependents:
        return Delete("Foreground")
    return Delete(_policy(item.finalizers))


def plan_deleting(node: Node, dependents: Iterable[Node]) -> Step:
    """An object on its way out that a finalizer of ours holds back."""
    if node.orphans:
        return Abandon(tuple(dependents))
    if not node.waits:
        return Keep()
    blocking = tuple(d for d in dependents if blocks(d.item.owners, node.item.uid))
    return Await(blocking) if blocking else Release(FOREGROUND)


def blocks(owners: Iterable[Owner], uid: str) -> bool:
    """Whether a dependent with these owners holds up the deletion of `uid`."""
    return any(owner.uid == uid and owner.blocks for owner in owners)


def _policy(finalizers: Iterable[str]) -> Policy:
    """Who asked for a way of deletion by finalizer gets it."""
    if ORPHAN in finalizers:
        return "Orphan"
    return "Foreground" if FOREGROUND in finalizers else "Background"
