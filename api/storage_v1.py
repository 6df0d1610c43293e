"""storage.k8s.io/v1: StorageClasses, attachments and CSI drivers."""

from typing import Annotated

from api import choices
from api.core_volumes_v1 import PersistentVolumeSpec, TopologySelectorTerm
from api.fields import F, Int32, Int64, Quantity, Time, Type, constant, required
from api.meta_v1 import LabelSelector, ObjectMeta


class StorageClass(Type):
    """A sort of storage that claims can ask for, and who makes it.

    provisioner: who makes the volumes
    parameters: what the volumes are to be like, as the provisioner understands it
    reclaim_policy: what becomes of a volume when its claim is gone; Delete by default
    mount_options: how volumes are to be mounted
    allow_volume_expansion: whether volumes can be made larger
    volume_binding_mode: whether volumes are made at once or when a pod needs them
    allowed_topologies: where volumes may be made
    """

    kind: str = constant("StorageClass")
    api_version: str = constant("storage.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    provisioner: Annotated[str, F(2)] = required(str)
    parameters: Annotated[dict[str, str], F(3)] = {}
    reclaim_policy: Annotated[str | None, F(4, explicit=True, among=choices.RECLAIM_POLICIES)] = None
    mount_options: Annotated[list[str], F(5, atomic=True)] = []
    allow_volume_expansion: Annotated[bool | None, F(6, explicit=True)] = None
    volume_binding_mode: Annotated[str | None, F(7, explicit=True, among=choices.BINDING_MODES)] = None
    allowed_topologies: Annotated[list[TopologySelectorTerm], F(8, atomic=True)] = []


class VolumeAttachmentSource(Type):
    """The volume that is attached."""

    persistent_volume_name: Annotated[str | None, F(1, explicit=True)] = None
    inline_volume_spec: Annotated[PersistentVolumeSpec | None, F(2)] = None


class VolumeAttachmentSpec(Type):
    """The volume, the node, and who attaches."""

    attacher: Annotated[str, F(1)] = required(str)
    source: Annotated[VolumeAttachmentSource, F(2)] = required(VolumeAttachmentSource)
    node_name: Annotated[str, F(3)] = required(str)


class VolumeError(Type):
    """What went wrong with a volume, and when."""

    time: Annotated[Time | None, F(1)] = None
    message: Annotated[str | None, F(2)] = None
    error_code: Annotated[Int32 | None, F(3, explicit=True)] = None


class VolumeAttachmentStatus(Type):
    """Whether the volume is attached, or what went wrong."""

    attached: Annotated[bool, F(1)] = required(bool)
    attachment_metadata: Annotated[dict[str, str], F(2)] = {}
    attach_error: Annotated[VolumeError | None, F(3)] = None
    detach_error: Annotated[VolumeError | None, F(4)] = None


class VolumeAttachment(Type):
    """That a volume is, or is to be, attached to a node."""

    kind: str = constant("VolumeAttachment")
    api_version: str = constant("storage.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[VolumeAttachmentSpec, F(2)] = required(VolumeAttachmentSpec)
    status: Annotated[VolumeAttachmentStatus, F(3)] = required(VolumeAttachmentStatus)


class TokenRequest(Type):
    """A token of the pod's service account that a driver wants."""

    audience: Annotated[str, F(1)] = required(str)
    expiration_seconds: Annotated[Int64 | None, F(2, explicit=True)] = None


class CSIDriverSpec(Type):
    """What a driver needs to be told, and what it can do."""

    attach_required: Annotated[bool | None, F(1, explicit=True)] = None
    pod_info_on_mount: Annotated[bool | None, F(2, explicit=True)] = None
    volume_lifecycle_modes: Annotated[list[str], F(3, unique=True)] = []
    storage_capacity: Annotated[bool | None, F(4, explicit=True)] = None
    fs_group_policy: Annotated[str | None, F(5, explicit=True)] = None
    token_requests: Annotated[list[TokenRequest], F(6, atomic=True)] = []
    requires_republish: Annotated[bool | None, F(7, explicit=True)] = None
    se_linux_mount: Annotated[bool | None, F(8, explicit=True)] = None
    node_allocatable_update_period_seconds: Annotated[Int64 | None, F(9, explicit=True)] = None
    service_account_token_in_secrets: Annotated[bool | None, F(10, explicit=True)] = None
    prevent_pod_scheduling_if_missing: Annotated[bool | None, F(11, explicit=True)] = None


class CSIDriver(Type):
    """A CSI driver, and what it needs to be told."""

    kind: str = constant("CSIDriver")
    api_version: str = constant("storage.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[CSIDriverSpec, F(2)] = required(CSIDriverSpec)


class VolumeNodeResources(Type):
    """How many volumes a driver can attach on a node."""

    count: Annotated[Int32 | None, F(1, explicit=True)] = None


class CSINodeDriver(Type):
    """A driver on a node: what it calls the node, and how many volumes it can attach."""

    name: Annotated[str, F(1)] = required(str)
    node_id: Annotated[str, F(2)] = required(str)
    topology_keys: Annotated[list[str], F(3, atomic=True)] = required(list)
    allocatable: Annotated[VolumeNodeResources | None, F(4)] = None


class CSINodeSpec(Type):
    """The drivers on a node."""

    drivers: Annotated[list[CSINodeDriver], F(1, merge="name")] = required(list)


class CSINode(Type):
    """The CSI drivers on a node."""

    kind: str = constant("CSINode")
    api_version: str = constant("storage.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[CSINodeSpec, F(2)] = required(CSINodeSpec)


class CSIStorageCapacity(Type):
    """How much storage of a class there is where."""

    kind: str = constant("CSIStorageCapacity")
    api_version: str = constant("storage.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    node_topology: Annotated[LabelSelector | None, F(2)] = None
    storage_class_name: Annotated[str, F(3)] = required(str)
    capacity: Annotated[Quantity | None, F(4)] = None
    maximum_volume_size: Annotated[Quantity | None, F(5)] = None


class VolumeAttributesClass(Type):
    """Attributes of volumes that can be changed later, by a name."""

    kind: str = constant("VolumeAttributesClass")
    api_version: str = constant("storage.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    driver_name: Annotated[str, F(2)] = required(str)
    parameters: Annotated[dict[str, str], F(3)] = {}
