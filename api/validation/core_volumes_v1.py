"""Rules for PersistentVolumes and claims to them."""

import posixpath
from typing import Any

import msgspec

from api import choices, kinds
from api.core_volumes_v1 import PersistentVolume, PersistentVolumeSpec
from api.kinds import Kind
from api.validation import claim_updates
from api.validation.core_claims import MODES, access_modes, claim, class_name, more_than_nothing, not_negative
from api.validation.persistent_sources import origin, source
from api.validation.problems import Problems
from api.validation.rules import Rules
from api.validation.volume_places import places, places_changed

_RECLAIM = choices.RECLAIM_POLICIES
_MOUNT_OPTIONS = "volume.beta.kubernetes.io/mount-options"
# Sources that mount options in an annotation are for.
_WITH_OPTIONS = frozenset(
    (
        *("gce_persistent_disk", "aws_elastic_block_store", "glusterfs", "nfs", "rbd", "quobyte", "iscsi", "cinder"),
        *("cephfs", "azure_file", "vsphere_volume", "azure_disk", "photon_persistent_disk"),
    )
)
_INLINE = "in the context of inline volumes"
_NOT_INLINE = f"may not be specified {_INLINE}"


def volume(found: Problems, obj: PersistentVolume) -> None:
    """A PersistentVolume."""
    spec = obj.spec
    _access(found, "spec", spec)
    _capacity(found, spec)
    found.optional_one_of("spec.persistentVolumeReclaimPolicy", spec.persistent_volume_reclaim_policy, _RECLAIM)
    if spec.node_affinity is not None:
        places(found, "spec.nodeAffinity", spec.node_affinity)
    first = source(found, "spec", spec, obj.metadata.name or "")
    if first == "local" and spec.node_affinity is None:
        found.required("spec.nodeAffinity", "Local volume requires node affinity")
    _recycled(found, "spec", spec)
    class_name(found, "spec.storageClassName", spec.storage_class_name)
    found.optional_one_of("spec.volumeMode", spec.volume_mode, MODES)
    _attributes_class(found, spec)
    if _MOUNT_OPTIONS in obj.metadata.annotations and not origin(spec).keys() & _WITH_OPTIONS:
        path = f"metadata.annotations.{_MOUNT_OPTIONS}"
        found.forbidden(path, "may not specify mount options for this volume type")


def inline_volume(found: Problems, path: str, spec: PersistentVolumeSpec) -> None:
    """A volume that is spelled out where it is attached, and stands for one that pods name themselves."""
    for field, given in (
        ("claimRef", spec.claim_ref is not None),
        ("capacity", bool(spec.capacity)),
        ("nodeAffinity", spec.node_affinity is not None),
        ("storageClassName", bool(spec.storage_class_name)),
    ):
        if given:
            found.forbidden(f"{path}.{field}", _NOT_INLINE)
    if spec.csi is None:
        found.required(f"{path}.csi", f"has to be specified {_INLINE}")
    _access(found, path, spec)
    if spec.persistent_volume_reclaim_policy not in (None, "", "Retain"):
        found.forbidden(f"{path}.persistentVolumeReclaimPolicy", f"may only be Retain {_INLINE}")
    source(found, path, spec, "")
    if spec.local is not None and origin(spec).keys() == {"local"}:
        found.required(f"{path}.nodeAffinity", "Local volume requires node affinity")
    _recycled(found, path, spec)
    if spec.volume_mode not in (None, "Filesystem"):
        found.forbidden(f"{path}.volumeMode", f"may not specify volumeMode other than Filesystem {_INLINE}")


def _access(found: Problems, path: str, spec: PersistentVolumeSpec) -> None:
    if not spec.access_modes:
        found.required(f"{path}.accessModes")
    access_modes(found, f"{path}.accessModes", spec.access_modes)


def _recycled(found: Problems, path: str, spec: PersistentVolumeSpec) -> None:
    whole = spec.host_path is not None and posixpath.normpath(spec.host_path.path) in ("/", "//")
    if whole and spec.persistent_volume_reclaim_policy == "Recycle":
        detail = "may not be 'recycle' for a hostPath mount of '/'"
        found.forbidden(f"{path}.persistentVolumeReclaimPolicy", detail)


def _attributes_class(found: Problems, spec: PersistentVolumeSpec) -> None:
    name, path = spec.volume_attributes_class_name, "spec.volumeAttributesClassName"
    if name is None:
        return
    if not name:
        found.required(path, "an empty string is disallowed")
    class_name(found, path, name)
    if spec.csi is None:
        found.required("spec.csi", "has to be specified when using volumeAttributesClassName")


def _capacity(found: Problems, spec: PersistentVolumeSpec) -> None:
    path = "spec.capacity"
    if not spec.capacity:
        found.required(path)
    if set(spec.capacity) != {"storage"}:
        found.not_supported(path, dict(sorted(spec.capacity.items())) or None, ("storage",))
    for name, text in spec.capacity.items():
        not_negative(found, f"{path}[{name}]", text)
        more_than_nothing(found, f"{path}[{name}]", text)


def _volume_changed(found: Problems, new: PersistentVolume, old: PersistentVolume) -> None:
    if _fixed(new.spec, old.spec) != origin(old.spec):
        detail = "spec.persistentvolumesource is immutable after creation"
        found.forbidden("spec.persistentvolumesource", detail)
    found.immutable("volumeMode", new.spec.volume_mode, old.spec.volume_mode)
    places_changed(found, new.spec.node_affinity, old.spec.node_affinity)
    if old.spec.volume_attributes_class_name is not None and new.spec.volume_attributes_class_name is None:
        found.forbidden("spec.volumeAttributesClassName", "update from non-nil value to nil is forbidden")


def _fixed(new: PersistentVolumeSpec, old: PersistentVolumeSpec) -> dict[str, Any]:
    """The source without what may be added to the old one: a secret for growing."""
    given = origin(new)
    if new.csi is not None and old.csi is not None and old.csi.controller_expand_secret_ref is None:
        given["csi"] = msgspec.structs.replace(new.csi, controller_expand_secret_ref=None)
    return given


RULES: dict[Kind[Any], Rules] = {
    kinds.PERSISTENT_VOLUME: Rules(volume, _volume_changed),
    kinds.PERSISTENT_VOLUME_CLAIM: Rules(
        None, claim_updates.changed, {"status": claim_updates.status_changed}, fresh=claim
    ),
}
