"""core/v1: the types of the group without a name."""

from typing import Annotated

from api import choices
from api.fields import F, Int32, Int64, IntOrString, MicroTime, Quantity, Time, Type, constant, required
from api.meta_v1 import Condition, LabelSelector, ObjectMeta


class NamespaceSpec(Type):
    finalizers: Annotated[list[str], F(1, atomic=True)] = []


class NamespaceCondition(Type):
    type: Annotated[str, F(1)] = required(str)
    status: Annotated[str, F(2)] = required(str)
    last_transition_time: Annotated[Time | None, F(4)] = None
    reason: Annotated[str | None, F(5)] = None
    message: Annotated[str | None, F(6)] = None


class NamespaceStatus(Type):
    phase: Annotated[str | None, F(1, among=choices.NAMESPACE_PHASES)] = None
    conditions: Annotated[list[NamespaceCondition], F(2, merge="type")] = []


class Namespace(Type):
    kind: str = constant("Namespace")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[NamespaceSpec, F(2)] = required(NamespaceSpec)
    status: Annotated[NamespaceStatus, F(3)] = required(NamespaceStatus)


class Taint(Type):
    key: Annotated[str, F(1)] = required(str)
    value: Annotated[str | None, F(2)] = None
    effect: Annotated[str, F(3, among=choices.TAINT_EFFECTS)] = required(str)
    time_added: Annotated[Time | None, F(4)] = None


class ConfigMapNodeConfigSource(Type):
    namespace: Annotated[str, F(1)] = required(str)
    name: Annotated[str, F(2)] = required(str)
    uid: Annotated[str | None, F(3)] = None
    resource_version: Annotated[str | None, F(4)] = None
    kubelet_config_key: Annotated[str, F(5)] = required(str)


class NodeConfigSource(Type):
    config_map: Annotated[ConfigMapNodeConfigSource | None, F(2)] = None


class NodeSpec(Type):
    pod_cidr: Annotated[str | None, F(1)] = None
    pod_cidrs: Annotated[list[str], F(7, merge=True)] = []
    provider_id: Annotated[str | None, F(3)] = None
    unschedulable: Annotated[bool | None, F(4)] = None
    taints: Annotated[list[Taint], F(5, atomic=True)] = []
    config_source: Annotated[NodeConfigSource | None, F(6)] = None
    external_id: Annotated[str | None, F(2)] = None


class NodeCondition(Type):
    type: Annotated[str, F(1)] = required(str)
    status: Annotated[str, F(2)] = required(str)
    last_heartbeat_time: Annotated[Time | None, F(3)] = None
    last_transition_time: Annotated[Time | None, F(4)] = None
    reason: Annotated[str | None, F(5)] = None
    message: Annotated[str | None, F(6)] = None


class NodeAddress(Type):
    type: Annotated[str, F(1)] = required(str)
    address: Annotated[str, F(2)] = required(str)


class DaemonEndpoint(Type):
    port: Annotated[Int32, F(1)] = required(int, name="Port")


class NodeDaemonEndpoints(Type):
    kubelet_endpoint: Annotated[DaemonEndpoint, F(1)] = required(DaemonEndpoint)


class NodeSwapStatus(Type):
    capacity: Annotated[Int64 | None, F(1, explicit=True)] = None


class NodeSystemInfo(Type):
    machine_id: Annotated[str, F(1)] = required(str)
    system_uuid: Annotated[str, F(2)] = required(str)
    boot_id: Annotated[str, F(3)] = required(str)
    kernel_version: Annotated[str, F(4)] = required(str)
    os_image: Annotated[str, F(5)] = required(str)
    container_runtime_version: Annotated[str, F(6)] = required(str)
    kubelet_version: Annotated[str, F(7)] = required(str)
    kube_proxy_version: Annotated[str, F(8)] = required(str)
    operating_system: Annotated[str, F(9)] = required(str)
    architecture: Annotated[str, F(10)] = required(str)
    swap: Annotated[NodeSwapStatus | None, F(11)] = None


class ContainerImage(Type):
    names: Annotated[list[str], F(1, atomic=True)] = required(list)
    size_bytes: Annotated[Int64 | None, F(2)] = None


class AttachedVolume(Type):
    name: Annotated[str, F(1)] = required(str)
    device_path: Annotated[str, F(2)] = required(str)


class NodeConfigStatus(Type):
    assigned: Annotated[NodeConfigSource | None, F(1)] = None
    active: Annotated[NodeConfigSource | None, F(2)] = None
    last_known_good: Annotated[NodeConfigSource | None, F(3)] = None
    error: Annotated[str | None, F(4)] = None


class NodeRuntimeHandlerFeatures(Type):
    recursive_read_only_mounts: Annotated[bool | None, F(1, explicit=True)] = None
    user_namespaces: Annotated[bool | None, F(2, explicit=True)] = None


class NodeRuntimeHandler(Type):
    name: Annotated[str, F(1)] = required(str)
    features: Annotated[NodeRuntimeHandlerFeatures | None, F(2)] = None


class NodeFeatures(Type):
    supplemental_groups_policy: Annotated[bool | None, F(1, explicit=True)] = None


class NodeStatus(Type):
    capacity: Annotated[dict[str, Quantity], F(1)] = {}
    allocatable: Annotated[dict[str, Quantity], F(2)] = {}
    phase: Annotated[str | None, F(3, among=choices.NODE_PHASES)] = None
    conditions: Annotated[list[NodeCondition], F(4, merge="type")] = []
    addresses: Annotated[list[NodeAddress], F(5, merge="type")] = []
    daemon_endpoints: Annotated[NodeDaemonEndpoints, F(6)] = required(NodeDaemonEndpoints)
    node_info: Annotated[NodeSystemInfo, F(7)] = required(NodeSystemInfo)
    images: Annotated[list[ContainerImage], F(8, atomic=True)] = []
    volumes_in_use: Annotated[list[str], F(9, atomic=True)] = []
    volumes_attached: Annotated[list[AttachedVolume], F(10, atomic=True)] = []
    config: Annotated[NodeConfigStatus | None, F(11)] = None
    runtime_handlers: Annotated[list[NodeRuntimeHandler], F(12, atomic=True)] = []
    features: Annotated[NodeFeatures | None, F(13)] = None
    declared_features: Annotated[list[str], F(14, atomic=True)] = []


class Node(Type):
    kind: str = constant("Node")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[NodeSpec, F(2)] = required(NodeSpec)
    status: Annotated[NodeStatus, F(3)] = required(NodeStatus)


class HostPathVolumeSource(Type):
    path: Annotated[str, F(1)] = required(str)
    type: Annotated[str | None, F(2, explicit=True, among=choices.HOST_PATH_TYPES)] = None


class EmptyDirVolumeSource(Type):
    medium: Annotated[str | None, F(1)] = None
    size_limit: Annotated[Quantity | None, F(2)] = None


class GCEPersistentDiskVolumeSource(Type):
    pd_name: Annotated[str, F(1)] = required(str)
    fs_type: Annotated[str | None, F(2)] = None
    partition: Annotated[Int32 | None, F(3)] = None
    read_only: Annotated[bool | None, F(4)] = None


class AWSElasticBlockStoreVolumeSource(Type):
    volume_id: Annotated[str, F(1)] = required(str)
    fs_type: Annotated[str | None, F(2)] = None
    partition: Annotated[Int32 | None, F(3)] = None
    read_only: Annotated[bool | None, F(4)] = None


class GitRepoVolumeSource(Type):
    repository: Annotated[str, F(1)] = required(str)
    revision: Annotated[str | None, F(2)] = None
    directory: Annotated[str | None, F(3)] = None


