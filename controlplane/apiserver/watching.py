"""WATCH: who listens to a resource's events, and in what form they get them.

A watcher is told of every event of its resource and decides with its selection what that event means to it: an object that begins to match
is ADDED, one that stops matching is DELETED, as its last matching state. Watchers of the network share the encoded line of an event per
representation; watchers in this process get the cache's bytes as they are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import msgspec

from controlplane.apiserver.cache import Event, Kept, TooOld
from controlplane.apiserver.call import Watching
from controlplane.apiserver.entry import Entry
from controlplane.apiserver.representation import Representation
from kit.http.model import Stream, StreamClosed

ADDED, MODIFIED, DELETED, BOOKMARK, ERROR = "ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"
END_OF_INITIAL = "k8s.io/initial-events-end"
QUEUE_LIMIT = 20_000
PIECE = 1024 * 1024


class Watcher(ABC):
    """Listens to one resource from `begin` to `end`."""

    __slots__ = ("_kept", "_watching")

    def __init__(self, watching: Watching) -> None:
        self._watching = watching
        self._kept = watching.kept

    @property
    def bookmarks(self) -> bool:
        """Whether this watcher wants to hear how far the revision has come."""
        return self._watching.bookmarks

    def _past(self, revision: int) -> Iterator[tuple[str, Event | Entry | bytes]]:
        """What comes before the events to come: taken now, handed out as it is asked for. Raises TooOld."""
        watching = self._watching
        if watching.initial:
            entries = watching.selection.of(self._kept)
            end = [(BOOKMARK, bookmark_object(self._kept, revision, True))] if watching.end_of_initial else []
            return chain(((ADDED, entry) for entry in entries), end)
        meant = ((self._meaning(event), event) for event in self._kept.since(watching.after))
        return iter([(type_, self._kept_whole(type_, event)) for type_, event in meant if type_])

    def _listen(self) -> None:
        self._kept.listeners[self] = None

    def end(self) -> None:
        """Stop listening."""
        self._kept.listeners.pop(self, None)

    def offer(self, event: Event) -> None:
        """Take the event if it concerns the selection."""
        type_ = self._meaning(event)
        if type_:
            self._give(type_, event)

    def bookmark(self, revision: int) -> None:
        """Tell that everything up to `revision` has been seen."""
        self._give(BOOKMARK, bookmark_object(self._kept, revision, False))
        self.flush()

    def _meaning(self, event: Event) -> str:
        """What the event is to this watcher; "" for nothing."""
        selection = self._watching.selection
        if selection.everything:
            return DELETED if event.gone else MODIFIED if event.previous is not None else ADDED
        now = not event.gone and selection.matches(event.entry)
        before = event.previous is not None and selection.matches(event.previous)
        if now:
            return MODIFIED if before else ADDED
        return DELETED if before else ""

    def _object(self, type_: str, event: Event) -> bytes:
        """The object that goes with `type_`: for one that stops to match, its last state at the event's revision."""
        if type_ != DELETED or event.gone or event.previous is None:
            return event.entry.data
        known = event.encoded.get(DELETED)
        if known is None:
            known = event.encoded[DELETED] = self._kept.moved(event.previous, event.revision)
        return known

    def _kept_whole(self, type_: str, event: Event) -> Event | Entry:
        """What stays what it is while it waits to be handed out: the event may fade. Raises TooOld if it has faded already."""
        before = event.previous
        if type_ != DELETED or event.gone or before is None:
            return event
        if not before.data:
            raise TooOld(self._watching.after, event.revision)
        return Entry(before.key, self._object(type_, event), event.revision, before.labels, before.fields)

    @abstractmethod
    def flush(self) -> None:
        """A batch of events has been offered."""

    @abstractmethod
    def abandon(self) -> None:
        """Break off; the client lists and watches again."""

    @abstractmethod
    def _give(self, type_: str, what: Event | Entry | bytes) -> None: ...


