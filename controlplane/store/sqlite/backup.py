"""Backup and restore of the file.

A backup is one read transaction of SQLite's: the state of one moment, while the store runs in another process and goes on writing. A
restored store begins far above its old revisions, as if all of them had been compacted: what clients have seen since the backup was made
they must not take for the future of what stands here now. What was there before stays beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import apsw

from controlplane.store.interface import StoreError
from controlplane.store.sqlite import schema
from kit.files import sync_directory

AHEAD = 1_000_000_000  # revisions that are left out after a restore
FORGET_REPLACED = "DELETE FROM log WHERE revision IN (SELECT previous FROM log WHERE previous > 0)"
FORGET_DELETED = "DELETE FROM log WHERE value IS NULL"


class BackupError(StoreError):
    """A backup cannot be made or used."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a file holds."""

    keys: int
    revision: int


def backup(store: Path, target: Path) -> Facts:
    """Write the present state of a store, which may be in use, to a new file. Raises BackupError."""
    what = f"cannot back up {store}"
    if target.exists():
        raise BackupError(f"{what}: {target} is there already. Give another name")
    with _open(store, what) as connection, _new_file(target, what) as partial:
        _facts(connection, store, what)
        connection.execute("VACUUM INTO ?", (str(partial),))
        with _open(partial, what) as written:
            found = _facts(written, partial, what)
    return found


def restore(source: Path, store: Path) -> Facts:
    """Put a backup in the place of a store that is not in use. Raises StoreError."""
    what = f"cannot restore {source}"
    with _open(source, what) as connection:
        _facts(connection, source, what)
        store.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = schema.lock(store)
        try:
            with _new_file(store, what) as partial:
                connection.execute("VACUUM INTO ?", (str(partial),))
                with _open(partial, what) as restored:
                    _renew(restored)
                    found = _facts(restored, partial, what)
        finally:
            os.close(lock)
    return found


def _renew(connection: apsw.Connection) -> None:
    """Forget history, and go on far ahead of it."""
    connection.execute("PRAGMA synchronous=FULL")
    with connection:
        revision = schema.rows(connection, schema.NEWEST_REVISION)[0][0]
        connection.execute(FORGET_REPLACED)
        connection.execute(FORGET_DELETED)
        connection.execute("UPDATE compaction SET revision = ?", (revision + AHEAD,))


def _facts(connection: apsw.Connection, path: Path, what: str) -> Facts:
    """Check that it is a sound store."""
    tables = {name for (name,) in schema.rows(connection, "SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if not {"log", "compaction"} <= tables:
        raise BackupError(f"{what}: {path} is a database, but not of a store")
    verdict = schema.rows(connection, "PRAGMA quick_check(1)")[0][0]
    if verdict != "ok":
        raise BackupError(f"{what}: {path} is damaged: {verdict}")
    keys, revision = (schema.rows(connection, query)[0][0] for query in (schema.COUNT_KEYS, schema.NEWEST_REVISION))
    return Facts(keys, revision)


@contextmanager
def _open(path: Path, what: str) -> Iterator[apsw.Connection]:
    if not path.is_file():
        raise BackupError(f"{what}: there is no file {path}")
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.setbusytimeout(5000)
            yield connection
        finally:
            connection.close()
    except (apsw.Error, OSError) as error:
        raise BackupError(f"{what}: {path}: {error}") from error


@contextmanager
def _new_file(target: Path, what: str) -> Iterator[Path]:
    """A file that takes its place when the block ends well, whole and on disk; readable by its owner only, since Secrets are in it."""
    partial = target.with_name(f"{target.name}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        fd = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise BackupError(f"{what}: cannot write {partial}: {error.strerror}") from error
    try:
        yield partial
        os.fsync(fd)
        _set_aside(target)
        partial.replace(target)
        sync_directory(target.parent)
    except OSError as error:
        raise BackupError(f"{what}: cannot write {target}: {error.strerror}") from error
    finally:
        os.close(fd)
        partial.unlink(missing_ok=True)


def _set_aside(store: Path) -> None:
    """Keep a file that is to be replaced under another name, with all that its write-ahead log holds if it can still be read."""
    if not store.exists():
        return
    with suppress(apsw.Error):
        old = apsw.Connection(str(store), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            old.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        finally:
            old.close()
    kept = store.with_name(f"{store.name}.replaced")
    kept.unlink(missing_ok=True)
    os.link(store, kept)
    log = store.with_name(f"{store.name}-wal")
    if log.exists():
        log.replace(kept.with_name(f"{kept.name}-wal"))
    store.with_name(f"{store.name}-shm").unlink(missing_ok=True)
