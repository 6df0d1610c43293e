"""What a new Node gets, and what a node's agent may write: no more than it takes to be that node.

A stolen node credential must not steer pods to itself (labels, taints) or others' packets (ranges of pods' addresses), nor reach other
nodes' secrets (mirror pods that refer to them).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from api import kinds
from api.certificates_v1 import CertificateSigningRequestSpec
from api.core_v1 import Node, Pod, PodSpec, Taint
from api.core_volumes_v1 import PersistentVolumeClaim
from controlplane.apiserver import status
from controlplane.apiserver.identity.users import NODE_PREFIX
from controlplane.apiserver.node_access import node_of, references
from controlplane.apiserver.write import CREATE, Write

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

NOT_READY = "node.kubernetes.io/not-ready"
_POD_CIDRS = "network.wherry.local/pod-cidrs"  # the control plane's to give: all nodes make routes to these
MIRROR = "kubernetes.io/config.mirror"
_OWN_LABELS = frozenset(
    f"{prefix}kubernetes.io/{name}"
    for prefix, names in (
        ("", ("hostname", "os", "arch")),
        ("beta.", ("os", "arch", "instance-type")),
        ("topology.", ("zone", "region")),
        ("failure-domain.beta.", ("zone", "region")),
        ("node.", ("instance-type",)),
    )
    for name in names
)
_OWN_DOMAINS = ("kubelet.kubernetes.io", "node.kubernetes.io")
_RESTRICTED = "node-restriction.kubernetes.io"
_SIGNERS_OF_NODES = ("kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client-kubelet")
_GROWTH = ("capacity", "conditions", "allocated_resources", "allocated_resource_statuses")  # of a claim's status
_VOLUMES = {
    "persistentVolumeClaim": "persistentvolumeclaims",
    "ephemeral": "persistentvolumeclaims",
    "csi": "csidrivers",
    "glusterfs": "endpoints",
}
_SOURCES = {
    "serviceAccountToken": "serviceaccounts",
    "clusterTrustBundle": "clustertrustbundles",
    "podCertificate": "podcertificates",
}


def taint_new_node(write: Write, core: Core) -> None:
    """No pod may come before the node life cycle has seen the node ready and taken the taint away."""
    if write.kind is not kinds.NODE or write.operation != CREATE:
        return
    taints = write.new.spec.taints
    if not any(t.key == NOT_READY and t.effect == "NoSchedule" for t in taints):
        write.new.spec.taints = [*taints, Taint(key=NOT_READY, effect="NoSchedule")]


def restrict_nodes(write: Write, core: Core) -> None:
    """Refuse what a node's agent may not write; what the path alone tells has been refused before."""
    node = node_of(write.call.user)
    if not node:
        return
    why = ""
    if write.kind is kinds.NODE:
        why = _node_problem(node, write.new, write.old)
    elif write.kind is kinds.LEASE and write.new.metadata.name != node:
        why = "can only access node lease with the same name as the requesting node"
    elif write.kind is kinds.CSI_NODE and write.new.metadata.name != node:
        why = "can only access CSINode with the same name as the requesting node"
    elif write.kind is kinds.RESOURCE_SLICE and write.operation == CREATE and write.new.spec.node_name != node:
        why = "can only create ResourceSlice with the same NodeName as the requesting node"
    elif write.kind is kinds.CERTIFICATE_SIGNING_REQUEST and write.operation == CREATE:
        why = _certificate_problem(node, write.new.spec)
    elif write.kind is kinds.PERSISTENT_VOLUME_CLAIM:
        why = _claim_problem(node, write.new, write.old)
    elif write.kind is kinds.POD and write.operation == CREATE:
        why = _mirror_problem(node, write.new, core)
    elif write.kind is kinds.POD:
        why = _pod_problem(node, write.new, write.old)
    if why:
        raise status.forbidden(write.subject, why)


def _node_problem(node: str, new: Node, old: Node | None) -> str:
    if new.metadata.name != node:
        return f'node "{node}" is not allowed to modify node "{new.metadata.name}"'
    before = old.metadata.labels if old is not None else {}
    changed = {key for key, _ in new.metadata.labels.items() ^ before.items()}
    refused = ", ".join(sorted(key for key in changed if not _may_label(key)))
    noted = old.metadata.annotations if old is not None else {}
    if new.metadata.annotations.get(_POD_CIDRS) != noted.get(_POD_CIDRS):
        return f'node "{node}" is not allowed to modify annotation {_POD_CIDRS}'
    if old is None:
        if new.spec.config_source is not None:
            return f'node "{node}" is not allowed to create pods with a non-nil configSource'
        return f'node "{node}" is not allowed to set the following labels: {refused}' if refused else ""
    if new.spec.config_source is not None and new.spec.config_source != old.spec.config_source:
        return f'node "{node}" is not allowed to update configSource to a new non-nil configSource'
    if new.spec.taints != old.spec.taints:
        return f'node "{node}" is not allowed to modify taints'
    if new.metadata.owner_references != old.metadata.owner_references:
        return f'node "{node}" is not allowed to modify ownerReferences'
    return f"is not allowed to modify labels: {refused}" if refused else ""