class StreamWatcher(Watcher):
    """Writes encoded lines to a connection; events of one batch in one write.

    The past is written first, with waits for the reader if it is long; what happens meanwhile is held back until then.
    """

    __slots__ = ("_form", "_held", "_pending", "_stream")

    def __init__(self, watching: Watching, form: Representation, stream: Stream) -> None:
        super().__init__(watching)
        self._form = form
        self._stream = stream
        self._pending: list[bytes] = []
        self._held = True

    def begin(self, revision: int) -> Awaitable[None] | None:
        """Write the past and listen; what is returned, if anything, must be awaited. Raises TooOld."""
        past = self._past(revision)
        self._listen()
        if self._write_some(past):
            return self._write_rest(past)
        self._release()
        return None

    def flush(self) -> None:
        """Send what the batch brought."""
        pending = self._pending
        if not pending:
            return
        if self._held:
            if len(pending) > QUEUE_LIMIT:
                self._stream.abort()  # a reader this slow lists again
            return
        self._stream.write(pending[0] if len(pending) == 1 else b"".join(pending))
        self._pending = []

    def abandon(self) -> None:
        """Break off; the client watches again."""
        self.end()
        self._stream.abort()

    def fail(self, status: bytes) -> None:
        """Say why the watch ends, and end it."""
        self._stream.write(self._form.error(status))
        self._stream.close()

    def _give(self, type_: str, what: Event | Entry | bytes) -> None:
        self._pending.append(self._line(type_, what))

    def _line(self, type_: str, what: Event | Entry | bytes) -> bytes:
        kind, form = self._kept.kind, self._form
        self._form = form.later
        if isinstance(what, bytes):
            return form.bookmark(kind, what)
        if isinstance(what, Entry):
            return form.event(type_, kind, what.data)
        shared = (form, type_)
        line = what.encoded.get(shared)
        if line is None:
            line = what.encoded[shared] = form.event(type_, kind, self._object(type_, what))
        return line

    def _write_some(self, past: Iterator[tuple[str, Event | Entry | bytes]]) -> bool:
        """Write about a megabyte; whether there is more."""
        lines, size = [], 0
        for type_, what in past:
            line = self._line(type_, what)
            lines.append(line)
            size += len(line)
            if size > PIECE:
                break
        self._stream.write(b"".join(lines))
        return size > PIECE

    async def _write_rest(self, past: Iterator[tuple[str, Event | Entry | bytes]]) -> None:
        try:
            await self._stream.drain()
            while self._write_some(past):
                await self._stream.drain()
        except StreamClosed:
            return
        self._release()

    def _release(self) -> None:
        self._held = False
        self.flush()


class QueueWatcher(Watcher):
    """Keeps events for a reader in this process; a reader that lags too far loses the watch and lists again."""

    __slots__ = ("_limit", "_wake", "overrun", "queue")

    def __init__(self, watching: Watching, wake: Callable[[], object]) -> None:
        super().__init__(watching)
        self.queue: deque[tuple[str, bytes]] = deque()
        self.overrun = False
        self._limit = QUEUE_LIMIT
        self._wake = wake

    def begin(self, revision: int) -> None:
        """Queue the past and listen; only what follows counts against the limit. Raises TooOld."""
        for type_, what in self._past(revision):
            self._give(type_, what)
        self._limit += len(self.queue)
        self._listen()
        self.flush()

    def flush(self) -> None:
        """Wake the reader."""
        if len(self.queue) > self._limit:
            self.abandon()
        elif self.queue:
            self._wake()

    def abandon(self) -> None:
        """Break off; the reader lists again."""
        self.overrun = True
        self.queue.clear()
        self.end()
        self._wake()

    def _give(self, type_: str, what: Event | Entry | bytes) -> None:
        if isinstance(what, Event):
            data = self._object(type_, what)
        else:
            data = what if isinstance(what, bytes) else what.data
        self.queue.append((type_, data))


def bookmark_object(kept: Kept, revision: int, end_of_initial: bool) -> bytes:
    """The object of a BOOKMARK: kind and metadata only."""
    metadata: dict[str, Any] = {"resourceVersion": str(revision), "creationTimestamp": None}
    if end_of_initial:
        metadata["annotations"] = {END_OF_INITIAL: "true"}
    head = {"kind": kept.kind.name, "apiVersion": kept.kind.api_version, "metadata": metadata}
    return msgspec.json.encode(head)


def tell_bookmarks(kept: Iterable[Kept], revision: int) -> None:
    """Bookmark every watcher that asked for it."""
    for one in kept:
        for listener in list(one.listeners):
            if isinstance(listener, Watcher) and listener.bookmarks:
                listener.bookmark(revision)
