"""Rules for the volumes of pods."""

from collections.abc import Callable
from typing import Any

from api import names, quantity
from api.core_v1 import (
    ConfigMapVolumeSource,
    CSIVolumeSource,
    DownwardAPIVolumeFile,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    HostPathVolumeSource,
    KeyToPath,
    NFSVolumeSource,
    PersistentVolumeClaimVolumeSource,
    ProjectedVolumeSource,
    SecretVolumeSource,
    Volume,
)
from api.fields import fields_of
from api.validation.environment import field_ref, resource_field_ref
from api.validation.problems import Problems

_HOST_PATH_TYPES = ("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket")
_VOLUME_FIELDS = frozenset(
    (
        "metadata.name",
        "metadata.namespace",
        "metadata.labels",
        "metadata.annotations",
        "metadata.uid",
    )
)
_MODE = "must be a number between 0 and 0777 (octal), both inclusive"


def volumes(found: Problems, path: str, items: list[Volume]) -> dict[str, Volume]:
    """The volumes of a pod, by name; those with problems are left out."""
    good: dict[str, Volume] = {}
    for index, volume in enumerate(items):
        where = f"{path}[{index}]"
        before = len(found.causes)
        _source(found, where, volume)
        if not volume.name:
            found.required(f"{where}.name")
        else:
            found.invalid_all(f"{where}.name", volume.name, names.dns_label(volume.name))
        if volume.name in good:
            found.duplicate(f"{where}.name", volume.name)
        if len(found.causes) == before:
            good[volume.name] = volume
    return good


def _source(found: Problems, path: str, volume: Volume) -> None:
    given = [field for field in fields_of(Volume).values() if field.name != "name" and getattr(volume, field.name)]
    if not given:
        found.required(path, "must specify a volume type")
        return
    for field in given[1:]:
        found.forbidden(f"{path}.{field.json}", "may not specify more than 1 volume type")
    first = given[0]
    rule = _RULES.get(first.name)
    if rule is not None:
        rule(found, f"{path}.{first.json}", getattr(volume, first.name))


def _empty_dir(found: Problems, path: str, source: EmptyDirVolumeSource) -> None:
    if source.size_limit is None:
        return
    try:
        bad = quantity.parse(source.size_limit) < 0
    except quantity.QuantityError:
        bad = True
    if bad:
        found.forbidden(f"{path}.sizeLimit", "SizeLimit field must be a valid resource quantity")


def host_path(found: Problems, path: str, source: HostPathVolumeSource) -> None:
    """A directory or file of the node."""
    if not source.path:
        found.required(f"{path}.path")
        return
    _no_backsteps(found, f"{path}.path", source.path)
    found.optional_one_of(f"{path}.type", source.type, _HOST_PATH_TYPES)


def _secret(found: Problems, path: str, source: SecretVolumeSource) -> None:
    if not source.secret_name:
        found.required(f"{path}.secretName")
    mode(found, f"{path}.defaultMode", source.default_mode)
    _keys(found, f"{path}.items", source.items)


def _config_map(found: Problems, path: str, source: ConfigMapVolumeSource) -> None:
    if not source.name:
        found.required(f"{path}.name")
    mode(found, f"{path}.defaultMode", source.default_mode)
    _keys(found, f"{path}.items", source.items)


def _downward_api(found: Problems, path: str, source: DownwardAPIVolumeSource) -> None:
    mode(found, f"{path}.defaultMode", source.default_mode)
    for index, item in enumerate(source.items):
        _downward_file(found, f"{path}[{index}]", item)


def _downward_file(found: Problems, path: str, item: DownwardAPIVolumeFile) -> None:
    if not item.path:
        found.required(f"{path}.path")
    _local_path(found, f"{path}.path", item.path)
    if item.field_ref is not None:
        field_ref(found, f"{path}.fieldRef", item.field_ref, _VOLUME_FIELDS)
        if item.resource_field_ref is not None:
            found.invalid(path, "resource", "fieldRef and resourceFieldRef can not be specified simultaneously")
    elif item.resource_field_ref is not None:
        resource_field_ref(found, f"{path}.resourceFieldRef", item.resource_field_ref, in_volume=True)
    else:
        found.required(path, "one of fieldRef and resourceFieldRef is required")
    mode(found, f"{path}.mode", item.mode)


