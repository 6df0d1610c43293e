"""What controllers remember of ServiceCIDRs."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from controlplane.controllers.seen.meta import MetaShape, Seen, Shape, instant, meta_fields


class _Spec(Shape):
    cidrs: list[str] | None = None


class _Condition(Shape):
    type: str | None = None
    status: str | None = None
    reason: str | None = None
    message: str | None = None


class _Status(Shape):
    conditions: list[_Condition] | None = None


class _Range(Shape):
    metadata: MetaShape = msgspec.field(default_factory=MetaShape)
    spec: _Spec | None = None
    status: _Status | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRange(Seen):
    cidrs: tuple[str, ...] = ()
    ready: tuple[str, str, str] | None = None
    """Status, reason and message of the condition Ready."""
    deleted: float = 0.0
    """When its deletion was asked for."""


_ranges = msgspec.json.Decoder(_Range)


def service_range(data: bytes) -> SeenRange:
    """The extract of one ServiceCIDR."""
    shape = _ranges.decode(data)
    conditions = (shape.status or _Status()).conditions or ()
    ready = [(c.status or "", c.reason or "", c.message or "") for c in conditions if c.type == "Ready"]
    return SeenRange(
        **meta_fields(shape.metadata),
        cidrs=tuple((shape.spec or _Spec()).cidrs or ()),
        ready=ready[0] if ready else None,
        deleted=instant(shape.metadata.deletion_timestamp),
    )