def _certificate_problem(node: str, spec: CertificateSigningRequestSpec) -> str:
    """The certificates of nodes are asked for by themselves."""
    if spec.signer_name not in _SIGNERS_OF_NODES:
        return ""
    from cryptography import x509  # heavy, and seldom needed
    from cryptography.x509.oid import NameOID

    try:
        subject = x509.load_pem_x509_csr(bytes(spec.request or b"")).subject
    except ValueError as error:
        return f"unable to parse csr: {error}"
    names = [name.value for name in subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    wanted = f"{NODE_PREFIX}{node}"
    return "" if names == [wanted] else f"can only create a node CSR with CN={wanted}"


def _claim_problem(node: str, new: PersistentVolumeClaim, old: PersistentVolumeClaim | None) -> str:
    """A node tells how large a volume has become, and nothing else of its claim."""
    if old is None:
        return f'node "{node}" can only update the status of claims'
    kept = {field: getattr(old.metadata, field) for field in ("resource_version", "managed_fields")}
    metadata = msgspec.structs.replace(new.metadata, **kept)
    status_ = msgspec.structs.replace(new.status, **{field: getattr(old.status, field) for field in _GROWTH})
    same = msgspec.structs.replace(new, metadata=metadata, status=status_) == old
    return (
        ""
        if same
        else f'node "{node}" is not allowed to update fields other than status.quantity and status.conditions'
    )


def _may_label(key: str) -> bool:
    """Labels of the cluster's own domains steer pods; of these a node sets those that describe it."""
    domain = key.partition("/")[0] if "/" in key else ""
    if _within(domain, _RESTRICTED):
        return False
    if not (_within(domain, "kubernetes.io") or _within(domain, "k8s.io")):
        return True
    return key in _OWN_LABELS or any(_within(domain, own) for own in _OWN_DOMAINS)


def _within(domain: str, parent: str) -> bool:
    return domain == parent or domain.endswith("." + parent)


def _pod_problem(node: str, new: Pod, old: Pod) -> str:
    """Its status names the claims made for it, which the node may then read."""
    if new.metadata.labels != old.metadata.labels:
        return f'node "{node}" cannot update labels through pod status'
    if new.status.resource_claim_statuses != old.status.resource_claim_statuses:
        return f'node "{node}" cannot update resource claim statuses'
    if new.status.extended_resource_claim_status != old.status.extended_resource_claim_status:
        return f'node "{node}" cannot update extended resource claim status'
    return ""


def _mirror_problem(node: str, pod: Pod, core: Core) -> str:
    if MIRROR not in pod.metadata.annotations:
        return f'pod does not have "{MIRROR}" annotation, node "{node}" can only create mirror pods'
    if pod.spec.node_name != node:
        return f'node "{node}" can only create pods with spec.nodeName set to itself'
    problem = _owner_problem(node, pod.metadata.owner_references, core)
    if not problem and (resource := _referenced(pod.spec)):
        problem = f'node "{node}" can not create pods that reference {resource}'
    return problem


def _owner_problem(node: str, owners: list[Any], core: Core) -> str:
    if len(owners) > 1:
        return f'node "{node}" can only create pods with a single owner reference set to itself'
    if not owners or (owners[0].api_version, owners[0].kind, owners[0].name) != ("v1", "Node", node):
        return f'node "{node}" can only create pods with an owner reference set to itself'
    owner = owners[0]
    if not owner.controller:
        return f'node "{node}" can only create pods with a controller owner reference set to itself'
    if owner.block_owner_deletion:
        return f'node "{node}" must not set blockOwnerDeletion on an owner reference'
    entry = core.cache.resources[kinds.NODE].entries.get(node)
    if entry is None:
        raise status.not_found(status.subject(kinds.NODE, node))
    uid = msgspec.json.decode(entry.data)["metadata"]["uid"]
    return "" if owner.uid == uid else f"node {node} UID mismatch: expected {owner.uid} got {uid}"


def _referenced(spec: PodSpec) -> str:
    """A resource of the API that the pod could not run without, or ""."""
    if spec.service_account_name:
        return "serviceaccounts"
    document = msgspec.json.decode(msgspec.json.encode(spec))
    for resource, _ in references(document):
        return resource
    if spec.resource_claims:
        return "resourceclaims"
    for volume in document.get("volumes", ()):
        sources = [
            *volume.items(),
            *(item for one in volume.get("projected", {}).get("sources", ()) for item in one.items()),
        ]
        for field, _ in sources:
            if resource := _VOLUMES.get(field) or _SOURCES.get(field, ""):
                return resource
    return ""
