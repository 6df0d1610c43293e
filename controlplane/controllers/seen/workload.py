"""What controllers remember of Deployments and ReplicaSets.

The pod template is kept as its bytes, for it is only ever copied, and as a digest, for it is only ever compared. The
digest leaves out the pod-template-hash label, so that a Deployment's template and that of the ReplicaSet made from it
have the same one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from api.meta_v1 import LabelSelector
from api.selectors import NOTHING, Selector, from_struct
from controlplane.controllers.seen.meta import MetaShape, Seen, Shape, instant, meta_fields

HASH_LABEL = "pod-template-hash"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


class _TemplateMeta(Shape):
    labels: dict[str, str] | None = None


class _Template(Shape):
    metadata: _TemplateMeta | None = None


class _RollingUpdate(Shape):
    max_surge: int | str | None = None
    max_unavailable: int | str | None = None


class _Strategy(Shape):
    type: str | None = None
    rolling_update: _RollingUpdate | None = None


class _Spec(Shape):
    replicas: int | None = None
    selector: LabelSelector | None = None
    template: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"{}"))
    min_ready_seconds: int | None = None
    strategy: _Strategy | None = None
    paused: bool | None = None
    revision_history_limit: int | None = None
    progress_deadline_seconds: int | None = None


class _Condition(Shape):
    type: str | None = None
    status: str | None = None
    reason: str | None = None
    message: str | None = None
    last_transition_time: str | None = None
    last_update_time: str | None = None


class _Status(Shape):
    observed_generation: int | None = None
    replicas: int | None = None
    fully_labeled_replicas: int | None = None
    updated_replicas: int | None = None
    ready_replicas: int | None = None
    available_replicas: int | None = None
    unavailable_replicas: int | None = None
    collision_count: int | None = None
    conditions: list[_Condition] | None = None


class _Workload(Shape):
    metadata: MetaShape = msgspec.field(default_factory=MetaShape)
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: _Status | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of a Deployment or ReplicaSet; `updated` is used by Deployments only."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    changed: float = 0.0
    updated: float = 0.0


@dataclass(frozen=True, slots=True)
class Template:
    """A pod template: its bytes to copy, its digest to compare, its labels to match."""

    data: bytes = b"{}"
    digest: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReplicaSetStatus:
    replicas: int = 0
    fully_labeled: int = 0
    ready: int = 0
    available: int = 0
    observed_generation: int = 0
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class DeploymentStatus:
    observed_generation: int = 0
    replicas: int = 0
    updated: int = 0
    ready: int = 0
    available: int = 0
    unavailable: int = 0
    collisions: int | None = None
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenReplicaSet(Seen):
    annotations: Mapping[str, str] = field(default_factory=dict)
    replicas: int = 1
    selector: Selector = NOTHING
    template: Template = field(default_factory=Template)
    min_ready: int = 0
    status: ReplicaSetStatus = field(default_factory=ReplicaSetStatus)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenDeployment(Seen):
    annotations: Mapping[str, str] = field(default_factory=dict)
    replicas: int = 1
    selector: Selector = NOTHING
    template: Template = field(default_factory=Template)
    min_ready: int = 0
    recreate: bool = False
    max_surge: int | str = "25%"
    max_unavailable: int | str = "25%"
    paused: bool = False
    history_limit: int | None = 10
    deadline: int | None = 600
    """Seconds without progress after which a rollout is reported stuck; None: never."""
    status: DeploymentStatus = field(default_factory=DeploymentStatus)


_workloads = msgspec.json.Decoder(_Workload)
NO_DEADLINE = 2**31 - 1


def replica_set(data: bytes) -> SeenReplicaSet:
    """The extract of one ReplicaSet."""
    shape = _workloads.decode(data)
    spec, status = shape.spec, shape.status or _Status()
    return SeenReplicaSet(
        **meta_fields(shape.metadata),
        annotations=_annotations(shape.metadata),
        replicas=1 if spec.replicas is None else spec.replicas,
        selector=from_struct(spec.selector),
        template=_template(spec.template),
        min_ready=spec.min_ready_seconds or 0,
        status=ReplicaSetStatus(
            replicas=status.replicas or 0,
            fully_labeled=status.fully_labeled_replicas or 0,
            ready=status.ready_replicas or 0,
            available=status.available_replicas or 0,
            observed_generation=status.observed_generation or 0,
            conditions=_conditions(status),
        ),
    )


def deployment(data: bytes) -> SeenDeployment:
    """The extract of one Deployment."""
    shape = _workloads.decode(data)
    spec, status = shape.spec, shape.status or _Status()
    strategy = spec.strategy or _Strategy()
    rolling = strategy.rolling_update or _RollingUpdate()
    deadline = spec.progress_deadline_seconds
    return SeenDeployment(
        **meta_fields(shape.metadata),
        annotations=_annotations(shape.metadata),
        replicas=1 if spec.replicas is None else spec.replicas,
        selector=from_struct(spec.selector),
        template=_template(spec.template),
        min_ready=spec.min_ready_seconds or 0,
        recreate=strategy.type == "Recreate",
        max_surge="25%" if rolling.max_surge is None else rolling.max_surge,
        max_unavailable="25%" if rolling.max_unavailable is None else rolling.max_unavailable,
        paused=bool(spec.paused),
        history_limit=spec.revision_history_limit,
        deadline=None if deadline == NO_DEADLINE else deadline,
        status=DeploymentStatus(
            observed_generation=status.observed_generation or 0,
            replicas=status.replicas or 0,
            updated=status.updated_replicas or 0,
            ready=status.ready_replicas or 0,
            available=status.available_replicas or 0,
            unavailable=status.unavailable_replicas or 0,
            collisions=status.collision_count,
            conditions=_conditions(status),
        ),
    )


def _annotations(meta: MetaShape) -> dict[str, str]:
    """All but the largest one, which no controller reads."""
    return {key: value for key, value in (meta.annotations or {}).items() if key != LAST_APPLIED}


def _conditions(status: _Status) -> tuple[Condition, ...]:
    return tuple(
        Condition(
            c.type or "",
            c.status or "",
            c.reason or "",
            c.message or "",
            instant(c.last_transition_time),
            instant(c.last_update_time),
        )
        for c in status.conditions or ()
    )


def _template(raw: msgspec.Raw) -> Template:
    data = bytes(raw) if bytes(raw) != b"null" else b"{}"
    meta = msgspec.json.decode(data, type=_Template).metadata
    return Template(data, template_digest(data), (meta.labels if meta else None) or {})


def template_digest(data: bytes) -> str:
    """Equal for templates that mean the same: absent, null and empty lists are one, as is the order of keys."""
    tree = _pruned(msgspec.json.decode(data))
    labels = tree.get("metadata", {}).get("labels", {})
    labels.pop(HASH_LABEL, None)
    metadata = {k: v for k, v in tree.get("metadata", {}).items() if v}
    tree = {"metadata": metadata, "spec": tree.get("spec", {})}
    return hashlib.sha256(msgspec.json.encode(tree, order="sorted")).hexdigest()


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _pruned(item) for key, item in value.items() if item is not None and item != []}
    if isinstance(value, list):
        return [_pruned(item) for item in value]
    return value
