"""From the bytes of a pod or node to the few facts the scheduler keeps."""

from __future__ import annotations

import sys
from functools import lru_cache

import msgspec

from api import times
from controlplane.scheduler import shapes
from controlplane.scheduler.model import HostPort, Node, Pod, Requirement, Taint, Term, Toleration, WeightedTerm
from controlplane.scheduler.requests import amounts, pod_requests, scored_requests

_pods = msgspec.json.Decoder(shapes.Pod)
_nodes = msgspec.json.Decoder(shapes.Node)
FINISHED = ("Succeeded", "Failed")


def pod(data: bytes) -> Pod:
    """The facts of one pod."""
    seen = _pods.decode(data)
    meta, spec, status = seen.metadata, seen.spec, seen.status or shapes.PodStatus()
    requests = pod_requests(spec)
    cpu, memory = scored_requests(spec, requests)
    node_affinity = spec.affinity.node_affinity if spec.affinity else None
    required = node_affinity.required if node_affinity else None
    preferred = (node_affinity.preferred if node_affinity else None) or []
    return Pod(
        namespace=sys.intern(meta.namespace or ""),
        name=meta.name or "",
        uid=meta.uid or "",
        scheduler=sys.intern(spec.scheduler_name or "default-scheduler"),
        created=times.parse_time(meta.creation_timestamp) if meta.creation_timestamp else 0.0,
        priority=spec.priority or 0,
        node=sys.intern(spec.node_name or ""),
        deleting=meta.deletion_timestamp is not None,
        finished=status.phase in FINISHED,
        gated=bool(spec.scheduling_gates),
        owner=next((o.uid or "" for o in meta.owner_references or () if o.controller), ""),
        requests=_shared(tuple(sorted(requests.items()))),
        scored_cpu=cpu,
        scored_memory=memory,
        selector=tuple(sorted((spec.node_selector or {}).items())),
        required=tuple(_term(t) for t in required.node_selector_terms or ()) if required else None,
        preferred=tuple(WeightedTerm(w.weight, _term(w.preference)) for w in preferred),
        tolerations=_tolerations(spec.tolerations or []),
        ports=_ports(spec),
        images=tuple(sys.intern(_tagged(c.image)) for c in spec.containers or () if c.image),
        said=_said(status),
    )


def node(data: bytes) -> Node:
    """The facts of one node."""
    seen = _nodes.decode(data)
    spec, status = seen.spec or shapes.NodeSpec(), seen.status or shapes.NodeStatus()
    return Node(
        name=sys.intern(seen.metadata.name or ""),
        labels=seen.metadata.labels or {},
        taints=tuple(Taint(t.key or "", t.value or "", t.effect or "") for t in spec.taints or ()),
        unschedulable=bool(spec.unschedulable),
        allocatable=amounts(status.allocatable),
        images={_tagged(name): i.size_bytes or 0 for i in status.images or () for name in i.names or ()},
    )


@lru_cache(maxsize=1024)
def _shared(items: tuple[tuple[str, int], ...]) -> dict[str, int]:
    """Pods of one template ask for the same: one dict serves them all. Never changed by anybody."""
    return dict(items)


@lru_cache(maxsize=1024)
def _one_tuple(tolerations: tuple[Toleration, ...]) -> tuple[Toleration, ...]:
    return tolerations


def _tolerations(written: list[shapes.Toleration]) -> tuple[Toleration, ...]:
    return _one_tuple(tuple(Toleration(t.key or "", t.operator or "", t.value or "", t.effect or "") for t in written))


def _term(term: shapes.Term) -> Term:
    return Term(_requirements(term.match_expressions), _requirements(term.match_fields))


def _requirements(written: list[shapes.Requirement] | None) -> tuple[Requirement, ...]:
    return tuple(Requirement(r.key, r.operator, tuple(r.values or ())) for r in written or ())


def _ports(spec: shapes.PodSpec) -> tuple[HostPort, ...]:
    containers = [*(spec.containers or ()), *(c for c in spec.init_containers or () if c.restart_policy == "Always")]
    return tuple(
        (port.host_ip or "0.0.0.0", port.protocol or "TCP", port.host_port)
        for container in containers
        for port in container.ports or ()
        if port.host_port
    )


def _tagged(image: str) -> str:
    """Nodes report images with a tag; a name without one means `latest`."""
    last = image.rsplit("/", 1)[-1]
    return image if ":" in last or "@" in last else f"{image}:latest"


def _said(status: shapes.PodStatus) -> tuple[str, str]:
    for condition in status.conditions or ():
        if condition.type == "PodScheduled" and condition.status == "False":
            return condition.reason or "", condition.message or ""
    return "", ""
