"""The file: one append-only log of writes, and the statements that read and shorten it.

Every write is a row. `previous` is the revision that the row replaced (0: none), a NULL value is a deletion. The newest row of a key is
the key's present state. Because each row names the one it replaced, compaction never searches: it walks the revisions once and deletes
what they replaced.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Any

import apsw

from controlplane.store.interface import Unavailable

TABLES = """
CREATE TABLE IF NOT EXISTS log (
    revision        INTEGER PRIMARY KEY,
    key             TEXT    NOT NULL,
    create_revision INTEGER NOT NULL,
    previous        INTEGER NOT NULL,
    value           BLOB,
    expires         REAL
);
CREATE UNIQUE INDEX IF NOT EXISTS log_key ON log (key, revision);
CREATE INDEX IF NOT EXISTS log_expires ON log (expires) WHERE expires IS NOT NULL;
CREATE TABLE IF NOT EXISTS compaction (only INTEGER PRIMARY KEY CHECK (only = 1), revision INTEGER NOT NULL);
INSERT OR IGNORE INTO compaction VALUES (1, 0);
"""

NEWEST = "SELECT revision, create_revision, value FROM log WHERE key = ? ORDER BY revision DESC LIMIT 1"
APPEND = "INSERT INTO log VALUES (?, ?, ?, ?, ?, ?)"
# A bare column beside max() comes from the row that has the maximum (documented SQLite behaviour).
RANGE = """
SELECT key, value, create_revision, max(revision) FROM log
WHERE key >= ? AND key < ? AND revision <= ? GROUP BY key HAVING value IS NOT NULL ORDER BY key
"""
COUNT_KEYS = "SELECT count(*) FROM (SELECT value, max(revision) FROM log GROUP BY key HAVING value IS NOT NULL)"
COUNT = f"SELECT count(*) FROM ({RANGE})"
CHANGES = """
SELECT l.revision, l.key, l.value, p.value, l.create_revision FROM log l LEFT JOIN log p ON p.revision = l.previous
WHERE l.revision > ? AND l.revision <= ? AND l.key >= ? AND l.key < ? ORDER BY l.revision LIMIT ?
"""
NEWEST_REVISION = "SELECT max(ifnull((SELECT max(revision) FROM log), 0), (SELECT revision FROM compaction))"
COMPACTED = "SELECT revision FROM compaction"
NEXT_EXPIRY = "SELECT min(expires) FROM log WHERE expires IS NOT NULL"
EXPIRING = """
SELECT key, expires FROM log l WHERE expires IS NOT NULL AND key >= ? AND key < ?
AND NOT EXISTS (SELECT 1 FROM log n WHERE n.key = l.key AND n.revision > l.revision)
"""
EXPIRED = "SELECT revision, key FROM log WHERE expires <= ? ORDER BY expires LIMIT ?"


Row = tuple[Any, ...]


def rows(connection: apsw.Connection, statement: str, *parameters: Any) -> list[Row]:
    """All rows of a statement."""
    return connection.execute(statement, parameters).fetchall()


def first(connection: apsw.Connection, statement: str, *parameters: Any) -> Row | None:
    """The first row of a statement."""
    return connection.execute(statement, parameters).fetchone()


def checkpoint(connection: apsw.Connection) -> int:
    """Move the write-ahead log into the file as far as nobody has to wait for it; how many of its pages are there now."""
    with contextlib.suppress(apsw.Error):  # a busy or full disk: the log only grows until the next try
        return connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)[1]
    return 0


def connect(path: Path) -> apsw.Connection:
    """A connection that commits durably; checkpoints are made by a timer, beside the writes."""
    connection = apsw.Connection(str(path))
    connection.setbusytimeout(5000)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=0", "cache_size=-4096", "mmap_size=0"):
        connection.execute(f"PRAGMA {pragma}").fetchall()
    return connection


def lock(path: Path) -> int:
    """Hold the file for this process: two writers would hand out one revision twice."""
    fd = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        raise Unavailable(f"cannot open store {path}: another process uses it. Stop that one first.") from None
    return fd


def end_of(prefix: str) -> str:
    """The first key behind every key that starts with `prefix`."""
    return prefix + "\U0010ffff"
