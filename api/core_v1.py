"""core/v1: the types of the group without a name."""

from typing import Annotated

from api import choices
from api.fields import F, Int32, Int64, IntOrString, MicroTime, Quantity, Time, Type, constant, required
from api.meta_v1 import Condition, LabelSelector, ObjectMeta


class NamespaceSpec(Type):
    """Who still has work to do before a namespace may go."""

    finalizers: Annotated[list[str], F(1, atomic=True)] = []


class NamespaceCondition(Type):
    """One thing that is, or is not, the case with a namespace."""

    type: Annotated[str, F(1)] = required(str)
    status: Annotated[str, F(2)] = required(str)
    last_transition_time: Annotated[Time | None, F(4)] = None
    reason: Annotated[str | None, F(5)] = None
    message: Annotated[str | None, F(6)] = None


class NamespaceStatus(Type):
    """Whether a namespace is there or is being deleted.

    phase: whether it is there or being deleted
    """

    phase: Annotated[str | None, F(1, among=choices.NAMESPACE_PHASES)] = None
    conditions: Annotated[list[NamespaceCondition], F(2, merge="type")] = []


class Namespace(Type):
    """A room for objects: names are given once in it, and all goes when it is deleted."""

    kind: str = constant("Namespace")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[NamespaceSpec, F(2)] = required(NamespaceSpec)
    status: Annotated[NamespaceStatus, F(3)] = required(NamespaceStatus)


class Taint(Type):
    """Something about a node that keeps pods away, or drives them out.

    key: what the taint is called
    value: a value, for pods that tolerate only some
    effect: whether pods are kept away, kept away if possible, or driven out too
    time_added: since when
    """

    key: Annotated[str, F(1)] = required(str)
    value: Annotated[str | None, F(2)] = None
    effect: Annotated[str, F(3, among=choices.TAINT_EFFECTS)] = required(str)
    time_added: Annotated[Time | None, F(4)] = None


class ConfigMapNodeConfigSource(Type):
    """The ConfigMap with an agent's settings, in the past."""

    namespace: Annotated[str, F(1)] = required(str)
    name: Annotated[str, F(2)] = required(str)
    uid: Annotated[str | None, F(3)] = None
    resource_version: Annotated[str | None, F(4)] = None
    kubelet_config_key: Annotated[str, F(5)] = required(str)


class NodeConfigSource(Type):
    """Where an agent's settings came from, in the past."""

    config_map: Annotated[ConfigMapNodeConfigSource | None, F(2)] = None


class NodeSpec(Type):
    """What is wanted of a node: which pods it takes, and their addresses.

    pod_cidr: the network of its pods' addresses
    pod_cidrs: the networks of its pods' addresses, one for each family
    provider_id: what the cloud calls the machine
    unschedulable: while true, it gets no new pods
    taints: what keeps pods away, unless they tolerate it
    """

    pod_cidr: Annotated[str | None, F(1)] = None
    pod_cidrs: Annotated[list[str], F(7, merge=True)] = []
    provider_id: Annotated[str | None, F(3)] = None
    unschedulable: Annotated[bool | None, F(4)] = None
    taints: Annotated[list[Taint], F(5, atomic=True)] = []
    config_source: Annotated[NodeConfigSource | None, F(6)] = None
    external_id: Annotated[str | None, F(2)] = None


class NodeCondition(Type):
    """One thing that is, or is not, the case with a node."""

    type: Annotated[str, F(1)] = required(str)
    status: Annotated[str, F(2)] = required(str)
    last_heartbeat_time: Annotated[Time | None, F(3)] = None
    last_transition_time: Annotated[Time | None, F(4)] = None
    reason: Annotated[str | None, F(5)] = None
    message: Annotated[str | None, F(6)] = None


class NodeAddress(Type):
    """A name or address of a node, and what it is for."""

    type: Annotated[str, F(1)] = required(str)
    address: Annotated[str, F(2)] = required(str)


class DaemonEndpoint(Type):
    """A port on which something listens."""

    port: Annotated[Int32, F(1)] = required(int, name="Port")


class NodeDaemonEndpoints(Type):
    """Where the agent of a node listens."""

    kubelet_endpoint: Annotated[DaemonEndpoint, F(1)] = required(DaemonEndpoint)


class NodeSwapStatus(Type):
    """How much memory a node can move to disk."""

    capacity: Annotated[Int64 | None, F(1, explicit=True)] = None


class NodeSystemInfo(Type):
    """Machine, kernel, runtime and agent of a node.

    machine_id: the machine, as its system numbers it
    system_uuid: the machine, as its maker numbers it
    boot_id: the machine since its last start
    kernel_version: the version of the kernel
    os_image: the system
    container_runtime_version: the runtime and its version
    kubelet_version: the version of the agent
    kube_proxy_version: no longer told
    operating_system: linux
    architecture: the kind of processor
    """

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
    """An image on a node: its names and its size."""

    names: Annotated[list[str], F(1, atomic=True)] = required(list)
    size_bytes: Annotated[Int64 | None, F(2)] = None


class AttachedVolume(Type):
    """A volume that is attached to a node."""

    name: Annotated[str, F(1)] = required(str)
    device_path: Annotated[str, F(2)] = required(str)


class NodeConfigStatus(Type):
    """Which settings an agent used, in the past."""

    assigned: Annotated[NodeConfigSource | None, F(1)] = None
    active: Annotated[NodeConfigSource | None, F(2)] = None
    last_known_good: Annotated[NodeConfigSource | None, F(3)] = None
    error: Annotated[str | None, F(4)] = None


class NodeRuntimeHandlerFeatures(Type):
    """What a way to run containers can do."""

    recursive_read_only_mounts: Annotated[bool | None, F(1, explicit=True)] = None
    user_namespaces: Annotated[bool | None, F(2, explicit=True)] = None


class NodeRuntimeHandler(Type):
    """A way to run containers on a node, and what it can do."""

    name: Annotated[str, F(1)] = required(str)
    features: Annotated[NodeRuntimeHandlerFeatures | None, F(2)] = None


class NodeFeatures(Type):
    """What the runtime of a node can do."""

    supplemental_groups_policy: Annotated[bool | None, F(1, explicit=True)] = None


class NodeStatus(Type):
    """What a node has, is and runs, as its agent tells.

    capacity: what the machine has
    allocatable: what of it is for pods
    conditions: whether it is ready, and short of anything
    addresses: by which names and addresses it can be reached
    node_info: what machine and which programs it is
    images: images that are there already
    """

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
    """A machine that runs pods."""

    kind: str = constant("Node")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[NodeSpec, F(2)] = required(NodeSpec)
    status: Annotated[NodeStatus, F(3)] = required(NodeStatus)


class HostPathVolumeSource(Type):
    """A file or directory of the node.

    path: where it is on the node
    type: what must be there, or is made if it is not
    """

    path: Annotated[str, F(1)] = required(str)
    type: Annotated[str | None, F(2, explicit=True, among=choices.HOST_PATH_TYPES)] = None


class EmptyDirVolumeSource(Type):
    """A directory that is empty at first and goes with the pod.

    medium: "Memory" keeps it in memory; the disk of the node by default
    size_limit: how large it may become
    """

    medium: Annotated[str | None, F(1)] = None
    size_limit: Annotated[Quantity | None, F(2)] = None


