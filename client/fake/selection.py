"""Label and field selectors on the fake's objects."""

from __future__ import annotations

from typing import Any

from api import kinds, selectors
from api.kinds import Kind
from client import errors
from client.fake.history import Matches, Object
from client.transport import Query

_FIELDS: dict[Kind[Any], tuple[str, ...]] = {
    kinds.POD: (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "spec.hostNetwork",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    kinds.NODE: ("spec.unschedulable",),
    kinds.NAMESPACE: ("status.phase",),
    kinds.SERVICE: ("spec.clusterIP", "spec.type"),
    kinds.SECRET: ("type",),
    kinds.REPLICA_SET: ("status.replicas",),
    kinds.EVENT: (
        "involvedObject.kind",
        "involvedObject.namespace",
        "involvedObject.name",
        "involvedObject.uid",
        "reason",
        "type",
    ),
}
_EVERYWHERE = ("metadata.name", "metadata.namespace")
_ZERO = {"spec.hostNetwork": "false", "spec.unschedulable": "false", "status.replicas": "0"}


def matcher(kind: Kind[Any], query: Query) -> Matches:
    """What the selectors of a query select. Raises BadRequest."""
    try:
        labels = selectors.parse_labels(query.get("labelSelector", ""))
        fields = selectors.parse_fields(query.get("fieldSelector", ""))
    except selectors.SelectorError as error:
        raise errors.make(400, str(error)) from error
    for path in fields.paths:
        if path not in _EVERYWHERE and path not in _FIELDS.get(kind, ()):
            raise errors.make(400, f"field label not supported: {path}")

    def matches(obj: Object) -> bool:
        return labels.matches(obj["metadata"].get("labels") or {}) and fields.matches(
            {path: _value(obj, path) for path in fields.paths}
        )

    return matches


def _value(obj: Object, path: str) -> str:
    value: Any = obj
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if value is None:
        return _ZERO.get(path, "")
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