class KeyToPath(Type):
    key: Annotated[str, F(1)] = required(str)
    path: Annotated[str, F(2)] = required(str)
    mode: Annotated[Int32 | None, F(3, explicit=True)] = None


class SecretVolumeSource(Type):
    secret_name: Annotated[str | None, F(1)] = None
    items: Annotated[list[KeyToPath], F(2, atomic=True)] = []
    default_mode: Annotated[Int32 | None, F(3, explicit=True)] = None
    optional: Annotated[bool | None, F(4, explicit=True)] = None


class NFSVolumeSource(Type):
    server: Annotated[str, F(1)] = required(str)
    path: Annotated[str, F(2)] = required(str)
    read_only: Annotated[bool | None, F(3)] = None


class LocalObjectReference(Type):
    name: Annotated[str | None, F(1)] = None


class ISCSIVolumeSource(Type):
    target_portal: Annotated[str, F(1)] = required(str)
    iqn: Annotated[str, F(2)] = required(str)
    lun: Annotated[Int32, F(3)] = required(int)
    iscsi_interface: Annotated[str | None, F(4)] = None
    fs_type: Annotated[str | None, F(5)] = None
    read_only: Annotated[bool | None, F(6)] = None
    portals: Annotated[list[str], F(7, atomic=True)] = []
    chap_auth_discovery: Annotated[bool | None, F(8)] = None
    chap_auth_session: Annotated[bool | None, F(11)] = None
    secret_ref: Annotated[LocalObjectReference | None, F(10)] = None
    initiator_name: Annotated[str | None, F(12, explicit=True)] = None


class GlusterfsVolumeSource(Type):
    endpoints: Annotated[str, F(1)] = required(str)
    path: Annotated[str, F(2)] = required(str)
    read_only: Annotated[bool | None, F(3)] = None


class PersistentVolumeClaimVolumeSource(Type):
    claim_name: Annotated[str, F(1)] = required(str)
    read_only: Annotated[bool | None, F(2)] = None


class RBDVolumeSource(Type):
    monitors: Annotated[list[str], F(1, atomic=True)] = required(list)
    image: Annotated[str, F(2)] = required(str)
    fs_type: Annotated[str | None, F(3)] = None
    pool: Annotated[str | None, F(4)] = None
    user: Annotated[str | None, F(5)] = None
    keyring: Annotated[str | None, F(6)] = None
    secret_ref: Annotated[LocalObjectReference | None, F(7)] = None
    read_only: Annotated[bool | None, F(8)] = None


class FlexVolumeSource(Type):
    driver: Annotated[str, F(1)] = required(str)
    fs_type: Annotated[str | None, F(2)] = None
    secret_ref: Annotated[LocalObjectReference | None, F(3)] = None
    read_only: Annotated[bool | None, F(4)] = None
    options: Annotated[dict[str, str], F(5)] = {}


class CinderVolumeSource(Type):
    volume_id: Annotated[str, F(1)] = required(str)
    fs_type: Annotated[str | None, F(2)] = None
    read_only: Annotated[bool | None, F(3)] = None
    secret_ref: Annotated[LocalObjectReference | None, F(4)] = None


class CephFSVolumeSource(Type):
    monitors: Annotated[list[str], F(1, atomic=True)] = required(list)
    path: Annotated[str | None, F(2)] = None
    user: Annotated[str | None, F(3)] = None
    secret_file: Annotated[str | None, F(4)] = None
    secret_ref: Annotated[LocalObjectReference | None, F(5)] = None
    read_only: Annotated[bool | None, F(6)] = None


class FlockerVolumeSource(Type):
    dataset_name: Annotated[str | None, F(1)] = None
    dataset_uuid: Annotated[str | None, F(2)] = None


class ObjectFieldSelector(Type):
    api_version: Annotated[str | None, F(1)] = None
    field_path: Annotated[str, F(2)] = required(str)


class ResourceFieldSelector(Type):
    container_name: Annotated[str | None, F(1)] = None
    resource: Annotated[str, F(2)] = required(str)
    divisor: Annotated[Quantity | None, F(3)] = None


class DownwardAPIVolumeFile(Type):
    path: Annotated[str, F(1)] = required(str)
    field_ref: Annotated[ObjectFieldSelector | None, F(2)] = None
    resource_field_ref: Annotated[ResourceFieldSelector | None, F(3)] = None
    mode: Annotated[Int32 | None, F(4, explicit=True)] = None


class DownwardAPIVolumeSource(Type):
    items: Annotated[list[DownwardAPIVolumeFile], F(1, atomic=True)] = []
    default_mode: Annotated[Int32 | None, F(2, explicit=True)] = None


class FCVolumeSource(Type):
    target_wwns: Annotated[list[str], F(1, atomic=True)] = []
    lun: Annotated[Int32 | None, F(2, explicit=True)] = None
    fs_type: Annotated[str | None, F(3)] = None
    read_only: Annotated[bool | None, F(4)] = None
    wwids: Annotated[list[str], F(5, atomic=True)] = []


class AzureFileVolumeSource(Type):
    secret_name: Annotated[str, F(1)] = required(str)
    share_name: Annotated[str, F(2)] = required(str)
    read_only: Annotated[bool | None, F(3)] = None


class ConfigMapVolumeSource(Type):
    name: Annotated[str | None, F(1, 1)] = None
    items: Annotated[list[KeyToPath], F(2, atomic=True)] = []
    default_mode: Annotated[Int32 | None, F(3, explicit=True)] = None
    optional: Annotated[bool | None, F(4, explicit=True)] = None


class VsphereVirtualDiskVolumeSource(Type):
    volume_path: Annotated[str, F(1)] = required(str)
    fs_type: Annotated[str | None, F(2)] = None
    storage_policy_name: Annotated[str | None, F(3)] = None
    storage_policy_id: Annotated[str | None, F(4)] = None


class QuobyteVolumeSource(Type):
    registry: Annotated[str, F(1)] = required(str)
    volume: Annotated[str, F(2)] = required(str)
    read_only: Annotated[bool | None, F(3)] = None
    user: Annotated[str | None, F(4)] = None
    group: Annotated[str | None, F(5)] = None
    tenant: Annotated[str | None, F(6)] = None


class AzureDiskVolumeSource(Type):
    disk_name: Annotated[str, F(1)] = required(str)
    disk_uri: Annotated[str, F(2)] = required(str)
    caching_mode: Annotated[str | None, F(3, explicit=True, among=choices.DISK_CACHING)] = None
    fs_type: Annotated[str | None, F(4, explicit=True)] = None
    read_only: Annotated[bool | None, F(5, explicit=True)] = None
    kind: Annotated[str | None, F(6, explicit=True, among=choices.DISK_KINDS)] = None


class PhotonPersistentDiskVolumeSource(Type):
    pd_id: Annotated[str, F(1)] = required(str)
    fs_type: Annotated[str | None, F(2)] = None


class SecretProjection(Type):
    name: Annotated[str | None, F(1, 1)] = None
    items: Annotated[list[KeyToPath], F(2, atomic=True)] = []
    optional: Annotated[bool | None, F(4, explicit=True)] = None


class DownwardAPIProjection(Type):
    items: Annotated[list[DownwardAPIVolumeFile], F(1, atomic=True)] = []


class ConfigMapProjection(Type):
    name: Annotated[str | None, F(1, 1)] = None
    items: Annotated[list[KeyToPath], F(2, atomic=True)] = []
    optional: Annotated[bool | None, F(4, explicit=True)] = None