def _claim(found: Problems, path: str, source: PersistentVolumeClaimVolumeSource) -> None:
    if not source.claim_name:
        found.required(f"{path}.claimName")


def nfs(found: Problems, path: str, source: NFSVolumeSource) -> None:
    """A directory of an NFS server."""
    if not source.server:
        found.required(f"{path}.server")
    if not source.path:
        found.required(f"{path}.path")
    elif not source.path.startswith("/"):
        found.invalid(f"{path}.path", source.path, "must be an absolute path")


def _csi(found: Problems, path: str, source: CSIVolumeSource) -> None:
    if not source.driver:
        found.required(f"{path}.driver")
    else:
        found.invalid_all(f"{path}.driver", source.driver, names.dns_subdomain(source.driver.lower()))


def _projected(found: Problems, path: str, source: ProjectedVolumeSource) -> None:
    mode(found, f"{path}.defaultMode", source.default_mode)
    taken: set[str] = set()
    for index, projection in enumerate(source.sources):
        where = f"{path}.sources[{index}]"
        given = [field for field in fields_of(type(projection)).values() if getattr(projection, field.name) is not None]
        if not given:
            found.required(where, "must specify a projected volume type")
        for field in given[1:]:
            found.forbidden(f"{where}.{field.json}", "may not specify more than 1 volume type per source")
        if not given:
            continue
        inner, chosen = f"{where}.{given[0].json}", getattr(projection, given[0].name)
        for item in _projected_items(found, inner, given[0].name, chosen):
            if item in taken:
                found.invalid(path, item, "conflicting duplicate paths")
            taken.add(item)


def _projected_items(found: Problems, path: str, name: str, source: Any) -> list[str]:
    """The paths of the files that one source of a projected volume makes, as far as they are known."""
    match name:
        case "secret" | "config_map":
            if not source.name:
                found.required(f"{path}.name")
            _keys(found, f"{path}.items", source.items)
            return [item.path for item in source.items]
        case "downward_api":
            for index, item in enumerate(source.items):
                _downward_file(found, f"{path}[{index}]", item)
            return [item.path for item in source.items]
        case "service_account_token":
            _token(found, path, source)
        case "pod_certificate":
            files = (source.credential_bundle_path, source.key_path, source.certificate_chain_path)
            return [file for file in files if file]
    return [source.path] if source.path else []


def _token(found: Problems, path: str, source: Any) -> None:
    seconds = source.expiration_seconds
    if seconds is not None and seconds < 600:
        found.invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration less than 10 minutes")
    if seconds is not None and seconds > 1 << 32:
        found.invalid(f"{path}.expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds")
    if not source.path:
        found.required(f"{path}.path")
    else:
        _local_path(found, f"{path}.path", source.path)


def _keys(found: Problems, path: str, items: list[KeyToPath]) -> None:
    for index, item in enumerate(items):
        where = f"{path}[{index}]"
        if not item.key:
            found.required(f"{where}.key")
        if not item.path:
            found.required(f"{where}.path")
        _local_path(found, f"{where}.path", item.path)
        mode(found, f"{where}.mode", item.mode)


def mode(found: Problems, path: str, value: int | None) -> None:
    """The mode of a file."""
    if value is not None and not 0 <= value <= 0o777:
        found.invalid(path, value, _MODE)


def descending_path(found: Problems, path: str, value: str) -> None:
    """A path that stays below the directory it starts in."""
    if value.startswith("/"):
        found.invalid(path, value, "must be a relative path")
    _no_backsteps(found, path, value)


def _local_path(found: Problems, path: str, value: str) -> None:
    descending_path(found, path, value)
    if value.startswith("..") and not value.startswith("../"):
        found.invalid(path, value, "must not start with '..'")


def _no_backsteps(found: Problems, path: str, value: str) -> None:
    if ".." in value.split("/"):
        found.invalid(path, value, "must not contain '..'")


_RULES: dict[str, Callable[[Problems, str, Any], None]] = {
    "empty_dir": _empty_dir,
    "host_path": host_path,
    "secret": _secret,
    "config_map": _config_map,
    "downward_api": _downward_api,
    "persistent_volume_claim": _claim,
    "nfs": nfs,
    "csi": _csi,
    "projected": _projected,
}
