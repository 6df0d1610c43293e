"""Rules for changes of claims to volumes: a bound one can grow and change its attributes, all else stays."""

from fractions import Fraction

import msgspec

from api import choices, names, quantity
from api.core_volumes_v1 import PersistentVolumeClaim
from api.validation import resources
from api.validation.core_claims import claim_spec, not_negative
from api.validation.problems import Problems

_CLASS = "volume.beta.kubernetes.io/storage-class"
_FIXED = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
_RESIZES = choices.RESIZE_STATES
_ATTRIBUTES = "spec.volumeAttributesClassName"
_WHILE_SET = "is forbidden when status.currentVolumeAttributesClassName is not nil"


def changed(found: Problems, new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> None:
    """A changed claim."""
    # What a claim that has a source says of its group was said before there was a rule for it.
    sources = (old.spec.data_source, old.spec.data_source_ref)
    claim_spec(found, "spec", new.spec, any_group=any(one is not None and one.api_group is not None for one in sources))
    told = old.metadata.annotations.get(_CLASS)
    if not _moved(new, old):
        path = f"metadata.annotations.{_CLASS}"
        found.immutable(path, new.metadata.annotations.get(_CLASS, ""), told or "")
    if _settled(new, old) != old.spec:
        found.forbidden("spec", _FIXED)
    if _size(new) < _size(old) and _size(new) <= quantity.parse(old.status.capacity.get("storage", "0")):
        found.forbidden("spec.resources.requests.storage", "field can not be less than status.capacity")
    found.immutable("volumeMode", new.spec.volume_mode, old.spec.volume_mode)
    name = new.spec.volume_attributes_class_name
    if not name and name != old.spec.volume_attributes_class_name and old.status.current_volume_attributes_class_name:
        found.forbidden(_ATTRIBUTES, f"update to {'nil' if name is None else 'empty string'} {_WHILE_SET}")


def _moved(new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> bool:
    """Whether the class that an annotation told was written into the spec."""
    told, name = old.metadata.annotations.get(_CLASS), new.spec.storage_class_name
    kept = new.metadata.annotations.get(_CLASS, told) == told
    return told is not None and old.spec.storage_class_name is None and name == told and kept


def _settled(new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> object:
    """The new spec with all that may differ as it was."""
    spec, before = new.spec, old.spec
    told = old.metadata.annotations.get(_CLASS)
    if not before.volume_name:
        spec = msgspec.structs.replace(spec, volume_name=before.volume_name)
    if before.storage_class_name is None and told in (None, spec.storage_class_name):
        spec = msgspec.structs.replace(spec, storage_class_name=None)
    if new.status.phase != "Bound":
        return spec
    asked = spec.resources
    if asked is not None and asked.requests and before.resources is not None:
        requests = {**asked.requests, "storage": before.resources.requests.get("storage", "0")}
        asked = msgspec.structs.replace(asked, requests=requests)
    attributes = before.volume_attributes_class_name
    return msgspec.structs.replace(spec, resources=asked, volume_attributes_class_name=attributes)


def _size(obj: PersistentVolumeClaim) -> Fraction:
    asked = obj.spec.resources.requests if obj.spec.resources is not None else {}
    return quantity.parse(asked.get("storage", "0"))


def status_changed(found: Problems, new: PersistentVolumeClaim, old: PersistentVolumeClaim) -> None:
    """What was written to the status of a claim."""
    for name, text in new.status.capacity.items():
        not_negative(found, f"status.capacity[{name}]", text)
    path = "status.allocatedResourceStatuses"
    for name, state in new.status.allocated_resource_statuses.items():
        _resource(found, path, name)
        if state not in _RESIZES:
            found.not_supported(path, name, _RESIZES)
    path = "status.allocatedResources"
    for name, text in new.status.allocated_resources.items():
        if _resource(found, path, name) and not_negative(found, f"{path}[{name}]", text):
            resources.amount(found, f"{path}[{name}]", "storage", text)


def _resource(found: Problems, path: str, name: str) -> bool:
    """Whether a claim can have the resource: storage, or something of someone's own."""
    problems = names.label_key(name)
    found.invalid_all(path, name, problems)
    foreign = "/" in name and "kubernetes.io/" not in name
    if not problems and not foreign and name != "storage":
        found.not_supported(path, name, ("storage",))
        return False
    return not problems
