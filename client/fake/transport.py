"""The fake's door: REST paths in, JSON out, as `client.transport.Transport` wants it."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Callable
from typing import Any, TypeVar

import msgspec

from api import codec, kinds, patch
from api.fields import Type
from api.kinds import Kind
from api.meta_v1 import DeleteOptions
from client import errors
from client.fake import rules
from client.fake.faults import Faults
from client.fake.history import History, Key, Object, Watcher
from client.fake.selection import matcher
from client.transport import JSON, JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH, Listing, Query
from kit.clock import Clock, SystemClock

T = TypeVar("T", bound=Type)

_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_WHOLE = ("status", "ephemeralcontainers", "resize")  # subresources whose bodies are the object itself


class FakeTransport:
    """An API server in memory. `faults` makes trouble; `put`, `remove` and `objects` are for arranging and looking without rules."""

    def __init__(self, clock: Clock | None = None, seed: int = 0) -> None:
        self._clock = clock or SystemClock()
        self._rng = random.Random(seed)
        self._history = History()
        self.faults = Faults(self._history)
        self.answers: dict[
            Kind[Any], Callable[[Object], Object]
        ] = {}  # what is answered to reviews, which nobody keeps

    # Transport

    async def request(self, method: str, path: str, query: Query, body: bytes = b"", content_type: str = JSON) -> bytes:
        """One request."""
        kind, namespace, name, subresource = _route(path)
        verb = _VERBS.get(method, method)
        if verb == "get" and not name:
            verb = "list"
        self.faults.before(verb, kind.plural)
        answer = self._serve(verb, kind, (namespace, name, subresource), query, (body, content_type))
        self.faults.after(verb, kind.plural)
        return answer

    async def list(self, kind: Kind[Any], namespace: str, query: Query) -> Listing:
        """The objects of a kind."""
        self.faults.before("list", kind.plural)
        found = self._history.select(kind.resource, namespace, matcher(kind, query))
        return Listing([msgspec.json.encode(obj) for obj in found], str(self._history.revision))

    async def watch(self, kind: Kind[Any], namespace: str, query: Query) -> AsyncGenerator[tuple[str, bytes], None]:
        """Events until `faults` ends or breaks the watch."""
        self.faults.before("watch", kind.plural)
        bookmarks = query.get("allowWatchBookmarks") == "true"
        watcher = Watcher(kind.resource, namespace, matcher(kind, query), bookmarks)
        self._history.watch(kind, watcher, query.get("resourceVersion", ""))
        try:
            async for event in watcher.events():
                yield event
        finally:
            if watcher in self._history.watchers:
                self._history.watchers.remove(watcher)

    async def close(self) -> None:
        """End all watches."""
        self.faults.end_watches()

    # arranging and looking

    @property
    def revision(self) -> int:
        """The revision of the last write."""
        return self._history.revision

    @property
    def watching(self) -> int:
        """How many watches are open."""
        return len(self._history.watchers)

    def put(self, kind: Kind[T], obj: T) -> T:
        """Store an object as it is, status and all, without rules; name, uid and creation time are given if missing."""
        data = codec.to_dict(obj)
        meta = data["metadata"]
        old = self._history.get(_key(kind, meta.get("namespace", ""), meta["name"]))
        fresh = rules.for_create(
            kind,
            {"metadata": {"name": meta["name"]}, "status": {}},
            meta.get("namespace", ""),
            self._clock.now(),
            self._rng,
        )
        given = old["metadata"] if old else fresh["metadata"]
        for field in ("uid", "creationTimestamp", "generation"):
            if field in given:
                meta.setdefault(field, given[field])
        stored = self._history.write(_key(kind, meta.get("namespace", ""), meta["name"]), data)
        return codec.from_dict(kind, stored)

    def remove(self, kind: Kind[Any], name: str, namespace: str = "") -> None:
        """Have an object gone, whatever its grace and finalizers."""
        self._history.write(_key(kind, namespace, name), None)

    def objects(self, kind: Kind[T], namespace: str = "") -> list[T]:  # type: ignore[valid-type]
        """What is stored now."""
        return [codec.from_dict(kind, obj) for obj in self._history.select(kind.resource, namespace, lambda _: True)]

    def compact(self, revision: int = 0) -> None:
        """Forget history: who wants to go on from before gets Expired."""
        self._history.compact(revision)

    def bookmark(self) -> None:
        """Tell those who asked for bookmarks the present revision."""
        for watcher in self._history.watchers:
            if watcher.bookmarks:
                watcher.push("BOOKMARK", b'{"metadata":{"resourceVersion":"%d"}}' % self._history.revision)

    # verbs

    def _serve(
        self, verb: str, kind: Kind[Any], where: tuple[str, str, str], query: Query, content: tuple[bytes, str]
    ) -> bytes:
        namespace, name, subresource = where
        body, content_type = content
        if verb == "create" and kind in self.answers:
            return msgspec.json.encode(self.answers[kind](msgspec.json.decode(body)))
        match verb:
            case "list":
                return self._list(kind, namespace, query)
            case "create" if not name:
                return self._create(kind, namespace, body)
            case "create" if kind is kinds.POD and subresource == "binding":
                return self._bind(kind, namespace, name, body)
            case "delete" if not name:
                return self._delete_collection(kind, namespace, query, body)
        key = _key(kind, namespace, name)
        old = self._history.get(key)
        if old is None:
            raise rules.not_found(kind, name)
        if verb == "create" and kind is kinds.SERVICE_ACCOUNT and subresource == "token":
            return rules.token(old, body, self._clock.now(), self._rng)
        if subresource and (subresource not in _WHOLE or subresource not in kind.subresources):
            raise errors.make(404, "the server could not find the requested resource")
        match verb:
            case "get":
                return msgspec.json.encode(old)
            case "update":
                return self._update(kind, key, rules.read(kind, body), subresource)
            case "patch":
                patched = _patched(kind, old, body, content_type)
                return self._update(kind, key, rules.read(kind, msgspec.json.encode(patched)), subresource)
            case "delete":
                return self._delete(kind, key, body)
        raise errors.make(405, "the server does not allow this method on the requested resource")

    def _list(self, kind: Kind[Any], namespace: str, query: Query) -> bytes:
        items = self._history.select(kind.resource, namespace, matcher(kind, query))
        return msgspec.json.encode(
            {
                "kind": f"{kind.name}List",
                "apiVersion": kind.api_version,
                "metadata": {"resourceVersion": str(self._history.revision)},
                "items": items,
            }
        )

    def _create(self, kind: Kind[Any], namespace: str, body: bytes) -> bytes:
        obj = rules.for_create(kind, rules.read(kind, body), namespace, self._clock.now(), self._rng)
        key = _key(kind, namespace, obj["metadata"].get("name", ""))
        rules.check(kind, obj)
        if self._history.get(key) is not None:
            raise rules.already_exists(kind, key[2])
        return msgspec.json.encode(self._history.write(key, obj))

    def _update(self, kind: Kind[Any], key: Key, new: Object, subresource: str) -> bytes:
        old = self._history.get(key) or {}
        result = rules.for_update(kind, old, new, subresource)
        if result == old:
            return msgspec.json.encode(old)  # nothing changed, so nothing is written and nobody is told
        rules.check(kind, result, old, subresource)
        if rules.finished(result):
            return msgspec.json.encode(self._history.write(key, None))
        return msgspec.json.encode(self._history.write(key, result))

    def _bind(self, kind: Kind[Any], namespace: str, name: str, body: bytes) -> bytes:
        key = _key(kind, namespace, name)
        pod = self._history.get(key)
        if pod is None:
            raise rules.not_found(kind, name)
        self._history.write(key, rules.bind(pod, msgspec.json.decode(body)))
        return _success()

    def _delete(self, kind: Kind[Any], key: Key, body: bytes) -> bytes:
        old = self._history.get(key) or {}
        meta = old["metadata"]
        options = _options(body)
        wanted = options.preconditions
        if wanted and wanted.uid and wanted.uid != meta["uid"]:
            raise rules.conflict(kind, key[2], rules.precondition("UID", wanted.uid, meta["uid"]))
        if wanted and wanted.resource_version and wanted.resource_version != meta["resourceVersion"]:
            text = rules.precondition("ResourceVersion", wanted.resource_version, meta["resourceVersion"])
            raise rules.conflict(kind, key[2], text)
        left = rules.for_delete(kind, old, options.grace_period_seconds, self._clock.now())
        if left is None:
            self._history.write(key, None)
            return msgspec.json.encode(old) if kind is kinds.POD else _success()
        return msgspec.json.encode(self._history.write(key, left) if left is not old else old)

    def _delete_collection(self, kind: Kind[Any], namespace: str, query: Query, body: bytes) -> bytes:
        found = self._history.select(kind.resource, namespace, matcher(kind, query))
        for obj in found:
            self._delete(kind, _key(kind, obj["metadata"].get("namespace", ""), obj["metadata"]["name"]), body)
        return msgspec.json.encode({"kind": f"{kind.name}List", "apiVersion": kind.api_version, "items": found})


def _route(path: str) -> tuple[Kind[Any], str, str, str]:
    """Kind, namespace, name and subresource of a REST path."""
    parts = path.strip("/").split("/")
    group, version, rest = ("", parts[1:2], parts[2:]) if parts[0] == "api" else (parts[1], parts[2:3], parts[3:])
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces" and kinds.by_plural(group, version[0], rest[2]) is not None:
        namespace, rest = rest[1], rest[2:]
    kind = kinds.by_plural(group, version[0], rest[0]) if version and rest else None
    if kind is None:
        raise errors.make(404, "the server could not find the requested resource")
    name, subresource = (*rest[1:3], "", "")[:2]
    return kind, namespace, name, subresource


def _key(kind: Kind[Any], namespace: str, name: str) -> Key:
    return kind.resource, namespace if kind.namespaced else "", name


def _patched(kind: Kind[Any], old: Object, body: bytes, content_type: str) -> Object:
    try:
        change = msgspec.json.decode(body)
        if content_type == JSON_PATCH:
            return patch.json_patch(old, change)
        if content_type == MERGE_PATCH:
            return patch.merge_patch(old, change)
        if content_type == STRATEGIC_MERGE_PATCH:
            return patch.strategic_merge(kind, old, change)
    except (patch.PatchMalformed, msgspec.DecodeError) as error:
        raise errors.make(400, str(error)) from error
    except patch.PatchInapplicable as error:
        raise errors.make(422, str(error)) from error
    raise errors.make(415, f"the body of the request was in an unknown format: {content_type}")


def _options(body: bytes) -> DeleteOptions:
    try:
        return codec.decode(DeleteOptions, body or b"{}")
    except codec.DecodeError as error:
        raise errors.make(400, str(error)) from error


def _success() -> bytes:
    return b'{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Success"}'
