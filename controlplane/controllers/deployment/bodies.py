"""The JSON that a Deployment's controller sends. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from api import times
from api.selectors import Selector
from controlplane.controllers.deployment.plan import Create, Update
from controlplane.controllers.replicaset.bodies import owner_reference
from controlplane.controllers.seen import SeenDeployment
from controlplane.controllers.seen.workload import HASH_LABEL, Condition, DeploymentStatus

_OPERATORS = {"in": "In", "notin": "NotIn", "exists": "Exists", "!": "DoesNotExist"}


class _Template(msgspec.Struct, omit_defaults=True):
    metadata: dict[str, Any] | None = None
    spec: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"{}"))


def replica_set_body(d: SeenDeployment, create: Create) -> bytes:
    """The ReplicaSet of the current template; its hash keeps the pods of different templates apart."""
    template = msgspec.json.decode(d.template.data, type=_Template)
    metadata = template.metadata or {}
    labels = {**(metadata.get("labels") or {}), HASH_LABEL: create.hash}
    template.metadata = {**metadata, "labels": labels}
    spec: dict[str, Any] = {
        "replicas": create.replicas,
        "selector": _selector(d.selector, create.hash),
        "template": template,
    }
    if d.min_ready:
        spec["minReadySeconds"] = d.min_ready
    body = {
        "kind": "ReplicaSet",
        "apiVersion": "apps/v1",
        "metadata": {
            "name": create.name,
            "namespace": d.namespace,
            "labels": labels,
            "annotations": create.annotations,
            "ownerReferences": [owner_reference("apps/v1", "Deployment", d)],
        },
        "spec": spec,
    }
    return msgspec.json.encode(body)


def update_patch(update: Update) -> bytes:
    """A merge patch of size and annotations; refused if the ReplicaSet has changed since it was seen."""
    metadata: dict[str, Any] = {"resourceVersion": str(update.rs.version)}
    if update.annotations:
        metadata["annotations"] = update.annotations
    spec: dict[str, Any] = {}
    if update.replicas != update.rs.replicas:
        spec["replicas"] = update.replicas
    if update.min_ready != update.rs.min_ready:
        spec["minReadySeconds"] = update.min_ready
    return msgspec.json.encode({"metadata": metadata, "spec": spec} if spec else {"metadata": metadata})


def status_patch(d: SeenDeployment, status: DeploymentStatus) -> bytes:
    """A merge patch of the status; numbers that are zero are left out, as upstream does."""
    written = {
        "observedGeneration": status.observed_generation or None,
        "replicas": status.replicas or None,
        "updatedReplicas": status.updated or None,
        "readyReplicas": status.ready or None,
        "availableReplicas": status.available or None,
        "unavailableReplicas": status.unavailable or None,
        "collisionCount": status.collisions,
        "conditions": [_condition(c) for c in status.conditions] or None,
    }
    return msgspec.json.encode({"metadata": {"resourceVersion": str(d.version)}, "status": written})


def _selector(selector: Selector, hashed: str) -> dict[str, Any]:
    labels = {r.key: r.values[0] for r in selector.requirements if r.operator == "="}
    expressions: list[dict[str, Any]] = []
    for r in selector.requirements:
        if r.operator in _OPERATORS:
            expressions.append({"key": r.key, "operator": _OPERATORS[r.operator]})
            if r.values:
                expressions[-1]["values"] = list(r.values)
    written: dict[str, Any] = {"matchLabels": {**labels, HASH_LABEL: hashed}}
    if expressions:
        written["matchExpressions"] = expressions
    return written


def _condition(c: Condition) -> dict[str, str]:
    return {
        "type": c.type,
        "status": c.status,
        "lastUpdateTime": times.format_time(c.updated or c.changed),
        "lastTransitionTime": times.format_time(c.changed),
        "reason": c.reason,
        "message": c.message,
    }
