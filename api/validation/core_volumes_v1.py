"""Rules for PersistentVolumes and claims to them."""

from typing import Any

from api import kinds, names, quantity
from api.core_volumes_v1 import PersistentVolume, PersistentVolumeClaim, PersistentVolumeSpec
from api.fields import fields_of
from api.kinds import Kind
from api.validation import resources, scheduling, volumes
from api.validation.core_claims import MODES, access_modes, claim_spec, class_name, more_than_nothing
from api.validation.problems import Problems
from api.validation.rules import Rules

_RECLAIM = ("Delete", "Recycle", "Retain")
_FIXED = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"


def volume(found: Problems, obj: PersistentVolume) -> None:
    """A PersistentVolume."""
    spec = obj.spec
    volume_spec(found, "spec", spec)
    _capacity(found, spec)
    found.optional_one_of("spec.persistentVolumeReclaimPolicy", spec.persistent_volume_reclaim_policy, _RECLAIM)
    if spec.node_affinity is not None:
        if spec.node_affinity.required is None:
            found.required("spec.nodeAffinity.required", "must specify required node constraints")
        else:
            scheduling.node_selector(found, "spec.nodeAffinity.required", spec.node_affinity.required)
    elif spec.local is not None:
        found.required("spec.nodeAffinity", "Local volume requires node affinity")
    root = spec.host_path is not None and spec.host_path.path.rstrip("/") == ""
    if root and spec.persistent_volume_reclaim_policy == "Recycle":
        found.forbidden("spec.persistentVolumeReclaimPolicy", "may not be 'recycle' for a hostPath mount of '/'")
    class_name(found, "spec.storageClassName", spec.storage_class_name)
    found.optional_one_of("spec.volumeMode", spec.volume_mode, MODES)


def volume_spec(found: Problems, path: str, spec: PersistentVolumeSpec) -> None:
    """What volumes have in common with those that are spelled out in a VolumeAttachment."""
    if not spec.access_modes:
        found.required(f"{path}.accessModes")
    access_modes(found, f"{path}.accessModes", spec.access_modes)
    given = sources(spec)
    if not given:
        found.required(path, "must specify a volume type")
    for name in given[1:]:
        found.forbidden(f"{path}.{name}", "may not specify more than 1 volume type")
    if spec.host_path is not None:
        volumes.host_path(found, f"{path}.hostPath", spec.host_path)
    if spec.nfs is not None:
        volumes.nfs(found, f"{path}.nfs", spec.nfs)
    if spec.local is not None:
        if not spec.local.path:
            found.required(f"{path}.local.path")
        elif ".." in spec.local.path.split("/"):
            found.invalid(f"{path}.local.path", spec.local.path, "must not contain '..'")
    if spec.csi is not None:
        for name, value in (("driver", spec.csi.driver), ("volumeHandle", spec.csi.volume_handle)):
            if not value:
                found.required(f"{path}.csi.{name}")
        if spec.csi.driver:
            found.invalid_all(f"{path}.csi.driver", spec.csi.driver, names.dns_subdomain(spec.csi.driver.lower()))


def sources(spec: PersistentVolumeSpec) -> list[str]:
    """Which of the fields that say where the volume comes from are set."""
    embedded = [
        field for field in fields_of(PersistentVolumeSpec).values() if field.facts and len(field.facts.path) > 1
    ]
    return [field.json for field in embedded if getattr(spec, field.name) is not None]


def _capacity(found: Problems, spec: PersistentVolumeSpec) -> None:
    path = "spec.capacity"
    if not spec.capacity:
        found.required(path)
    if set(spec.capacity) != {"storage"}:
        found.not_supported(path, spec.capacity, ("storage",))
    for name, text in spec.capacity.items():
        more_than_nothing(found, f"{path}[{name}]", text)


def _volume_changed(found: Problems, new: PersistentVolume, old: PersistentVolume) -> None:
    if _origin(new.spec) != _origin(old.spec):
        detail = "spec.persistentvolumesource is immutable after creation"
        found.forbidden("spec.persistentvolumesource", detail)
    found.immutable("volumeMode", new.spec.volume_mode, old.spec.volume_mode)


def _origin(spec: PersistentVolumeSpec) -> list[Any]:
    embedded = [
        field for field in fields_of(PersistentVolumeSpec).values() if field.facts and len(field.facts.path) > 1
    ]
    return [getattr(spec, field.name) for field in embedded]


def claim(found: Problems, obj: PersistentVolumeClaim) -> None:
    """A PersistentVolumeClaim."""
    claim_spec(found, "spec", obj.spec)


def _claim_changed(found: Problems, new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> None:
    if _fixed(new, old) != _fixed(old, old):
        found.forbidden("spec", _FIXED)
    try:
        before, now, there = _size(old), _size(new), quantity.parse(old.status.capacity.get("storage", "0"))
    except quantity.QuantityError:
        return
    if now < before and now <= there:
        found.forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")
    found.immutable("volumeMode", new.spec.volume_mode, old.spec.volume_mode)


def _fixed(obj: PersistentVolumeClaim, old: PersistentVolumeClaim) -> list[Any]:
    """What of a claim may not change, seen from what it was."""
    free = {"resources", "volume_attributes_class_name"} if obj.status.phase == "Bound" else set()
    if not old.spec.volume_name:
        free.add("volume_name")
    if old.spec.storage_class_name is None and obj.status.phase != "Bound":
        free.add("storage_class_name")
    return [getattr(obj.spec, name) for name in obj.spec.__struct_fields__ if name not in free]


def _size(obj: PersistentVolumeClaim) -> Any:
    asked = obj.spec.resources.requests if obj.spec.resources is not None else {}
    return quantity.parse(asked.get("storage", "0"))


def _claim_status(found: Problems, new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> None:
    for field, amounts in (("capacity", new.status.capacity), ("allocatedResources", new.status.allocated_resources)):
        for name, text in amounts.items():
            resources.amount(found, f"status.{field}[{name}]", name, text)


RULES: dict[Kind[Any], Rules] = {
    kinds.PERSISTENT_VOLUME: Rules(volume, _volume_changed),
    kinds.PERSISTENT_VOLUME_CLAIM: Rules(claim, _claim_changed, {"status": _claim_status}),
}
