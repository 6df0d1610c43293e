"""Objects that ought to be there: made when they are missing, put right where a rule says so, many at a time.

What stands there is read from the cache, so a start at which all is well writes nothing. What has to be written is written concurrently:
the store commits it in a few groups.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from api import codec, defaults
from api.kinds import Kind
from client.client import Client
from client.errors import AlreadyExists, Conflict, NotFound
from controlplane.apiserver.cache import Cache
from controlplane.apiserver.entry import object_key

AT_ONCE = 64
TRIES = 10


@dataclass(frozen=True, slots=True)
class Remade:
    """What cannot be changed any more is deleted and made again."""

    obj: Any


# From what is there (free to be changed) and what is wanted: what to write, if anything.
Reconcile = Callable[[Any, Any], Any | Remade | None]


def leave(found: Any, wanted: Any) -> None:
    """What is there stays as it is."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An object that ought to be there."""

    kind: Kind[Any]
    obj: Any
    reconcile: Reconcile = leave
    status: bool = False  # what `reconcile` changes is the status


class Ensurer:
    """Writes through `client` what `cache` shows to be missing or wrong."""

    def __init__(self, client: Client, cache: Cache) -> None:
        self.client = client
        self.cache = cache
        self._slots = asyncio.Semaphore(AT_ONCE)

    def find(self, kind: Kind[Any], name: str, namespace: str = "") -> Any:
        """The object, decoded, or None."""
        entry = self.cache.resources[kind].entries.get(object_key(namespace, name))
        return codec.decode(kind, entry.data) if entry is not None else None

    def all(self, kind: Kind[Any]) -> list[Any]:
        """All objects of a kind, decoded."""
        return [codec.decode(kind, entry.data) for entry in self.cache.resources[kind].under("")]

    async def ensure(self, wanted: Iterable[Wanted]) -> None:
        """See to all of them. Raises the first error after all have been tried."""
        outcomes = await asyncio.gather(*(self._one(one) for one in wanted), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _one(self, wanted: Wanted) -> None:
        async with self._slots:
            for left in reversed(range(TRIES)):
                try:
                    await self._try(wanted)
                    break
                except (AlreadyExists, Conflict, NotFound):
                    if not left:
                        raise

    async def _try(self, wanted: Wanted) -> None:
        kind, meta = wanted.kind, wanted.obj.metadata
        namespace = meta.namespace or ""
        found = self.find(kind, meta.name, namespace)
        if found is None:
            made = await self.client.create(kind, wanted.obj)
            if not wanted.status:
                return
            found = made
        defaults.apply(kind, wanted.obj)
        new = wanted.reconcile(found, wanted.obj)
        if isinstance(new, Remade):
            await self.client.delete(kind, meta.name, namespace, uid=found.metadata.uid)
            await self.client.create(kind, new.obj)
        elif new is not None:
            await self.client.update(kind, new, subresource="status" if wanted.status else "")
