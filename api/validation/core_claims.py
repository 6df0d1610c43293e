"""Rules for what claims to volumes say, in claims and in the templates of them; and for what volumes share with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import choices, names, quantity
from api.core_v1 import PersistentVolumeClaimSpec, TypedLocalObjectReference, TypedObjectReference
from api.validation import metadata
from api.validation.problems import Problems

if TYPE_CHECKING:
    from api.core_volumes_v1 import PersistentVolumeClaim

_ACCESS = choices.ACCESS_MODES
MODES = choices.VOLUME_MODES


def claim(found: Problems, obj: PersistentVolumeClaim) -> None:
    """A PersistentVolumeClaim."""
    claim_spec(found, "spec", obj.spec)


def claim_spec(found: Problems, path: str, spec: PersistentVolumeClaimSpec, any_group: bool = False) -> None:
    """A claim, or the template of one; its source may be in `any_group`, whatever the group is called."""
    if not spec.access_modes:
        found.required(f"{path}.accessModes", "at least 1 access mode is required")
    if spec.selector is not None:
        metadata.label_selector(found, f"{path}.selector", spec.selector)
    access_modes(found, f"{path}.accessModes", spec.access_modes)
    asked = spec.resources.requests if spec.resources is not None else {}
    if "storage" not in asked:
        found.required(f"{path}.resources[storage]")
    else:
        more_than_nothing(found, f"{path}.resources[storage]", asked["storage"])
    class_name(found, f"{path}.storageClassName", spec.storage_class_name)
    found.optional_one_of(f"{path}.volumeMode", spec.volume_mode, MODES)
    _sources(found, path, spec, any_group)
    class_name(found, f"{path}.volumeAttributesClassName", spec.volume_attributes_class_name)


def _sources(found: Problems, path: str, spec: PersistentVolumeClaimSpec, any_group: bool) -> None:
    source, ref = spec.data_source, spec.data_source_ref
    if source is not None:
        _source(found, f"{path}.dataSource", source, any_group)
    if ref is None:
        return
    _source(found, f"{path}.dataSourceRef", ref, any_group)
    if ref.namespace:
        found.invalid_all(f"{path}.dataSourceRef.namespace", ref.namespace, names.dns_label(ref.namespace))
    if source is None:
        return
    if ref.namespace:
        found.invalid(path, {}, "may not be specified when dataSourceRef.namespace is specified")
    elif (source.api_group, source.kind, source.name) != (ref.api_group, ref.kind, ref.name):
        found.invalid(path, {}, "must match dataSourceRef")


def _source(
    found: Problems, path: str, source: TypedLocalObjectReference | TypedObjectReference, any_group: bool
) -> None:
    if not source.name:
        found.required(f"{path}.name")
    if not source.kind:
        found.required(f"{path}.kind")
    if not source.api_group:
        if source.kind != "PersistentVolumeClaim":
            detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
            found.invalid(path, source.kind, detail)
    elif not any_group:
        found.invalid_all(f"{path}.apiGroup", source.api_group, names.dns_subdomain(source.api_group))


def more_than_nothing(found: Problems, path: str, text: str) -> None:
    """An amount of storage."""
    if quantity.parse(text) <= 0:
        found.invalid(path, text, "must be greater than zero")


def not_negative(found: Problems, path: str, text: str) -> bool:
    """Whether an amount, of anything, is one that there can be."""
    amount = quantity.ceil(text)
    if amount < 0:
        found.invalid(path, amount, "must be a valid resource quantity")
    return amount >= 0


def access_modes(found: Problems, path: str, modes: list[str]) -> None:
    """How a volume can be mounted."""
    for mode in modes:
        found.optional_one_of(path, mode, _ACCESS)
    known = set(modes) & set(_ACCESS)
    if "ReadWriteOncePod" in known and len(known) > 1:
        found.forbidden(path, "may not use ReadWriteOncePod with other access modes")


def class_name(found: Problems, path: str, name: str | None) -> None:
    """The name of a class, if there is one."""
    if name:
        found.invalid_all(path, name, names.dns_subdomain(name))
