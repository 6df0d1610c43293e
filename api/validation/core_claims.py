"""Rules for what claims to volumes say, in claims and in the templates of them; and for what volumes share with them."""

from api import names
from api.core_v1 import PersistentVolumeClaimSpec, TypedLocalObjectReference, TypedObjectReference
from api.validation import metadata, resources
from api.validation.problems import Problems

_ACCESS = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
MODES = ("Block", "Filesystem")


def claim_spec(found: Problems, path: str, spec: PersistentVolumeClaimSpec) -> None:
    """A claim, or the template of one."""
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
    for field, source in (("dataSource", spec.data_source), ("dataSourceRef", spec.data_source_ref)):
        if source is not None:
            _data_source(found, f"{path}.{field}", source)
    class_name(found, f"{path}.volumeAttributesClassName", spec.volume_attributes_class_name)


def _data_source(found: Problems, path: str, source: TypedLocalObjectReference | TypedObjectReference) -> None:
    if not source.name:
        found.required(f"{path}.name")
    if not source.kind:
        found.required(f"{path}.kind")
    if source.api_group:
        found.invalid_all(f"{path}.apiGroup", source.api_group, names.dns_subdomain(source.api_group))
    elif source.kind != "PersistentVolumeClaim":
        detail = "must be 'PersistentVolumeClaim' when referencing the default apiGroup"
        found.invalid(path, source.kind, detail)


def more_than_nothing(found: Problems, path: str, text: str) -> None:
    """An amount of storage."""
    value = resources.amount(found, path, "storage", text)
    if value is not None and value == 0:
        found.invalid(path, text, "must be greater than zero")


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
