"""A local copy of what the API server holds of one kind, reduced to what a component needs.

Theory: one list gives the state as of a revision; a watch from that revision gives every change after it. The copy is therefore exact up to
`revision`, and a broken watch is taken up again from there, without a list. Only when the server has forgotten that revision (Expired), or
the watch told something impossible, is everything listed again; what is missing then is delivered as deleted. Bookmarks move `revision` on
while nothing relevant happens, so that it does not get forgotten. While the server is away, attempts follow an exponential back-off.
Revisions are compared: an older state never replaces a newer one. An object deleted and made again under its name is told as both.

The copy holds `extract(bytes)`, not objects. An extract that fails is logged with the object's name; the last good one stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, Generic, TypeVar, cast

import msgspec

from api.kinds import Kind
from client.client import Client
from client.errors import ApiError, Expired, Retryable
from kit import log
from kit.backoff import Backoff
from kit.clock import Clock, SystemClock

X = TypeVar("X")

LIST_SLICE = 200  # objects of a list applied before others may run
SHORT_WATCH = 1.0  # seconds; a watch that ends sooner and told nothing is a failure

Subscriber = Callable[[str, X | None, X | None], object]


class _Meta(msgspec.Struct):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = msgspec.field(name="resourceVersion", default="")


class _Head(msgspec.Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)


_head = msgspec.json.Decoder(_Head)


class _Gap(Exception):
    """The watch does not continue where it should."""


class _Entry:
    __slots__ = ("revision", "uid")

    def __init__(self, revision: int, uid: str) -> None:
        self.revision = revision
        self.uid = uid


class Informer(Generic[X]):
    """Keeps `store` up to date while `run` runs. Keys are "namespace/name", or "name" for kinds without namespaces."""

    def __init__(
        self,
        client: Client,
        kind: Kind[Any],
        extract: Callable[[bytes], X],
        namespace: str = "",
        labels: str = "",
        fields: str = "",
        *,
        clock: Clock | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self.kind = kind
        self.store: dict[str, X] = {}
        self.synced = asyncio.Event()
        self.revision = ""
        self._client = client
        self._extract = extract
        self._namespace, self._labels, self._fields = namespace, labels, fields
        self._clock = clock or SystemClock()
        self._backoff = backoff or Backoff(base=0.1, cap=10.0, jitter=0.3)
        self._subscribers: list[Subscriber[X]] = []
        self._entries: dict[str, _Entry] = {}
        self._log = log.get("informer", kind=kind.plural)

    def subscribe(self, callback: Subscriber[X]) -> None:
        """Call `callback(key, old, new)` after each change of the store; None for what was or is not there.

        What is in the store already is told at once.
        """
        self._subscribers.append(callback)
        for key, value in list(self.store.items()):
            self._tell(callback, key, None, value)

    async def run(self) -> None:
        """Follow the server until cancelled."""
        retries = self._backoff.retries()
        while True:
            try:
                if not self.revision:
                    await self._list()
                    retries.reset()
                if await self._watch():
                    retries.reset()
                    continue  # the server ended the watch, as it does every few minutes
                wait = retries.next()  # it ended at once: not again without a pause
            except (Expired, _Gap) as error:
                self._log.info("must list again", reason=str(error))
                self.revision = ""
                wait = retries.next()
            except ApiError as error:
                if _from_the_future(error):
                    self.revision = ""
                wait = max(retries.next(), error.retry_after)
                say = self._log.info if isinstance(error, Retryable) else self._log.warning
                say("cannot follow the API server", error=error, failures=retries.failures, after=wait)
            await self._clock.sleep(wait)

    async def _list(self) -> None:
        listing = await self._client.list_raw(self.kind, self._namespace, labels=self._labels, fields=self._fields)
        newest = max((entry.revision for entry in self._entries.values()), default=0)
        if _number(listing.revision) < newest:
            # A list is a consistent read: what we knew beyond it never happened (a store restored from a backup).
            self._log.warning("the history of the API server went back", revision=listing.revision, known=newest)
            for entry in self._entries.values():
                entry.revision = 0
        listed = set()
        for count, data in enumerate(listing.items, 1):
            meta = _meta(data)
            key = _key(meta)
            listed.add(key)
            self._apply(key, meta, data)
            if count % LIST_SLICE == 0:
                await self._clock.sleep(0)
        for key in [key for key in self._entries if key not in listed]:
            self._remove(key)
        self.revision = listing.revision
        self.synced.set()

    async def _watch(self) -> bool:
        """Follow changes until the server ends the watch; answers whether that watch was of use."""
        opened = self._clock.monotonic()
        useful = False
        events = self._client.watch_raw(
            self.kind,
            self._namespace,
            labels=self._labels,
            fields=self._fields,
            revision=self.revision,
            bookmarks=True,
        )
        async with aclosing(cast(AsyncGenerator[tuple[str, bytes], None], events)) as stream:
            async for event, data in stream:
                self._event(event, data)
                useful = True
        return useful or self._clock.monotonic() - opened >= SHORT_WATCH

    def _event(self, event: str, data: bytes) -> None:
        meta = _meta(data)
        if _number(meta.resource_version) < _number(self.revision):
            if event == "BOOKMARK":
                return
            raise _Gap(f"the watch told revision {meta.resource_version} after {self.revision}")
        if event in ("ADDED", "MODIFIED"):
            self._apply(_key(meta), meta, data)
        elif event == "DELETED":
            self._remove(_key(meta))
        self.revision = meta.resource_version or self.revision

    def _apply(self, key: str, meta: _Meta, data: bytes) -> None:
        """Take over one object's state unless ours is as new."""
        entry = self._entries.get(key)
        revision = _number(meta.resource_version)
        if entry is None:
            self._entries[key] = entry = _Entry(revision, meta.uid)
        elif entry.uid != meta.uid:
            self._remove(key)  # deleted and made again while we did not look
            self._entries[key] = entry = _Entry(revision, meta.uid)
        elif entry.revision >= revision > 0:
            return
        entry.revision = revision
        try:
            new = self._extract(data)
        except Exception as error:  # one odd object must not stop the others; its last good state stays
            self._log.exception("cannot read object", object=key, revision=meta.resource_version, error=error)
            return
        old = self.store.get(key)
        self.store[key] = new
        for callback in self._subscribers:
            self._tell(callback, key, old, new)

    def _remove(self, key: str) -> None:
        self._entries.pop(key, None)
        if key in self.store:
            old = self.store.pop(key)
            for callback in self._subscribers:
                self._tell(callback, key, old, None)

    def _tell(self, callback: Subscriber[X], key: str, old: X | None, new: X | None) -> None:
        try:
            callback(key, old, new)
        except Exception as error:  # one subscriber must not stop the others
            self._log.exception("subscriber failed", key=key, error=error)


def _key(meta: _Meta) -> str:
    return f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name


def _meta(data: bytes) -> _Meta:
    try:
        return _head.decode(data).metadata
    except msgspec.DecodeError as error:
        raise _Gap(f"the server sent no object: {error}") from error


def _number(revision: str) -> int:
    """Revisions are numbers in every server there is; one that is not cannot be compared."""
    return int(revision) if revision.isdecimal() else 0


def _from_the_future(error: ApiError) -> bool:
    """The server does not know our revision yet: its history went back."""
    details = error.status.details
    return details is not None and any(cause.reason == "ResourceVersionTooLarge" for cause in details.causes)
