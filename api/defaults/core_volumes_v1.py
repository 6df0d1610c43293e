"""Defaults of PersistentVolumes and claims."""

from collections.abc import Callable
from typing import Any

from api import kinds
from api.core_v1 import PersistentVolumeClaimSpec
from api.core_volumes_v1 import PersistentVolume, PersistentVolumeClaim
from api.kinds import Kind


def volume(obj: PersistentVolume) -> None:
    """Defaults of a PersistentVolume."""
    spec = obj.spec
    obj.status.phase = obj.status.phase or "Pending"
    spec.persistent_volume_reclaim_policy = spec.persistent_volume_reclaim_policy or "Retain"
    if spec.volume_mode is None:
        spec.volume_mode = "Filesystem"
    if spec.host_path is not None and spec.host_path.type is None:
        spec.host_path.type = ""
    if spec.iscsi is not None:
        spec.iscsi.iscsi_interface = spec.iscsi.iscsi_interface or "default"
    if spec.rbd is not None:
        spec.rbd.pool = spec.rbd.pool or "rbd"
        spec.rbd.user = spec.rbd.user or "admin"
        spec.rbd.keyring = spec.rbd.keyring or "/etc/ceph/keyring"


def claim(obj: PersistentVolumeClaim) -> None:
    """Defaults of a PersistentVolumeClaim."""
    obj.status.phase = obj.status.phase or "Pending"
    claim_spec(obj.spec)


def claim_spec(spec: PersistentVolumeClaimSpec) -> None:
    """What claims and templates of claims share."""
    if spec.volume_mode is None:
        spec.volume_mode = "Filesystem"


BY_KIND: dict[Kind[Any], Callable[[Any], None]] = {
    kinds.PERSISTENT_VOLUME: volume,
    kinds.PERSISTENT_VOLUME_CLAIM: claim,
}
