"""The embedded engine: one SQLite file, one writer thread. Must not know Kubernetes."""

from controlplane.store.sqlite.engine import SqliteStore

__all__ = ["SqliteStore"]
