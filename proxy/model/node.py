"""What the proxy needs of its own Node: whether it may still be sent traffic, and in which zone it is."""

import msgspec

ZONE = "topology.kubernetes.io/zone"
TO_BE_DELETED = "ToBeDeletedByClusterAutoscaler"


class Node(msgspec.Struct, frozen=True):
    """This node. Not `eligible`: load balancers should look elsewhere, it is about to go."""

    eligible: bool
    zone: str = ""


class _Metadata(msgspec.Struct):
    deletion_timestamp: str | None = msgspec.field(default=None, name="deletionTimestamp")
    labels: dict[str, str] | None = None


class _Taint(msgspec.Struct):
    key: str = ""


class _Spec(msgspec.Struct):
    taints: list[_Taint] | None = None


class _Node(msgspec.Struct):
    metadata: _Metadata
    spec: _Spec | None = None


_decode = msgspec.json.Decoder(_Node).decode


def extract_node(data: bytes) -> Node:
    """The node from its bytes."""
    raw = _decode(data)
    taints = (raw.spec.taints if raw.spec else None) or []
    doomed = raw.metadata.deletion_timestamp is not None or any(taint.key == TO_BE_DELETED for taint in taints)
    return Node(not doomed, (raw.metadata.labels or {}).get(ZONE, ""))
