"""Who owns whom, over all kinds. Fed from the caches; knows no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from api.kinds import Kind
from controlplane.controllers.seen import Seen

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


@dataclass(frozen=True, slots=True)
class Node:
    """One object of the graph."""

    kind: Kind[Any]
    item: Seen

    @property
    def waits(self) -> bool:
        """It is being deleted and waits until its dependents are gone."""
        return self.item.deleting and FOREGROUND in self.item.finalizers

    @property
    def orphans(self) -> bool:
        """It is being deleted and its dependents are to be left alone."""
        return self.item.deleting and ORPHAN in self.item.finalizers


class Graph:
    """Objects by uid, and dependents by the uid of their owner, whether the owner is known or not."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._dependents: dict[str, dict[str, None]] = {}

    def __getitem__(self, uid: str) -> Node:
        return self._nodes[uid]

    def get(self, uid: str) -> Node | None:
        """The object, if a cache has it."""
        return self._nodes.get(uid)

    def dependents(self, uid: str) -> Iterator[Node]:
        """Everything that names `uid` among its owners."""
        for dependent in list(self._dependents.get(uid, {})):
            yield self._nodes[dependent]

    def put(self, kind: Kind[Any], item: Seen) -> None:
        """An object appeared or changed."""
        old = self._nodes.get(item.uid)
        self._nodes[item.uid] = Node(kind, item)
        before = {owner.uid for owner in old.item.owners} if old else set()
        after = {owner.uid for owner in item.owners}
        for uid in before - after:
            self._unlink(uid, item.uid)
        for uid in after - before:
            self._dependents.setdefault(uid, {})[item.uid] = None

    def drop(self, uid: str) -> None:
        """An object is gone."""
        node = self._nodes.pop(uid, None)
        for owner in node.item.owners if node else ():
            self._unlink(owner.uid, uid)

    def _unlink(self, owner: str, dependent: str) -> None:
        dependents = self._dependents.get(owner)
        if dependents is not None:
            dependents.pop(dependent, None)
            if not dependents:
                del self._dependents[owner]
