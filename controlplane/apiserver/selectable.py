"""The fields that selectors may name, per kind, and their extraction from an object's bytes.

Extraction decodes only what is declared here (2 us for a Pod), once, when an object enters the cache. A selector on a field that is not in
the table is a bad request, as upstream answers it.
"""

from __future__ import annotations

from collections.abc import Callable
from sys import intern
from typing import Any

import msgspec

from api import kinds
from api.kinds import Kind


class Meta(msgspec.Struct, gc=False):
    """What every object is selected by."""

    name: str = ""
    namespace: str = ""
    labels: dict[str, str] | None = None


class Part(msgspec.Struct, gc=False):
    """An object of a kind that has no selectable fields of its own."""

    metadata: Meta


class _PodSpec(msgspec.Struct, gc=False, rename="camel"):
    node_name: str | None = None
    restart_policy: str | None = None
    scheduler_name: str | None = None
    service_account_name: str | None = None
    host_network: bool | None = None


class _PodStatus(
    msgspec.Struct, gc=False, rename={"phase": "phase", "pod_ip": "podIP", "nominated": "nominatedNodeName"}
):
    phase: str | None = None
    pod_ip: str | None = None
    nominated: str | None = None


class _Pod(Part, gc=False):
    spec: _PodSpec = msgspec.field(default_factory=_PodSpec)
    status: _PodStatus = msgspec.field(default_factory=_PodStatus)


class _NodeSpec(msgspec.Struct, gc=False):
    unschedulable: bool | None = None


class _Node(Part, gc=False):
    spec: _NodeSpec = msgspec.field(default_factory=_NodeSpec)


class _PhaseStatus(msgspec.Struct, gc=False):
    phase: str | None = None


class _Namespace(Part, gc=False):
    status: _PhaseStatus = msgspec.field(default_factory=_PhaseStatus)


class _ServiceSpec(msgspec.Struct, gc=False, rename={"cluster_ip": "clusterIP", "type": "type"}):
    cluster_ip: str | None = None
    type: str | None = None


class _Service(Part, gc=False):
    spec: _ServiceSpec = msgspec.field(default_factory=_ServiceSpec)


class _Secret(Part, gc=False):
    type: str | None = None


class _ReplicaStatus(msgspec.Struct, gc=False):
    replicas: int | None = None


class _ReplicaSet(Part, gc=False):
    status: _ReplicaStatus = msgspec.field(default_factory=_ReplicaStatus)


class _JobStatus(msgspec.Struct, gc=False):
    succeeded: int | None = None


class _Job(Part, gc=False):
    status: _JobStatus = msgspec.field(default_factory=_JobStatus)


class _RequestSpec(msgspec.Struct, gc=False, rename="camel"):
    signer_name: str | None = None


class _CertificateRequest(Part, gc=False):
    spec: _RequestSpec = msgspec.field(default_factory=_RequestSpec)


class _SliceSpec(msgspec.Struct, gc=False, rename="camel"):
    node_name: str | None = None
    driver: str | None = None


class _ResourceSlice(Part, gc=False):
    spec: _SliceSpec = msgspec.field(default_factory=_SliceSpec)


class _Reference(msgspec.Struct, gc=False, rename="camel"):
    kind: str | None = None
    namespace: str | None = None
    name: str | None = None
    uid: str | None = None
    api_version: str | None = None
    resource_version: str | None = None
    field_path: str | None = None


class _Source(msgspec.Struct, gc=False):
    component: str | None = None


class _Event(Part, gc=False, rename="camel"):
    involved_object: _Reference = msgspec.field(default_factory=_Reference)
    reason: str | None = None
    source: _Source = msgspec.field(default_factory=_Source)
    reporting_component: str | None = None
    type: str | None = None


def _pod(pod: _Pod) -> tuple[str | None, ...]:
    spec, status = pod.spec, pod.status
    host = "true" if spec.host_network else "false"
    placed = (spec.node_name, spec.restart_policy, spec.scheduler_name, spec.service_account_name, host, spec.node_name)
    return (*placed, status.phase, status.pod_ip, status.nominated)


