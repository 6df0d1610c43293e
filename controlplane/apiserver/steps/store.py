"""Step: write what has become of the object, if it is still the object that the write began with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from api import codec, kinds
from controlplane.apiserver import beside, freshness, status
from controlplane.apiserver.cache import Kept
from controlplane.apiserver.entry import object_key
from controlplane.apiserver.write import CREATE, Write
from controlplane.store.interface import CompareFailed, Op, TooLarge, Unavailable

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

EVENT_SECONDS = 3600.0
LARGEST = 3 * 512 * 1024  # bytes of an object, as in etcd: every watcher gets them with every change


class Raced(Exception):
    """Somebody else wrote first; the write may begin again."""


class Outrun(Exception):
    """Another server took a number that was to be this object's; the write may begin again, with another one."""


async def store(write: Write, core: Core) -> None:
    """Make the write durable and set `write.answer`. Raises Raced."""
    key = key_of(write)
    write.new.metadata.resource_version = None  # known when it is written
    value = _encoded(write)
    if len(value) > LARGEST and write.managed is None and write.new.metadata.managed_fields:
        write.new.metadata.managed_fields = []  # what is not the client's own has to go first
        value = _encoded(write)
    if len(value) > LARGEST:
        raise status.too_large(f"the object has {len(value)} bytes, limit is {LARGEST}")
    if write.dry_run:
        _answer_dry(write, value)
        return
    kept, entry = write.kept, write.entry
    if entry is not None and kept.splice(value, entry.revision) == entry.data:
        write.answer = entry.data  # nothing changed, so nothing is written
        return
    store_key = kept.store_key(key)
    try:
        if write.kind is kinds.EVENT and not write.remove:
            expected = entry.revision if entry is not None else 0
            revision = await core.store.put(store_key, value, expected=expected, ttl=EVENT_SECONDS)
        else:
            revision = await beside.write(core.store, _op(write, store_key, value), _beside(write, core))
    except CompareFailed as failed:
        await freshness.fresh(core)
        raise (Raced if failed.key == store_key else Outrun) from None
    except TooLarge as error:
        raise status.StatusError(413, "RequestEntityTooLarge", f"Request entity is too large: {error}") from None
    except Unavailable as error:
        raise status.unavailable(str(error)) from None
    await core.cache.caught_up(revision)
    write.answer = stored(kept, key, value, revision)


def _op(write: Write, store_key: str, value: bytes) -> Op:
    if write.entry is None:
        return Op(store_key, value, 0)
    return Op(store_key, None if write.remove else value, write.entry.revision)


def _beside(write: Write, core: Core) -> beside.Beside | None:
    return beside.plan(write.kind, write.old, None if write.remove else write.new, core, write.now)


def _encoded(write: Write) -> bytes:
    """On one line, as watches need it: JSON that is passed through as it came may have brought line breaks along."""
    value = codec.encode(write.new)
    return msgspec.json.format(value, indent=-1) if b"\n" in value or b"\r" in value else value


def key_of(write: Write) -> str:
    """The key of the object within its resource."""
    return object_key(write.call.target.namespace, str(write.new.metadata.name))


def stored(kept: Kept, key: str, value: bytes, revision: int) -> bytes:
    """What clients get of what was just written: the cache's bytes, unless somebody has written again already."""
    entry = kept.entries.get(key)
    return entry.data if entry is not None and entry.revision == revision else kept.splice(value, revision)


def _answer_dry(write: Write, value: bytes) -> None:
    """What would have been written; a new object has no revision yet."""
    write.answer = write.kept.splice(value, write.entry.revision) if write.entry is not None else value
    if write.operation == CREATE and key_of(write) in write.kept.entries:
        raise Raced
