"""A second view of one storage, as a form of the first.

The cache keeps the bytes of one kind (core/v1 Events, say) and knows nothing of its other views. A request for such a view is a request
about the kept kind with a form of its own: what is handed out is converted on its way, when somebody asks for it and not before. A watch
event's line is made once per form and shared, as it is for all forms, so it is converted once for all watchers of the view.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec

from api import conversion
from api.kinds import Kind
from controlplane.apiserver.call import Listed
from controlplane.apiserver.representation import ROWS_PIECE, Poured, Representation, slices

BOOKMARK = "BOOKMARK"


class Converted(Representation):
    """Objects as `kind` shows them, in the form `form`; `as_kept` if that form wants the kept objects (tables do)."""

    def __init__(self, form: Representation, kind: Kind[Any], *, as_kept: bool) -> None:
        self._form = form
        self._kind = kind
        self._as_kept = as_kept
        self.content_type = form.content_type
        self.watch_type = form.watch_type
        self.lines = form.lines
        self._later = self if form.later is form else Converted(form.later, kind, as_kept=as_kept)

    @property
    def later(self) -> Representation:
        """What the form's shows, converted."""
        return self._later

    def object(self, kind: Kind[Any], data: bytes) -> bytes:
        """One object, converted."""
        return self._form.object(self._kind, self._show(data))

    def collection(self, listed: Listed) -> bytes:
        """A list, converted."""
        return self._form.collection(self._listed(listed))

    def pieces(self, listed: Listed) -> Poured | None:
        """A list that is too large to be made in one; while it is converted the pieces are empty."""
        if self._as_kept:
            return self._form.pieces(self._listed(listed))
        return None if sum(map(len, listed.items)) <= ROWS_PIECE else Poured(self._converted(listed))

    def _converted(self, listed: Listed) -> Iterator[bytes]:
        items: list[bytes] = []
        for group in slices(listed.items, ROWS_PIECE):
            items += map(self._show, group)
            yield b""
        done = replace(listed, kind=self._kind, items=items)
        poured = self._form.pieces(done)
        yield from (self._form.collection(done),) if poured is None else poured.pieces

    def event(self, type_: str, kind: Kind[Any], data: bytes) -> bytes:
        """One line of a watch."""
        return self._form.event(type_, self._kind, self._show(data))

    def bookmark(self, kind: Kind[Any], data: bytes) -> bytes:
        """The line of a bookmark."""
        return self._form.bookmark(self._kind, renamed(self._kind, data))

    def error(self, status: bytes) -> bytes:
        """The line that says why a watch ends."""
        return self._form.error(status)

    def answer(self, data: bytes) -> bytes:
        """An answer that is no stored object."""
        return self._form.answer(data)

    def _listed(self, listed: Listed) -> Listed:
        return replace(listed, kind=self._kind, items=[self._show(item) for item in listed.items])

    def _show(self, data: bytes) -> bytes:
        return data if self._as_kept else conversion.show(self._kind, data)


def converted(kind: Kind[Any], type_: str, data: bytes) -> bytes:
    """The object of a watch event; that of a bookmark has metadata only."""
    return renamed(kind, data) if type_ == BOOKMARK else conversion.show(kind, data)


def renamed(kind: Kind[Any], data: bytes) -> bytes:
    """An object of metadata alone, by the view's name."""
    document = msgspec.json.decode(data)
    return msgspec.json.encode({**document, "kind": kind.name, "apiVersion": kind.api_version})
