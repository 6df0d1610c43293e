"""Whether a cache has caught up with what we ourselves wrote.

A reconcile that acts on a cache from before its own last writes does everything twice. So whoever creates or changes objects notes the
revision of each answer and the objects it deleted, and does not act again before the cache is that far. A write whose answer was lost is
noted by name; `resolve` asks the server what became of it. All of it is memory of one process: after a restart the caches start fresh.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import msgspec

from client import Client, Informer
from client.errors import NotFound
from controlplane.controllers.seen import Seen
from controlplane.controllers.seen.meta import ObjectShape

X = TypeVar("X", bound=Seen)

SOON = 0.2
"""How long to wait for a cache that is behind, if no event comes first."""

_objects = msgspec.json.Decoder(ObjectShape)


@dataclass(slots=True)
class _Noted:
    revision: int = 0
    deleted: dict[str, str] = field(default_factory=dict)
    unsure: dict[str, tuple[str, str, str]] = field(default_factory=dict)


class Freshness(Generic[X]):
    """Notes, per owner, what its cache has yet to show."""

    def __init__(self, informer: Informer[X]) -> None:
        self._informer = informer
        self._notes: defaultdict[str, _Noted] = defaultdict(_Noted)

    def wrote(self, owner: str, answer: bytes) -> None:
        """The server answered a write with this object."""
        note = self._notes[owner]
        note.revision = max(note.revision, revision_of(answer))

    def deleted(self, owner: str, item: Seen) -> None:
        """This object is deleted, or on its way out."""
        self._notes[owner].deleted[item.key] = item.uid

    def is_deleted(self, owner: str, item: Seen) -> bool:
        """Whether we deleted this object, though the cache may not show it yet."""
        note = self._notes.get(owner)
        return note is not None and note.deleted.get(item.key) == item.uid

    def unsure(self, owner: str, namespace: str, name: str, uid: str = "") -> None:
        """Whether this object was written, or with `uid` perhaps deleted, nobody knows."""
        self._notes[owner].unsure[f"{namespace}/{name}"] = (namespace, name, uid)

    def forget(self, owner: str) -> None:
        """The owner is gone."""
        self._notes.pop(owner, None)

    async def resolve(self, client: Client, owner: str) -> None:
        """Ask the server about writes whose answer was lost."""
        note = self._notes.get(owner)
        for key, (namespace, name, uid) in list(note.unsure.items()) if note else ():
            try:
                self.wrote(owner, await client.get_raw(self._informer.kind, name, namespace))
            except NotFound:
                if uid:
                    self._notes[owner].deleted[key] = uid
            self._notes[owner].unsure.pop(key, None)

    def behind(self, owner: str) -> bool:
        """Whether the cache has yet to show something noted for `owner`."""
        note = self._notes.get(owner)
        if note is None:
            return False
        store = self._informer.store
        for key, uid in list(note.deleted.items()):
            item = store.get(key)
            if item is None or item.uid != uid or item.deleting:
                del note.deleted[key]
        if note.deleted or note.unsure or note.revision > number(self._informer.revision):
            return True
        del self._notes[owner]
        return False


def number(revision: str) -> int:
    """A resource version as a number; 0 if there is none."""
    return int(revision) if revision.isdecimal() else 0


def revision_of(answer: bytes) -> int:
    """The resource version of an object."""
    return number(_objects.decode(answer).metadata.resource_version or "")


__all__ = ["SOON", "Freshness", "number", "revision_of"]
