"""What controllers remember of nodes and their leases."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from controlplane.controllers.seen.meta import MetaShape, Seen, Shape, instant, meta_fields

ZONE = "topology.kubernetes.io/zone"
ADDED_CIDRS = "network.wherry.local/pod-cidrs"


class _Taint(Shape):
    key: str | None = None
    value: str | None = None
    effect: str | None = None
    time_added: str | None = None


class _NodeSpec(Shape):
    taints: list[_Taint] | None = None
    pod_cidr: str | None = msgspec.field(default=None, name="podCIDR")
    pod_cidrs: list[str] | None = msgspec.field(default=None, name="podCIDRs")
    unschedulable: bool | None = None


class _Condition(Shape):
    type: str | None = None
    status: str | None = None
    reason: str | None = None
    message: str | None = None
    last_heartbeat_time: str | None = None
    last_transition_time: str | None = None


class _NodeStatus(Shape):
    conditions: list[_Condition] | None = None


class _Node(Shape):
    metadata: MetaShape = msgspec.field(default_factory=MetaShape)
    spec: _NodeSpec | None = None
    status: _NodeStatus | None = None


class _LeaseSpec(Shape):
    holder_identity: str | None = None
    renew_time: str | None = None


class _Lease(Shape):
    metadata: MetaShape = msgspec.field(default_factory=MetaShape)
    spec: _LeaseSpec | None = None


@dataclass(frozen=True, slots=True)
class Taint:
    key: str
    value: str
    effect: str
    added: str = ""
    """As written, for the taint is written back with the others."""


@dataclass(frozen=True, slots=True)
class NodeCondition:
    type: str
    status: str
    reason: str = ""
    message: str = ""
    heartbeat: str = ""
    changed: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenNode(Seen):
    taints: tuple[Taint, ...] = ()
    conditions: tuple[NodeCondition, ...] = ()
    pod_cidrs: tuple[str, ...] = ()
    added_cidrs: tuple[str, ...] = ()
    """Ranges of a family that the cluster got later: what is in the spec cannot be added to."""
    unschedulable: bool = False

    @property
    def zone(self) -> str:
        return self.labels.get(ZONE, "")

    def condition(self, kind: str) -> NodeCondition | None:
        """The condition of that type."""
        return next((c for c in self.conditions if c.type == kind), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenLease(Seen):
    holder: str = ""
    renewed: str = ""
    """As written: only its change counts, never its clock, which is the node's."""


_nodes = msgspec.json.Decoder(_Node)
_leases = msgspec.json.Decoder(_Lease)


def node(data: bytes) -> SeenNode:
    """The extract of one node."""
    shape = _nodes.decode(data)
    spec, status = shape.spec or _NodeSpec(), shape.status or _NodeStatus()
    return SeenNode(
        **meta_fields(shape.metadata),
        taints=tuple(Taint(t.key or "", t.value or "", t.effect or "", t.time_added or "") for t in spec.taints or ()),
        conditions=tuple(_condition(c) for c in status.conditions or ()),
        pod_cidrs=tuple(spec.pod_cidrs or ((spec.pod_cidr,) if spec.pod_cidr else ())),
        added_cidrs=tuple(filter(None, (shape.metadata.annotations or {}).get(ADDED_CIDRS, "").split(","))),
        unschedulable=bool(spec.unschedulable),
    )


def lease(data: bytes) -> SeenLease:
    """The extract of one lease."""
    shape = _leases.decode(data)
    spec = shape.spec or _LeaseSpec()
    return SeenLease(**meta_fields(shape.metadata), holder=spec.holder_identity or "", renewed=spec.renew_time or "")


def _condition(c: _Condition) -> NodeCondition:
    return NodeCondition(
        c.type or "",
        c.status or "",
        c.reason or "",
        c.message or "",
        c.last_heartbeat_time or "",
        instant(c.last_transition_time),
    )