class GCEPersistentDiskVolumeSource(Type):
    """A disk of Google's cloud."""

    pd_name: Annotated[str, F(1)] = required(str)
    fs_type: Annotated[str | None, F(2)] = None
    partition: Annotated[Int32 | None, F(3)] = None
    read_only: Annotated[bool | None, F(4)] = None


class AWSElasticBlockStoreVolumeSource(Type):
    """A disk of Amazon's cloud."""

    volume_id: Annotated[str, F(1)] = required(str)
    fs_type: Annotated[str | None, F(2)] = None
    partition: Annotated[Int32 | None, F(3)] = None
    read_only: Annotated[bool | None, F(4)] = None


class GitRepoVolumeSource(Type):
    """A clone of a git repository; no longer served by nodes."""

    repository: Annotated[str, F(1)] = required(str)
    revision: Annotated[str | None, F(2)] = None
    directory: Annotated[str | None, F(3)] = None


class KeyToPath(Type):
    """One of the contents, and the file that it becomes.

    key: the name of the contents
    path: the file
    """

    key: Annotated[str, F(1)] = required(str)
    path: Annotated[str, F(2)] = required(str)
    mode: Annotated[Int32 | None, F(3, explicit=True)] = None


class SecretVolumeSource(Type):
    """The contents of a Secret, as files.

    secret_name: the Secret
    items: which of the contents, and as which files; all by default
    """

    secret_name: Annotated[str | None, F(1)] = None
    items: Annotated[list[KeyToPath], F(2, atomic=True)] = []
    default_mode: Annotated[Int32 | None, F(3, explicit=True)] = None
    optional: Annotated[bool | None, F(4, explicit=True)] = None


class NFSVolumeSource(Type):
    """A directory of an NFS server."""

    server: Annotated[str, F(1)] = required(str)
    path: Annotated[str, F(2)] = required(str)
    read_only: Annotated[bool | None, F(3)] = None


class LocalObjectReference(Type):
    """An object of the same namespace, by its name."""

    name: Annotated[str | None, F(1)] = None


class ISCSIVolumeSource(Type):
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
    secret_ref: Annotated[LocalObjectReference | None, F(10)] = None
    initiator_name: Annotated[str | None, F(12, explicit=True)] = None


class GlusterfsVolumeSource(Type):
    """A volume of GlusterFS."""

    endpoints: Annotated[str, F(1)] = required(str)
    path: Annotated[str, F(2)] = required(str)
    read_only: Annotated[bool | None, F(3)] = None


class PersistentVolumeClaimVolumeSource(Type):
    """The volume of a claim.

    claim_name: the claim
    read_only: whether it is mounted for reading only
    """

    claim_name: Annotated[str, F(1)] = required(str)
    read_only: Annotated[bool | None, F(2)] = None


class RBDVolumeSource(Type):
    """A block device of Ceph."""

    monitors: Annotated[list[str], F(1, atomic=True)] = required(list)
    image: Annotated[str, F(2)] = required(str)
    fs_type: Annotated[str | None, F(3)] = None
    pool: Annotated[str | None, F(4)] = None
    user: Annotated[str | None, F(5)] = None
    keyring: Annotated[str | None, F(6)] = None
    secret_ref: Annotated[LocalObjectReference | None, F(7)] = None
    read_only: Annotated[bool | None, F(8)] = None


class FlexVolumeSource(Type):
    """A volume by a driver of the old FlexVolume kind."""

    driver: Annotated[str, F(1)] = required(str)
    fs_type: Annotated[str | None, F(2)] = None
    secret_ref: Annotated[LocalObjectReference | None, F(3)] = None
    read_only: Annotated[bool | None, F(4)] = None
    options: Annotated[dict[str, str], F(5)] = {}


class CinderVolumeSource(Type):
    """A volume of OpenStack's Cinder."""

    volume_id: Annotated[str, F(1)] = required(str)
    fs_type: Annotated[str | None, F(2)] = None
    read_only: Annotated[bool | None, F(3)] = None
    secret_ref: Annotated[LocalObjectReference | None, F(4)] = None


class CephFSVolumeSource(Type):
    """A directory of CephFS."""

    monitors: Annotated[list[str], F(1, atomic=True)] = required(list)
    path: Annotated[str | None, F(2)] = None
    user: Annotated[str | None, F(3)] = None
    secret_file: Annotated[str | None, F(4)] = None
    secret_ref: Annotated[LocalObjectReference | None, F(5)] = None
    read_only: Annotated[bool | None, F(6)] = None


class FlockerVolumeSource(Type):
    """A volume of Flocker."""

    dataset_name: Annotated[str | None, F(1)] = None
    dataset_uuid: Annotated[str | None, F(2)] = None


class ObjectFieldSelector(Type):
    """A field of the pod."""

    api_version: Annotated[str | None, F(1)] = None
    field_path: Annotated[str, F(2)] = required(str)


class ResourceFieldSelector(Type):
    """How much of a resource a container asks for or may use."""

    container_name: Annotated[str | None, F(1)] = None
    resource: Annotated[str, F(2)] = required(str)
    divisor: Annotated[Quantity | None, F(3)] = None


class DownwardAPIVolumeFile(Type):
    """One fact about the pod, and the file that it becomes."""

    path: Annotated[str, F(1)] = required(str)
    field_ref: Annotated[ObjectFieldSelector | None, F(2)] = None
    resource_field_ref: Annotated[ResourceFieldSelector | None, F(3)] = None
    mode: Annotated[Int32 | None, F(4, explicit=True)] = None


class DownwardAPIVolumeSource(Type):
    """Facts about the pod itself, as files."""

    items: Annotated[list[DownwardAPIVolumeFile], F(1, atomic=True)] = []
    default_mode: Annotated[Int32 | None, F(2, explicit=True)] = None


class FCVolumeSource(Type):
    """A disk that is reached by Fibre Channel."""

    target_wwns: Annotated[list[str], F(1, atomic=True)] = []
    lun: Annotated[Int32 | None, F(2, explicit=True)] = None
    fs_type: Annotated[str | None, F(3)] = None
    read_only: Annotated[bool | None, F(4)] = None
    wwids: Annotated[list[str], F(5, atomic=True)] = []


class AzureFileVolumeSource(Type):
    """A file share of Azure."""

    secret_name: Annotated[str, F(1)] = required(str)
    share_name: Annotated[str, F(2)] = required(str)
    read_only: Annotated[bool | None, F(3)] = None


class ConfigMapVolumeSource(Type):
    """The contents of a ConfigMap, as files.

    items: which of the contents, and as which files; all by default
    """

    name: Annotated[str | None, F(1, 1)] = None
    items: Annotated[list[KeyToPath], F(2, atomic=True)] = []
    default_mode: Annotated[Int32 | None, F(3, explicit=True)] = None
    optional: Annotated[bool | None, F(4, explicit=True)] = None


class VsphereVirtualDiskVolumeSource(Type):
    """A disk of vSphere."""

    volume_path: Annotated[str, F(1)] = required(str)
    fs_type: Annotated[str | None, F(2)] = None
    storage_policy_name: Annotated[str | None, F(3)] = None
    storage_policy_id: Annotated[str | None, F(4)] = None


