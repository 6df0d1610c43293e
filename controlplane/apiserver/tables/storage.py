"""The tables of storage.k8s.io, and of the other classes that pods name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api import kinds
from api.kinds import Kind
from controlplane.apiserver.tables.ages import age
from controlplane.apiserver.tables.columns import BY_NAME_AND_CREATION, Cell, Layout, columns

if TYPE_CHECKING:
    from api.node_v1 import RuntimeClass
    from api.scheduling_v1 import PriorityClass
    from api.storage_v1 import CSIDriver, CSINode, StorageClass, VolumeAttachment, VolumeAttributesClass

_DEFAULT = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")


def _storage_class(obj: StorageClass, now: float) -> list[Cell]:
    meta = obj.metadata
    default = " (default)" if any(meta.annotations.get(key) == "true" for key in _DEFAULT) else ""
    return [
        f"{meta.name}{default}",
        obj.provisioner,
        "Delete" if obj.reclaim_policy is None else obj.reclaim_policy,
        "Immediate" if obj.volume_binding_mode is None else obj.volume_binding_mode,
        bool(obj.allow_volume_expansion),
        age(meta.creation_timestamp, now),
    ]


def _attachment(obj: VolumeAttachment, now: float) -> list[Cell]:
    return [
        obj.metadata.name,
        obj.spec.attacher,
        obj.spec.source.persistent_volume_name or "",
        obj.spec.node_name,
        obj.status.attached,
        age(obj.metadata.creation_timestamp, now),
    ]


def _attributes_class(obj: VolumeAttributesClass, now: float) -> list[Cell]:
    return [obj.metadata.name, obj.driver_name, age(obj.metadata.creation_timestamp, now)]


def _driver(obj: CSIDriver, now: float) -> list[Cell]:
    spec = obj.spec
    return [
        obj.metadata.name,
        spec.attach_required is not False,
        bool(spec.pod_info_on_mount),
        bool(spec.storage_capacity),
        ",".join(token.audience for token in spec.token_requests) if spec.token_requests else "<unset>",
        bool(spec.requires_republish),
        ",".join(spec.volume_lifecycle_modes) or "<none>",
        age(obj.metadata.creation_timestamp, now),
    ]


def _node(obj: CSINode, now: float) -> list[Cell]:
    return [obj.metadata.name, len(obj.spec.drivers), age(obj.metadata.creation_timestamp, now)]


def _priority_class(obj: PriorityClass, now: float) -> list[Cell]:
    return [
        obj.metadata.name,
        obj.value,
        bool(obj.global_default),
        age(obj.metadata.creation_timestamp, now),
        obj.preemption_policy or "",
    ]


def _runtime_class(obj: RuntimeClass, now: float) -> list[Cell]:
    return [obj.metadata.name, obj.handler, age(obj.metadata.creation_timestamp, now)]


_CLASS_COLUMNS = ("Name", "Provisioner", "ReclaimPolicy", "VolumeBindingMode", "AllowVolumeExpansion", "Age")
_DRIVER_COLUMNS = (
    "Name",
    "AttachRequired:boolean",
    "PodInfoOnMount:boolean",
    "StorageCapacity:boolean",
    "TokenRequests",
)
_PRIORITY_COLUMNS = ("Name", "Value:integer", "Global-Default:boolean", "Age", "PreemptionPolicy")

LAYOUTS: dict[Kind[Any], Layout] = {
    kinds.STORAGE_CLASS: Layout(columns(*_CLASS_COLUMNS), _storage_class),
    kinds.VOLUME_ATTACHMENT: Layout(
        columns("Name", "Attacher::name", "PV", "Node", "Attached:boolean", "Age"), _attachment
    ),
    kinds.VOLUME_ATTRIBUTES_CLASS: Layout(columns("Name", "DriverName", "Age"), _attributes_class),
    kinds.CSI_DRIVER: Layout(columns(*_DRIVER_COLUMNS, "RequiresRepublish:boolean", "Modes", "Age"), _driver),
    kinds.CSI_NODE: Layout(columns("Name", "Drivers:integer", "Age"), _node),
    kinds.CSI_STORAGE_CAPACITY: BY_NAME_AND_CREATION,
    kinds.PRIORITY_CLASS: Layout(columns(*_PRIORITY_COLUMNS), _priority_class),
    kinds.RUNTIME_CLASS: Layout(columns("Name", "Handler", "Age"), _runtime_class),
}
