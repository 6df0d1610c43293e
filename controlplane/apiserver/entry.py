"""One object in the cache: its bytes as clients get them, and the little that selectors need.

The store keeps an object without its resourceVersion, which is only known once it is written. `Splicer` puts it in: every object is
encoded with `kind`, `apiVersion`, `metadata` first, so the place is the same for all objects of a kind.
"""

from __future__ import annotations

from typing import Any

from api.kinds import Kind
from controlplane.apiserver.selectable import Selectable, selectable

_NO_LABELS: dict[str, str] = {}


class Entry:
    """An object as of `revision`; never changed once made."""

    __slots__ = ("data", "fields", "key", "labels", "revision")

    def __init__(self, key: str, data: bytes, revision: int, labels: dict[str, str], fields: tuple[str, ...]) -> None:
        self.key = key
        self.data = data
        self.revision = revision
        self.labels = labels
        self.fields = fields

    @property
    def name(self) -> str:
        """metadata.name."""
        return self.key.rpartition("/")[2]

    @property
    def namespace(self) -> str:
        """metadata.namespace, "" for what has none."""
        return self.key.rpartition("/")[0]

    def outline(self) -> Entry:
        """The entry without its bytes."""
        return Entry(self.key, b"", self.revision, self.labels, self.fields)


def object_key(namespace: str, name: str) -> str:
    """The key of an object within its resource; `namespace` is "" for what has none."""
    return f"{namespace}/{name}" if namespace else name


class Splicer:
    """Makes entries of one kind from what the store holds."""

    __slots__ = ("_at", "_head", "_labels", "_selectable")

    def __init__(self, kind: Kind[Any]) -> None:
        self._head = f'{{"kind":"{kind.name}","apiVersion":"{kind.api_version}","metadata":{{'.encode()
        self._at = len(self._head)
        self._selectable: Selectable = selectable(kind)
        self._labels: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}

    def splice(self, value: bytes, revision: int) -> bytes:
        """The bytes that clients get."""
        at = self._at
        if not value.startswith(self._head):
            raise ValueError(f"cannot read a stored object: it begins with {value[:at]!r}, expected {self._head!r}")
        return b'%b"resourceVersion":"%d",%b' % (self._head, revision, value[at:])

    def entry(self, key: str, value: bytes, revision: int) -> Entry:
        """The entry of a stored object."""
        meta, fields = self._selectable.parts(value)
        return Entry(key, self.splice(value, revision), revision, self._shared(meta.labels), fields)

    def unsplice(self, entry: Entry) -> bytes:
        """What the store holds of an entry."""
        return self._head + entry.data[self._at + len(f'"resourceVersion":"{entry.revision}",') :]

    def moved(self, entry: Entry, value: bytes, revision: int) -> Entry:
        """`entry` as of its deletion at `revision`."""
        return Entry(entry.key, self.splice(value, revision), revision, entry.labels, entry.fields)

    def _shared(self, labels: dict[str, str] | None) -> dict[str, str]:
        """Pods of one ReplicaSet have equal labels: keep one dict for all of them."""
        if not labels:
            return _NO_LABELS
        identity = tuple(labels.items())
        known = self._labels.get(identity)
        if known is None:
            if len(self._labels) > 10_000:
                self._labels.clear()  # objects keep theirs; only new ones share anew
            known = self._labels[identity] = labels
        return known