class QuobyteVolumeSource(Type):
    """A volume of Quobyte."""

    registry: Annotated[str, F(1)] = required(str)
    volume: Annotated[str, F(2)] = required(str)
    read_only: Annotated[bool | None, F(3)] = None
    user: Annotated[str | None, F(4)] = None
    group: Annotated[str | None, F(5)] = None
    tenant: Annotated[str | None, F(6)] = None


class AzureDiskVolumeSource(Type):
    """A disk of Azure."""

    disk_name: Annotated[str, F(1)] = required(str)
    disk_uri: Annotated[str, F(2)] = required(str)
    caching_mode: Annotated[str | None, F(3, explicit=True, among=choices.DISK_CACHING)] = None
    fs_type: Annotated[str | None, F(4, explicit=True)] = None
    read_only: Annotated[bool | None, F(5, explicit=True)] = None
    kind: Annotated[str | None, F(6, explicit=True, among=choices.DISK_KINDS)] = None


class PhotonPersistentDiskVolumeSource(Type):
    """A disk of the Photon Controller."""

    pd_id: Annotated[str, F(1)] = required(str)
    fs_type: Annotated[str | None, F(2)] = None


class SecretProjection(Type):
    """The contents of a Secret, as files among others."""

    name: Annotated[str | None, F(1, 1)] = None
    items: Annotated[list[KeyToPath], F(2, atomic=True)] = []
    optional: Annotated[bool | None, F(4, explicit=True)] = None


class DownwardAPIProjection(Type):
    """Facts about the pod itself, as files among others."""

    items: Annotated[list[DownwardAPIVolumeFile], F(1, atomic=True)] = []


class ConfigMapProjection(Type):
    """The contents of a ConfigMap, as files among others."""

    name: Annotated[str | None, F(1, 1)] = None
    items: Annotated[list[KeyToPath], F(2, atomic=True)] = []
    optional: Annotated[bool | None, F(4, explicit=True)] = None


class ServiceAccountTokenProjection(Type):
    """A token of the pod's service account, as a file that is kept fresh."""

    audience: Annotated[str | None, F(1)] = None
    expiration_seconds: Annotated[Int64 | None, F(2, explicit=True)] = None
    path: Annotated[str, F(3)] = required(str)


class ClusterTrustBundleProjection(Type):
    """Certificates of authorities, as a file."""

    name: Annotated[str | None, F(1, explicit=True)] = None
    signer_name: Annotated[str | None, F(2, explicit=True)] = None
    label_selector: Annotated[LabelSelector | None, F(3)] = None
    optional: Annotated[bool | None, F(5, explicit=True)] = None
    path: Annotated[str, F(4)] = required(str)


class PodCertificateProjection(Type):
    """A key and a certificate of the pod, as files that are kept fresh."""

    signer_name: Annotated[str, F(1)] = required(str)
    key_type: Annotated[str, F(2)] = required(str)
    max_expiration_seconds: Annotated[Int32 | None, F(3, explicit=True)] = None
    credential_bundle_path: Annotated[str | None, F(4)] = None
    key_path: Annotated[str | None, F(5)] = None
    certificate_chain_path: Annotated[str | None, F(6)] = None
    user_annotations: Annotated[dict[str, str], F(7)] = {}


class VolumeProjection(Type):
    """One source of files; of exactly one sort."""

    secret: Annotated[SecretProjection | None, F(1)] = None
    downward_api: Annotated[DownwardAPIProjection | None, F(2)] = None
    config_map: Annotated[ConfigMapProjection | None, F(3)] = None
    service_account_token: Annotated[ServiceAccountTokenProjection | None, F(4)] = None
    cluster_trust_bundle: Annotated[ClusterTrustBundleProjection | None, F(5)] = None
    pod_certificate: Annotated[PodCertificateProjection | None, F(6)] = None


class ProjectedVolumeSource(Type):
    """Files from several sources in one directory."""

    sources: Annotated[list[VolumeProjection], F(1, atomic=True)] = required(list)
    default_mode: Annotated[Int32 | None, F(2, explicit=True)] = None


class PortworxVolumeSource(Type):
    """A volume of Portworx."""

    volume_id: Annotated[str, F(1)] = required(str)
    fs_type: Annotated[str | None, F(2)] = None
    read_only: Annotated[bool | None, F(3)] = None


class ScaleIOVolumeSource(Type):
    """A volume of ScaleIO."""

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
    """A volume of StorageOS."""

    volume_name: Annotated[str | None, F(1)] = None
    volume_namespace: Annotated[str | None, F(2)] = None
    fs_type: Annotated[str | None, F(3)] = None
    read_only: Annotated[bool | None, F(4)] = None
    secret_ref: Annotated[LocalObjectReference | None, F(5)] = None


class CSIVolumeSource(Type):
    """A volume that a CSI driver makes for the pod and that goes with it."""

    driver: Annotated[str, F(1)] = required(str)
    read_only: Annotated[bool | None, F(2, explicit=True)] = None
    fs_type: Annotated[str | None, F(3, explicit=True)] = None
    volume_attributes: Annotated[dict[str, str], F(4)] = {}
    node_publish_secret_ref: Annotated[LocalObjectReference | None, F(5)] = None


class VolumeResourceRequirements(Type):
    """How large a volume must be at least, and may be at most."""

    limits: Annotated[dict[str, Quantity], F(1)] = {}
    requests: Annotated[dict[str, Quantity], F(2)] = {}


class TypedLocalObjectReference(Type):
    """An object of the same namespace."""

    api_group: Annotated[str | None, F(1, explicit=True)] = None
    kind: Annotated[str, F(2)] = required(str)
    name: Annotated[str, F(3)] = required(str)


class TypedObjectReference(Type):
    """An object, perhaps of another namespace."""

    api_group: Annotated[str | None, F(1, explicit=True)] = None
    kind: Annotated[str, F(2)] = required(str)
    name: Annotated[str, F(3)] = required(str)
    namespace: Annotated[str | None, F(4, explicit=True)] = None


class PersistentVolumeClaimSpec(Type):
    """How much storage is asked for, of which class, to be used how.

    access_modes: how the volume is to be mounted
    selector: labels that the volume must have
    resources: how large it must be
    volume_name: the volume; given by hand, or found
    storage_class_name: the class to make it from; "" for none
    volume_mode: whether it is to have a filesystem or be a bare device
    data_source: what the volume holds at first
    data_source_ref: what the volume holds at first, perhaps from another namespace
    """

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
    """What the claim looks like that is made for a pod."""

    metadata: Annotated[ObjectMeta | None, F(1)] = None
    spec: Annotated[PersistentVolumeClaimSpec, F(2)] = required(PersistentVolumeClaimSpec)


class EphemeralVolumeSource(Type):
    """A volume by a claim that is made for the pod and goes with it."""

    volume_claim_template: Annotated[PersistentVolumeClaimTemplate | None, F(1)] = None


class ImageVolumeSource(Type):
    """The files of an image, for reading."""

    reference: Annotated[str | None, F(1)] = None
    pull_policy: Annotated[str | None, F(2, among=choices.PULL_POLICIES)] = None


