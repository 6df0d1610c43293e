"""Rules for volumes on machines and disks elsewhere, by the field they stand in. No driver for them is part of this system."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from api import choices, names
from api.core_v1 import (
    AzureDiskVolumeSource,
    EphemeralVolumeSource,
    FCVolumeSource,
    FlexVolumeSource,
    FlockerVolumeSource,
    GitRepoVolumeSource,
    ISCSIVolumeSource,
    QuobyteVolumeSource,
    StorageOSVolumeSource,
)
from api.validation.core_claims import claim_spec
from api.validation.paths import descending_path
from api.validation.problems import Problems
from api.validation.templates import template_metadata

if TYPE_CHECKING:
    from api.core_volumes_v1 import (
        FlexPersistentVolumeSource,
        ISCSIPersistentVolumeSource,
        StorageOSPersistentVolumeSource,
    )

_LUN = "must be between 0 and 255, inclusive"
_PARTITION = "must be between 1 and 255, inclusive"  # 0 is the whole disk
_HOST_PORT = "must be a host:port pair or multiple pairs separated by commas"
_MANAGED_DISK = "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}"
_BLOB_DISK = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"
_IQN = re.compile(r"iqn\.\d{4}-\d{2}\.([0-9A-Za-z.-]+)(:[^,;*&$|\s]+)$")
_NAMES = {"iqn": _IQN, "eui": re.compile(r"eui.[0-9A-Za-z]{16}$"), "naa": re.compile(r"naa.[0-9A-Za-z]{32}$")}


def _iscsi_of_pod(found: Problems, path: str, source: ISCSIVolumeSource) -> None:
    iscsi(found, path, source, "must be valid format starting with iqn, eui, or naa")


def iscsi(found: Problems, path: str, source: ISCSIVolumeSource | ISCSIPersistentVolumeSource, unknown: str) -> None:
    """A disk over iSCSI; `unknown` is said of names in none of the three forms."""
    _needed(found, path, source, "target_portal", "iqn")
    if source.iqn:
        _qualified(found, f"{path}.iqn", source.iqn, unknown)
    if not 0 <= source.lun <= 255:
        found.invalid(f"{path}.lun", source.lun, _LUN)
    if (source.chap_auth_discovery or source.chap_auth_session) and source.secret_ref is None:
        found.required(f"{path}.secretRef")
    if source.initiator_name is not None:
        _qualified(found, f"{path}.initiatorname", source.initiator_name, unknown)


def _qualified(found: Problems, path: str, name: str, unknown: str) -> None:
    pattern = _NAMES.get(name[:3])
    if pattern is None:
        found.invalid(path, name, unknown)
    elif not pattern.match(name):
        found.invalid(path, name, "must be valid format")


def _fibre_channel(found: Problems, path: str, source: FCVolumeSource) -> None:
    where = f"{path}.targetWWNs"
    if not source.target_wwns and not source.wwids:
        found.required(where, "must specify either targetWWNs or wwids, but not both")
    if source.target_wwns and source.wwids:
        found.invalid(where, source.target_wwns, "targetWWNs and wwids can not be specified simultaneously")
    if source.target_wwns:
        if source.lun is None:
            found.required(f"{path}.lun", "lun is required if targetWWNs is specified")
        elif not 0 <= source.lun <= 255:
            found.invalid(f"{path}.lun", source.lun, _LUN)


def _flocker(found: Problems, path: str, source: FlockerVolumeSource) -> None:
    if not source.dataset_name and not source.dataset_uuid:
        found.required(path, "one of datasetName and datasetUUID is required")
    if source.dataset_name and source.dataset_uuid:
        found.invalid(path, "resource", "datasetName and datasetUUID can not be specified simultaneously")
    if "/" in (source.dataset_name or ""):
        found.invalid(f"{path}.datasetName", source.dataset_name, "must not contain '/'")


def _quobyte(found: Problems, path: str, source: QuobyteVolumeSource) -> None:
    if not source.registry:
        found.required(f"{path}.registry", _HOST_PORT)
    elif len((source.tenant or "").encode()) > 64:
        found.required(f"{path}.tenant", "must be a UUID and may not exceed a length of 64 characters")
    else:
        for pair in source.registry.split(","):
            if not _is_host_port(pair):
                found.invalid(f"{path}.registry", source.registry, _HOST_PORT)
    _needed(found, path, source, "volume")


def _is_host_port(text: str) -> bool:
    """Whether a port follows a host, which is in brackets if it has colons itself."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1].replace(":", "")
    return bool(colon) and not any(character in f"{host}{port}" for character in ":[]")


