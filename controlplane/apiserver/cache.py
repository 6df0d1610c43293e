"""The cache in memory that answers reads and feeds watches.

Theory of operation. The store orders all writes by one revision. One task (`Cache.run`) follows the store's changes from the revision at
which everything was loaded, and applies each to the `Kept` of its resource: the entry is made once (bytes spliced, labels and selectable
fields extracted), the change is put on the resource's ring of recent events, and each watcher is told. A writer waits (`caught_up`) until
its own revision has come round before it answers, so who has seen a write's answer sees the write in every later read.

Other API servers may write to the same store; `fresh` waits for what they did (see `freshness`).

Watches start in the past from the ring; a revision older than the ring is `TooOld`, and the client lists again. Only the newest events are
kept whole: of older ones the state before and what was encoded for the watchers of that time go (`Event.fade`). The first load is of a
moment a while ago, from where the feed goes over the store's history: so the rings are full again after a restart, and who watched before
goes on without a gap. If the feed breaks (the store compacted what we had not seen yet), everything is loaded again and the difference is
applied as if it had been fed.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from api.kinds import Kind
from controlplane.apiserver.entry import Entry, Splicer
from controlplane.store.interface import (
    Change,
    Compacted,
    FutureRevision,
    Range,
    Record,
    Store,
    StoreError,
    Unavailable,
)
from kit import log
from kit.backoff import Backoff
from kit.clock import Clock, SystemClock

RING, WHOLE = 4096, 512  # events that are kept; those of them that are kept whole
ROOT = "/registry/"

_PAST_TRIES = 3  # somebody may compact in between
_BACKOFF = Backoff(base=0.1, cap=5.0, jitter=0.5)
_log = log.get("apiserver.cache")


class TooOld(Exception):
    """A watch from a revision that the ring no longer covers."""

    def __init__(self, asked: int, oldest: int) -> None:
        super().__init__(f"cannot watch from revision {asked}: the oldest kept is {oldest}")
        self.asked, self.oldest = asked, oldest


class Event:
    """One change of one object. `encoded` holds the bytes of each representation, made once for all watchers.

    `previous` says what the object was selected by, and holds its bytes until the event fades.
    """

    __slots__ = ("encoded", "entry", "gone", "previous", "revision")

    def __init__(self, entry: Entry, previous: Entry | None, gone: bool) -> None:
        self.revision = entry.revision
        self.entry = entry
        self.previous = previous
        self.gone = gone
        self.encoded: dict[Any, bytes] = {}

    def fade(self) -> None:
        """Let go of what is large and what only a watcher misses that lost sight of the object and comes back late."""
        self.encoded.clear()
        if self.previous is not None:
            self.previous = self.previous.outline()


class Listener(Protocol):
    """Who is told of events as they happen; `flush` follows the last one of a batch."""

    def offer(self, event: Event) -> None: ...

    def flush(self) -> None: ...

    def abandon(self) -> None:
        """End: it could not take an event."""


class Kept:
    """All objects of one resource, in key order, and what happened to them lately."""

    __slots__ = ("_splicer", "changed", "entries", "keys", "kind", "listeners", "oldest", "prefix", "ring")

    def __init__(self, kind: Kind[Any]) -> None:
        self.kind = kind
        self.prefix = f"{ROOT}{kind.group or 'core'}/{kind.plural}/"
        self.entries: dict[str, Entry] = {}
        self.keys: list[str] = []
        self.ring: deque[Event] = deque()
        self.oldest = 0  # watches can start at this revision or later
        self.changed = 0  # the revision of the newest change
        self.listeners: dict[Listener, None] = {}
        self._splicer = Splicer(kind)

    def store_key(self, key: str) -> str:
        """Where the store has the object."""
        return self.prefix + key

    def entry_of(self, record: Record) -> Entry:
        """The entry of a record read from the store itself."""
        return self._splicer.entry(record.key[len(self.prefix) :], record.value, record.mod_revision)

    def under(self, namespace: str) -> list[Entry]:
        """All entries of a namespace, or of all when it is "", in key order."""
        entries = self.entries
        if not namespace:
            return [entries[key] for key in self.keys]
        low, high = bisect_left(self.keys, namespace + "/"), bisect_left(self.keys, namespace + "0")
        return [entries[key] for key in self.keys[low:high]]

    def since(self, revision: int) -> Iterable[Event]:
        """Events after `revision`. Raises TooOld."""
        if revision < self.oldest:
            raise TooOld(revision, self.oldest)
        if revision >= self.changed:
            return ()
        return [event for event in self.ring if event.revision > revision]

    def apply(self, key: str, value: bytes | None, previous: bytes | None, revision: int) -> Event | None:
        """Take over one change; None if there was nothing to change."""
        before = self.entries.get(key)
        if value is not None:
            entry = self._splicer.entry(key, value, revision)
            if before is None:
                insort(self.keys, key)
            self.entries[key] = entry
            event = Event(entry, before, gone=False)
        elif before is not None and previous is not None:
            del self.entries[key]
            del self.keys[bisect_left(self.keys, key)]
            event = Event(self._splicer.moved(before, previous, revision), before, gone=True)
        else:
            return None
        self.changed = revision
        self.ring.append(event)
        if len(self.ring) > WHOLE:
            self.ring[-WHOLE - 1].fade()
        if len(self.ring) > RING:
            self.oldest = self.ring.popleft().revision
        return event

    def forget(self, revision: int) -> None:
        """Drop events up to `revision`: nobody goes on from so long ago."""
        while self.ring and self.ring[0].revision <= revision:
            self.oldest = self.ring.popleft().revision

    def splice(self, value: bytes, revision: int) -> bytes:
        """What clients get of a stored value."""
        return self._splicer.splice(value, revision)

    def moved(self, entry: Entry, revision: int) -> bytes:
        """The bytes of `entry` as seen by who loses sight of it at `revision`."""
        return self._splicer.splice(self._splicer.unsplice(entry), revision)

    def load(self, records: list[Record], revision: int) -> list[tuple[str, bytes | None, bytes | None, int]]:
        """Changes that lead from what is here to `records`, oldest first; the first load has no history."""
        found = {record.key[len(self.prefix) :]: record for record in records}
        gone = [key for key in self.entries if key not in found]
        fresh = [
            (key, record.value, None, record.mod_revision)
            for key, record in found.items()
            if (entry := self.entries.get(key)) is None or entry.revision != record.mod_revision
        ]
        fresh.sort(key=lambda change: change[3])
        unspliced = self._splicer.unsplice
        return [*fresh, *((key, None, unspliced(self.entries[key]), revision) for key in gone)]


@dataclass(slots=True)
class _Waiting:
    revision: int
    done: asyncio.Future[None]


class Cache:
    """All resources, and the one task that feeds them."""

    def __init__(self, store: Store, all_kinds: Iterable[Kind[Any]], clock: Clock | None = None) -> None:
        self._store = store
        self._clock = clock or SystemClock()
        self.resources: dict[Kind[Any], Kept] = {kind: Kept(kind) for kind in all_kinds}
        self._by_prefix = {kept.prefix: kept for kept in self.resources.values()}
        self.revision = 0
        self._waiting: list[_Waiting] = []
        self._observers: list[Callable[[Kept, Event], None]] = []

    def observe(self, observer: Callable[[Kept, Event], None]) -> None:
        """Call `observer` for every event, before watchers are told."""
        self._observers.append(observer)

    async def load(self) -> None:
        """Fill all resources with the store's state: at first that of a while ago, later the present one."""
        first = self.revision == 0
        read = await (self._past() if first else self._store.range(ROOT))
        by_kept: dict[Kept, list[Record]] = {kept: [] for kept in self.resources.values()}
        for record in read.records:
            if (kept := self._kept(record.key)) is not None:
                by_kept[kept].append(record)
        for kept, records in by_kept.items():
            for change in kept.load(records, read.revision):
                self._apply(kept, *change)
            self._flush((kept,))
            if first:  # what was written before is state, not news
                kept.ring.clear()
                kept.oldest = kept.changed = read.revision
        self._advance(read.revision)

    async def run(self) -> None:
        """Follow the store for ever; `load` must have been called once."""
        while True:
            try:
                async for changes in self._store.watch(ROOT, after=self.revision):
                    self._feed(changes)
                return  # the store was closed
            except StoreError as error:
                _log.warning("the feed broke, loading again", error=error)
                await self._load_again()

    def forget(self, revision: int) -> None:
        """Watches can no longer start before `revision`, if anything has happened since."""
        for kept in self.resources.values():
            kept.forget(revision)

    async def fresh(self) -> None:
        """Return when reads see everything that anybody wrote before the call: at once, unless others write too."""
        if self._store.shared:
            await self.caught_up(await self._store.fresh())

    async def caught_up(self, revision: int) -> None:
        """Return when reads see everything up to `revision`."""
        if revision <= self.revision:
            return
        waiting = _Waiting(revision, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        await waiting.done

    async def _past(self) -> Range:
        """The state `RING` revisions ago, or as long ago as the store remembers."""
        at = max(self._store.revision - RING, 1)
        for _ in range(_PAST_TRIES):
            try:
                return await self._store.range(ROOT, revision=at)
            except Compacted:
                pass
            except FutureRevision:  # nothing has ever been written
                break
            try:
                async for _ in self._store.watch(ROOT, after=at):
                    break
            except Compacted as error:  # which says how far the past goes back
                at = error.oldest
        return await self._store.range(ROOT)

    async def _load_again(self) -> None:
        failures = _BACKOFF.retries()
        while True:
            try:
                return await self.load()
            except Unavailable as error:
                _log.warning("cannot load, will try again", error=error)
                await self._clock.sleep(failures.next())

    def _kept(self, store_key: str) -> Kept | None:
        third = store_key.find("/", store_key.find("/", len(ROOT)) + 1)
        return self._by_prefix.get(store_key[: third + 1])

    def _feed(self, changes: list[Change]) -> None:
        touched: dict[Kept, None] = {}
        for change in changes:
            kept = self._kept(change.key)
            if kept is None:
                continue
            self._apply(kept, change.key[len(kept.prefix) :], change.value, change.previous, change.revision)
            touched[kept] = None
        self._flush(touched)
        self._advance(changes[-1].revision)

    def _apply(self, kept: Kept, key: str, value: bytes | None, previous: bytes | None, revision: int) -> None:
        try:
            event = kept.apply(key, value, previous, revision)
        except (ValueError, msgspec.MsgspecError) as error:
            # Written by a version we do not know, or by hand: the rest of the cluster must not go down with it.
            _log.error("an object in the store cannot be read", resource=kept.kind.resource, key=key, error=error)
            return
        if event is not None:
            self._tell(kept, event)

    def _tell(self, kept: Kept, event: Event) -> None:
        for observer in self._observers:
            observer(kept, event)
        for listener in list(kept.listeners):
            try:
                listener.offer(event)
            except Exception as error:  # the loop's edge: one watcher's form must not stop the feed of all
                _log.exception("cannot tell a watcher", key=event.entry.key, resource=kept.kind.resource, error=error)
                listener.abandon()

    def _flush(self, touched: Iterable[Kept]) -> None:
        for kept in touched:
            for listener in list(kept.listeners):
                listener.flush()

    def _advance(self, revision: int) -> None:
        self.revision = max(self.revision, revision)
        if self._waiting:
            still = []
            for waiting in self._waiting:
                if waiting.revision > revision:
                    still.append(waiting)
                elif not waiting.done.done():
                    waiting.done.set_result(None)
            self._waiting = still
