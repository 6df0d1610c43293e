"""Volumes, claims and classes of storage."""

from api.core_v1 import PersistentVolumeClaimSpec
from api.core_volumes_v1 import PersistentVolume, PersistentVolumeClaim
from api.storage_v1 import CSIDriver, CSIStorageCapacity, StorageClass
from api.warnings import amounts, labels

_CLASS = "volume.beta.kubernetes.io/storage-class"
_OPTIONS = "volume.beta.kubernetes.io/mount-options"
_TOKENS = (
    "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging "
    "of tokens in volume attributes"
)
_PLUGINS = (
    ("cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"),
    ("photon_persistent_disk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"),
    ("scale_io", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"),
    ("storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"),
    ("glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"),
    ("rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"),
)


def of_volume(volume: PersistentVolume) -> list[str]:
    """A PersistentVolume."""
    spec, annotations = volume.spec, volume.metadata.annotations
    found = []
    if _CLASS in annotations:
        found.append(f'metadata.annotations[{_CLASS}]: deprecated since v1.8; use "storageClassName" attribute instead')
    if _OPTIONS in annotations:
        found.append(f'metadata.annotations[{_OPTIONS}]: deprecated since v1.31; use "mountOptions" attribute instead')
    if spec.persistent_volume_reclaim_policy == "Recycle":
        better = "Instead, the recommended approach is to use dynamic provisioning."
        found.append(f"spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. {better}")
    required = spec.node_affinity.required if spec.node_affinity is not None else None
    for index, term in enumerate(required.node_selector_terms if required is not None else ()):
        where = f"spec.nodeAffinity.required.nodeSelectorTerms[{index}]"
        found += labels.of_expressions(where, term.match_expressions)
    return [*found, *(f"spec.{json}: {why}" for name, json, why in _PLUGINS if getattr(spec, name) is not None)]


def of_claim(claim: PersistentVolumeClaim) -> list[str]:
    """A PersistentVolumeClaim."""
    found = []
    if _CLASS in claim.metadata.annotations:
        found.append(f'metadata.annotations[{_CLASS}]: deprecated since v1.8; use "storageClassName" attribute instead')
    return [*found, *of_claim_spec("spec", claim.spec)]


def of_claim_spec(path: str, spec: PersistentVolumeClaimSpec | None) -> list[str]:
    """What a claim, or a template of one, asks for."""
    resources = spec.resources if spec is not None else None
    if resources is None:
        return []
    return [
        *amounts.fractional(f"{path}.resources.requests", resources.requests, "storage"),
        *amounts.fractional(f"{path}.resources.limits", resources.limits, "storage"),
    ]


def of_class(found: StorageClass) -> list[str]:
    """A StorageClass."""
    return [
        f"allowedTopologies[{number}].matchLabelExpressions[{index}].key: {why}"
        for number, topology in enumerate(found.allowed_topologies)
        for index, expression in enumerate(topology.match_label_expressions)
        if (why := labels.deprecated(expression.key))
    ]


def of_capacity(capacity: CSIStorageCapacity) -> list[str]:
    """A CSIStorageCapacity."""
    topology = capacity.node_topology
    if topology is None:
        return []
    found = labels.of_expressions("nodeTopology", topology.match_expressions)
    matched = [(label, labels.deprecated(label)) for label in topology.match_labels]
    return [*found, *(f"nodeTopology.matchLabels.{label}: {why}" for label, why in matched if why)]


def of_driver(new: CSIDriver, old: CSIDriver | None) -> list[str]:
    """A CSIDriver that asks for tokens, newly or otherwise than before."""
    spec = new.spec
    if not spec.token_requests or spec.service_account_token_in_secrets is not None:
        return []
    return [] if old is not None and old.spec.token_requests == spec.token_requests else [_TOKENS]
