"""Defaults of PersistentVolumes and claims."""

from collections.abc import Callable
from typing import Any

from api import kinds
from api.core_v1 import PersistentVolumeClaimSpec
from api.core_volumes_v1 import PersistentVolume, PersistentVolumeClaim
from api.defaults.pods import volume_source
from api.kinds import Kind

_WITH_DEFAULTS = ("host_path", "iscsi", "rbd", "azure_disk", "scale_io")


def volume(obj: PersistentVolume) -> None:
    """Defaults of a PersistentVolume."""
    spec = obj.spec
    obj.status.phase = obj.status.phase or "Pending"
    spec.persistent_volume_reclaim_policy = spec.persistent_volume_reclaim_policy or "Retain"
    if spec.volume_mode is None:
        spec.volume_mode = "Filesystem"
    for name in _WITH_DEFAULTS:
        if (source := getattr(spec, name)) is not None:
            volume_source(name, source)


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
