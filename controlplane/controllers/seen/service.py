"""What controllers remember of Services, EndpointSlices and Endpoints."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from api import discovery_v1
from api.selectors import NOTHING, Selector, from_map
from controlplane.controllers.seen.meta import MetaShape, Seen, Shape, meta_fields

SERVICE_NAME = "kubernetes.io/service-name"
MANAGED_BY = "endpointslice.kubernetes.io/managed-by"


class _Port(Shape):
    name: str | None = None
    protocol: str | None = None
    port: int | None = None
    target_port: int | str | None = None
    app_protocol: str | None = None


class _Spec(Shape):
    type: str | None = None
    selector: dict[str, str] | None = None
    ports: list[_Port] | None = None
    cluster_ip: str | None = msgspec.field(default=None, name="clusterIP")
    ip_families: list[str] | None = msgspec.field(default=None, name="ipFamilies")
    publish_not_ready_addresses: bool | None = None


class _Service(Shape):
    metadata: MetaShape = msgspec.field(default_factory=MetaShape)
    spec: _Spec = msgspec.field(default_factory=_Spec)


class _Slice(Shape):
    metadata: MetaShape = msgspec.field(default_factory=MetaShape)
    address_type: str | None = None
    endpoints: list[discovery_v1.Endpoint] | None = None
    ports: list[discovery_v1.EndpointPort] | None = None


class _Endpoints(Shape):
    metadata: MetaShape = msgspec.field(default_factory=MetaShape)
    subsets: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"null"))


@dataclass(frozen=True, slots=True)
class ServicePort:
    name: str
    protocol: str
    port: int
    target: int | str
    """A number, or the name of a container port."""
    app_protocol: str = ""


@dataclass(frozen=True, slots=True)
class SlicePort:
    """A port as slices carry it."""

    name: str
    protocol: str
    port: int
    app_protocol: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One pod behind a Service, in one address family."""

    address: str
    ready: bool
    serving: bool
    terminating: bool
    pod: str = ""
    pod_uid: str = ""
    node: str = ""
    zone: str = ""
    hostname: str = ""
    since: float = field(default=0.0, compare=False)
    """When the pod's readiness last changed; slices do not carry it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenService(Seen):
    selector: Selector = NOTHING
    has_selector: bool = False
    external_name: bool = False
    ports: tuple[ServicePort, ...] = ()
    headless: bool = False
    families: tuple[str, ...] = ("IPv4",)
    publish_not_ready: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenSlice(Seen):
    family: str = "IPv4"
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[SlicePort, ...] = ()

    @property
    def service(self) -> str:
        return self.labels.get(SERVICE_NAME, "")

    @property
    def managed_by(self) -> str:
        return self.labels.get(MANAGED_BY, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenEndpoints(Seen):
    digest: str = ""
    """Of the subsets: they are only ever compared."""
    annotations: Mapping[str, str] = field(default_factory=dict)


_services = msgspec.json.Decoder(_Service)
_slices = msgspec.json.Decoder(_Slice)
_endpoints = msgspec.json.Decoder(_Endpoints)


def service(data: bytes) -> SeenService:
    """The extract of one Service."""
    shape = _services.decode(data)
    spec = shape.spec
    return SeenService(
        **meta_fields(shape.metadata),
        selector=from_map(spec.selector) if spec.selector else NOTHING,
        has_selector=bool(spec.selector),
        external_name=spec.type == "ExternalName",
        ports=tuple(_port(p) for p in spec.ports or ()),
        headless=spec.cluster_ip in (None, "", "None"),
        families=tuple(spec.ip_families or ("IPv4",)),
        publish_not_ready=bool(spec.publish_not_ready_addresses),
    )


def endpoint_slice(data: bytes) -> SeenSlice:
    """The extract of one EndpointSlice."""
    shape = _slices.decode(data)
    return SeenSlice(
        **meta_fields(shape.metadata),
        family=shape.address_type or "IPv4",
        endpoints=tuple(_endpoint(e) for e in shape.endpoints or ()),
        ports=tuple(
            SlicePort(p.name or "", p.protocol or "TCP", p.port or 0, p.app_protocol or "") for p in shape.ports or ()
        ),
    )


def endpoints(data: bytes) -> SeenEndpoints:
    """The extract of one Endpoints object."""
    shape = _endpoints.decode(data)
    return SeenEndpoints(
        **meta_fields(shape.metadata),
        digest=subsets_digest(bytes(shape.subsets)),
        annotations=shape.metadata.annotations or {},
    )


def subsets_digest(data: bytes) -> str:
    """Equal for the same subsets, whatever the order of keys; none and an empty list are one."""
    tree = msgspec.json.decode(data) or []
    return hashlib.sha256(msgspec.json.encode(tree, order="sorted")).hexdigest()


def _port(p: _Port) -> ServicePort:
    target = p.target_port if p.target_port not in (None, 0, "") else p.port
    return ServicePort(p.name or "", p.protocol or "TCP", p.port or 0, target or 0, p.app_protocol or "")


def _endpoint(e: discovery_v1.Endpoint) -> Endpoint:
    conditions = e.conditions or discovery_v1.EndpointConditions()
    ready = conditions.ready is not False
    return Endpoint(
        address=e.addresses[0] if e.addresses else "",
        ready=ready,
        serving=ready if conditions.serving is None else conditions.serving,
        terminating=bool(conditions.terminating),
        pod=(e.target_ref.name or "") if e.target_ref else "",
        pod_uid=(e.target_ref.uid or "") if e.target_ref else "",
        node=e.node_name or "",
        zone=e.zone or "",
        hostname=e.hostname or "",
    )
