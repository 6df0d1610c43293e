"""Which objects of a resource a LIST or WATCH is about: a namespace, labels, fields."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from api import kinds
from api.kinds import Kind
from api.selectors import EVERYTHING, Selector, SelectorError, parse_fields, parse_labels
from controlplane.apiserver import status
from controlplane.apiserver.cache import Kept
from controlplane.apiserver.entry import Entry
from controlplane.apiserver.selectable import selectable

_NAME, _NAMESPACE = -1, -2
_LONGEST_KEPT = 1000  # characters: what is kept of strangers must be small


class Selection:
    """A compiled selection; `matches` is the hot loop of every list and watch."""

    __slots__ = ("_fields", "_labels", "_name", "_prefix", "everything", "namespace", "selective")

    def __init__(
        self, namespace: str = "", labels: Selector = EVERYTHING, fields: tuple[tuple[int, bool, str], ...] = ()
    ) -> None:
        self.namespace = namespace
        self._prefix = f"{namespace}/" if namespace else ""
        self._labels = None if labels.empty else labels
        self._fields = fields
        self._name = next((value for index, negated, value in fields if index == _NAME and not negated), None)
        self.selective = bool(fields) or self._labels is not None
        self.everything = not namespace and not self.selective

    def matches(self, entry: Entry) -> bool:
        """Whether the entry is meant."""
        if self._prefix and not entry.key.startswith(self._prefix):
            return False
        for index, negated, value in self._fields:
            if index >= 0:
                found = entry.fields[index]
            else:
                found = entry.name if index == _NAME else entry.namespace
            if (found == value) is negated:
                return False
        return self._labels is None or self._labels.matches(entry.labels)

    def of(self, kept: Kept) -> list[Entry]:
        """All entries that are meant, in key order."""
        if not self.selective:
            return kept.under(self.namespace)
        if self._name is not None and (self.namespace or not kept.kind.namespaced):
            entry = kept.entries.get(self._prefix + self._name)
            return [entry] if entry is not None and self.matches(entry) else []
        matches = self.matches
        return [entry for entry in kept.under(self.namespace) if matches(entry)]


def select(kind: Kind[Any], namespace: str, labels: str, fields: str) -> Selection:
    """Compile a selection. Raises StatusError for a selector that cannot be read."""
    if len(labels) + len(fields) > _LONGEST_KEPT:
        return _compiled(kind, namespace, labels, fields)
    return _kept(kind, namespace, labels, fields)


def _compiled(kind: Kind[Any], namespace: str, labels: str, fields: str) -> Selection:
    try:
        wanted = parse_labels(labels) if labels else EVERYTHING
        conditions = tuple(
            (_index(kind, item.path), item.negated, item.value)
            for item in (parse_fields(fields).requirements if fields else ())
        )
    except SelectorError as error:
        raise status.bad_request(str(error)) from None
    return Selection(namespace, wanted, conditions)


_kept = lru_cache(maxsize=1024)(_compiled)


def _index(kind: Kind[Any], path: str) -> int:
    if path == "metadata.name":
        return _NAME
    if path == "metadata.namespace":
        return _NAMESPACE
    names = selectable(kind).names
    if path in names:
        return names.index(path)
    if kind is kinds.RESOURCE_SLICE:
        about = f"{kind.api_version}, Kind={kind.name}"
        raise status.bad_request(f"field label not supported for {about}: {path}")
    if names:
        raise status.bad_request(f"field label not supported: {path}")
    raise status.bad_request(f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"')