class ServiceAccountTokenProjection(Type):
    audience: Annotated[str | None, F(1)] = None
    expiration_seconds: Annotated[Int64 | None, F(2, explicit=True)] = None
    path: Annotated[str, F(3)] = required(str)


class ClusterTrustBundleProjection(Type):
    name: Annotated[str | None, F(1, explicit=True)] = None
    signer_name: Annotated[str | None, F(2, explicit=True)] = None
    label_selector: Annotated[LabelSelector | None, F(3)] = None
    optional: Annotated[bool | None, F(5, explicit=True)] = None
    path: Annotated[str, F(4)] = required(str)


class PodCertificateProjection(Type):
    signer_name: Annotated[str, F(1)] = required(str)
    key_type: Annotated[str, F(2)] = required(str)
    max_expiration_seconds: Annotated[Int32 | None, F(3, explicit=True)] = None
    credential_bundle_path: Annotated[str | None, F(4)] = None
    key_path: Annotated[str | None, F(5)] = None
    certificate_chain_path: Annotated[str | None, F(6)] = None
    user_annotations: Annotated[dict[str, str], F(7)] = {}


class VolumeProjection(Type):
    secret: Annotated[SecretProjection | None, F(1)] = None
    downward_api: Annotated[DownwardAPIProjection | None, F(2)] = None
    config_map: Annotated[ConfigMapProjection | None, F(3)] = None
    service_account_token: Annotated[ServiceAccountTokenProjection | None, F(4)] = None
    cluster_trust_bundle: Annotated[ClusterTrustBundleProjection | None, F(5)] = None
    pod_certificate: Annotated[PodCertificateProjection | None, F(6)] = None


class ProjectedVolumeSource(Type):
    sources: Annotated[list[VolumeProjection], F(1, atomic=True)] = required(list)
    default_mode: Annotated[Int32 | None, F(2, explicit=True)] = None


class PortworxVolumeSource(Type):
    volume_id: Annotated[str, F(1)] = required(str)
    fs_type: Annotated[str | None, F(2)] = None
    read_only: Annotated[bool | None, F(3)] = None


class ScaleIOVolumeSource(Type):
    gateway: Annotated[str, F(1)] = required(str)
    system: Annotated[str, F(2)] = required(str)
    secret_ref: Annotated[LocalObjectReference, F(3)] = required(LocalObjectReference)
    ssl_enabled: Annotated[bool | None, F(4)] = None
    protection_domain: Annotated[str | None, F(5)] = None
    storage_pool: Annotated[str | None, F(6)] = None
    storage_mode: Annotated[str | None, F(7)] = None
    volume_name: Annotated[str | None, F(8)] = None
    fs_type: Annotated[str | None, F(9)] = None
    read_only: Annotated[bool | None, F(10)] = None


class StorageOSVolumeSource(Type):
    volume_name: Annotated[str | None, F(1)] = None
    volume_namespace: Annotated[str | None, F(2)] = None
    fs_type: Annotated[str | None, F(3)] = None
    read_only: Annotated[bool | None, F(4)] = None
    secret_ref: Annotated[LocalObjectReference | None, F(5)] = None


class CSIVolumeSource(Type):
    driver: Annotated[str, F(1)] = required(str)
    read_only: Annotated[bool | None, F(2, explicit=True)] = None
    fs_type: Annotated[str | None, F(3, explicit=True)] = None
    volume_attributes: Annotated[dict[str, str], F(4)] = {}
    node_publish_secret_ref: Annotated[LocalObjectReference | None, F(5)] = None


class VolumeResourceRequirements(Type):
    limits: Annotated[dict[str, Quantity], F(1)] = {}
    requests: Annotated[dict[str, Quantity], F(2)] = {}


class TypedLocalObjectReference(Type):
    api_group: Annotated[str | None, F(1, explicit=True)] = None
    kind: Annotated[str, F(2)] = required(str)
    name: Annotated[str, F(3)] = required(str)


class TypedObjectReference(Type):
    api_group: Annotated[str | None, F(1, explicit=True)] = None
    kind: Annotated[str, F(2)] = required(str)
    name: Annotated[str, F(3)] = required(str)
    namespace: Annotated[str | None, F(4, explicit=True)] = None


class PersistentVolumeClaimSpec(Type):
    access_modes: Annotated[list[str], F(1, atomic=True, among=choices.ACCESS_MODES)] = []
    selector: Annotated[LabelSelector | None, F(4)] = None
    resources: Annotated[VolumeResourceRequirements, F(2)] = required(VolumeResourceRequirements)
    volume_name: Annotated[str | None, F(3)] = None
    storage_class_name: Annotated[str | None, F(5, explicit=True)] = None
    volume_mode: Annotated[str | None, F(6, explicit=True, among=choices.VOLUME_MODES)] = None
    data_source: Annotated[TypedLocalObjectReference | None, F(7)] = None
    data_source_ref: Annotated[TypedObjectReference | None, F(8)] = None
    volume_attributes_class_name: Annotated[str | None, F(9, explicit=True)] = None


class PersistentVolumeClaimTemplate(Type):
    metadata: Annotated[ObjectMeta | None, F(1)] = None
    spec: Annotated[PersistentVolumeClaimSpec, F(2)] = required(PersistentVolumeClaimSpec)


class EphemeralVolumeSource(Type):
    volume_claim_template: Annotated[PersistentVolumeClaimTemplate | None, F(1)] = None


class ImageVolumeSource(Type):
    reference: Annotated[str | None, F(1)] = None
    pull_policy: Annotated[str | None, F(2, among=choices.PULL_POLICIES)] = None


class Volume(Type):
    name: Annotated[str, F(1)] = required(str)
    host_path: Annotated[HostPathVolumeSource | None, F(2, 1)] = None
    empty_dir: Annotated[EmptyDirVolumeSource | None, F(2, 2)] = None
    gce_persistent_disk: Annotated[GCEPersistentDiskVolumeSource | None, F(2, 3)] = None
    aws_elastic_block_store: Annotated[AWSElasticBlockStoreVolumeSource | None, F(2, 4)] = None
    git_repo: Annotated[GitRepoVolumeSource | None, F(2, 5)] = None
    secret: Annotated[SecretVolumeSource | None, F(2, 6)] = None
    nfs: Annotated[NFSVolumeSource | None, F(2, 7)] = None
    iscsi: Annotated[ISCSIVolumeSource | None, F(2, 8)] = None
    glusterfs: Annotated[GlusterfsVolumeSource | None, F(2, 9)] = None
    persistent_volume_claim: Annotated[PersistentVolumeClaimVolumeSource | None, F(2, 10)] = None
    rbd: Annotated[RBDVolumeSource | None, F(2, 11)] = None
    flex_volume: Annotated[FlexVolumeSource | None, F(2, 12)] = None
    cinder: Annotated[CinderVolumeSource | None, F(2, 13)] = None
    cephfs: Annotated[CephFSVolumeSource | None, F(2, 14)] = None
    flocker: Annotated[FlockerVolumeSource | None, F(2, 15)] = None
    downward_api: Annotated[DownwardAPIVolumeSource | None, F(2, 16)] = None
    fc: Annotated[FCVolumeSource | None, F(2, 17)] = None
    azure_file: Annotated[AzureFileVolumeSource | None, F(2, 18)] = None
    config_map: Annotated[ConfigMapVolumeSource | None, F(2, 19)] = None
    vsphere_volume: Annotated[VsphereVirtualDiskVolumeSource | None, F(2, 20)] = None
    quobyte: Annotated[QuobyteVolumeSource | None, F(2, 21)] = None
    azure_disk: Annotated[AzureDiskVolumeSource | None, F(2, 22)] = None
    photon_persistent_disk: Annotated[PhotonPersistentDiskVolumeSource | None, F(2, 23)] = None
    projected: Annotated[ProjectedVolumeSource | None, F(2, 26)] = None
    portworx_volume: Annotated[PortworxVolumeSource | None, F(2, 24)] = None
    scale_io: Annotated[ScaleIOVolumeSource | None, F(2, 25)] = None
    storageos: Annotated[StorageOSVolumeSource | None, F(2, 27)] = None
    csi: Annotated[CSIVolumeSource | None, F(2, 28)] = None
    ephemeral: Annotated[EphemeralVolumeSource | None, F(2, 29)] = None
    image: Annotated[ImageVolumeSource | None, F(2, 30)] = None


