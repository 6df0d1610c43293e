"""Defaults of StorageClasses and CSIDrivers."""

from collections.abc import Callable
from typing import Any

from api import kinds
from api.kinds import Kind
from api.storage_v1 import CSIDriver, StorageClass


def storage_class(obj: StorageClass) -> None:
    """Defaults of a StorageClass."""
    if obj.reclaim_policy is None:
        obj.reclaim_policy = "Delete"
    if obj.volume_binding_mode is None:
        obj.volume_binding_mode = "Immediate"


def csi_driver(obj: CSIDriver) -> None:
    """Defaults of a CSIDriver."""
    spec = obj.spec
    for field, value in (
        ("attach_required", True),
        ("pod_info_on_mount", False),
        ("storage_capacity", False),
        ("fs_group_policy", "ReadWriteOnceWithFSType"),
        ("requires_republish", False),
        ("se_linux_mount", False),
    ):
        if getattr(spec, field) is None:
            setattr(spec, field, value)
    spec.volume_lifecycle_modes = spec.volume_lifecycle_modes or ["Persistent"]


BY_KIND: dict[Kind[Any], Callable[[Any], None]] = {
    kinds.STORAGE_CLASS: storage_class,
    kinds.CSI_DRIVER: csi_driver,
}
