"""core/v1: PersistentVolumes and claims to them."""

from typing import Annotated

from api import choices
from api.core_v1 import (
    AWSElasticBlockStoreVolumeSource,
    AzureDiskVolumeSource,
    FCVolumeSource,
    FlockerVolumeSource,
    GCEPersistentDiskVolumeSource,
    HostPathVolumeSource,
    NFSVolumeSource,
    NodeSelector,
    ObjectReference,
    PersistentVolumeClaimSpec,
    PhotonPersistentDiskVolumeSource,
    PortworxVolumeSource,
    QuobyteVolumeSource,
    VsphereVirtualDiskVolumeSource,
)
from api.fields import F, Int32, Quantity, Time, Type, constant, required
from api.meta_v1 import ObjectMeta


class GlusterfsPersistentVolumeSource(Type):
    """A volume of GlusterFS."""

    endpoints: Annotated[str, F(1)] = required(str)
    path: Annotated[str, F(2)] = required(str)
    read_only: Annotated[bool | None, F(3)] = None
    endpoints_namespace: Annotated[str | None, F(4, explicit=True)] = None


class SecretReference(Type):
    """A Secret, by name and namespace."""

    name: Annotated[str | None, F(1)] = None
    namespace: Annotated[str | None, F(2)] = None


class RBDPersistentVolumeSource(Type):
    """A block device of Ceph."""

    monitors: Annotated[list[str], F(1, atomic=True)] = required(list)
    image: Annotated[str, F(2)] = required(str)
    fs_type: Annotated[str | None, F(3)] = None
    pool: Annotated[str | None, F(4)] = None
    user: Annotated[str | None, F(5)] = None
    keyring: Annotated[str | None, F(6)] = None
    secret_ref: Annotated[SecretReference | None, F(7)] = None
    read_only: Annotated[bool | None, F(8)] = None


class ISCSIPersistentVolumeSource(Type):
    """A disk that is reached by iSCSI."""

    target_portal: Annotated[str, F(1)] = required(str)
    iqn: Annotated[str, F(2)] = required(str)
    lun: Annotated[Int32, F(3)] = required(int)
    iscsi_interface: Annotated[str | None, F(4)] = None
    fs_type: Annotated[str | None, F(5)] = None
    read_only: Annotated[bool | None, F(6)] = None
    portals: Annotated[list[str], F(7, atomic=True)] = []
    chap_auth_discovery: Annotated[bool | None, F(8)] = None
    chap_auth_session: Annotated[bool | None, F(11)] = None
    secret_ref: Annotated[SecretReference | None, F(10)] = None
    initiator_name: Annotated[str | None, F(12, explicit=True)] = None


class CinderPersistentVolumeSource(Type):
    """A volume of OpenStack's Cinder."""

    volume_id: Annotated[str, F(1)] = required(str)
    fs_type: Annotated[str | None, F(2)] = None
    read_only: Annotated[bool | None, F(3)] = None
    secret_ref: Annotated[SecretReference | None, F(4)] = None


class CephFSPersistentVolumeSource(Type):
    """A directory of CephFS."""

    monitors: Annotated[list[str], F(1, atomic=True)] = required(list)
    path: Annotated[str | None, F(2)] = None
    user: Annotated[str | None, F(3)] = None
    secret_file: Annotated[str | None, F(4)] = None
    secret_ref: Annotated[SecretReference | None, F(5)] = None
    read_only: Annotated[bool | None, F(6)] = None


class FlexPersistentVolumeSource(Type):
    """A volume by a driver of the old FlexVolume kind."""

    driver: Annotated[str, F(1)] = required(str)
    fs_type: Annotated[str | None, F(2)] = None
    secret_ref: Annotated[SecretReference | None, F(3)] = None
    read_only: Annotated[bool | None, F(4)] = None
    options: Annotated[dict[str, str], F(5)] = {}


class AzureFilePersistentVolumeSource(Type):
    """A file share of Azure."""

    secret_name: Annotated[str, F(1)] = required(str)
    share_name: Annotated[str, F(2)] = required(str)
    read_only: Annotated[bool | None, F(3)] = None
    secret_namespace: Annotated[str | None, F(4, explicit=True)] = None


