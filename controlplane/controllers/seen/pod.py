"""What controllers remember of a pod."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from controlplane.controllers.seen.meta import MetaShape, Seen, Shape, instant, meta_fields

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


class _Port(Shape):
    name: str | None = None
    protocol: str | None = None
    container_port: int | None = None


class _Container(Shape):
    ports: list[_Port] | None = None
    restart_policy: str | None = None


class _Toleration(Shape):
    key: str | None = None
    operator: str | None = None
    value: str | None = None
    effect: str | None = None
    toleration_seconds: int | None = None


class _Spec(Shape):
    node_name: str | None = None
    hostname: str | None = None
    subdomain: str | None = None
    containers: list[_Container] | None = None
    init_containers: list[_Container] | None = None
    tolerations: list[_Toleration] | None = None


class _Condition(Shape):
    type: str | None = None
    status: str | None = None
    last_transition_time: str | None = None


class _PodIP(Shape):
    ip: str | None = None


class _ContainerStatus(Shape):
    restart_count: int | None = None


class _Status(Shape):
    phase: str | None = None
    pod_ip: str | None = msgspec.field(default=None, name="podIP")
    pod_ips: list[_PodIP] | None = msgspec.field(default=None, name="podIPs")
    conditions: list[_Condition] | None = None
    container_statuses: list[_ContainerStatus] | None = None


class _Pod(Shape):
    metadata: MetaShape = msgspec.field(default_factory=MetaShape)
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: _Status | None = None


@dataclass(frozen=True, slots=True)
class Toleration:
    """How long a pod stays on a node with a NoExecute taint; `seconds` None means for ever."""

    key: str
    operator: str
    value: str
    effect: str
    seconds: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenPod(Seen):
    """A pod as replica sets, endpoints and node lifecycle need it."""

    node: str = ""
    phase: str = "Pending"
    ready: bool = False
    ready_since: float = 0.0
    ips: tuple[str, ...] = ()
    hostname: str = ""
    subdomain: str = ""
    ports: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """Numbers of named container ports, by (name, protocol)."""
    restarts: int = 0
    deletion_cost: int = 0
    tolerations: tuple[Toleration, ...] = ()

    @property
    def finished(self) -> bool:
        return self.phase in ("Succeeded", "Failed")

    @property
    def active(self) -> bool:
        """Counts as a replica: neither finished nor on its way out."""
        return not self.deleting and not self.finished


_pods = msgspec.json.Decoder(_Pod)


def pod(data: bytes) -> SeenPod:
    """The extract of one pod."""
    shape = _pods.decode(data)
    spec, status = shape.spec, shape.status or _Status()
    ready = next((c for c in status.conditions or () if c.type == "Ready"), None)
    return SeenPod(
        **meta_fields(shape.metadata),
        node=sys.intern(spec.node_name or ""),
        phase=sys.intern(status.phase or "Pending"),
        ready=ready is not None and ready.status == "True",
        ready_since=instant(ready.last_transition_time) if ready else 0.0,
        ips=tuple(ip.ip for ip in status.pod_ips or () if ip.ip) or ((status.pod_ip,) if status.pod_ip else ()),
        hostname=spec.hostname or "",
        subdomain=spec.subdomain or "",
        ports=_named_ports(spec),
        restarts=max((c.restart_count or 0 for c in status.container_statuses or ()), default=0),
        deletion_cost=_cost(shape.metadata.annotations or {}),
        tolerations=tuple(_toleration(t) for t in spec.tolerations or () if (t.effect or "NoExecute") == "NoExecute"),
    )


def _named_ports(spec: _Spec) -> dict[tuple[str, str], int]:
    ports: dict[tuple[str, str], int] = {}
    sidecars = [c for c in spec.init_containers or () if c.restart_policy == "Always"]
    for container in [*(spec.containers or ()), *sidecars]:
        for port in container.ports or ():
            if port.name and port.container_port:
                ports.setdefault((port.name, port.protocol or "TCP"), port.container_port)
    return ports


def _toleration(t: _Toleration) -> Toleration:
    return Toleration(t.key or "", t.operator or "Equal", t.value or "", t.effect or "", t.toleration_seconds)


def _cost(annotations: Mapping[str, str]) -> int:
    try:
        return int(annotations.get(DELETION_COST, "0"))
    except ValueError:
        return 0
