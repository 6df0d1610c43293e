"""What controllers remember of namespaces."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from controlplane.controllers.seen.meta import MetaShape, Seen, Shape, meta_fields


class _Spec(Shape):
    finalizers: list[str] | None = None


class _Namespace(Shape):
    metadata: MetaShape = msgspec.field(default_factory=MetaShape)
    spec: _Spec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenNamespace(Seen):
    holds: tuple[str, ...] = ()
    """spec.finalizers: who must let go before the namespace may vanish."""


_namespaces = msgspec.json.Decoder(_Namespace)


def namespace(data: bytes) -> SeenNamespace:
    """The extract of one namespace."""
    shape = _namespaces.decode(data)
    return SeenNamespace(**meta_fields(shape.metadata), holds=tuple((shape.spec or _Spec()).finalizers or ()))
