"""Rules for volumes on machines and disks elsewhere, by the field they stand in. No driver for them is part of this system."""

import re
from collections.abc import Callable
from typing import Any

from api.core_v1 import (
    EphemeralVolumeSource,
    FCVolumeSource,
    FlockerVolumeSource,
    GitRepoVolumeSource,
    ISCSIVolumeSource,
)
from api.validation.core_claims import claim_spec
from api.validation.paths import descending_path
from api.validation.problems import Problems
from api.validation.templates import template_metadata

_LUN = "must be between 0 and 255, inclusive"
_PARTITION = "must be an integer between 0 and 255, inclusive, or unset to use the whole device"
_IQN = re.compile(r"iqn\.\d{4}-\d{2}\.([0-9A-Za-z.-]+)(:[^,;*&$|\s]+)$")
_NAMES = {"iqn": _IQN, "eui": re.compile(r"eui.[0-9A-Za-z]{16}$"), "naa": re.compile(r"naa.[0-9A-Za-z]{32}$")}


def _iscsi(found: Problems, path: str, source: ISCSIVolumeSource) -> None:
    _needed(found, path, source, "target_portal", "iqn")
    if source.iqn:
        _qualified(found, f"{path}.iqn", source.iqn)
    if not 0 <= source.lun <= 255:
        found.invalid(f"{path}.lun", source.lun, _LUN)
    if (source.chap_auth_discovery or source.chap_auth_session) and source.secret_ref is None:
        found.required(f"{path}.secretRef")
    if source.initiator_name is not None:
        _qualified(found, f"{path}.initiatorname", source.initiator_name)


def _qualified(found: Problems, path: str, name: str) -> None:
    pattern = _NAMES.get(name[:3])
    if pattern is None:
        found.invalid(path, name, "must be valid format starting with iqn, eui, or naa")
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


def _needed(found: Problems, path: str, source: Any, *names: str) -> None:
    json = dict(zip(source.__struct_fields__, source.__struct_encode_fields__, strict=True))
    for name in names:
        if not getattr(source, name):
            found.required(f"{path}.{json[name]}")


def _with_fields(*names: str) -> Callable[[Problems, str, Any], None]:
    """The rule of a source that only needs some fields: a disk's partition and a secret's name are looked at too."""

    def check(found: Problems, path: str, source: Any) -> None:
        _needed(found, path, source, *names)
        partition = getattr(source, "partition", None)
        if partition is not None and not 0 <= partition <= 255:
            found.invalid(f"{path}.partition", partition, _PARTITION)

    return check


def _with_secret(*names: str) -> Callable[[Problems, str, Any], None]:
    fields = _with_fields(*names)

    def check(found: Problems, path: str, source: Any) -> None:
        fields(found, path, source)
        if source.secret_ref is not None and not source.secret_ref.name:
            found.required(f"{path}.secretRef.name")

    return check


RULES: dict[str, Callable[[Problems, str, Any], None]] = {
    "iscsi": _iscsi,
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
    "flex_volume": _with_fields("driver"),
    "azure_file": _with_fields("secret_name", "share_name"),
    "azure_disk": _with_fields("disk_name", "disk_uri"),
    "vsphere_volume": _with_fields("volume_path"),
    "photon_persistent_disk": _with_fields("pd_id"),
    "portworx_volume": _with_fields("volume_id"),
    "quobyte": _with_fields("registry", "volume"),
    "storageos": _with_secret("volume_name"),
    "scale_io": _with_fields("gateway", "system", "volume_name"),
}
