"""What every extract holds, whatever its kind: enough for ownership, labels and versions."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import msgspec

from api import times


class Shape(msgspec.Struct, rename="camel", gc=False):
    """The fields that are read of something on the wire; they may be absent or null, all others are skipped."""


class OwnerShape(Shape):
    api_version: str | None = None
    kind: str | None = None
    name: str | None = None
    uid: str | None = None
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class MetaShape(Shape):
    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    generation: int | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[OwnerShape] | None = None
    finalizers: list[str] | None = None


class ObjectShape(Shape):
    metadata: MetaShape = msgspec.field(default_factory=MetaShape)


@dataclass(frozen=True, slots=True)
class Owner:
    """One owner reference."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool = False
    blocks: bool = False
    """The owner, deleted in the foreground, waits for this dependent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One object as a cache last saw it."""

    namespace: str = ""
    name: str
    uid: str = ""
    version: int = 0
    generation: int = 0
    created: float = 0.0
    deleting: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    owners: tuple[Owner, ...] = ()
    finalizers: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    @property
    def controller(self) -> Owner | None:
        """The one owner that manages this object."""
        return next((owner for owner in self.owners if owner.controller), None)


_objects = msgspec.json.Decoder(ObjectShape)


def seen(data: bytes) -> Seen:
    """An object of any kind, by its metadata."""
    return Seen(**meta_fields(_objects.decode(data).metadata))


def meta_fields(meta: MetaShape) -> dict[str, Any]:
    """The arguments of `Seen` and everything derived from it."""
    version = meta.resource_version or "0"
    return {
        "namespace": sys.intern(meta.namespace or ""),
        "name": meta.name or "",
        "uid": meta.uid or "",
        "version": int(version) if version.isdecimal() else 0,
        "generation": meta.generation or 0,
        "created": instant(meta.creation_timestamp),
        "deleting": meta.deletion_timestamp is not None,
        "labels": _shared_map(tuple(meta.labels.items())) if meta.labels else {},
        "owners": tuple(_owner(o) for o in meta.owner_references or ()),
        "finalizers": tuple(sys.intern(f) for f in meta.finalizers or ()),
    }


def instant(written: str | None) -> float:
    """Seconds since 1970; 0 when the time is not set or cannot be read."""
    return _instant(written) if written else 0.0


@lru_cache(maxsize=4096)
def _instant(written: str) -> float:
    # A time that somebody wrote wrongly must not hide the object: its controller would make another, and another.
    try:
        return times.parse_time(written)
    except ValueError:
        return 0.0


@lru_cache(maxsize=4096)
def _shared_map(items: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Objects of one template carry the same labels: one dict serves them all. Never changed by anybody."""
    return {sys.intern(key): value for key, value in items}


def _owner(shape: OwnerShape) -> Owner:
    return _shared_owner(
        shape.api_version or "",
        shape.kind or "",
        shape.name or "",
        shape.uid or "",
        bool(shape.controller),
        bool(shape.block_owner_deletion),
    )


@lru_cache(maxsize=4096)
def _shared_owner(api_version: str, kind: str, name: str, uid: str, controller: bool, blocks: bool) -> Owner:
    return Owner(sys.intern(api_version), sys.intern(kind), name, uid, controller, blocks)
