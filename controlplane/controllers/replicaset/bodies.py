"""The JSON that a ReplicaSet's controller sends. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from api import times
from controlplane.controllers.names import prefix
from controlplane.controllers.seen import Seen, SeenReplicaSet
from controlplane.controllers.seen.workload import Condition, ReplicaSetStatus


class _Meta(msgspec.Struct):
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
    finalizers: list[str] | None = None


class _Template(msgspec.Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)
    spec: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"{}"))


def owner_reference(api_version: str, kind: str, owner: Seen) -> dict[str, Any]:
    """The reference of a child to whom controls it."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": owner.name,
        "uid": owner.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def pod_body(rs: SeenReplicaSet, name: str) -> bytes:
    """A pod of the template. The spec is copied as bytes: what this code does not know survives."""
    template = msgspec.json.decode(rs.template.data, type=_Template)
    metadata: dict[str, Any] = {"name": name, "generateName": prefix(rs.name), "namespace": rs.namespace}
    for field in ("labels", "annotations", "finalizers"):
        value = getattr(template.metadata, field)
        if value:
            metadata[field] = value
    metadata["ownerReferences"] = [owner_reference("apps/v1", "ReplicaSet", rs)]
    return msgspec.json.encode({"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": template.spec})


def adoption(api_version: str, kind: str, owner: Seen, child: Seen) -> bytes:
    """A patch that makes `owner` the controller of a child that nobody has; refused if the child has changed."""
    reference = owner_reference(api_version, kind, owner)
    return msgspec.json.encode({"metadata": {"resourceVersion": str(child.version), "ownerReferences": [reference]}})


def release(owner: Seen, child: Seen) -> bytes:
    """A patch that takes the reference away again."""
    gone = {"$patch": "delete", "uid": owner.uid}
    return msgspec.json.encode({"metadata": {"resourceVersion": str(child.version), "ownerReferences": [gone]}})


def status_patch(rs: SeenReplicaSet, status: ReplicaSetStatus) -> bytes:
    """A merge patch of the status; numbers that are zero are left out, as upstream does."""
    written = {
        "replicas": status.replicas,
        "fullyLabeledReplicas": status.fully_labeled or None,
        "readyReplicas": status.ready or None,
        "availableReplicas": status.available or None,
        "observedGeneration": status.observed_generation or None,
        "conditions": [_condition(c) for c in status.conditions] or None,
    }
    return msgspec.json.encode({"metadata": {"resourceVersion": str(rs.version)}, "status": written})


def _condition(c: Condition) -> dict[str, str]:
    return {
        "type": c.type,
        "status": c.status,
        "lastTransitionTime": times.format_time(c.changed),
        "reason": c.reason,
        "message": c.message,
    }