class Volume(Type):
    """Something that containers of a pod can mount; of exactly one sort.

    name: what the containers call it
    """

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
    """A port that a container listens on.

    name: what services call it
    host_port: a port of the node that leads to it
    container_port: the number
    protocol: TCP by default
    host_ip: the address of the node that leads to it; all by default
    """

    name: Annotated[str | None, F(1)] = None
    host_port: Annotated[Int32 | None, F(2)] = None
    container_port: Annotated[Int32, F(3)] = required(int)
    protocol: Annotated[str | None, F(4, among=choices.PROTOCOLS)] = None
    host_ip: Annotated[str | None, F(5)] = None


class ConfigMapEnvSource(Type):
    """A ConfigMap whose contents become environment variables."""

    name: Annotated[str | None, F(1, 1)] = None
    optional: Annotated[bool | None, F(2, explicit=True)] = None


class SecretEnvSource(Type):
    """A Secret whose contents become environment variables."""

    name: Annotated[str | None, F(1, 1)] = None
    optional: Annotated[bool | None, F(2, explicit=True)] = None


class EnvFromSource(Type):
    """A ConfigMap or Secret whose contents become environment variables."""

    prefix: Annotated[str | None, F(1)] = None
    config_map_ref: Annotated[ConfigMapEnvSource | None, F(2)] = None
    secret_ref: Annotated[SecretEnvSource | None, F(3)] = None


class ConfigMapKeySelector(Type):
    """One of the contents of a ConfigMap.

    key: the name of the contents
    """

    name: Annotated[str | None, F(1, 1)] = None
    key: Annotated[str, F(2)] = required(str)
    optional: Annotated[bool | None, F(3, explicit=True)] = None


class SecretKeySelector(Type):
    """One of the contents of a Secret.

    key: the name of the contents
    """

    name: Annotated[str | None, F(1, 1)] = None
    key: Annotated[str, F(2)] = required(str)
    optional: Annotated[bool | None, F(3, explicit=True)] = None


class FileKeySelector(Type):
    """One of the variables in a file of a volume."""

    volume_name: Annotated[str, F(1)] = required(str)
    path: Annotated[str, F(2)] = required(str)
    key: Annotated[str, F(3)] = required(str)
    optional: Annotated[bool | None, F(4, explicit=True)] = None


class EnvVarSource(Type):
    """Where the text of a variable comes from; exactly one."""

    field_ref: Annotated[ObjectFieldSelector | None, F(1)] = None
    resource_field_ref: Annotated[ResourceFieldSelector | None, F(2)] = None
    config_map_key_ref: Annotated[ConfigMapKeySelector | None, F(3)] = None
    secret_key_ref: Annotated[SecretKeySelector | None, F(4)] = None
    file_key_ref: Annotated[FileKeySelector | None, F(5)] = None


class EnvVar(Type):
    """An environment variable.

    name: what it is called
    value: its text, in which $(NAME) stands for a variable before it
    value_from: where its text comes from instead
    """

    name: Annotated[str, F(1)] = required(str)
    value: Annotated[str | None, F(2)] = None
    value_from: Annotated[EnvVarSource | None, F(3)] = None


class ResourceClaim(Type):
    """One of the pod's claims to devices."""

    name: Annotated[str, F(1)] = required(str)
    request: Annotated[str | None, F(2)] = None


class ResourceRequirements(Type):
    """What something needs at least, and may use at most.

    limits: the most that it may use
    requests: what it needs at least; the scheduler counts with that
    claims: devices that it uses, by the pod's claims
    """

    limits: Annotated[dict[str, Quantity], F(1)] = {}
    requests: Annotated[dict[str, Quantity], F(2)] = {}
    claims: Annotated[list[ResourceClaim], F(3, keys=("name",))] = []


class ContainerResizePolicy(Type):
    """Whether a container is restarted when one of its resources changes."""

    resource_name: Annotated[str, F(1)] = required(str)
    restart_policy: Annotated[str, F(2)] = required(str)


class ContainerRestartRuleOnExitCodes(Type):
    """Exit codes that a rule is for."""

    operator: Annotated[str, F(1)] = required(str)
    values: Annotated[list[Int32], F(2, unique=True)] = []


class ContainerRestartRule(Type):
    """After which end a container is started again."""

    action: Annotated[str, F(1)] = required(str)
    exit_codes: Annotated[ContainerRestartRuleOnExitCodes | None, F(2)] = None


class VolumeMount(Type):
    """Where a container sees one of the pod's volumes.

    name: the volume
    read_only: whether it can only be read
    recursive_read_only: whether what is mounted below it can only be read, too
    mount_path: where the container sees it
    sub_path: the part of the volume that it sees; all by default
    mount_propagation: whether later mounts are seen on the other side; None by default
    sub_path_expr: the same, with $(NAME) for environment variables
    """

    name: Annotated[str, F(1)] = required(str)
    read_only: Annotated[bool | None, F(2)] = None
    recursive_read_only: Annotated[str | None, F(7, explicit=True)] = None
    mount_path: Annotated[str, F(3)] = required(str)
    sub_path: Annotated[str | None, F(4)] = None
    mount_propagation: Annotated[str | None, F(5, explicit=True, among=choices.MOUNT_PROPAGATION)] = None
    sub_path_expr: Annotated[str | None, F(6)] = None


class VolumeDevice(Type):
    """Where a container sees one of the pod's volumes as a bare device."""

    name: Annotated[str, F(1)] = required(str)
    device_path: Annotated[str, F(2)] = required(str)


class ExecAction(Type):
    """A command in the container.

    command: the program and its arguments; no shell is run
    """

    command: Annotated[list[str], F(1, atomic=True)] = []


class HTTPHeader(Type):
    """A header of a request."""

    name: Annotated[str, F(1)] = required(str)
    value: Annotated[str, F(2)] = required(str)


class HTTPGetAction(Type):
    """A request by HTTP.

    path: the path; / by default
    port: the port, by number or name
    host: the host; the pod by default
    scheme: HTTP by default
    http_headers: headers of the request
    """

    path: Annotated[str | None, F(1)] = None
    port: Annotated[IntOrString, F(2)] = required(int)
    host: Annotated[str | None, F(3)] = None
    scheme: Annotated[str | None, F(4, among=choices.SCHEMES)] = None
    http_headers: Annotated[list[HTTPHeader], F(5, atomic=True)] = []


class TCPSocketAction(Type):
    """A connection to a port.

    port: the port, by number or name
    host: the host; the pod by default
    """

    port: Annotated[IntOrString, F(1)] = required(int)
    host: Annotated[str | None, F(2)] = None


class GRPCAction(Type):
    """A question to a health service by gRPC.

    port: the port, by number
    service: the service that is asked for
    """

    port: Annotated[Int32, F(1)] = required(int)
    service: Annotated[str | None, F(2, explicit=True)] = None


