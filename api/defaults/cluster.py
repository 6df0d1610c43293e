"""Defaults of Namespaces, Nodes and Secrets."""

from api.core_v1 import Namespace, Node, Secret

NAME_LABEL = "kubernetes.io/metadata.name"
NAMESPACE_FINALIZER = "kubernetes"


def namespace(obj: Namespace) -> None:
    """Defaults of a Namespace."""
    if obj.metadata.name:
        obj.metadata.labels[NAME_LABEL] = obj.metadata.name
    obj.status.phase = obj.status.phase or "Active"


def node(obj: Node) -> None:
    """Defaults of a Node: all that it has can be allocated; the old form of its network is the first of the new."""
    spec = obj.spec
    if spec.pod_cidr and spec.pod_cidrs[:1] != [spec.pod_cidr]:
        spec.pod_cidrs = [spec.pod_cidr]
    spec.pod_cidr = spec.pod_cidrs[0] if spec.pod_cidrs and spec.pod_cidrs[0] else None
    if not obj.status.allocatable:
        obj.status.allocatable = dict(obj.status.capacity)


def secret(obj: Secret) -> None:
    """Defaults of a Secret; stringData is only a way to write data."""
    obj.type = obj.type or "Opaque"
    for key, text in obj.string_data.items():
        obj.data[key] = text.encode()
    obj.string_data = {}