class ContainerPort(Type):
    name: Annotated[str | None, F(1)] = None
    host_port: Annotated[Int32 | None, F(2)] = None
    container_port: Annotated[Int32, F(3)] = required(int)
    protocol: Annotated[str | None, F(4, among=choices.PROTOCOLS)] = None
    host_ip: Annotated[str | None, F(5)] = None


class ConfigMapEnvSource(Type):
    name: Annotated[str | None, F(1, 1)] = None
    optional: Annotated[bool | None, F(2, explicit=True)] = None


class SecretEnvSource(Type):
    name: Annotated[str | None, F(1, 1)] = None
    optional: Annotated[bool | None, F(2, explicit=True)] = None


class EnvFromSource(Type):
    prefix: Annotated[str | None, F(1)] = None
    config_map_ref: Annotated[ConfigMapEnvSource | None, F(2)] = None
    secret_ref: Annotated[SecretEnvSource | None, F(3)] = None


class ConfigMapKeySelector(Type):
    name: Annotated[str | None, F(1, 1)] = None
    key: Annotated[str, F(2)] = required(str)
    optional: Annotated[bool | None, F(3, explicit=True)] = None


class SecretKeySelector(Type):
    name: Annotated[str | None, F(1, 1)] = None
    key: Annotated[str, F(2)] = required(str)
    optional: Annotated[bool | None, F(3, explicit=True)] = None


class FileKeySelector(Type):
    volume_name: Annotated[str, F(1)] = required(str)
    path: Annotated[str, F(2)] = required(str)
    key: Annotated[str, F(3)] = required(str)
    optional: Annotated[bool | None, F(4, explicit=True)] = None


class EnvVarSource(Type):
    field_ref: Annotated[ObjectFieldSelector | None, F(1)] = None
    resource_field_ref: Annotated[ResourceFieldSelector | None, F(2)] = None
    config_map_key_ref: Annotated[ConfigMapKeySelector | None, F(3)] = None
    secret_key_ref: Annotated[SecretKeySelector | None, F(4)] = None
    file_key_ref: Annotated[FileKeySelector | None, F(5)] = None


class EnvVar(Type):
    name: Annotated[str, F(1)] = required(str)
    value: Annotated[str | None, F(2)] = None
    value_from: Annotated[EnvVarSource | None, F(3)] = None


class ResourceClaim(Type):
    name: Annotated[str, F(1)] = required(str)
    request: Annotated[str | None, F(2)] = None


class ResourceRequirements(Type):
    limits: Annotated[dict[str, Quantity], F(1)] = {}
    requests: Annotated[dict[str, Quantity], F(2)] = {}
    claims: Annotated[list[ResourceClaim], F(3, keys=("name",))] = []


class ContainerResizePolicy(Type):
    resource_name: Annotated[str, F(1)] = required(str)
    restart_policy: Annotated[str, F(2)] = required(str)


class ContainerRestartRuleOnExitCodes(Type):
    operator: Annotated[str, F(1)] = required(str)
    values: Annotated[list[Int32], F(2, unique=True)] = []


class ContainerRestartRule(Type):
    action: Annotated[str, F(1)] = required(str)
    exit_codes: Annotated[ContainerRestartRuleOnExitCodes | None, F(2)] = None


class VolumeMount(Type):
    name: Annotated[str, F(1)] = required(str)
    read_only: Annotated[bool | None, F(2)] = None
    recursive_read_only: Annotated[str | None, F(7, explicit=True)] = None
    mount_path: Annotated[str, F(3)] = required(str)
    sub_path: Annotated[str | None, F(4)] = None
    mount_propagation: Annotated[str | None, F(5, explicit=True, among=choices.MOUNT_PROPAGATION)] = None
    sub_path_expr: Annotated[str | None, F(6)] = None


class VolumeDevice(Type):
    name: Annotated[str, F(1)] = required(str)
    device_path: Annotated[str, F(2)] = required(str)


class ExecAction(Type):
    command: Annotated[list[str], F(1, atomic=True)] = []


class HTTPHeader(Type):
    name: Annotated[str, F(1)] = required(str)
    value: Annotated[str, F(2)] = required(str)


class HTTPGetAction(Type):
    path: Annotated[str | None, F(1)] = None
    port: Annotated[IntOrString, F(2)] = required(int)
    host: Annotated[str | None, F(3)] = None
    scheme: Annotated[str | None, F(4, among=choices.SCHEMES)] = None
    http_headers: Annotated[list[HTTPHeader], F(5, atomic=True)] = []


class TCPSocketAction(Type):
    port: Annotated[IntOrString, F(1)] = required(int)
    host: Annotated[str | None, F(2)] = None


class GRPCAction(Type):
    port: Annotated[Int32, F(1)] = required(int)
    service: Annotated[str | None, F(2, explicit=True)] = None


class Probe(Type):
    exec: Annotated[ExecAction | None, F(1, 1)] = None
    http_get: Annotated[HTTPGetAction | None, F(1, 2)] = None
    tcp_socket: Annotated[TCPSocketAction | None, F(1, 3)] = None
    grpc: Annotated[GRPCAction | None, F(1, 4)] = None
    initial_delay_seconds: Annotated[Int32 | None, F(2)] = None
    timeout_seconds: Annotated[Int32 | None, F(3)] = None
    period_seconds: Annotated[Int32 | None, F(4)] = None
    success_threshold: Annotated[Int32 | None, F(5)] = None
    failure_threshold: Annotated[Int32 | None, F(6)] = None
    termination_grace_period_seconds: Annotated[Int64 | None, F(7, explicit=True)] = None


class SleepAction(Type):
    seconds: Annotated[Int64, F(1)] = required(int)


class LifecycleHandler(Type):
    exec: Annotated[ExecAction | None, F(1)] = None
    http_get: Annotated[HTTPGetAction | None, F(2)] = None
    tcp_socket: Annotated[TCPSocketAction | None, F(3)] = None
    sleep: Annotated[SleepAction | None, F(4)] = None


class Lifecycle(Type):
    post_start: Annotated[LifecycleHandler | None, F(1)] = None
    pre_stop: Annotated[LifecycleHandler | None, F(2)] = None
    stop_signal: Annotated[str | None, F(3, explicit=True, among=choices.SIGNALS)] = None


class Capabilities(Type):
    add: Annotated[list[str], F(1, atomic=True)] = []
    drop: Annotated[list[str], F(2, atomic=True)] = []


class SELinuxOptions(Type):
    user: Annotated[str | None, F(1)] = None
    role: Annotated[str | None, F(2)] = None
    type: Annotated[str | None, F(3)] = None
    level: Annotated[str | None, F(4)] = None


