"""The tables of PersistentVolumes and claims to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api import kinds
from api.kinds import Kind
from controlplane.apiserver.tables.ages import age
from controlplane.apiserver.tables.columns import Cell, Layout, columns

if TYPE_CHECKING:
    from api.core_volumes_v1 import PersistentVolume, PersistentVolumeClaim

_UNSET = "<unset>"
_BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
_SHORT = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _volume(obj: PersistentVolume, now: float) -> list[Cell]:
    spec = obj.spec
    claim = spec.claim_ref
    return [
        obj.metadata.name,
        spec.capacity.get("storage", "0"),
        _modes(spec.access_modes),
        spec.persistent_volume_reclaim_policy or "",
        _phase(obj),
        f"{claim.namespace or ''}/{claim.name or ''}" if claim is not None else "",
        _class(obj, spec.storage_class_name),
        _or_unset(spec.volume_attributes_class_name),
        obj.status.reason or "",
        age(obj.metadata.creation_timestamp, now),
        _or_unset(spec.volume_mode),
    ]


def _claim(obj: PersistentVolumeClaim, now: float) -> list[Cell]:
    spec, status = obj.spec, obj.status
    bound = bool(spec.volume_name)
    return [
        obj.metadata.name,
        _phase(obj),
        spec.volume_name or "",
        status.capacity.get("storage", "0") if bound else "",
        _modes(status.access_modes) if bound else "",
        _class(obj, spec.storage_class_name),
        _or_unset(spec.volume_attributes_class_name),
        age(obj.metadata.creation_timestamp, now),
        _or_unset(spec.volume_mode),
    ]


def _phase(obj: PersistentVolume | PersistentVolumeClaim) -> str:
    return "Terminating" if obj.metadata.deletion_timestamp else obj.status.phase or ""


def _modes(modes: list[str]) -> str:
    return ",".join(short for mode, short in _SHORT.items() if mode in modes)


def _class(obj: PersistentVolume | PersistentVolumeClaim, name: str | None) -> str:
    return obj.metadata.annotations.get(_BETA_CLASS, name or "")


def _or_unset(value: str | None) -> str:
    return _UNSET if value is None else value


_VOLUME_COLUMNS = "Name Capacity Access_Modes Reclaim_Policy Status Claim StorageClass VolumeAttributesClass Reason Age"
_CLAIM_COLUMNS = "Name Status Volume Capacity Access_Modes StorageClass VolumeAttributesClass Age"

LAYOUTS: dict[Kind[Any], Layout] = {
    kinds.PERSISTENT_VOLUME: Layout(
        columns(*(name.replace("_", " ") for name in _VOLUME_COLUMNS.split()), wide=("VolumeMode",)), _volume
    ),
    kinds.PERSISTENT_VOLUME_CLAIM: Layout(
        columns(*(name.replace("_", " ") for name in _CLAIM_COLUMNS.split()), wide=("VolumeMode",)), _claim
    ),
}