class ScaleIOPersistentVolumeSource(Type):
    """A volume of ScaleIO."""

    gateway: Annotated[str, F(1)] = required(str)
    system: Annotated[str, F(2)] = required(str)
    secret_ref: Annotated[SecretReference | None, F(3)] = None
    ssl_enabled: Annotated[bool | None, F(4)] = None
    protection_domain: Annotated[str | None, F(5)] = None
    storage_pool: Annotated[str | None, F(6)] = None
    storage_mode: Annotated[str | None, F(7)] = None
    volume_name: Annotated[str | None, F(8)] = None
    fs_type: Annotated[str | None, F(9)] = None
    read_only: Annotated[bool | None, F(10)] = None


class LocalVolumeSource(Type):
    """A disk or directory of one node."""

    path: Annotated[str, F(1)] = required(str)
    fs_type: Annotated[str | None, F(2, explicit=True)] = None


class StorageOSPersistentVolumeSource(Type):
    """A volume of StorageOS."""

    volume_name: Annotated[str | None, F(1)] = None
    volume_namespace: Annotated[str | None, F(2)] = None
    fs_type: Annotated[str | None, F(3)] = None
    read_only: Annotated[bool | None, F(4)] = None
    secret_ref: Annotated[ObjectReference | None, F(5)] = None


class CSIPersistentVolumeSource(Type):
    """A volume by a CSI driver."""

    driver: Annotated[str, F(1)] = required(str)
    volume_handle: Annotated[str, F(2)] = required(str)
    read_only: Annotated[bool | None, F(3)] = None
    fs_type: Annotated[str | None, F(4)] = None
    volume_attributes: Annotated[dict[str, str], F(5)] = {}
    controller_publish_secret_ref: Annotated[SecretReference | None, F(6)] = None
    node_stage_secret_ref: Annotated[SecretReference | None, F(7)] = None
    node_publish_secret_ref: Annotated[SecretReference | None, F(8)] = None
    controller_expand_secret_ref: Annotated[SecretReference | None, F(9)] = None
    node_expand_secret_ref: Annotated[SecretReference | None, F(10)] = None


class VolumeNodeAffinity(Type):
    """The nodes from which a volume can be reached."""

    required: Annotated[NodeSelector | None, F(1)] = None


class PersistentVolumeSpec(Type):
    """What a volume is, how large, and who may use it how.

    capacity: how large it is
    access_modes: how it may be mounted
    claim_ref: the claim that it belongs to
    persistent_volume_reclaim_policy: what becomes of it when its claim is gone
    storage_class_name: the class that it belongs to
    mount_options: how it is to be mounted
    volume_mode: whether it has a filesystem or is a bare device
    node_affinity: the nodes from which it can be reached
    """

    capacity: Annotated[dict[str, Quantity], F(1)] = {}
    gce_persistent_disk: Annotated[GCEPersistentDiskVolumeSource | None, F(2, 1)] = None
    aws_elastic_block_store: Annotated[AWSElasticBlockStoreVolumeSource | None, F(2, 2)] = None
    host_path: Annotated[HostPathVolumeSource | None, F(2, 3)] = None
    glusterfs: Annotated[GlusterfsPersistentVolumeSource | None, F(2, 4)] = None
    nfs: Annotated[NFSVolumeSource | None, F(2, 5)] = None
    rbd: Annotated[RBDPersistentVolumeSource | None, F(2, 6)] = None
    iscsi: Annotated[ISCSIPersistentVolumeSource | None, F(2, 7)] = None
    cinder: Annotated[CinderPersistentVolumeSource | None, F(2, 8)] = None
    cephfs: Annotated[CephFSPersistentVolumeSource | None, F(2, 9)] = None
    fc: Annotated[FCVolumeSource | None, F(2, 10)] = None
    flocker: Annotated[FlockerVolumeSource | None, F(2, 11)] = None
    flex_volume: Annotated[FlexPersistentVolumeSource | None, F(2, 12)] = None
    azure_file: Annotated[AzureFilePersistentVolumeSource | None, F(2, 13)] = None
    vsphere_volume: Annotated[VsphereVirtualDiskVolumeSource | None, F(2, 14)] = None
    quobyte: Annotated[QuobyteVolumeSource | None, F(2, 15)] = None
    azure_disk: Annotated[AzureDiskVolumeSource | None, F(2, 16)] = None
    photon_persistent_disk: Annotated[PhotonPersistentDiskVolumeSource | None, F(2, 17)] = None
    portworx_volume: Annotated[PortworxVolumeSource | None, F(2, 18)] = None
    scale_io: Annotated[ScaleIOPersistentVolumeSource | None, F(2, 19)] = None
    local: Annotated[LocalVolumeSource | None, F(2, 20)] = None
    storageos: Annotated[StorageOSPersistentVolumeSource | None, F(2, 21)] = None
    csi: Annotated[CSIPersistentVolumeSource | None, F(2, 22)] = None
    access_modes: Annotated[list[str], F(3, atomic=True, among=choices.ACCESS_MODES)] = []
    claim_ref: Annotated[ObjectReference | None, F(4)] = None
    persistent_volume_reclaim_policy: Annotated[str | None, F(5, among=choices.RECLAIM_POLICIES)] = None
    storage_class_name: Annotated[str | None, F(6)] = None
    mount_options: Annotated[list[str], F(7, atomic=True)] = []
    volume_mode: Annotated[str | None, F(8, explicit=True, among=choices.VOLUME_MODES)] = None
    node_affinity: Annotated[VolumeNodeAffinity | None, F(9)] = None
    volume_attributes_class_name: Annotated[str | None, F(10, explicit=True)] = None