class WindowsSecurityContextOptions(Type):
    gmsa_credential_spec_name: Annotated[str | None, F(1, explicit=True)] = None
    gmsa_credential_spec: Annotated[str | None, F(2, explicit=True)] = None
    run_as_user_name: Annotated[str | None, F(3, explicit=True)] = None
    host_process: Annotated[bool | None, F(4, explicit=True)] = None


class SeccompProfile(Type):
    type: Annotated[str, F(1, among=choices.PROFILES)] = required(str)
    localhost_profile: Annotated[str | None, F(2, explicit=True)] = None


class AppArmorProfile(Type):
    type: Annotated[str, F(1, among=choices.PROFILES)] = required(str)
    localhost_profile: Annotated[str | None, F(2, explicit=True)] = None


class SecurityContext(Type):
    capabilities: Annotated[Capabilities | None, F(1)] = None
    privileged: Annotated[bool | None, F(2, explicit=True)] = None
    se_linux_options: Annotated[SELinuxOptions | None, F(3)] = None
    windows_options: Annotated[WindowsSecurityContextOptions | None, F(10)] = None
    run_as_user: Annotated[Int64 | None, F(4, explicit=True)] = None
    run_as_group: Annotated[Int64 | None, F(8, explicit=True)] = None
    run_as_non_root: Annotated[bool | None, F(5, explicit=True)] = None
    read_only_root_filesystem: Annotated[bool | None, F(6, explicit=True)] = None
    allow_privilege_escalation: Annotated[bool | None, F(7, explicit=True)] = None
    proc_mount: Annotated[str | None, F(9, explicit=True, among=choices.PROC_MOUNTS)] = None
    seccomp_profile: Annotated[SeccompProfile | None, F(11)] = None
    app_armor_profile: Annotated[AppArmorProfile | None, F(12)] = None


class Container(Type):
    name: Annotated[str, F(1)] = required(str)
    image: Annotated[str | None, F(2)] = None
    command: Annotated[list[str], F(3, atomic=True)] = []
    args: Annotated[list[str], F(4, atomic=True)] = []
    working_dir: Annotated[str | None, F(5)] = None
    ports: Annotated[list[ContainerPort], F(6, merge="containerPort", keys=("containerPort", "protocol"))] = []
    env_from: Annotated[list[EnvFromSource], F(19, atomic=True)] = []
    env: Annotated[list[EnvVar], F(7, merge="name")] = []
    resources: Annotated[ResourceRequirements, F(8)] = required(ResourceRequirements)
    resize_policy: Annotated[list[ContainerResizePolicy], F(23, atomic=True)] = []
    restart_policy: Annotated[str | None, F(24, explicit=True)] = None
    restart_policy_rules: Annotated[list[ContainerRestartRule], F(25, atomic=True)] = []
    volume_mounts: Annotated[list[VolumeMount], F(9, merge="mountPath")] = []
    volume_devices: Annotated[list[VolumeDevice], F(21, merge="devicePath")] = []
    liveness_probe: Annotated[Probe | None, F(10)] = None
    readiness_probe: Annotated[Probe | None, F(11)] = None
    startup_probe: Annotated[Probe | None, F(22)] = None
    lifecycle: Annotated[Lifecycle | None, F(12)] = None
    termination_message_path: Annotated[str | None, F(13)] = None
    termination_message_policy: Annotated[str | None, F(20, among=choices.TERMINATION_MESSAGES)] = None
    image_pull_policy: Annotated[str | None, F(14, among=choices.PULL_POLICIES)] = None
    security_context: Annotated[SecurityContext | None, F(15)] = None
    stdin: Annotated[bool | None, F(16)] = None
    stdin_once: Annotated[bool | None, F(17)] = None
    tty: Annotated[bool | None, F(18)] = None


class EphemeralContainer(Type):
    name: Annotated[str, F(1, 1)] = required(str)
    image: Annotated[str | None, F(1, 2)] = None
    command: Annotated[list[str], F(1, 3, atomic=True)] = []
    args: Annotated[list[str], F(1, 4, atomic=True)] = []
    working_dir: Annotated[str | None, F(1, 5)] = None
    ports: Annotated[list[ContainerPort], F(1, 6, merge="containerPort", keys=("containerPort", "protocol"))] = []
    env_from: Annotated[list[EnvFromSource], F(1, 19, atomic=True)] = []
    env: Annotated[list[EnvVar], F(1, 7, merge="name")] = []
    resources: Annotated[ResourceRequirements, F(1, 8)] = required(ResourceRequirements)
    resize_policy: Annotated[list[ContainerResizePolicy], F(1, 23, atomic=True)] = []
    restart_policy: Annotated[str | None, F(1, 24, explicit=True)] = None
    restart_policy_rules: Annotated[list[ContainerRestartRule], F(1, 25, atomic=True)] = []
    volume_mounts: Annotated[list[VolumeMount], F(1, 9, merge="mountPath")] = []
    volume_devices: Annotated[list[VolumeDevice], F(1, 21, merge="devicePath")] = []
    liveness_probe: Annotated[Probe | None, F(1, 10)] = None
    readiness_probe: Annotated[Probe | None, F(1, 11)] = None
    startup_probe: Annotated[Probe | None, F(1, 22)] = None
    lifecycle: Annotated[Lifecycle | None, F(1, 12)] = None
    termination_message_path: Annotated[str | None, F(1, 13)] = None
    termination_message_policy: Annotated[str | None, F(1, 20, among=choices.TERMINATION_MESSAGES)] = None
    image_pull_policy: Annotated[str | None, F(1, 14, among=choices.PULL_POLICIES)] = None
    security_context: Annotated[SecurityContext | None, F(1, 15)] = None
    stdin: Annotated[bool | None, F(1, 16)] = None
    stdin_once: Annotated[bool | None, F(1, 17)] = None
    tty: Annotated[bool | None, F(1, 18)] = None
    target_container_name: Annotated[str | None, F(2)] = None


class Sysctl(Type):
    name: Annotated[str, F(1)] = required(str)
    value: Annotated[str, F(2)] = required(str)


class PodSecurityContext(Type):
    se_linux_options: Annotated[SELinuxOptions | None, F(1)] = None
    windows_options: Annotated[WindowsSecurityContextOptions | None, F(8)] = None
    run_as_user: Annotated[Int64 | None, F(2, explicit=True)] = None
    run_as_group: Annotated[Int64 | None, F(6, explicit=True)] = None
    run_as_non_root: Annotated[bool | None, F(3, explicit=True)] = None
    supplemental_groups: Annotated[list[Int64], F(4, atomic=True)] = []
    supplemental_groups_policy: Annotated[str | None, F(12, explicit=True, among=choices.GROUP_POLICIES)] = None
    fs_group: Annotated[Int64 | None, F(5, explicit=True)] = None
    sysctls: Annotated[list[Sysctl], F(7, atomic=True)] = []
    fs_group_change_policy: Annotated[str | None, F(9, explicit=True, among=choices.FS_GROUP_CHANGES)] = None
    seccomp_profile: Annotated[SeccompProfile | None, F(10)] = None
    app_armor_profile: Annotated[AppArmorProfile | None, F(11)] = None
    se_linux_change_policy: Annotated[str | None, F(13, explicit=True)] = None


class NodeSelectorRequirement(Type):
    key: Annotated[str, F(1)] = required(str)
    operator: Annotated[str, F(2, among=choices.NODE_OPERATORS)] = required(str)
    values: Annotated[list[str], F(3, atomic=True)] = []