class Probe(Type):
    """Something that is tried again and again, to know how a container is; of exactly one sort.

    initial_delay_seconds: how long after the start it is tried first
    timeout_seconds: how long an answer may take; 1 by default
    period_seconds: how long from one try to the next; 10 by default
    success_threshold: how often it must succeed in a row; 1 by default
    failure_threshold: how often it must fail in a row; 3 by default
    termination_grace_period_seconds: how long the container may take to end after it failed
    exec: a command in the container that must end with 0
    http_get: a request that must be answered with 200 to 399
    tcp_socket: a port that must take connections
    grpc: a health service that must say it is serving
    """

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
    """A pause."""

    seconds: Annotated[Int64, F(1)] = required(int)


class LifecycleHandler(Type):
    """Something that is done to a container; of exactly one sort."""

    exec: Annotated[ExecAction | None, F(1)] = None
    http_get: Annotated[HTTPGetAction | None, F(2)] = None
    tcp_socket: Annotated[TCPSocketAction | None, F(3)] = None
    sleep: Annotated[SleepAction | None, F(4)] = None


class Lifecycle(Type):
    """What happens after the start and before the end of a container."""

    post_start: Annotated[LifecycleHandler | None, F(1)] = None
    pre_stop: Annotated[LifecycleHandler | None, F(2)] = None
    stop_signal: Annotated[str | None, F(3, explicit=True, among=choices.SIGNALS)] = None


class Capabilities(Type):
    """Rights of root that are added or taken away, each by its name."""

    add: Annotated[list[str], F(1, atomic=True)] = []
    drop: Annotated[list[str], F(2, atomic=True)] = []


class SELinuxOptions(Type):
    """Labels for SELinux."""

    user: Annotated[str | None, F(1)] = None
    role: Annotated[str | None, F(2)] = None
    type: Annotated[str | None, F(3)] = None
    level: Annotated[str | None, F(4)] = None


class WindowsSecurityContextOptions(Type):
    """What only holds on Windows."""

    gmsa_credential_spec_name: Annotated[str | None, F(1, explicit=True)] = None
    gmsa_credential_spec: Annotated[str | None, F(2, explicit=True)] = None
    run_as_user_name: Annotated[str | None, F(3, explicit=True)] = None
    host_process: Annotated[bool | None, F(4, explicit=True)] = None


class SeccompProfile(Type):
    """Which system calls may be made."""

    type: Annotated[str, F(1, among=choices.PROFILES)] = required(str)
    localhost_profile: Annotated[str | None, F(2, explicit=True)] = None


class AppArmorProfile(Type):
    """Which profile of AppArmor holds."""

    type: Annotated[str, F(1, among=choices.PROFILES)] = required(str)
    localhost_profile: Annotated[str | None, F(2, explicit=True)] = None


class SecurityContext(Type):
    """User, group and rights of a container's processes.

    capabilities: rights that are added to those of the runtime, or taken away
    privileged: whether it may do all that the node's root may
    run_as_user: the user, by number; the image's by default
    run_as_group: the group, by number; the image's by default
    run_as_non_root: while true, it is not started as root
    read_only_root_filesystem: whether its own files can only be read
    allow_privilege_escalation: whether its processes may gain rights
    proc_mount: how much of /proc it sees
    seccomp_profile: which system calls it may make
    app_armor_profile: which profile of AppArmor it is held to
    se_linux_options: its labels for SELinux
    """

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
    """A program that runs in a pod, from an image.

    name: what it is called in its pod; it cannot be changed
    image: the image that it runs from
    command: the program and its first arguments; the image's entry point by default
    args: arguments for the program; the image's command by default
    working_dir: the directory that the program starts in; the image's by default
    ports: ports that it listens on; to list them here opens nothing
    env_from: ConfigMaps and Secrets whose contents become environment variables
    env: environment variables
    resources: what it needs at least and may use at most
    resize_policy: whether it is restarted when its resources change
    restart_policy: when it is started again, if other than the pod says
    restart_policy_rules: exit codes after which it is started again all the same
    volume_mounts: which of the pod's volumes it sees, and where
    volume_devices: which of the pod's volumes it sees as bare devices, and where
    liveness_probe: tells whether it is alive; if not, it is restarted
    readiness_probe: tells whether it can be used; if not, services leave it out
    startup_probe: tells whether it has started; the other probes wait for that
    lifecycle: what happens after its start and before its end
    termination_message_path: the file with its last words; /dev/termination-log by default
    termination_message_policy: where its last words come from; File by default
    image_pull_policy: when the image is pulled; Always for the tag latest, else IfNotPresent
    security_context: user, group and rights of its processes
    stdin: whether it has an input that clients can attach to
    stdin_once: whether its input ends when the first client leaves
    tty: whether it has a terminal
    """

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
    """A container that was added to a running pod, to look for faults.

    name: what it is called in its pod
    image: the image that it runs from
    command: the program and its first arguments; the image's entry point by default
    args: arguments for the program; the image's command by default
    working_dir: the directory that the program starts in; the image's by default
    env_from: ConfigMaps and Secrets whose contents become environment variables
    env: environment variables
    volume_mounts: which of the pod's volumes it sees, and where
    image_pull_policy: when the image is pulled; Always for the tag latest, else IfNotPresent
    security_context: user, group and rights of its processes
    stdin: whether it has an input that clients can attach to
    tty: whether it has a terminal
    target_container_name: the container whose processes it sees
    """

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
    """A setting of the kernel."""

    name: Annotated[str, F(1)] = required(str)
    value: Annotated[str, F(2)] = required(str)


class PodSecurityContext(Type):
    """Users, groups and rights of all containers of a pod.

    run_as_user: the user, by number; the image's by default
    run_as_group: the group, by number; the image's by default
    run_as_non_root: while true, no container is started as root
    supplemental_groups: more groups, by number
    fs_group: the group that volumes belong to, by number
    sysctls: settings of the kernel, for the pod alone
    seccomp_profile: which system calls may be made
    """

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
    """One thing that must be true of a node's label or field.

    key: the label or field
    operator: how it is compared
    values: what it is compared with
    """

    key: Annotated[str, F(1)] = required(str)
    operator: Annotated[str, F(2, among=choices.NODE_OPERATORS)] = required(str)
    values: Annotated[list[str], F(3, atomic=True)] = []


class NodeSelectorTerm(Type):
    """Things that must all be true of a node."""

    match_expressions: Annotated[list[NodeSelectorRequirement], F(1, atomic=True)] = []
    match_fields: Annotated[list[NodeSelectorRequirement], F(2, atomic=True)] = []


class NodeSelector(Type):
    """Nodes that fulfil one of several terms."""

    node_selector_terms: Annotated[list[NodeSelectorTerm], F(1, atomic=True)] = required(list)


class PreferredSchedulingTerm(Type):
    """Nodes that are preferred, and how much."""

    weight: Annotated[Int32, F(1)] = required(int)
    preference: Annotated[NodeSelectorTerm, F(2)] = required(NodeSelectorTerm)


class NodeAffinity(Type):
    """Which nodes a pod needs or prefers."""

    required_during_scheduling_ignored_during_execution: Annotated[NodeSelector | None, F(1)] = None
    preferred_during_scheduling_ignored_during_execution: Annotated[
        list[PreferredSchedulingTerm], F(2, atomic=True)
    ] = []


