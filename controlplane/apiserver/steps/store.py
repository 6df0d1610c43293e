"""Step: write what has become of the object, if it is still the object that the write began with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import codec, kinds
from controlplane.apiserver import freshness, status
from controlplane.apiserver.cache import Kept
from controlplane.apiserver.write import CREATE, Write
from controlplane.store.interface import CompareFailed, TooLarge, Unavailable

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

EVENT_SECONDS = 3600.0
LARGEST = 3 * 512 * 1024  # bytes of an object, as in etcd: every watcher gets them with every change


class Raced(Exception):
    """Somebody else wrote first; the write may begin again."""


async def store(write: Write, core: Core) -> None:
    """Make the write durable and set `write.answer`. Raises Raced."""
    key = key_of(write)
    write.new.metadata.resource_version = None  # known when it is written
    value = codec.encode(write.new)
    if len(value) > LARGEST:
        raise status.too_large(f"the object has {len(value)} bytes, limit is {LARGEST}")
    if write.dry_run:
        _answer_dry(write, value)
        return
    kept, entry = write.kept, write.entry
    if entry is not None and kept.splice(value, entry.revision) == entry.data:
        write.answer = entry.data  # nothing changed, so nothing is written
        return
    try:
        if write.operation == CREATE:
            ttl = EVENT_SECONDS if write.kind is kinds.EVENT else 0.0
            revision = await core.store.put(kept.store_key(key), value, expected=0, ttl=ttl)
        elif write.remove:
            assert entry is not None
            revision = await core.store.delete(kept.store_key(key), expected=entry.revision)
        else:
            assert entry is not None
            ttl = EVENT_SECONDS if write.kind is kinds.EVENT else 0.0
            revision = await core.store.put(kept.store_key(key), value, expected=entry.revision, ttl=ttl)
    except CompareFailed:
        await freshness.fresh(core)
        raise Raced from None
    except TooLarge as error:
        raise status.StatusError(413, "RequestEntityTooLarge", f"Request entity is too large: {error}") from None
    except Unavailable as error:
        raise status.unavailable(str(error)) from None
    await core.cache.caught_up(revision)
    write.answer = stored(kept, key, value, revision)


def key_of(write: Write) -> str:
    """The key of the object within its resource."""
    namespace, name = write.call.target.namespace, write.new.metadata.name
    return f"{namespace}/{name}" if namespace else str(name)


def stored(kept: Kept, key: str, value: bytes, revision: int) -> bytes:
    """What clients get of what was just written: the cache's bytes, unless somebody has written again already."""
    entry = kept.entries.get(key)
    return entry.data if entry is not None and entry.revision == revision else kept.splice(value, revision)


def _answer_dry(write: Write, value: bytes) -> None:
    """What would have been written; a new object has no revision yet."""
    write.answer = write.kept.splice(value, write.entry.revision) if write.entry is not None else value
    if write.operation == CREATE and key_of(write) in write.kept.entries:
        raise Raced
