"""The store on SQLite: awaits the writer thread, reads on a thread of its own, and tells watchers.

Watchers learn of a change in the event loop before the write that made it returns. A watcher that begins in the past reads the log up to
the present and is joined to the live stream at exactly that revision, so it misses nothing and sees nothing twice.

The write-ahead log is moved into the file beside the writes, a few megabytes at a time: by a timer when little is written, and whenever
enough has come together. Only when hardly anything is left does the writer move the rest, so that the log can begin anew; in one piece
that would be a stall of hundreds of milliseconds.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import apsw

from controlplane.store.interface import Change, Compacted, FutureRevision, Op, Range, Record, StoreError, Unavailable
from controlplane.store.sqlite import schema
from controlplane.store.sqlite.writer import Compact, Expire, Outcome, StartAfter, Task, Together, Write, Writer
from kit.clock import Clock, SystemClock, Timer

T = TypeVar("T")
CATCH_UP_ROWS = 1000
EXPIRY_PAUSE = 1.0
CHECKPOINT_SECONDS = 1.0
CHECKPOINT_PAGES = 2000
RESTART_PAGES = 10_000
REST_PAGES = 200


@dataclass(eq=False, slots=True)
class _Watcher:
    prefix: str
    waiting: list[Change] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)


class SqliteStore:
    """One file on local disk; see `controlplane.store.interface.Store`."""

    shared = False

    def __init__(self, path: Path, clock: Clock) -> None:
        self._lock = schema.lock(path)
        self._loop = asyncio.get_running_loop()
        self._clock = clock
        self._writer = Writer(path, self._deliver_from_thread)
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="store-reader")
        self._reader = schema.connect(path)
        self._revision = self._writer.revision
        self._compacted = self._writer.compacted
        self._next_expiry = self._writer.next_expiry
        self._expiry_moved = asyncio.Event()
        self._checkpoint_due: Timer | None = None
        self._checkpointing = False
        self._log_pages = 0  # of the write-ahead log, and how many of them are in the file
        self._filed_pages = 0
        self._watchers: set[_Watcher] = set()
        self._closed = False

    @classmethod
    async def open(cls, path: str | os.PathLike[str], clock: Clock | None = None) -> SqliteStore:
        """Open or make the file; refuses one that another process has open."""
        file = Path(path)
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            store = cls(file, clock or SystemClock())
        except (apsw.Error, OSError) as error:
            raise Unavailable(f"cannot open store {file}: {error}") from error
        store._writer.start()
        store._expirer = asyncio.create_task(store._expire_when_due(), name="store-expiry")
        return store

    _expirer: asyncio.Task[None]

    @property
    def revision(self) -> int:
        """The newest durable revision."""
        return self._revision

    @property
    def compacted(self) -> int:
        """Revisions up to this one can no longer be read."""
        return self._compacted

    async def fresh(self) -> int:
        """The newest revision: nobody else writes."""
        return self._revision

    async def get(self, key: str) -> Record | None:
        """The key's present record."""
        row = await self._read(lambda: schema.first(self._reader, schema.NEWEST, key))
        return None if row is None or row[2] is None else Record(key, row[2], row[1], row[0])

    async def range(self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0) -> Range:
        """Records under `prefix`, at `revision` or now."""
        at = revision or self._revision
        self._check_readable(at)
        bounds = (max(start, prefix), schema.end_of(prefix), at)
        result = await self._read(partial(self._read_range, bounds, limit))
        self._check_readable(at)  # compaction may have overtaken the read
        return result

    async def put(self, key: str, value: bytes, *, expected: int | None = None, ttl: float = 0) -> int:
        """Write; returns when it is durable."""
        expires = self._clock.now() + ttl if ttl > 0 else None
        return await self._ask(partial(Write, key, value, expected, expires))

    async def delete(self, key: str, *, expected: int | None = None) -> int:
        """Delete; returns when it is durable."""
        return await self._ask(partial(Write, key, None, expected, None))

    async def commit(self, *ops: Op) -> int:
        """Write all or none; returns when they are durable."""
        return await self._ask(partial(Together, ops))

    async def compact(self, revision: int) -> None:
        """Forget what was replaced at or before `revision`, in small pieces."""
        if revision > self._revision:
            raise FutureRevision(f"cannot compact at {revision}: the newest revision is {self._revision}")
        await self._ask(partial(Compact, revision))

    async def expiring(self, prefix: str) -> dict[str, float]:
        """Keys with a time to live, and the seconds left of it."""
        now, bounds = self._clock.now(), (prefix, schema.end_of(prefix))
        rows = await self._read(partial(schema.rows, self._reader, schema.EXPIRING, *bounds))
        return {key: max(expires - now, 1.0) for key, expires in rows}

    async def start_after(self, revision: int) -> None:
        """Count everything up to `revision` as compacted; only for an empty store."""
        await self._ask(partial(StartAfter, revision))

    async def watch(self, prefix: str, after: int) -> AsyncIterator[list[Change]]:
        """Changes above `after`, first from the log, then live."""
        if after < self._compacted:
            raise Compacted(after, self._compacted)
        watcher = _Watcher(prefix)
        self._watchers.add(watcher)
        joined_at = self._revision  # everything above arrives through `watcher`
        try:
            while after < joined_at:
                if after < self._compacted:
                    raise Compacted(after, self._compacted)
                changes = await self._read(partial(self._read_changes, after, joined_at, prefix))
                after = changes[-1].revision if len(changes) == CATCH_UP_ROWS else joined_at
                if changes:
                    yield changes
            while True:
                await watcher.news.wait()
                watcher.news.clear()
                batch, watcher.waiting = watcher.waiting, []
                if batch:
                    yield batch
                if self._closed:
                    return
        finally:
            self._watchers.discard(watcher)

    async def close(self) -> None:
        """Finish the writes that were asked, end the watches, close the file."""
        if self._closed:
            return
        self._closed = True
        if self._checkpoint_due is not None:
            self._checkpoint_due.cancel()
        self._expirer.cancel()
        await asyncio.to_thread(self._writer.stop)
        for watcher in self._watchers:
            watcher.news.set()
        self._reading.shutdown(wait=True)
        self._reader.close()
        os.close(self._lock)

    async def _ask(self, make: Callable[[Any], Task]) -> int:
        answer: asyncio.Future[int] = self._loop.create_future()
        self._writer.submit(make(answer))
        return await answer

    async def _read(self, query: Callable[[], T]) -> T:
        if self._closed:
            raise Unavailable("cannot read: the store is closed")
        try:
            return await self._loop.run_in_executor(self._reading, query)
        except apsw.Error as error:
            raise Unavailable(f"cannot read the store: {error}") from error

    def _read_range(self, bounds: tuple[str, str, int], limit: int) -> Range:
        statement = schema.RANGE + (" LIMIT ?" if limit else "")
        rows = schema.rows(self._reader, statement, *bounds, *((limit + 1,) if limit else ()))
        remaining = 0
        if limit and len(rows) > limit:
            remaining = schema.rows(self._reader, schema.COUNT, *bounds)[0][0] - limit
            rows.pop()
        return Range([Record(*row) for row in rows], bounds[2], remaining)

    def _read_changes(self, after: int, upto: int, prefix: str) -> list[Change]:
        bounds = (after, upto, prefix, schema.end_of(prefix), CATCH_UP_ROWS)
        return [Change(*row) for row in schema.rows(self._reader, schema.CHANGES, *bounds)]

    def _check_readable(self, revision: int) -> None:
        if revision > self._revision:
            raise FutureRevision(f"cannot read at revision {revision}: the newest is {self._revision}")
        if revision < self._compacted:
            raise Compacted(revision, self._compacted)

    def _deliver_from_thread(self, outcome: Outcome) -> None:
        self._loop.call_soon_threadsafe(self._deliver, outcome)

    def _deliver(self, outcome: Outcome) -> None:
        self._revision, self._compacted = outcome.revision, outcome.compacted
        if outcome.next_expiry != self._next_expiry:
            self._next_expiry = outcome.next_expiry
            self._expiry_moved.set()
        if outcome.log_pages:
            self._note_log(outcome.log_pages)
        if outcome.changes:
            for watcher in self._watchers:
                mine = [change for change in outcome.changes if change.key.startswith(watcher.prefix)]
                if mine:
                    watcher.waiting += mine
                    watcher.news.set()
        for answer, result in outcome.answers:
            if answer.done():
                continue  # who asked has gone; the write stands
            if isinstance(result, StoreError):
                answer.set_exception(result)
            else:
                answer.set_result(result)

    def _note_log(self, pages: int) -> None:
        if pages < self._log_pages:  # it has begun anew
            self._filed_pages = 0
        self._log_pages = pages
        if pages - self._filed_pages > CHECKPOINT_PAGES:
            self._checkpoint()
        elif self._checkpoint_due is None and not self._closed:
            self._checkpoint_due = self._clock.call_later(CHECKPOINT_SECONDS, self._checkpoint)

    def _checkpoint(self) -> None:
        if self._checkpoint_due is not None:
            self._checkpoint_due.cancel()
            self._checkpoint_due = None
        if not self._closed and not self._checkpointing:
            self._checkpointing = True
            filing = self._loop.run_in_executor(self._reading, schema.checkpoint, self._reader)
            filing.add_done_callback(self._checkpointed)

    def _checkpointed(self, filing: asyncio.Future[int]) -> None:
        self._checkpointing = False
        self._filed_pages = filing.result()
        rest = self._log_pages - self._filed_pages
        if self._log_pages > RESTART_PAGES and rest <= REST_PAGES:
            self._writer.finish_log()
        elif rest > (REST_PAGES if self._log_pages > RESTART_PAGES else CHECKPOINT_PAGES):
            self._checkpoint()

    async def _expire_when_due(self) -> None:
        """Sleep until the next key expires, or until that time moves; what a full disk refuses is tried again after a pause."""
        earliest = 0.0
        while True:
            self._expiry_moved.clear()
            moved = asyncio.ensure_future(self._expiry_moved.wait())
            if self._next_expiry is None:
                await moved
                continue
            due = asyncio.ensure_future(
                self._clock.sleep(max(0.0, max(earliest, self._next_expiry) - self._clock.now()))
            )
            await asyncio.wait((moved, due), return_when=asyncio.FIRST_COMPLETED)
            for waiting in (moved, due):
                waiting.cancel()
            if self._next_expiry is not None and max(earliest, self._next_expiry) <= self._clock.now():
                earliest = self._clock.now() + EXPIRY_PAUSE
                self._next_expiry = None  # known again with the next outcome
                self._writer.submit(Expire(self._clock.now()))