class NodeSelectorTerm(Type):
    match_expressions: Annotated[list[NodeSelectorRequirement], F(1, atomic=True)] = []
    match_fields: Annotated[list[NodeSelectorRequirement], F(2, atomic=True)] = []


class NodeSelector(Type):
    node_selector_terms: Annotated[list[NodeSelectorTerm], F(1, atomic=True)] = required(list)


class PreferredSchedulingTerm(Type):
    weight: Annotated[Int32, F(1)] = required(int)
    preference: Annotated[NodeSelectorTerm, F(2)] = required(NodeSelectorTerm)


class NodeAffinity(Type):
    required_during_scheduling_ignored_during_execution: Annotated[NodeSelector | None, F(1)] = None
    preferred_during_scheduling_ignored_during_execution: Annotated[
        list[PreferredSchedulingTerm], F(2, atomic=True)
    ] = []


class PodAffinityTerm(Type):
    label_selector: Annotated[LabelSelector | None, F(1)] = None
    namespaces: Annotated[list[str], F(2, atomic=True)] = []
    topology_key: Annotated[str, F(3)] = required(str)
    namespace_selector: Annotated[LabelSelector | None, F(4)] = None
    match_label_keys: Annotated[list[str], F(5, atomic=True)] = []
    mismatch_label_keys: Annotated[list[str], F(6, atomic=True)] = []


class WeightedPodAffinityTerm(Type):
    weight: Annotated[Int32, F(1)] = required(int)
    pod_affinity_term: Annotated[PodAffinityTerm, F(2)] = required(PodAffinityTerm)


class PodAffinity(Type):
    required_during_scheduling_ignored_during_execution: Annotated[list[PodAffinityTerm], F(1, atomic=True)] = []
    preferred_during_scheduling_ignored_during_execution: Annotated[
        list[WeightedPodAffinityTerm], F(2, atomic=True)
    ] = []


class PodAntiAffinity(Type):
    required_during_scheduling_ignored_during_execution: Annotated[list[PodAffinityTerm], F(1, atomic=True)] = []
    preferred_during_scheduling_ignored_during_execution: Annotated[
        list[WeightedPodAffinityTerm], F(2, atomic=True)
    ] = []


class Affinity(Type):
    node_affinity: Annotated[NodeAffinity | None, F(1)] = None
    pod_affinity: Annotated[PodAffinity | None, F(2)] = None
    pod_anti_affinity: Annotated[PodAntiAffinity | None, F(3)] = None


class Toleration(Type):
    key: Annotated[str | None, F(1)] = None
    operator: Annotated[str | None, F(2, among=choices.TOLERATION_OPERATORS)] = None
    value: Annotated[str | None, F(3)] = None
    effect: Annotated[str | None, F(4, among=choices.TAINT_EFFECTS)] = None
    toleration_seconds: Annotated[Int64 | None, F(5, explicit=True)] = None


class HostAlias(Type):
    ip: Annotated[str, F(1)] = required(str)
    hostnames: Annotated[list[str], F(2, atomic=True)] = []


class PodDNSConfigOption(Type):
    name: Annotated[str | None, F(1)] = None
    value: Annotated[str | None, F(2, explicit=True)] = None


class PodDNSConfig(Type):
    nameservers: Annotated[list[str], F(1, atomic=True)] = []
    searches: Annotated[list[str], F(2, atomic=True)] = []
    options: Annotated[list[PodDNSConfigOption], F(3, atomic=True)] = []


class PodReadinessGate(Type):
    condition_type: Annotated[str, F(1)] = required(str)


class TopologySpreadConstraint(Type):
    max_skew: Annotated[Int32, F(1)] = required(int)
    topology_key: Annotated[str, F(2)] = required(str)
    when_unsatisfiable: Annotated[str, F(3, among=choices.UNSATISFIABLE)] = required(str)
    label_selector: Annotated[LabelSelector | None, F(4)] = None
    min_domains: Annotated[Int32 | None, F(5, explicit=True)] = None
    node_affinity_policy: Annotated[str | None, F(6, explicit=True, among=choices.SPREAD_INCLUSION)] = None
    node_taints_policy: Annotated[str | None, F(7, explicit=True, among=choices.SPREAD_INCLUSION)] = None
    match_label_keys: Annotated[list[str], F(8, atomic=True)] = []


class PodOS(Type):
    name: Annotated[str, F(1)] = required(str)


class PodSchedulingGate(Type):
    name: Annotated[str, F(1)] = required(str)


class PodResourceClaim(Type):
    name: Annotated[str, F(1)] = required(str)
    resource_claim_name: Annotated[str | None, F(3, explicit=True)] = None
    resource_claim_template_name: Annotated[str | None, F(4, explicit=True)] = None


class PodSchedulingGroup(Type):
    pod_group_name: Annotated[str | None, F(1, explicit=True)] = None


class PodSpec(Type):
    volumes: Annotated[list[Volume], F(1, merge="name", retain_keys=True)] = []
    init_containers: Annotated[list[Container], F(20, merge="name")] = []
    containers: Annotated[list[Container], F(2, merge="name")] = required(list)
    ephemeral_containers: Annotated[list[EphemeralContainer], F(34, merge="name")] = []
    restart_policy: Annotated[str | None, F(3, among=choices.RESTART_POLICIES)] = None
    termination_grace_period_seconds: Annotated[Int64 | None, F(4, explicit=True)] = None
    active_deadline_seconds: Annotated[Int64 | None, F(5, explicit=True)] = None
    dns_policy: Annotated[str | None, F(6, among=choices.DNS_POLICIES)] = None
    node_selector: Annotated[dict[str, str], F(7, atomic=True)] = {}
    service_account_name: Annotated[str | None, F(8)] = None
    service_account: Annotated[str | None, F(9)] = None
    automount_service_account_token: Annotated[bool | None, F(21, explicit=True)] = None
    node_name: Annotated[str | None, F(10)] = None
    host_network: Annotated[bool | None, F(11)] = None
    host_pid: Annotated[bool | None, F(12)] = None
    host_ipc: Annotated[bool | None, F(13)] = None
    share_process_namespace: Annotated[bool | None, F(27, explicit=True)] = None
    security_context: Annotated[PodSecurityContext | None, F(14)] = None
    image_pull_secrets: Annotated[list[LocalObjectReference], F(15, merge="name")] = []
    hostname: Annotated[str | None, F(16)] = None
    subdomain: Annotated[str | None, F(17)] = None
    affinity: Annotated[Affinity | None, F(18)] = None
    scheduler_name: Annotated[str | None, F(19)] = None
    tolerations: Annotated[list[Toleration], F(22, atomic=True)] = []
    host_aliases: Annotated[list[HostAlias], F(23, merge="ip")] = []
    priority_class_name: Annotated[str | None, F(24)] = None
    priority: Annotated[Int32 | None, F(25, explicit=True)] = None
    dns_config: Annotated[PodDNSConfig | None, F(26)] = None
    readiness_gates: Annotated[list[PodReadinessGate], F(28, atomic=True)] = []
    runtime_class_name: Annotated[str | None, F(29, explicit=True)] = None
    enable_service_links: Annotated[bool | None, F(30, explicit=True)] = None
    preemption_policy: Annotated[str | None, F(31, explicit=True, among=choices.PREEMPTION)] = None
    overhead: Annotated[dict[str, Quantity], F(32)] = {}
    topology_spread_constraints: Annotated[
        list[TopologySpreadConstraint], F(33, merge="topologyKey", keys=("topologyKey", "whenUnsatisfiable"))
    ] = []
    set_hostname_as_fqdn: Annotated[bool | None, F(35, explicit=True)] = None
    os: Annotated[PodOS | None, F(36)] = None
    host_users: Annotated[bool | None, F(37, explicit=True)] = None
    scheduling_gates: Annotated[list[PodSchedulingGate], F(38, merge="name")] = []
    resource_claims: Annotated[list[PodResourceClaim], F(39, merge="name", retain_keys=True)] = []
    resources: Annotated[ResourceRequirements | None, F(40)] = None
    hostname_override: Annotated[str | None, F(41, explicit=True)] = None
    scheduling_group: Annotated[PodSchedulingGroup | None, F(43)] = None


