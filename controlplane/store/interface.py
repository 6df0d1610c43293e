"""What a store promises, in etcd's terms.

Every write gets the next revision of one global counter. A record remembers the revision that created it and the revision of its last
write (`mod_revision`), on which writers compare and swap. Changes can be watched in order from any revision that is still retained;
older ones are gone after `compact`. A write is durable when its call returns.

Several programs may share one store (`shared`): then others write too, and `revision` is only the newest that this program has seen. Who
must see what others wrote before asks `fresh`, and waits until its watch has come that far. An engine may tell a watch so by a change
with the key `PROGRESS`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

PROGRESS = ""  # the key of a change that changes nothing: everything up to its revision has been told


@dataclass(frozen=True, slots=True)
class Record:
    """One key as of one revision."""

    key: str
    value: bytes
    create_revision: int
    mod_revision: int


@dataclass(frozen=True, slots=True)
class Change:
    """One write: `value` is None when the key was deleted; `previous` is what stood there before, None when it is new."""

    revision: int
    key: str
    value: bytes | None
    previous: bytes | None
    create_revision: int


@dataclass(frozen=True, slots=True)
class Op:
    """One of several writes that are done together: `value` None deletes. `expected` as in `put`; None: whatever is there, or nothing."""

    key: str
    value: bytes | None
    expected: int | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """Records in key order, as of `revision`; `remaining` counts the keys behind the limit."""

    records: list[Record]
    revision: int
    remaining: int = 0


class StoreError(Exception):
    """The base of what a store raises."""


class CompareFailed(StoreError):
    """The key was not at the expected revision; `current` is what stands there now."""

    def __init__(self, key: str, expected: int, current: Record | None) -> None:
        at = current.mod_revision if current else 0
        super().__init__(f"cannot write {key}: expected revision {expected}, found {at}")
        self.key, self.expected, self.current = key, expected, current


class Compacted(StoreError):
    """The asked revision is older than the oldest retained one."""

    def __init__(self, asked: int, oldest: int) -> None:
        super().__init__(f"cannot read at revision {asked}: compacted up to {oldest}")
        self.asked, self.oldest = asked, oldest


class FutureRevision(StoreError):
    """The asked revision has not been written yet."""


class TooLarge(StoreError):
    """The value is larger than the engine takes."""


class Unavailable(StoreError):
    """The engine cannot answer now (disk full, closed, connection away). A write whose connection broke may have been kept."""


class Store(Protocol):
    """One suite (tests/contract/store) holds for every engine. Keys begin with a slash."""

    @property
    def shared(self) -> bool:
        """Whether other programs may write at the same time."""

    @property
    def revision(self) -> int:
        """The newest durable revision that this program knows of."""

    async def fresh(self) -> int:
        """The newest revision of all that was written before the call; every watch of this program comes to it."""

    async def get(self, key: str) -> Record | None: ...

    async def range(self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0) -> Range:
        """Records under `prefix` from key `start` on; `revision` 0 means now. Raises Compacted, FutureRevision."""

    async def put(self, key: str, value: bytes, *, expected: int | None = None, ttl: float = 0) -> int:
        """Write and return the revision. `expected` 0: the key must not exist; None: whatever is there. Raises CompareFailed."""

    async def delete(self, key: str, *, expected: int | None = None) -> int:
        """Delete and return the revision of the deletion. A missing key raises CompareFailed with current=None."""

    async def commit(self, *ops: Op) -> int:
        """Write all of them or none, and return the revision of the last, the highest. No key comes twice. Raises CompareFailed."""

    def watch(self, prefix: str, after: int) -> AsyncIterator[list[Change]]:
        """Every change under `prefix` with a revision above `after`, in order, in batches. Raises Compacted."""

    async def compact(self, revision: int) -> None:
        """Forget what was overwritten or deleted at or before `revision`."""

    async def expiring(self, prefix: str) -> dict[str, float]:
        """The keys under `prefix` that have a time to live, and the seconds that are left of it."""

    async def start_after(self, revision: int) -> None:
        """Make an empty store hand out revisions above `revision` only, as if all up to there had been compacted."""

    async def close(self) -> None: ...