def _event(event: _Event) -> tuple[str | None, ...]:
    ref = event.involved_object
    about = (ref.kind, ref.namespace, ref.name, ref.uid, ref.api_version, ref.resource_version, ref.field_path)
    reporting = event.reporting_component
    return (*about, event.reason, reporting, event.source.component or reporting, event.type)


class Selectable:
    """The selectable fields of one kind."""

    def __init__(
        self, names: str = "", part: type[Part] = Part, extract: Callable[[Any], tuple[str | None, ...]] | None = None
    ) -> None:
        self.names = tuple(names.split())
        self._decode = msgspec.json.Decoder(part).decode
        self._extract = extract

    def parts(self, data: bytes) -> tuple[Meta, tuple[str, ...]]:
        """Metadata and the values of `names`, in order, "" where there is none."""
        part = self._decode(data)
        if self._extract is None:
            return part.metadata, ()
        return part.metadata, tuple([intern(value) if value else "" for value in self._extract(part)])


_POD = """spec.nodeName spec.restartPolicy spec.schedulerName spec.serviceAccountName spec.hostNetwork spec.host
          status.phase status.podIP status.nominatedNodeName"""
_EVENT = """involvedObject.kind involvedObject.namespace involvedObject.name involvedObject.uid involvedObject.apiVersion
            involvedObject.resourceVersion involvedObject.fieldPath reason reportingComponent source type"""

_PLAIN = Selectable()
_TABLE: dict[Kind[Any], Selectable] = {
    kinds.POD: Selectable(_POD, _Pod, _pod),
    kinds.NODE: Selectable("spec.unschedulable", _Node, lambda n: ("true" if n.spec.unschedulable else "false",)),
    kinds.NAMESPACE: Selectable("status.phase name", _Namespace, lambda n: (n.status.phase, n.metadata.name)),
    kinds.SERVICE: Selectable("spec.clusterIP spec.type", _Service, lambda s: (s.spec.cluster_ip, s.spec.type)),
    kinds.SECRET: Selectable("type", _Secret, lambda s: (s.type,)),
    kinds.REPLICA_SET: Selectable("status.replicas", _ReplicaSet, lambda r: (str(r.status.replicas or 0),)),
    kinds.REPLICATION_CONTROLLER: Selectable("status.replicas", _ReplicaSet, lambda r: (str(r.status.replicas or 0),)),
    kinds.JOB: Selectable("status.successful", _Job, lambda j: (str(j.status.succeeded or 0),)),
    kinds.CERTIFICATE_SIGNING_REQUEST: Selectable(
        "spec.signerName", _CertificateRequest, lambda r: (r.spec.signer_name,)
    ),
    kinds.CLUSTER_TRUST_BUNDLE: Selectable("spec.signerName", _CertificateRequest, lambda b: (b.spec.signer_name,)),
    kinds.RESOURCE_SLICE: Selectable(
        "spec.nodeName spec.driver", _ResourceSlice, lambda r: (r.spec.node_name, r.spec.driver)
    ),
    kinds.EVENT: Selectable(_EVENT, _Event, _event),
}


def _renamed(known: Selectable, names: str) -> Selectable:
    """The same fields by other names, in the same order, "-" for those that cannot be named."""
    view = Selectable()
    view.names = tuple("" if name == "-" else name for name in names.split())
    assert len(view.names) == len(known.names)
    return view


_TABLE[kinds.EVENTS_EVENT] = _renamed(
    _TABLE[kinds.EVENT],
    """regarding.kind regarding.namespace regarding.name regarding.uid regarding.apiVersion regarding.resourceVersion
       regarding.fieldPath reason reportingController - type""",
)


def selectable(kind: Kind[Any]) -> Selectable:
    """The selectable fields of `kind`, apart from metadata.name and metadata.namespace which all have."""
    return _TABLE.get(kind, _PLAIN)