class PodCondition(Type):
    type: Annotated[str, F(1)] = required(str)
    observed_generation: Annotated[Int64 | None, F(7)] = None
    status: Annotated[str, F(2)] = required(str)
    last_probe_time: Annotated[Time | None, F(3)] = None
    last_transition_time: Annotated[Time | None, F(4)] = None
    reason: Annotated[str | None, F(5)] = None
    message: Annotated[str | None, F(6)] = None


class HostIP(Type):
    ip: Annotated[str, F(1)] = required(str)


class PodIP(Type):
    ip: Annotated[str, F(1)] = required(str)


class ContainerStateWaiting(Type):
    reason: Annotated[str | None, F(1)] = None
    message: Annotated[str | None, F(2)] = None


class ContainerStateRunning(Type):
    started_at: Annotated[Time | None, F(1)] = None


class ContainerStateTerminated(Type):
    exit_code: Annotated[Int32, F(1)] = required(int)
    signal: Annotated[Int32 | None, F(2)] = None
    reason: Annotated[str | None, F(3)] = None
    message: Annotated[str | None, F(4)] = None
    started_at: Annotated[Time | None, F(5)] = None
    finished_at: Annotated[Time | None, F(6)] = None
    container_id: Annotated[str | None, F(7)] = None


class ContainerState(Type):
    waiting: Annotated[ContainerStateWaiting | None, F(1)] = None
    running: Annotated[ContainerStateRunning | None, F(2)] = None
    terminated: Annotated[ContainerStateTerminated | None, F(3)] = None


class ImageVolumeStatus(Type):
    image_ref: Annotated[str, F(1)] = required(str)


class VolumeStatus(Type):
    image: Annotated[ImageVolumeStatus | None, F(1)] = None


class VolumeMountStatus(Type):
    name: Annotated[str, F(1)] = required(str)
    mount_path: Annotated[str, F(2)] = required(str)
    read_only: Annotated[bool | None, F(3)] = None
    recursive_read_only: Annotated[str | None, F(4, explicit=True)] = None
    volume_status: Annotated[VolumeStatus | None, F(5)] = None


class LinuxContainerUser(Type):
    uid: Annotated[Int64, F(1)] = required(int)
    gid: Annotated[Int64, F(2)] = required(int)
    supplemental_groups: Annotated[list[Int64], F(3, atomic=True)] = []


class ContainerUser(Type):
    linux: Annotated[LinuxContainerUser | None, F(1)] = None


class ResourceHealth(Type):
    resource_id: Annotated[str, F(1)] = required(str)
    health: Annotated[str | None, F(2)] = None
    message: Annotated[str | None, F(6, explicit=True)] = None


class ResourceStatus(Type):
    name: Annotated[str, F(1)] = required(str)
    resources: Annotated[list[ResourceHealth], F(2, keys=("resourceID",))] = []


class ContainerStatus(Type):
    name: Annotated[str, F(1)] = required(str)
    state: Annotated[ContainerState, F(2)] = required(ContainerState)
    last_state: Annotated[ContainerState, F(3)] = required(ContainerState)
    ready: Annotated[bool, F(4)] = required(bool)
    restart_count: Annotated[Int32, F(5)] = required(int)
    image: Annotated[str, F(6)] = required(str)
    image_id: Annotated[str, F(7)] = required(str)
    container_id: Annotated[str | None, F(8)] = None
    started: Annotated[bool | None, F(9, explicit=True)] = None
    allocated_resources: Annotated[dict[str, Quantity], F(10)] = {}
    resources: Annotated[ResourceRequirements | None, F(11)] = None
    volume_mounts: Annotated[list[VolumeMountStatus], F(12, merge="mountPath")] = []
    user: Annotated[ContainerUser | None, F(13)] = None
    allocated_resources_status: Annotated[list[ResourceStatus], F(14, merge="name")] = []
    stop_signal: Annotated[str | None, F(15, explicit=True, among=choices.SIGNALS)] = None


class PodResourceClaimStatus(Type):
    name: Annotated[str, F(1)] = required(str)
    resource_claim_name: Annotated[str | None, F(2, explicit=True)] = None


class ContainerExtendedResourceRequest(Type):
    container_name: Annotated[str, F(1)] = required(str)
    resource_name: Annotated[str, F(2)] = required(str)
    request_name: Annotated[str, F(3)] = required(str)


class PodExtendedResourceClaimStatus(Type):
    request_mappings: Annotated[list[ContainerExtendedResourceRequest], F(1, atomic=True)] = required(list)
    resource_claim_name: Annotated[str, F(2)] = required(str)


class NodeAllocatableResourceClaimStatus(Type):
    resource_claim_name: Annotated[str, F(1)] = required(str)
    containers: Annotated[list[str], F(2, unique=True)] = []
    resources: Annotated[dict[str, Quantity], F(3)] = required(dict)


class PodStatus(Type):
    observed_generation: Annotated[Int64 | None, F(17)] = None
    phase: Annotated[str | None, F(1, among=choices.POD_PHASES)] = None
    conditions: Annotated[list[PodCondition], F(2, merge="type")] = []
    message: Annotated[str | None, F(3)] = None
    reason: Annotated[str | None, F(4)] = None
    nominated_node_name: Annotated[str | None, F(11)] = None
    host_ip: Annotated[str | None, F(5)] = None
    host_ips: Annotated[list[HostIP], F(16, merge="ip", atomic=True)] = []
    pod_ip: Annotated[str | None, F(6)] = None
    pod_ips: Annotated[list[PodIP], F(12, merge="ip")] = []
    start_time: Annotated[Time | None, F(7)] = None
    init_container_statuses: Annotated[list[ContainerStatus], F(10, atomic=True)] = []
    container_statuses: Annotated[list[ContainerStatus], F(8, atomic=True)] = []
    qos_class: Annotated[str | None, F(9, among=choices.QOS_CLASSES)] = None
    ephemeral_container_statuses: Annotated[list[ContainerStatus], F(13, atomic=True)] = []
    resize: Annotated[str | None, F(14)] = None
    resource_claim_statuses: Annotated[list[PodResourceClaimStatus], F(15, merge="name", retain_keys=True)] = []
    extended_resource_claim_status: Annotated[PodExtendedResourceClaimStatus | None, F(18)] = None
    allocated_resources: Annotated[dict[str, Quantity], F(19)] = {}
    resources: Annotated[ResourceRequirements | None, F(20)] = None
    node_allocatable_resource_claim_statuses: Annotated[
        list[NodeAllocatableResourceClaimStatus], F(21, atomic=True)
    ] = []


class Pod(Type):
    kind: str = constant("Pod")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[PodSpec, F(2)] = required(PodSpec)
    status: Annotated[PodStatus, F(3)] = required(PodStatus)


class PodTemplateSpec(Type):
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[PodSpec, F(2)] = required(PodSpec)


