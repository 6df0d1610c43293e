"""Objects by key, with a revision for each write, the changes since the last compaction, and watchers."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from api.kinds import Kind
from api.meta_v1 import StatusCause, StatusDetails
from client import errors

Key = tuple[str, str, str]  # resource, namespace, name
Object = dict[str, Any]
Matches = Callable[[Object], bool]
FIRST_REVISION = 1


@dataclass(frozen=True, slots=True)
class Change:
    """One write: what is there now (None: deleted) and what was there before. A deletion leaves its last state in `last`."""

    revision: int
    key: Key
    now: Object | None
    before: Object | None
    last: bytes


class Watcher:
    """One open watch: a queue of events, or what ends it."""

    def __init__(self, resource: str, namespace: str, matches: Matches, bookmarks: bool) -> None:
        self.resource, self.namespace, self.matches, self.bookmarks = resource, namespace, matches, bookmarks
        self._events: deque[tuple[str, bytes]] = deque()
        self._ended = False
        self._error: errors.ApiError | None = None
        self._waiter: asyncio.Future[None] | None = None

    def concerns(self, key: Key) -> bool:
        """Whether a change of that key may be of interest."""
        return key[0] == self.resource and self.namespace in ("", key[1])

    def tell(self, change: Change) -> None:
        """Queue the event that a change is to this watcher: entering and leaving a selection look like adding and deleting."""
        is_in = change.now is not None and self.matches(change.now)
        was_in = change.before is not None and self.matches(change.before)
        if is_in:
            self.push("MODIFIED" if was_in else "ADDED", change.last)
        elif was_in:
            left = change.before or {}
            gone = {**left, "metadata": {**left["metadata"], "resourceVersion": str(change.revision)}}
            self.push("DELETED", msgspec.json.encode(gone))

    def push(self, event: str, data: bytes) -> None:
        """Queue one event."""
        self._events.append((event, data))
        self._wake()

    def end(self, error: errors.ApiError | None = None) -> None:
        """End the watch properly, or break it; what is queued is lost when it breaks."""
        self._ended, self._error = True, error
        if error is not None:
            self._events.clear()
        self._wake()

    async def events(self) -> AsyncGenerator[tuple[str, bytes], None]:
        """The events as they come."""
        while True:
            while self._events:
                yield self._events.popleft()
            if self._error is not None:
                raise self._error
            if self._ended:
                return
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class History:
    """All objects and what happened to them."""

    def __init__(self) -> None:
        self.revision = FIRST_REVISION
        self.compacted = 0
        self.watchers: list[Watcher] = []
        self._objects: dict[Key, Object] = {}
        self._changes: list[Change] = []

    def get(self, key: Key) -> Object | None:
        """What is there; not to be changed by the caller."""
        return self._objects.get(key)

    def select(self, resource: str, namespace: str, matches: Matches) -> list[Object]:
        """The objects of a resource, sorted by namespace and name."""
        keys = sorted(key for key in self._objects if key[0] == resource and namespace in ("", key[1]))
        return [obj for key in keys if matches(obj := self._objects[key])]

    def write(self, key: Key, obj: Object | None) -> Object:
        """Store (None: delete) and tell the watchers; answers the object with its revision."""
        self.revision += 1
        before = self._objects.get(key)
        last = dict(obj if obj is not None else before or {})
        last["metadata"] = {**last["metadata"], "resourceVersion": str(self.revision)}
        if obj is None:
            del self._objects[key]
        else:
            self._objects[key] = last
        change = Change(self.revision, key, None if obj is None else last, before, msgspec.json.encode(last))
        self._changes.append(change)
        for watcher in self.watchers:
            if watcher.concerns(key):
                watcher.tell(change)
        return last

    def compact(self, revision: int = 0) -> None:
        """Forget the changes up to `revision` (0: all there are)."""
        self.compacted = max(self.compacted, revision or self.revision)
        self._changes = [change for change in self._changes if change.revision > self.compacted]

    def watch(self, kind: Kind[Any], watcher: Watcher, revision: str) -> None:
        """Begin to tell a watcher what happened after `revision`; without one, first what is there. Raises Expired."""
        if revision in ("", "0"):
            for obj in self.select(kind.resource, watcher.namespace, watcher.matches):
                watcher.push("ADDED", msgspec.json.encode(obj))
        else:
            self.check(revision)
            for change in self._changes:
                if change.revision > int(revision) and watcher.concerns(change.key):
                    watcher.tell(change)
        self.watchers.append(watcher)

    def check(self, revision: str) -> None:
        """Refuse a revision that cannot be continued from."""
        if not revision.isdecimal():
            raise errors.make(400, f'Invalid value: "{revision}": resourceVersion must be a number')
        asked = int(revision)
        if asked < self.compacted:
            raise errors.make(410, f"too old resource version: {asked} ({self.compacted})")
        if asked > self.revision:
            cause = StatusCause(reason="ResourceVersionTooLarge", message="Too large resource version")
            message = f"Timeout: Too large resource version: {asked}, current: {self.revision}"
            raise errors.make(504, message, "Timeout", StatusDetails(causes=[cause], retry_after_seconds=1))