def _flex(found: Problems, path: str, source: FlexVolumeSource | FlexPersistentVolumeSource) -> None:
    _needed(found, path, source, "driver")
    for key in source.options:
        owner = "." + key.partition("/")[0].lower()
        if owner.endswith((".kubernetes.io", ".k8s.io")):
            found.invalid(f"{path}.options[{key}]", key, "kubernetes.io and k8s.io namespaces are reserved")


def _azure_disk(found: Problems, path: str, source: AzureDiskVolumeSource) -> None:
    _needed(found, path, source, "disk_name", "disk_uri")
    found.optional_one_of(f"{path}.cachingMode", source.caching_mode, choices.DISK_CACHING)
    found.optional_one_of(f"{path}.kind", source.kind, choices.DISK_KINDS)
    if source.kind == "Managed" and not source.disk_uri.startswith("/subscriptions/"):
        found.not_supported(f"{path}.diskURI", source.disk_uri, (_MANAGED_DISK,))
    if source.kind not in (None, "Managed") and not source.disk_uri.startswith("https://"):
        found.not_supported(f"{path}.diskURI", source.disk_uri, (_BLOB_DISK,))


def _storageos(found: Problems, path: str, source: StorageOSVolumeSource | StorageOSPersistentVolumeSource) -> None:
    _with_secret("volume_name")(found, path, source)
    for field, name in (("volumeName", source.volume_name), ("volumeNamespace", source.volume_namespace)):
        if name:
            found.invalid_all(f"{path}.{field}", name, names.dns_label(name))


def _git(found: Problems, path: str, source: GitRepoVolumeSource) -> None:
    _needed(found, path, source, "repository")
    descending_path(found, f"{path}.directory", source.directory or "")


def _ephemeral(found: Problems, path: str, source: EphemeralVolumeSource) -> None:
    where, template = f"{path}.volumeClaimTemplate", source.volume_claim_template
    if template is None:
        found.required(where)
        return
    if template.metadata is not None:
        template_metadata(found, f"{where}.metadata", template.metadata)
    claim_spec(found, f"{where}.spec", template.spec)


def _needed(found: Problems, path: str, source: Any, *fields: str) -> None:
    json = dict(zip(source.__struct_fields__, source.__struct_encode_fields__, strict=True))
    for name in fields:
        if not getattr(source, name):
            found.required(f"{path}.{json[name]}")


def _with_fields(*fields: str) -> Callable[[Problems, str, Any], None]:
    """The rule of a source that only needs some fields: a disk's partition and a secret's name are looked at too."""

    def check(found: Problems, path: str, source: Any) -> None:
        _needed(found, path, source, *fields)
        partition = getattr(source, "partition", None)
        if partition is not None and not 0 <= partition <= 255:
            found.invalid(f"{path}.partition", partition, _PARTITION)

    return check


def _with_secret(*fields: str) -> Callable[[Problems, str, Any], None]:
    needed = _with_fields(*fields)

    def check(found: Problems, path: str, source: Any) -> None:
        needed(found, path, source)
        if source.secret_ref is not None and not source.secret_ref.name:
            found.required(f"{path}.secretRef.name")

    return check


RULES: dict[str, Callable[[Problems, str, Any], None]] = {
    "iscsi": _iscsi_of_pod,
    "fc": _fibre_channel,
    "flocker": _flocker,
    "git_repo": _git,
    "ephemeral": _ephemeral,
    "gce_persistent_disk": _with_fields("pd_name"),
    "aws_elastic_block_store": _with_fields("volume_id"),
    "glusterfs": _with_fields("endpoints", "path"),
    "rbd": _with_fields("monitors", "image"),
    "cinder": _with_secret("volume_id"),
    "cephfs": _with_fields("monitors"),
    "flex_volume": _flex,
    "azure_file": _with_fields("secret_name", "share_name"),
    "azure_disk": _azure_disk,
    "vsphere_volume": _with_fields("volume_path"),
    "photon_persistent_disk": _with_fields("pd_id"),
    "portworx_volume": _with_fields("volume_id"),
    "quobyte": _quobyte,
    "storageos": _storageos,
    "scale_io": _with_fields("gateway", "system", "volume_name"),
}
