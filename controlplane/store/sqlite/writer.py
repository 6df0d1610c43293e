"""The one thread that writes.

Writers of the API server do not wait in line for the disk one by one: whatever has been asked while the last commit was on its way goes
into the next transaction together (group commit). Each write compares and swaps inside the transaction, so a batch is as serial as if its
writes had come one by one. Compaction and expiry are done in small pieces between batches.

Nothing here knows asyncio: `deliver` is called with the outcome and moves it to where it is awaited.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import apsw

from controlplane.store.interface import Change, CompareFailed, Op, Record, StoreError, Unavailable
from controlplane.store.sqlite import schema

BATCH = 512
COMPACT_ROWS = 200
EXPIRE_ROWS = 200
FULL_LOG_PAGES = 40_000


@dataclass(slots=True)
class Write:
    """One asked write; `value` None deletes. `token` is handed back with the outcome."""

    key: str
    value: bytes | None
    expected: int | None
    expires: float | None
    token: Any


@dataclass(slots=True)
class Together:
    """Several writes, all or none."""

    ops: tuple[Op, ...]
    token: Any


@dataclass(slots=True)
class Compact:
    """Walk the log up to `revision`, forgetting what was replaced."""

    revision: int
    token: Any


@dataclass(slots=True)
class StartAfter:
    """Go on from `revision`, as if all up to there had been compacted."""

    revision: int
    token: Any


@dataclass(slots=True)
class Expire:
    """Delete what is due at `now`."""

    now: float


@dataclass(slots=True)
class Outcome:
    """What a batch did, in order: changes for watchers, an answer for each token, when the next key expires."""

    revision: int
    changes: list[Change]
    answers: list[tuple[Any, int | StoreError]]
    compacted: int
    next_expiry: float | None
    log_pages: int = 0


Task = Write | Together | Compact | StartAfter | Expire


@dataclass(slots=True)
class _Before:
    """What stands under a key before a write."""

    key: str
    newest: int
    created: int
    value: bytes | None

    def compare(self, expected: int | None) -> None:
        """Raise CompareFailed unless it is as the writer thinks."""
        found = self.newest if self.value is not None else 0
        if expected is not None and expected != found:
            current = Record(self.key, self.value, self.created, self.newest) if self.value is not None else None
            raise CompareFailed(self.key, expected, current)


class Writer:
    """Owns the writing connection and its thread from `start` to `stop`."""

    def __init__(self, path: Path, deliver: Callable[[Outcome], None]) -> None:
        self._connection = schema.connect(path)
        self._connection.execute(schema.TABLES)
        self._deliver = deliver
        self._tasks: deque[Task] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._pages = 0
        self._finish_log = False
        self.revision: int = self._one(schema.NEWEST_REVISION)
        self.compacted: int = self._one(schema.COMPACTED)
        self.next_expiry: float | None = self._one(schema.NEXT_EXPIRY)
        self._connection.setwalhook(self._note_pages)
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)

    def start(self) -> None:
        """Begin to take tasks."""
        self._thread.start()

    def submit(self, task: Task) -> None:
        """Ask for a write, a compaction or an expiry."""
        with self._wake:
            if self._stopping:
                raise Unavailable("cannot write: the store is closed")
            self._tasks.append(task)
            self._wake.notify()

    def finish_log(self) -> None:
        """After the next commit, move what is left of the write-ahead log: only a little, or writes wait."""
        self._finish_log = True

    def stop(self) -> None:
        """Finish what was asked, then close the file."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        while (batch := self._next_batch()) is not None:
            self._deliver(self._commit(batch))
            if self._finish_log or self._pages > FULL_LOG_PAGES:
                self._checkpoint()

    def _next_batch(self) -> list[Task] | None:
        """Wait for tasks; None means stop."""
        with self._wake:
            while not self._tasks:
                if self._stopping:
                    return None
                self._wake.wait()
            return [self._tasks.popleft() for _ in range(min(BATCH, len(self._tasks)))]

    def _commit(self, batch: list[Task]) -> Outcome:
        done = Outcome(self.revision, [], [], self.compacted, self.next_expiry)
        try:
            with self._connection:
                unfinished = [again for task in batch if (again := self._do(task, done)) is not None]
                done.next_expiry = self._one(schema.NEXT_EXPIRY)
        except Exception as error:  # the loop's edge: a task that cannot be done must not end the thread
            reason = Unavailable(f"cannot write to the store: {error}. Nothing of the batch was kept.")
            tokens = [task.token for task in batch if not isinstance(task, Expire)]
            return Outcome(self.revision, [], [(token, reason) for token in tokens], self.compacted, self.next_expiry)
        done.log_pages = self._pages
        self.revision, self.compacted, self.next_expiry = done.revision, done.compacted, done.next_expiry
        with self._wake:
            self._tasks.extend(unfinished)
        return done

    def _do(self, task: Task, done: Outcome) -> Task | None:
        """Do one task inside the transaction; what is left of it, if any, is asked again."""
        if isinstance(task, Compact):
            return self._compact(task, done)
        if isinstance(task, Expire):
            return self._expire(task, done)
        if isinstance(task, Write):
            do = partial(self._write, task)
        elif isinstance(task, Together):
            do = partial(self._write_together, task)
        else:
            do = partial(self._start_after, task)
        try:
            done.answers.append((task.token, do(done)))
        except StoreError as failed:
            done.answers.append((task.token, failed))
        return None

    def _write(self, task: Write, done: Outcome) -> int:
        before = self._before(task.key)
        before.compare(task.expected)
        if task.value is None and before.value is None:
            raise CompareFailed(task.key, 0, None)
        return self._append(before, task.value, task.expires, done)

    def _write_together(self, task: Together, done: Outcome) -> int:
        befores = [self._before(op.key) for op in task.ops]
        for op, before in zip(task.ops, befores, strict=True):
            before.compare(op.expected)
        for op, before in zip(task.ops, befores, strict=True):
            if op.value is not None or before.value is not None:
                self._append(before, op.value, None, done)
        return done.revision

    def _before(self, key: str) -> _Before:
        return _Before(key, *(schema.first(self._connection, schema.NEWEST, key) or (0, 0, None)))

    def _append(self, before: _Before, value: bytes | None, expires: float | None, done: Outcome) -> int:
        done.revision += 1
        created = before.created if before.value is not None else done.revision
        row = (done.revision, before.key, created, before.newest, value, expires)
        self._connection.execute(schema.APPEND, row)
        done.changes.append(Change(done.revision, before.key, value, before.value, created))
        return done.revision

    def _start_after(self, task: StartAfter, done: Outcome) -> int:
        if self._one(schema.COUNT_KEYS):
            raise StoreError(f"cannot start after revision {task.revision}: there are keys already")
        if task.revision > done.revision:
            self._connection.execute("DELETE FROM log")  # deletions are left, which count as compacted now
            self._connection.execute("UPDATE compaction SET revision = ?", (task.revision,))
            done.revision = done.compacted = task.revision
        return done.revision

    def _compact(self, task: Compact, done: Outcome) -> Task | None:
        """One piece: forget what the next rows replaced, and the rows themselves where they are deletions."""
        first, last = done.compacted, min(done.compacted + COMPACT_ROWS, task.revision)
        if last <= first:
            done.answers.append((task.token, done.compacted))
            return None
        between = "SELECT {} FROM log WHERE revision > ? AND revision <= ?"
        replaced = between.format("previous") + " AND previous > 0"
        self._connection.execute(f"DELETE FROM log WHERE revision IN ({replaced})", (first, last))
        deletions = between.format("revision") + " AND value IS NULL"
        self._connection.execute(f"DELETE FROM log WHERE revision IN ({deletions})", (first, last))
        self._connection.execute("UPDATE compaction SET revision = ?", (last,))
        done.compacted = last
        return task

    def _expire(self, task: Expire, done: Outcome) -> Task | None:
        due = schema.rows(self._connection, schema.EXPIRED, task.now, EXPIRE_ROWS)
        for revision, key in due:
            self._connection.execute("UPDATE log SET expires = NULL WHERE revision = ?", (revision,))
            try:
                self._write(Write(key, None, revision, None, None), done)
            except CompareFailed:
                continue  # written again since: its newer row has its own time
        return task if len(due) == EXPIRE_ROWS else None

    def _note_pages(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        self._pages = pages
        return apsw.SQLITE_OK

    def _checkpoint(self) -> None:
        """The engine checkpoints beside the writes; only a log that outgrows that makes the writers wait."""
        schema.checkpoint(self._connection)
        self._pages = 0
        self._finish_log = False

    def _one(self, statement: str) -> Any:
        row = schema.first(self._connection, statement)
        return row[0] if row else None
