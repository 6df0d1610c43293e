"""storage.k8s.io/v1: StorageClasses, attachments and CSI drivers."""

from typing import Annotated

from api import choices
from api.core_volumes_v1 import PersistentVolumeSpec, TopologySelectorTerm
from api.fields import F, Int32, Int64, Quantity, Time, Type, constant, required
from api.meta_v1 import LabelSelector, ObjectMeta


class StorageClass(Type):
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
    persistent_volume_name: Annotated[str | None, F(1, explicit=True)] = None
    inline_volume_spec: Annotated[PersistentVolumeSpec | None, F(2)] = None


class VolumeAttachmentSpec(Type):
    attacher: Annotated[str, F(1)] = required(str)
    source: Annotated[VolumeAttachmentSource, F(2)] = required(VolumeAttachmentSource)
    node_name: Annotated[str, F(3)] = required(str)


class VolumeError(Type):
    time: Annotated[Time | None, F(1)] = None
    message: Annotated[str | None, F(2)] = None
    error_code: Annotated[Int32 | None, F(3, explicit=True)] = None


class VolumeAttachmentStatus(Type):
    attached: Annotated[bool, F(1)] = required(bool)
    attachment_metadata: Annotated[dict[str, str], F(2)] = {}
    attach_error: Annotated[VolumeError | None, F(3)] = None
    detach_error: Annotated[VolumeError | None, F(4)] = None


class VolumeAttachment(Type):
    kind: str = constant("VolumeAttachment")
    api_version: str = constant("storage.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[VolumeAttachmentSpec, F(2)] = required(VolumeAttachmentSpec)
    status: Annotated[VolumeAttachmentStatus, F(3)] = required(VolumeAttachmentStatus)


class TokenRequest(Type):
    audience: Annotated[str, F(1)] = required(str)
    expiration_seconds: Annotated[Int64 | None, F(2, explicit=True)] = None


class CSIDriverSpec(Type):
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
    kind: str = constant("CSIDriver")
    api_version: str = constant("storage.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[CSIDriverSpec, F(2)] = required(CSIDriverSpec)


class VolumeNodeResources(Type):
    count: Annotated[Int32 | None, F(1, explicit=True)] = None


class CSINodeDriver(Type):
    name: Annotated[str, F(1)] = required(str)
    node_id: Annotated[str, F(2)] = required(str)
    topology_keys: Annotated[list[str], F(3, atomic=True)] = required(list)
    allocatable: Annotated[VolumeNodeResources | None, F(4)] = None


class CSINodeSpec(Type):
    drivers: Annotated[list[CSINodeDriver], F(1, merge="name")] = required(list)


class CSINode(Type):
    kind: str = constant("CSINode")
    api_version: str = constant("storage.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[CSINodeSpec, F(2)] = required(CSINodeSpec)


class CSIStorageCapacity(Type):
    kind: str = constant("CSIStorageCapacity")
    api_version: str = constant("storage.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    node_topology: Annotated[LabelSelector | None, F(2)] = None
    storage_class_name: Annotated[str, F(3)] = required(str)
    capacity: Annotated[Quantity | None, F(4)] = None
    maximum_volume_size: Annotated[Quantity | None, F(5)] = None


class VolumeAttributesClass(Type):
    kind: str = constant("VolumeAttributesClass")
    api_version: str = constant("storage.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    driver_name: Annotated[str, F(2)] = required(str)
    parameters: Annotated[dict[str, str], F(3)] = {}
