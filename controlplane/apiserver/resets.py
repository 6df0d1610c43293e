"""Which fields a write cannot change, whatever it says, so that it never owns them: facts of upstream, by kind and subresource."""

from __future__ import annotations

from typing import Any

from api import kinds
from api.apply import sets
from api.apply.sets import Set, field
from api.kinds import Kind

_METADATA, _SPEC, _STATUS = field("metadata"), field("spec"), field("status")

# The object leaves its status alone, the status leaves the spec alone.
_APART = (
    kinds.DAEMON_SET,
    kinds.REPLICA_SET,
    kinds.STATEFUL_SET,
    kinds.HORIZONTAL_POD_AUTOSCALER,
    kinds.CRON_JOB,
    kinds.JOB,
    kinds.NAMESPACE,
    kinds.NODE,
    kinds.PERSISTENT_VOLUME,
    kinds.PERSISTENT_VOLUME_CLAIM,
    kinds.REPLICATION_CONTROLLER,
    kinds.RESOURCE_QUOTA,
    kinds.SERVICE,
    kinds.INGRESS,
    kinds.POD_DISRUPTION_BUDGET,
    kinds.CUSTOM_RESOURCE_DEFINITION,
)
# The same, and the status leaves the metadata alone.
_FAR_APART = (
    kinds.VALIDATING_ADMISSION_POLICY,
    kinds.FLOW_SCHEMA,
    kinds.PRIORITY_LEVEL_CONFIGURATION,
    kinds.SERVICE_CIDR,
    kinds.RESOURCE_CLAIM,
    kinds.VOLUME_ATTACHMENT,
)
_TABLE: dict[tuple[Kind[Any], str], Set] = {
    **{(kind, ""): sets.of(_STATUS) for kind in (*_APART, *_FAR_APART, kinds.POD, kinds.DEPLOYMENT)},
    **{(kind, "status"): sets.of(_SPEC) for kind in _APART},
    **{(kind, "status"): sets.of(_SPEC, _METADATA) for kind in _FAR_APART},
    (kinds.POD, "status"): sets.of(_SPEC, field("metadata", "deletionTimestamp"), field("metadata", "ownerReferences")),
    (kinds.DEPLOYMENT, "status"): sets.of(_SPEC, field("metadata", "labels")),
    (kinds.NAMESPACE, "finalize"): sets.of(_STATUS),
    (kinds.CERTIFICATE_SIGNING_REQUEST, ""): sets.of(_SPEC, _STATUS),
    (kinds.CERTIFICATE_SIGNING_REQUEST, "status"): sets.of(_SPEC, field("status", "conditions")),
    (kinds.CERTIFICATE_SIGNING_REQUEST, "approval"): sets.of(_SPEC, field("status", "certificate")),
}


def reset(kind: Kind[Any], subresource: str) -> Set:
    """The fields that such a write cannot change."""
    return _TABLE.get((kind, subresource))