class PodAffinityTerm(Type):
    """Some pods, and what counts as near.

    label_selector: the pods
    namespaces: the namespaces of the pods; that of the pod by default
    topology_key: the label of nodes that says what is near
    namespace_selector: labels of the namespaces of the pods
    """

    label_selector: Annotated[LabelSelector | None, F(1)] = None
    namespaces: Annotated[list[str], F(2, atomic=True)] = []
    topology_key: Annotated[str, F(3)] = required(str)
    namespace_selector: Annotated[LabelSelector | None, F(4)] = None
    match_label_keys: Annotated[list[str], F(5, atomic=True)] = []
    mismatch_label_keys: Annotated[list[str], F(6, atomic=True)] = []


class WeightedPodAffinityTerm(Type):
    """Some pods, what counts as near, and how much that matters."""

    weight: Annotated[Int32, F(1)] = required(int)
    pod_affinity_term: Annotated[PodAffinityTerm, F(2)] = required(PodAffinityTerm)


class PodAffinity(Type):
    """Near which pods a pod must or should run."""

    required_during_scheduling_ignored_during_execution: Annotated[list[PodAffinityTerm], F(1, atomic=True)] = []
    preferred_during_scheduling_ignored_during_execution: Annotated[
        list[WeightedPodAffinityTerm], F(2, atomic=True)
    ] = []


class PodAntiAffinity(Type):
    """Near which pods a pod must not or should not run."""

    required_during_scheduling_ignored_during_execution: Annotated[list[PodAffinityTerm], F(1, atomic=True)] = []
    preferred_during_scheduling_ignored_during_execution: Annotated[
        list[WeightedPodAffinityTerm], F(2, atomic=True)
    ] = []


class Affinity(Type):
    """Near which nodes and pods a pod should run, or not."""

    node_affinity: Annotated[NodeAffinity | None, F(1)] = None
    pod_affinity: Annotated[PodAffinity | None, F(2)] = None
    pod_anti_affinity: Annotated[PodAntiAffinity | None, F(3)] = None


class Toleration(Type):
    """A taint of nodes that does a pod no harm.

    key: the taint; all of them if empty
    operator: how the value is compared; Equal by default
    value: the value that the taint must have
    effect: the effect that is tolerated; all if empty
    toleration_seconds: for how long, if pods are driven out; for ever by default
    """

    key: Annotated[str | None, F(1)] = None
    operator: Annotated[str | None, F(2, among=choices.TOLERATION_OPERATORS)] = None
    value: Annotated[str | None, F(3)] = None
    effect: Annotated[str | None, F(4, among=choices.TAINT_EFFECTS)] = None
    toleration_seconds: Annotated[Int64 | None, F(5, explicit=True)] = None


class HostAlias(Type):
    """Names for an address, in /etc/hosts."""

    ip: Annotated[str, F(1)] = required(str)
    hostnames: Annotated[list[str], F(2, atomic=True)] = []


class PodDNSConfigOption(Type):
    """An option for looking up names."""

    name: Annotated[str | None, F(1)] = None
    value: Annotated[str | None, F(2, explicit=True)] = None


class PodDNSConfig(Type):
    """Servers, domains and options for looking up names."""

    nameservers: Annotated[list[str], F(1, atomic=True)] = []
    searches: Annotated[list[str], F(2, atomic=True)] = []
    options: Annotated[list[PodDNSConfigOption], F(3, atomic=True)] = []


class PodReadinessGate(Type):
    """A condition that must be true before a pod counts as ready."""

    condition_type: Annotated[str, F(1)] = required(str)


class TopologySpreadConstraint(Type):
    """How evenly pods are spread over zones, nodes or the like.

    max_skew: by how many pods places may differ
    topology_key: the label of nodes that tells places apart
    when_unsatisfiable: whether a pod then waits, or runs all the same
    label_selector: the pods that are counted
    min_domains: how many places there must be at least
    node_affinity_policy: whether only nodes count that the pod could run on
    node_taints_policy: whether only nodes count whose taints the pod tolerates
    match_label_keys: labels in which the counted pods must be like the pod
    """

    max_skew: Annotated[Int32, F(1)] = required(int)
    topology_key: Annotated[str, F(2)] = required(str)
    when_unsatisfiable: Annotated[str, F(3, among=choices.UNSATISFIABLE)] = required(str)
    label_selector: Annotated[LabelSelector | None, F(4)] = None
    min_domains: Annotated[Int32 | None, F(5, explicit=True)] = None
    node_affinity_policy: Annotated[str | None, F(6, explicit=True, among=choices.SPREAD_INCLUSION)] = None
    node_taints_policy: Annotated[str | None, F(7, explicit=True, among=choices.SPREAD_INCLUSION)] = None
    match_label_keys: Annotated[list[str], F(8, atomic=True)] = []


class PodOS(Type):
    """The operating system that a pod needs."""

    name: Annotated[str, F(1)] = required(str)


class PodSchedulingGate(Type):
    """Something that has to be done before a node is chosen, by its name."""

    name: Annotated[str, F(1)] = required(str)


class PodResourceClaim(Type):
    """A claim to devices, made or to be made, and what the containers call it."""

    name: Annotated[str, F(1)] = required(str)
    resource_claim_name: Annotated[str | None, F(3, explicit=True)] = None
    resource_claim_template_name: Annotated[str | None, F(4, explicit=True)] = None


class PodSchedulingGroup(Type):
    """The group of pods that get their nodes together."""

    pod_group_name: Annotated[str | None, F(1, explicit=True)] = None


class PodSpec(Type):
    """What a pod runs, with what, and where.

    volumes: what its containers can mount
    init_containers: containers that run before the others, one after the other; or beside them, if they are restarted always
    containers: the containers that it runs
    ephemeral_containers: containers that were added while it ran, to look for faults
    restart_policy: when a container that has ended is started again; Always by default
    termination_grace_period_seconds: how long it may take to end before it is killed; 30 by default
    active_deadline_seconds: how long it may run in all
    dns_policy: where its containers look up names; ClusterFirst by default
    node_selector: labels that its node must have
    service_account_name: the service account that it acts as; `default` by default
    automount_service_account_token: whether its containers get a token of the service account; true by default
    node_name: the node that it runs on; given by the scheduler
    host_network: whether it uses the network of the node
    host_pid: whether it sees the processes of the node
    host_ipc: whether it shares memory with processes of the node
    share_process_namespace: whether its containers see the processes of each other
    security_context: users, groups and rights of its containers
    image_pull_secrets: Secrets by which images are pulled
    hostname: the name that its containers know their machine by; that of the pod by default
    subdomain: a headless service by which it has a name in DNS
    affinity: near which nodes and pods it should run, or not
    scheduler_name: who chooses its node; default-scheduler by default
    tolerations: taints of nodes that do it no harm
    host_aliases: names and addresses for its /etc/hosts
    priority_class_name: how important it is, by the name of a class
    priority: how important it is; made from the class
    dns_config: servers, domains and options for looking up names, beside the policy's
    readiness_gates: conditions that others set, which must be true before it counts as ready
    runtime_class_name: the way to run its containers
    enable_service_links: whether its containers get variables about the services of the namespace; true by default
    preemption_policy: whether less important pods have to make room for it
    overhead: what it needs beside its containers; made from the runtime class
    topology_spread_constraints: how evenly pods like it are spread over zones and nodes
    set_hostname_as_fqdn: whether its containers see their name with the domain
    os: the operating system that it needs
    host_users: whether its users are those of the node; true by default
    scheduling_gates: while there are any, no node is chosen for it
    resource_claims: claims to devices that its containers use
    resources: what all of its containers may use together
    """

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
    """One thing that is, or is not, the case with a pod."""

    type: Annotated[str, F(1)] = required(str)
    observed_generation: Annotated[Int64 | None, F(7)] = None
    status: Annotated[str, F(2)] = required(str)
    last_probe_time: Annotated[Time | None, F(3)] = None
    last_transition_time: Annotated[Time | None, F(4)] = None
    reason: Annotated[str | None, F(5)] = None
    message: Annotated[str | None, F(6)] = None