class ServicePort(Type):
    name: Annotated[str | None, F(1)] = None
    protocol: Annotated[str | None, F(2, among=choices.PROTOCOLS)] = None
    app_protocol: Annotated[str | None, F(6, explicit=True)] = None
    port: Annotated[Int32, F(3)] = required(int)
    target_port: Annotated[IntOrString | None, F(4)] = None
    node_port: Annotated[Int32 | None, F(5)] = None


class ClientIPConfig(Type):
    timeout_seconds: Annotated[Int32 | None, F(1, explicit=True)] = None


class SessionAffinityConfig(Type):
    client_ip: Annotated[ClientIPConfig | None, F(1)] = None


class ServiceSpec(Type):
    ports: Annotated[list[ServicePort], F(1, merge="port", keys=("port", "protocol"))] = []
    selector: Annotated[dict[str, str], F(2, atomic=True)] = {}
    cluster_ip: Annotated[str | None, F(3)] = None
    cluster_ips: Annotated[list[str], F(18, atomic=True)] = []
    type: Annotated[str | None, F(4, among=choices.SERVICE_TYPES)] = None
    external_ips: Annotated[list[str], F(5, atomic=True)] = []
    session_affinity: Annotated[str | None, F(7, among=choices.AFFINITIES)] = None
    load_balancer_ip: Annotated[str | None, F(8)] = None
    load_balancer_source_ranges: Annotated[list[str], F(9, atomic=True)] = []
    external_name: Annotated[str | None, F(10)] = None
    external_traffic_policy: Annotated[str | None, F(11, among=choices.TRAFFIC_POLICIES)] = None
    health_check_node_port: Annotated[Int32 | None, F(12)] = None
    publish_not_ready_addresses: Annotated[bool | None, F(13)] = None
    session_affinity_config: Annotated[SessionAffinityConfig | None, F(14)] = None
    ip_families: Annotated[list[str], F(19, atomic=True, among=choices.IP_FAMILIES)] = []
    ip_family_policy: Annotated[str | None, F(17, explicit=True, among=choices.IP_FAMILY_POLICIES)] = None
    allocate_load_balancer_node_ports: Annotated[bool | None, F(20, explicit=True)] = None
    load_balancer_class: Annotated[str | None, F(21, explicit=True)] = None
    internal_traffic_policy: Annotated[str | None, F(22, explicit=True, among=choices.TRAFFIC_POLICIES)] = None
    traffic_distribution: Annotated[str | None, F(23, explicit=True)] = None


class PortStatus(Type):
    port: Annotated[Int32, F(1)] = required(int)
    protocol: Annotated[str, F(2, among=choices.PROTOCOLS)] = required(str)
    error: Annotated[str | None, F(3, explicit=True)] = None


class LoadBalancerIngress(Type):
    ip: Annotated[str | None, F(1)] = None
    hostname: Annotated[str | None, F(2)] = None
    ip_mode: Annotated[str | None, F(3, explicit=True)] = None
    ports: Annotated[list[PortStatus], F(4, atomic=True)] = []


class LoadBalancerStatus(Type):
    ingress: Annotated[list[LoadBalancerIngress], F(1, atomic=True)] = []


class ServiceStatus(Type):
    load_balancer: Annotated[LoadBalancerStatus, F(1)] = required(LoadBalancerStatus)
    conditions: Annotated[list[Condition], F(2, merge="type")] = []


class Service(Type):
    kind: str = constant("Service")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[ServiceSpec, F(2)] = required(ServiceSpec)
    status: Annotated[ServiceStatus, F(3)] = required(ServiceStatus)


class ObjectReference(Type):
    kind: Annotated[str | None, F(1)] = None
    namespace: Annotated[str | None, F(2)] = None
    name: Annotated[str | None, F(3)] = None
    uid: Annotated[str | None, F(4)] = None
    api_version: Annotated[str | None, F(5)] = None
    resource_version: Annotated[str | None, F(6)] = None
    field_path: Annotated[str | None, F(7)] = None


class EndpointAddress(Type):
    ip: Annotated[str, F(1)] = required(str)
    hostname: Annotated[str | None, F(3)] = None
    node_name: Annotated[str | None, F(4, explicit=True)] = None
    target_ref: Annotated[ObjectReference | None, F(2)] = None


class EndpointPort(Type):
    name: Annotated[str | None, F(1)] = None
    port: Annotated[Int32, F(2)] = required(int)
    protocol: Annotated[str | None, F(3, among=choices.PROTOCOLS)] = None
    app_protocol: Annotated[str | None, F(4, explicit=True)] = None


class EndpointSubset(Type):
    addresses: Annotated[list[EndpointAddress], F(1, atomic=True)] = []
    not_ready_addresses: Annotated[list[EndpointAddress], F(2, atomic=True)] = []
    ports: Annotated[list[EndpointPort], F(3, atomic=True)] = []


class Endpoints(Type):
    kind: str = constant("Endpoints")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    subsets: Annotated[list[EndpointSubset], F(2, atomic=True)] = []


class ServiceAccount(Type):
    kind: str = constant("ServiceAccount")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    secrets: Annotated[list[ObjectReference], F(2, merge="name")] = []
    image_pull_secrets: Annotated[list[LocalObjectReference], F(3, atomic=True)] = []
    automount_service_account_token: Annotated[bool | None, F(4, explicit=True)] = None


class Secret(Type):
    kind: str = constant("Secret")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    immutable: Annotated[bool | None, F(5, explicit=True)] = None
    data: Annotated[dict[str, bytes], F(2)] = {}
    string_data: Annotated[dict[str, str], F(4)] = {}
    type: Annotated[str | None, F(3)] = None


class ConfigMap(Type):
    kind: str = constant("ConfigMap")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    immutable: Annotated[bool | None, F(4, explicit=True)] = None
    data: Annotated[dict[str, str], F(2)] = {}
    binary_data: Annotated[dict[str, bytes], F(3)] = {}


class EventSource(Type):
    component: Annotated[str | None, F(1)] = None
    host: Annotated[str | None, F(2)] = None


class EventSeries(Type):
    count: Annotated[Int32 | None, F(1)] = None
    last_observed_time: Annotated[MicroTime | None, F(2)] = None


class Event(Type):
    kind: str = constant("Event")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    involved_object: Annotated[ObjectReference, F(2)] = required(ObjectReference)
    reason: Annotated[str | None, F(3)] = None
    message: Annotated[str | None, F(4)] = None
    source: Annotated[EventSource | None, F(5)] = None
    first_timestamp: Annotated[Time | None, F(6)] = None
    last_timestamp: Annotated[Time | None, F(7)] = None
    count: Annotated[Int32 | None, F(8)] = None
    type: Annotated[str | None, F(9)] = None
    event_time: Annotated[MicroTime | None, F(10)] = None
    series: Annotated[EventSeries | None, F(11)] = None
    action: Annotated[str | None, F(12)] = None
    related: Annotated[ObjectReference | None, F(13)] = None
    reporting_component: Annotated[str, F(14)] = required(str)
    reporting_instance: Annotated[str, F(15)] = required(str)


class Binding(Type):
    kind: str = constant("Binding")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    target: Annotated[ObjectReference, F(2)] = required(ObjectReference)


class ComponentCondition(Type):
    type: Annotated[str, F(1)] = required(str)
    status: Annotated[str, F(2)] = required(str)
    message: Annotated[str | None, F(3)] = None
    error: Annotated[str | None, F(4)] = None


class ComponentStatus(Type):
    kind: str = constant("ComponentStatus")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    conditions: Annotated[list[ComponentCondition], F(2, merge="type")] = []
