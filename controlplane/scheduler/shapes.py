"""The fields of pods and nodes that scheduling reads, as they stand on the wire. Everything else is skipped while decoding."""

from __future__ import annotations

import msgspec


class Shape(msgspec.Struct, rename="camel", gc=False):
    """Fields may be absent or null."""


class Metadata(Shape):
    name: str | None = None
    namespace: str | None = None
    uid: str | None = None
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None
    owner_references: list[OwnerReference] | None = None


class OwnerReference(Shape):
    uid: str | None = None
    controller: bool | None = None


class ResourceRequests(Shape):
    requests: dict[str, str | int | float] | None = None


class ContainerPort(Shape):
    host_port: int | None = None
    protocol: str | None = None
    host_ip: str | None = msgspec.field(default=None, name="hostIP")


class Container(Shape):
    image: str | None = None
    restart_policy: str | None = None
    ports: list[ContainerPort] | None = None
    resources: ResourceRequests | None = None


class Toleration(Shape):
    key: str | None = None
    operator: str | None = None
    value: str | None = None
    effect: str | None = None


class Requirement(Shape):
    key: str = ""
    operator: str = ""
    values: list[str] | None = None


class Term(Shape):
    match_expressions: list[Requirement] | None = None
    match_fields: list[Requirement] | None = None


class WeightedTerm(Shape):
    weight: int = 0
    preference: Term = msgspec.field(default_factory=Term)


class RequiredTerms(Shape):
    node_selector_terms: list[Term] | None = None


class NodeAffinity(Shape):
    required: RequiredTerms | None = msgspec.field(default=None, name="requiredDuringSchedulingIgnoredDuringExecution")
    preferred: list[WeightedTerm] | None = msgspec.field(
        default=None, name="preferredDuringSchedulingIgnoredDuringExecution"
    )


class Affinity(Shape):
    node_affinity: NodeAffinity | None = None


class SchedulingGate(Shape):
    name: str | None = None


class PodSpec(Shape):
    scheduler_name: str | None = None
    node_name: str | None = None
    priority: int | None = None
    containers: list[Container] | None = None
    init_containers: list[Container] | None = None
    overhead: dict[str, str | int | float] | None = None
    resources: ResourceRequests | None = None
    node_selector: dict[str, str] | None = None
    affinity: Affinity | None = None
    tolerations: list[Toleration] | None = None
    scheduling_gates: list[SchedulingGate] | None = None


class Condition(Shape):
    type: str | None = None
    status: str | None = None
    reason: str | None = None
    message: str | None = None


class PodStatus(Shape):
    phase: str | None = None
    conditions: list[Condition] | None = None


class Pod(Shape):
    metadata: Metadata = msgspec.field(default_factory=Metadata)
    spec: PodSpec = msgspec.field(default_factory=PodSpec)
    status: PodStatus | None = None


class Taint(Shape):
    key: str | None = None
    value: str | None = None
    effect: str | None = None


class NodeSpec(Shape):
    unschedulable: bool | None = None
    taints: list[Taint] | None = None


class Image(Shape):
    names: list[str] | None = None
    size_bytes: int | None = None


class NodeStatus(Shape):
    allocatable: dict[str, str | int | float] | None = None
    images: list[Image] | None = None


class Node(Shape):
    metadata: Metadata = msgspec.field(default_factory=Metadata)
    spec: NodeSpec | None = None
    status: NodeStatus | None = None
