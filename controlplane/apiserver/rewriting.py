"""A change that the server makes to an object beside a request: read, change, compare and swap, and again if somebody was first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from api import codec
from api.kinds import Kind
from controlplane.apiserver import freshness, status
from controlplane.apiserver.entry import Entry
from controlplane.store.interface import CompareFailed, Unavailable

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

TRIES = 20


async def rewrite(kind: Kind[Any], key: str, change: Callable[[Any, Entry], None], core: Core) -> int:
    """Apply `change` to the object and what stands there now; its new revision. What `change` raises ends the tries. Raises StatusError."""
    kept = core.cache.resources[kind]
    about = status.subject(kind, key.rpartition("/")[2])
    for _ in range(TRIES):
        entry = kept.entries.get(key)
        if entry is None:
            raise status.not_found(about)
        obj: Any = codec.decode(kind, entry.data)
        change(obj, entry)
        obj.metadata.resource_version = None
        value = codec.encode(obj)
        if kept.splice(value, entry.revision) == entry.data:
            return entry.revision
        try:
            revision = await core.store.put(kept.store_key(key), value, expected=entry.revision)
        except CompareFailed:
            await freshness.fresh(core)
            continue
        except Unavailable as error:
            raise status.unavailable(str(error)) from None
        await core.cache.caught_up(revision)
        return revision
    raise status.modified(about)