class HostIP(Type):
    """An address of the node."""

    ip: Annotated[str, F(1)] = required(str)


class PodIP(Type):
    """An address of the pod."""

    ip: Annotated[str, F(1)] = required(str)


class ContainerStateWaiting(Type):
    """Why a container does not run yet.

    reason: why, in one word
    """

    reason: Annotated[str | None, F(1)] = None
    message: Annotated[str | None, F(2)] = None


class ContainerStateRunning(Type):
    """Since when a container runs.

    started_at: since when
    """

    started_at: Annotated[Time | None, F(1)] = None


class ContainerStateTerminated(Type):
    """How a container ended.

    exit_code: the code that it ended with
    signal: the signal that ended it
    started_at: when it had started
    finished_at: when it ended
    container_id: what the runtime called it
    """

    exit_code: Annotated[Int32, F(1)] = required(int)
    signal: Annotated[Int32 | None, F(2)] = None
    reason: Annotated[str | None, F(3)] = None
    message: Annotated[str | None, F(4)] = None
    started_at: Annotated[Time | None, F(5)] = None
    finished_at: Annotated[Time | None, F(6)] = None
    container_id: Annotated[str | None, F(7)] = None


class ContainerState(Type):
    """Whether a container waits, runs or has ended; exactly one of these."""

    waiting: Annotated[ContainerStateWaiting | None, F(1)] = None
    running: Annotated[ContainerStateRunning | None, F(2)] = None
    terminated: Annotated[ContainerStateTerminated | None, F(3)] = None


class ImageVolumeStatus(Type):
    """Which image a volume is made of."""

    image_ref: Annotated[str, F(1)] = required(str)


class VolumeStatus(Type):
    """More about a mounted volume."""

    image: Annotated[ImageVolumeStatus | None, F(1)] = None


class VolumeMountStatus(Type):
    """Where a container sees a volume, and whether it can only be read."""

    name: Annotated[str, F(1)] = required(str)
    mount_path: Annotated[str, F(2)] = required(str)
    read_only: Annotated[bool | None, F(3)] = None
    recursive_read_only: Annotated[str | None, F(4, explicit=True)] = None
    volume_status: Annotated[VolumeStatus | None, F(5)] = None


class LinuxContainerUser(Type):
    """A user and groups, by number."""

    uid: Annotated[Int64, F(1)] = required(int)
    gid: Annotated[Int64, F(2)] = required(int)
    supplemental_groups: Annotated[list[Int64], F(3, atomic=True)] = []


class ContainerUser(Type):
    """The user that a container's first process began with."""

    linux: Annotated[LinuxContainerUser | None, F(1)] = None


class ResourceHealth(Type):
    """How one device is."""

    resource_id: Annotated[str, F(1)] = required(str)
    health: Annotated[str | None, F(2)] = None
    message: Annotated[str | None, F(6, explicit=True)] = None


class ResourceStatus(Type):
    """How the devices of a container are."""

    name: Annotated[str, F(1)] = required(str)
    resources: Annotated[list[ResourceHealth], F(2, keys=("resourceID",))] = []


class ContainerStatus(Type):
    """How a container is.

    name: the container
    state: whether it waits, runs or has ended
    last_state: how it was before it was started again
    ready: whether it can be used
    restart_count: how often it was started again
    image: the image that it runs from
    image_id: the image that it runs from, by its digest
    container_id: what the runtime calls it
    started: whether it has passed its first probe
    """

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
    """The claim that was made for a pod."""

    name: Annotated[str, F(1)] = required(str)
    resource_claim_name: Annotated[str | None, F(2, explicit=True)] = None


class ContainerExtendedResourceRequest(Type):
    """Which resource of which container a request of that claim is for."""

    container_name: Annotated[str, F(1)] = required(str)
    resource_name: Annotated[str, F(2)] = required(str)
    request_name: Annotated[str, F(3)] = required(str)


class PodExtendedResourceClaimStatus(Type):
    """The claim that was made for resources which devices stand in for."""

    request_mappings: Annotated[list[ContainerExtendedResourceRequest], F(1, atomic=True)] = required(list)
    resource_claim_name: Annotated[str, F(2)] = required(str)


class NodeAllocatableResourceClaimStatus(Type):
    """What of the node's resources a claim has taken."""

    resource_claim_name: Annotated[str, F(1)] = required(str)
    containers: Annotated[list[str], F(2, unique=True)] = []
    resources: Annotated[dict[str, Quantity], F(3)] = required(dict)


class PodStatus(Type):
    """How a pod is, as its node's agent tells.

    phase: how far it has come, in one word
    conditions: whether it has a node, has started and is ready
    message: why it is so, for people
    reason: why it is so, in one word
    nominated_node_name: the node where others make room for it
    host_ip: the address of its node
    pod_ip: its address
    pod_ips: its addresses, one for each family
    start_time: when the agent began with it
    container_statuses: how its containers are
    init_container_statuses: how its first containers are
    ephemeral_container_statuses: how the containers are that were added
    qos_class: how safe it is when the node runs out of memory
    """

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
    """Containers that run together on one node, with one address and the same volumes."""

    kind: str = constant("Pod")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[PodSpec, F(2)] = required(PodSpec)
    status: Annotated[PodStatus, F(3)] = required(PodStatus)


class PodTemplateSpec(Type):
    """What pods look like that are made from this."""

    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[PodSpec, F(2)] = required(PodSpec)


class ServicePort(Type):
    """A port of a service, and where it leads.

    name: what it is called; needed if there are several
    protocol: TCP by default
    app_protocol: what is spoken there
    port: the number
    target_port: the port of the pods, by number or name; the same by default
    node_port: the port of every node that leads to it, if the type has such
    """

    name: Annotated[str | None, F(1)] = None
    protocol: Annotated[str | None, F(2, among=choices.PROTOCOLS)] = None
    app_protocol: Annotated[str | None, F(6, explicit=True)] = None
    port: Annotated[Int32, F(3)] = required(int)
    target_port: Annotated[IntOrString | None, F(4)] = None
    node_port: Annotated[Int32 | None, F(5)] = None


class ClientIPConfig(Type):
    """For how long an address gets to the same pod."""

    timeout_seconds: Annotated[Int32 | None, F(1, explicit=True)] = None


class SessionAffinityConfig(Type):
    """For how long a client gets to the same pod."""

    client_ip: Annotated[ClientIPConfig | None, F(1)] = None


