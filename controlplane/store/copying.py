"""Moving a cluster's keys from one store to another, of any two engines.

The target gets every key with its value and what is left of its time to live, and hands out revisions above the source's from then on, so
that clients' old resourceVersions count as compacted and not as of the future. Both are read again at the end and compared. A key marks a
target whose copy is not finished: a control plane refuses it, and the next copy clears it first.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass

from controlplane.store.interface import Record, Store, StoreError

MARK = "/copying"
PAGE = 1000
AT_ONCE = 64


class CopyError(StoreError):
    """The keys could not be moved; the source is as it was."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a store holds: keys without a time to live, and a digest of them with their values."""

    keys: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Copied:
    """A finished copy: what was compared, and how many keys with a time to live came along."""

    content: Content
    expiring: int
    revision: int


async def copy(source: Store, target: Store) -> Copied:
    """Copy all keys into an empty store. Raises StoreError."""
    await _make_room(target)
    at = await source.fresh()
    expiring = await source.expiring("/")
    await target.start_after(at)
    await target.put(MARK, b"")
    await _put_all(source, target, at, expiring)
    content = await read_content(target, expiring)
    if content != await read_content(source, expiring, at):
        raise CopyError("cannot copy: the target does not hold what was written to it. Copy again")
    if content != await read_content(source, expiring):
        raise CopyError("cannot copy: somebody wrote to the source meanwhile. Stop its control planes, then copy again")
    revision = await target.delete(MARK)
    return Copied(content, len(expiring), revision)


async def read_content(store: Store, without: Collection[str], revision: int = 0) -> Content:
    """Count and digest of the keys that do not expire."""
    digest, keys = hashlib.sha256(), 0
    async for records in _pages(store, revision):
        for record in records:
            if record.key not in without and record.key != MARK:
                keys += 1
                digest.update(f"{len(record.key.encode())} {record.key} {len(record.value)} ".encode())
                digest.update(record.value)
    return Content(keys, digest.hexdigest())


async def unfinished(store: Store) -> bool:
    """Whether a copy into it was begun and not finished."""
    return await store.get(MARK) is not None


async def _make_room(target: Store) -> None:
    if await unfinished(target):
        async for records in _pages(target, 0):
            await asyncio.gather(*(target.delete(record.key) for record in records if record.key != MARK))
        await target.delete(MARK)
    elif (await target.range("/", limit=1)).records:
        raise CopyError("cannot copy: the target holds keys already. Give an empty one")


async def _put_all(source: Store, target: Store, at: int, expiring: dict[str, float]) -> None:
    limit = asyncio.Semaphore(AT_ONCE)

    async def put(record: Record) -> None:
        async with limit:
            await target.put(record.key, record.value, expected=0, ttl=expiring.get(record.key, 0.0))

    async for records in _pages(source, at):
        async with asyncio.TaskGroup() as group:
            for record in records:
                if record.key != MARK:
                    group.create_task(put(record))


async def _pages(store: Store, revision: int) -> AsyncIterator[list[Record]]:
    """All records as of one revision, some at a time."""
    start = ""
    while True:
        read = await store.range("/", start=start, limit=PAGE, revision=revision)
        if read.records:
            yield read.records
        if not read.remaining:
            return
        start, revision = read.records[-1].key + "\0", read.revision
