"""What controllers remember of namespaces, and of the bundle of certificates that each of them gets."""

from __future__ import annotations

import hashlib
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


ROOT_CA = "kube-root-ca.crt"
BUNDLE = "ca.crt"


class _ConfigMap(Shape):
    metadata: MetaShape = msgspec.field(default_factory=MetaShape)


class _Bundle(Shape):
    data: dict[str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenConfigMap(Seen):
    bundle: str = ""
    """Digest of the certificates, for the ConfigMap of that name only."""


_config_maps = msgspec.json.Decoder(_ConfigMap)
_bundles = msgspec.json.Decoder(_Bundle)


def config_map(data: bytes) -> SeenConfigMap:
    """The extract of one ConfigMap."""
    fields = meta_fields(_config_maps.decode(data).metadata)
    held = (_bundles.decode(data).data or {}) if fields["name"] == ROOT_CA else {}
    return SeenConfigMap(**fields, bundle=bundle_digest(held))


def bundle_digest(held: dict[str, str]) -> str:
    """Equal only for a ConfigMap that holds exactly these certificates."""
    return hashlib.sha256(msgspec.json.encode(held, order="sorted")).hexdigest() if held else ""