class ServiceSpec(Type):
    """Which pods are behind a service, and how it can be reached.

    ports: its ports
    selector: labels of the pods behind it
    cluster_ip: its address; given by the server, or None for a service without one
    cluster_ips: its addresses, one for each family
    type: from where it can be reached; ClusterIP by default: from inside the cluster
    external_ips: other addresses at which nodes take requests for it
    session_affinity: whether a client always gets to the same pod
    load_balancer_source_ranges: networks that may use the load balancer
    external_name: the name that it stands for, if it is an ExternalName
    external_traffic_policy: whether requests from outside stay on the node where they arrive
    health_check_node_port: the port at which load balancers ask whether a node has pods of it
    publish_not_ready_addresses: whether pods that are not ready are found in DNS all the same
    session_affinity_config: for how long a client gets to the same pod
    ip_families: the families of its addresses
    ip_family_policy: whether it has addresses of one family or two
    allocate_load_balancer_node_ports: whether a load balancer needs ports of the nodes
    load_balancer_class: who makes the load balancer
    internal_traffic_policy: whether requests from pods stay on their node
    traffic_distribution: which pods are preferred, of all that are ready
    """

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
    """A port of a load balancer, or why there is none."""

    port: Annotated[Int32, F(1)] = required(int)
    protocol: Annotated[str, F(2, among=choices.PROTOCOLS)] = required(str)
    error: Annotated[str | None, F(3, explicit=True)] = None


class LoadBalancerIngress(Type):
    """One address of a load balancer."""

    ip: Annotated[str | None, F(1)] = None
    hostname: Annotated[str | None, F(2)] = None
    ip_mode: Annotated[str | None, F(3, explicit=True)] = None
    ports: Annotated[list[PortStatus], F(4, atomic=True)] = []


class LoadBalancerStatus(Type):
    """The addresses of a load balancer."""

    ingress: Annotated[list[LoadBalancerIngress], F(1, atomic=True)] = []


class ServiceStatus(Type):
    """Where a service can be reached from outside."""

    load_balancer: Annotated[LoadBalancerStatus, F(1)] = required(LoadBalancerStatus)
    conditions: Annotated[list[Condition], F(2, merge="type")] = []


class Service(Type):
    """A name and address for pods that do the same, whichever of them are there."""

    kind: str = constant("Service")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[ServiceSpec, F(2)] = required(ServiceSpec)
    status: Annotated[ServiceStatus, F(3)] = required(ServiceStatus)


class ObjectReference(Type):
    """Another object, or a part of it.

    kind: the object's kind
    namespace: the object's namespace
    name: the object's name
    uid: the object, and none after it of that name
    api_version: the group and version of the object's kind
    field_path: the part of the object that is meant
    """

    kind: Annotated[str | None, F(1)] = None
    namespace: Annotated[str | None, F(2)] = None
    name: Annotated[str | None, F(3)] = None
    uid: Annotated[str | None, F(4)] = None
    api_version: Annotated[str | None, F(5)] = None
    resource_version: Annotated[str | None, F(6)] = None
    field_path: Annotated[str | None, F(7)] = None


class EndpointAddress(Type):
    """One address, and the pod behind it."""

    ip: Annotated[str, F(1)] = required(str)
    hostname: Annotated[str | None, F(3)] = None
    node_name: Annotated[str | None, F(4, explicit=True)] = None
    target_ref: Annotated[ObjectReference | None, F(2)] = None


class EndpointPort(Type):
    """A port of the addresses behind a service."""

    name: Annotated[str | None, F(1)] = None
    port: Annotated[Int32, F(2)] = required(int)
    protocol: Annotated[str | None, F(3, among=choices.PROTOCOLS)] = None
    app_protocol: Annotated[str | None, F(4, explicit=True)] = None


class EndpointSubset(Type):
    """Addresses that have the same ports."""

    addresses: Annotated[list[EndpointAddress], F(1, atomic=True)] = []
    not_ready_addresses: Annotated[list[EndpointAddress], F(2, atomic=True)] = []
    ports: Annotated[list[EndpointPort], F(3, atomic=True)] = []


class Endpoints(Type):
    """The addresses behind a service; EndpointSlice is its successor."""

    kind: str = constant("Endpoints")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    subsets: Annotated[list[EndpointSubset], F(2, atomic=True)] = []


class ServiceAccount(Type):
    """An identity for pods.

    secrets: Secrets that pods may use
    image_pull_secrets: Secrets by which its pods pull images
    automount_service_account_token: whether its pods get a token; true by default
    """

    kind: str = constant("ServiceAccount")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    secrets: Annotated[list[ObjectReference], F(2, merge="name")] = []
    image_pull_secrets: Annotated[list[LocalObjectReference], F(3, atomic=True)] = []
    automount_service_account_token: Annotated[bool | None, F(4, explicit=True)] = None


class Secret(Type):
    """Passwords, keys and other contents that not everybody may see.

    data: bytes by their names, in base64
    string_data: texts by their names, for writing only: they become data
    type: what it is for, which says what has to be in it
    immutable: while true, the contents cannot be changed
    """

    kind: str = constant("Secret")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    immutable: Annotated[bool | None, F(5, explicit=True)] = None
    data: Annotated[dict[str, bytes], F(2)] = {}
    string_data: Annotated[dict[str, str], F(4)] = {}
    type: Annotated[str | None, F(3)] = None


class ConfigMap(Type):
    """Settings for pods, by name: text or bytes.

    data: texts by their names
    binary_data: bytes by their names
    immutable: while true, the contents cannot be changed
    """

    kind: str = constant("ConfigMap")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    immutable: Annotated[bool | None, F(4, explicit=True)] = None
    data: Annotated[dict[str, str], F(2)] = {}
    binary_data: Annotated[dict[str, bytes], F(3)] = {}


class EventSource(Type):
    """Who tells of an event, and on which node."""

    component: Annotated[str | None, F(1)] = None
    host: Annotated[str | None, F(2)] = None


class EventSeries(Type):
    """How often the same happened, and when at last."""

    count: Annotated[Int32 | None, F(1)] = None
    last_observed_time: Annotated[MicroTime | None, F(2)] = None


class Event(Type):
    """Something that happened to an object, told by who saw it.

    involved_object: the object that it happened to
    reason: what happened, in one word
    message: what happened, for people
    source: who saw it, and where
    first_timestamp: when it happened first
    last_timestamp: when it happened last
    count: how often it happened
    type: Normal or Warning
    event_time: when it happened first
    series: how often it happened, if again and again
    action: what was done about it
    related: another object that has to do with it
    reporting_component: who tells of it
    reporting_instance: which of them
    """

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
    """Gives a pod its node."""

    kind: str = constant("Binding")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    target: Annotated[ObjectReference, F(2)] = required(ObjectReference)


class ComponentCondition(Type):
    """Whether a part of the control plane is well."""

    type: Annotated[str, F(1)] = required(str)
    status: Annotated[str, F(2)] = required(str)
    message: Annotated[str | None, F(3)] = None
    error: Annotated[str | None, F(4)] = None


class ComponentStatus(Type):
    """How a part of the control plane is."""

    kind: str = constant("ComponentStatus")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    conditions: Annotated[list[ComponentCondition], F(2, merge="type")] = []