class PersistentVolumeStatus(Type):
    """Whether a volume is free, taken or given back."""

    phase: Annotated[str | None, F(1, among=choices.VOLUME_PHASES)] = None
    message: Annotated[str | None, F(2)] = None
    reason: Annotated[str | None, F(3)] = None
    last_phase_transition_time: Annotated[Time | None, F(4)] = None


class PersistentVolume(Type):
    """A piece of storage in the cluster, made by hand or by a driver."""

    kind: str = constant("PersistentVolume")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[PersistentVolumeSpec, F(2)] = required(PersistentVolumeSpec)
    status: Annotated[PersistentVolumeStatus, F(3)] = required(PersistentVolumeStatus)


class PersistentVolumeClaimCondition(Type):
    """One thing that is, or is not, the case with a claim."""

    type: Annotated[str, F(1)] = required(str)
    status: Annotated[str, F(2)] = required(str)
    last_probe_time: Annotated[Time | None, F(3)] = None
    last_transition_time: Annotated[Time | None, F(4)] = None
    reason: Annotated[str | None, F(5)] = None
    message: Annotated[str | None, F(6)] = None


class ModifyVolumeStatus(Type):
    """How far the change to other attributes has come."""

    target_volume_attributes_class_name: Annotated[str | None, F(1)] = None
    status: Annotated[str, F(2, among=choices.MODIFY_STATES)] = required(str)


class PersistentVolumeClaimStatus(Type):
    """Which volume a claim has got, and of what size."""

    phase: Annotated[str | None, F(1, among=choices.CLAIM_PHASES)] = None
    access_modes: Annotated[list[str], F(2, atomic=True, among=choices.ACCESS_MODES)] = []
    capacity: Annotated[dict[str, Quantity], F(3)] = {}
    conditions: Annotated[list[PersistentVolumeClaimCondition], F(4, merge="type")] = []
    allocated_resources: Annotated[dict[str, Quantity], F(5)] = {}
    allocated_resource_statuses: Annotated[dict[str, str], F(7, among=choices.RESIZE_STATES)] = {}
    current_volume_attributes_class_name: Annotated[str | None, F(8, explicit=True)] = None
    modify_volume_status: Annotated[ModifyVolumeStatus | None, F(9)] = None


class PersistentVolumeClaim(Type):
    """Asks for storage: what a pod names as its volume."""

    kind: str = constant("PersistentVolumeClaim")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[PersistentVolumeClaimSpec, F(2)] = required(PersistentVolumeClaimSpec)
    status: Annotated[PersistentVolumeClaimStatus, F(3)] = required(PersistentVolumeClaimStatus)


class TopologySelectorLabelRequirement(Type):
    """One label of nodes, and the values it may have."""

    key: Annotated[str, F(1)] = required(str)
    values: Annotated[list[str], F(2, atomic=True)] = required(list)


class TopologySelectorTerm(Type):
    """Labels of nodes where volumes may be made."""

    match_label_expressions: Annotated[list[TopologySelectorLabelRequirement], F(1, atomic=True)] = []
