"""The verbs, typed, over a transport of bytes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import msgspec

from api import codec
from api.fields import Type
from api.kinds import Kind
from api.meta_v1 import DeleteOptions, Preconditions
from client.transport import (
    APPLY_PATCH,
    JSON,
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_MERGE_PATCH,
    Listing,
    Query,
    Transport,
)

T = TypeVar("T", bound=Type)

PatchType = Literal["strategic", "merge", "json"]
_PATCH_TYPES = {"strategic": STRATEGIC_MERGE_PATCH, "merge": MERGE_PATCH, "json": JSON_PATCH}
PropagationPolicy = Literal["", "Foreground", "Background", "Orphan"]


@dataclass(frozen=True, slots=True)
class WatchEvent(Generic[T]):
    """One change: ADDED, MODIFIED or DELETED (with the last state), or BOOKMARK (only the revision counts)."""

    type: str
    object: T


class Client:
    """Typed verbs. Those that end in `_raw` take and give the JSON of objects. All raise `client.errors.ApiError`."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    async def get(self, kind: Kind[T], name: str, namespace: str = "", *, subresource: str = "") -> T:
        """One object."""
        return codec.decode(kind, await self.get_raw(kind, name, namespace, subresource=subresource))

    async def get_raw(self, kind: Kind[Any], name: str, namespace: str = "", *, subresource: str = "") -> bytes:
        """One object."""
        return await self.transport.request("GET", kind.path(namespace, name, subresource), {})

    async def list(self, kind: Kind[T], namespace: str = "", *, labels: str = "", fields: str = "") -> list[T]:
        """All objects of a kind, in a namespace or in all; `labels` and `fields` are selectors."""
        listing = await self.list_raw(kind, namespace, labels=labels, fields=fields)
        return [codec.decode(kind, item) for item in listing.items]

    async def list_raw(
        self, kind: Kind[Any], namespace: str = "", *, labels: str = "", fields: str = "", revision: str = ""
    ) -> Listing:
        """All objects of a kind and the revision they are of; `revision` "0" accepts a cached answer."""
        query = selection(labels, fields)
        if revision:
            query["resourceVersion"] = revision
        return await self.transport.list(kind, namespace, query)

    async def watch(
        self, kind: Kind[T], namespace: str = "", *, labels: str = "", fields: str = "", revision: str = ""
    ) -> AsyncGenerator[WatchEvent[T], None]:
        """Changes after `revision` (without one: what is there as ADDED, then changes), until the server ends the watch."""
        async for event, data in self.watch_raw(kind, namespace, labels=labels, fields=fields, revision=revision):
            yield WatchEvent(event, codec.decode(kind, data))

    def watch_raw(
        self,
        kind: Kind[Any],
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        revision: str = "",
        bookmarks: bool = False,
    ) -> AsyncIterator[tuple[str, bytes]]:
        """As `watch`; `bookmarks` asks the server to say now and then up to which revision all is told."""
        query = selection(labels, fields)
        if revision:
            query["resourceVersion"] = revision
        if bookmarks:
            query["allowWatchBookmarks"] = "true"
        return self.transport.watch(kind, namespace, query)

    async def create(self, kind: Kind[T], obj: T) -> T:
        """Create an object where its metadata says."""
        return codec.decode(kind, await self.create_raw(kind, codec.encode(obj), _namespace(obj)))

    async def create_raw(
        self, kind: Kind[Any], data: bytes, namespace: str = "", *, name: str = "", subresource: str = ""
    ) -> bytes:
        """Create an object, or with `name` and `subresource` (binding, eviction, token) something on one."""
        return await self.transport.request("POST", kind.path(namespace, name, subresource), {}, data, JSON)

    async def update(self, kind: Kind[T], obj: T, *, subresource: str = "") -> T:
        """Replace an object; if it carries a resourceVersion, only if it still has that one (else Conflict)."""
        name = obj.metadata.name  # type: ignore[attr-defined]
        data = await self.update_raw(kind, name, codec.encode(obj), _namespace(obj), subresource=subresource)
        return codec.decode(kind, data)

    async def update_raw(
        self, kind: Kind[Any], name: str, data: bytes, namespace: str = "", *, subresource: str = ""
    ) -> bytes:
        """Replace an object."""
        return await self.transport.request("PUT", kind.path(namespace, name, subresource), {}, data, JSON)

    async def patch(
        self,
        kind: Kind[T],
        name: str,
        patch: object,
        namespace: str = "",
        *,
        type: PatchType = "strategic",  # noqa: A002 - as kubectl calls it
        subresource: str = "",
    ) -> T:
        """Change a part of an object; `patch` is JSON-able."""
        body = msgspec.json.encode(patch)
        return codec.decode(kind, await self.patch_raw(kind, name, body, namespace, type=type, subresource=subresource))

    async def patch_raw(
        self,
        kind: Kind[Any],
        name: str,
        patch: bytes,
        namespace: str = "",
        *,
        type: PatchType = "strategic",  # noqa: A002 - as kubectl calls it
        subresource: str = "",
    ) -> bytes:
        """Change a part of an object."""
        path = kind.path(namespace, name, subresource)
        return await self.transport.request("PATCH", path, {}, patch, _PATCH_TYPES[type])

    async def apply(
        self, kind: Kind[T], config: Mapping[str, Any], *, manager: str, force: bool = False, subresource: str = ""
    ) -> T:
        """Have the object be as `config` says, and nothing that `manager` applied before and `config` names no more.

        `config` is JSON-able and names no more than is wanted: a typed object would name its empty fields too. Raises Conflict if it
        changes what another manager owns, unless `force`.
        """
        meta = config["metadata"]
        path = kind.path(meta.get("namespace", ""), meta["name"], subresource)
        body = msgspec.json.encode({"apiVersion": kind.api_version, "kind": kind.name, **config})
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        return codec.decode(kind, await self.transport.request("PATCH", path, query, body, APPLY_PATCH))

    async def delete(
        self,
        kind: Kind[Any],
        name: str,
        namespace: str = "",
        *,
        grace: int | None = None,
        uid: str = "",
        propagation: PropagationPolicy = "",
    ) -> None:
        """Delete an object, or begin to; with `uid` only if it is still that one (else Conflict)."""
        options = DeleteOptions(
            grace_period_seconds=grace,
            preconditions=Preconditions(uid=uid) if uid else None,
            propagation_policy=propagation or None,
        )
        await self.transport.request("DELETE", kind.path(namespace, name), {}, codec.encode(options), JSON)

    async def close(self) -> None:
        """End all connections."""
        await self.transport.close()


def selection(labels: str, fields: str) -> dict[str, str]:
    """The query parameters of selectors."""
    query = {}
    if labels:
        query["labelSelector"] = labels
    if fields:
        query["fieldSelector"] = fields
    return query


def _namespace(obj: Any) -> str:
    return obj.metadata.namespace or ""


__all__ = ["Client", "Query", "WatchEvent", "selection"]
