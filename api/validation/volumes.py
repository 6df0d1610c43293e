"""Rules for the volumes of pods."""

from collections.abc import Callable
from typing import Any

from api import choices, names, quantity
from api.core_v1 import (
    ConfigMapVolumeSource,
    CSIVolumeSource,
    DownwardAPIVolumeSource,
    EmptyDirVolumeSource,
    HostPathVolumeSource,
    NFSVolumeSource,
    PersistentVolumeClaimVolumeSource,
    ProjectedVolumeSource,
    SecretVolumeSource,
    Volume,
)
from api.fields import fields_of
from api.validation import projections, remote_volumes
from api.validation.paths import downward_file, keys, mode, no_backsteps
from api.validation.problems import Problems

_HOST_PATH_TYPES = choices.HOST_PATH_TYPES
# Sources in the order in which upstream looks at them: of two, the first counts.
_ORDER = (
    *("empty_dir", "host_path", "git_repo", "gce_persistent_disk", "aws_elastic_block_store", "secret", "nfs", "iscsi"),
    *("glusterfs", "flocker", "persistent_volume_claim", "rbd", "cinder", "cephfs", "quobyte", "downward_api", "fc"),
    *("flex_volume", "config_map", "azure_file", "vsphere_volume", "photon_persistent_disk", "portworx_volume"),
    *("azure_disk", "storageos", "projected", "scale_io", "csi", "ephemeral", "image"),
)
# What upstream calls them in causes, where that is not their name.
_MISNAMED = {"cephfs": "cephFS", "downward_api": "downwarAPI"}
_PLACES = {"gce_persistent_disk": "persistentDisk"}


def volumes(found: Problems, path: str, items: list[Volume], pod: str = "") -> dict[str, Volume]:
    """The volumes of a pod of this name, by name; those with problems are left out."""
    good: dict[str, Volume] = {}
    for index, volume in enumerate(items):
        where = f"{path}[{index}]"
        before = len(found.causes)
        _source(found, where, volume, pod)
        if not volume.name:
            found.required(f"{where}.name")
        else:
            found.invalid_all(f"{where}.name", volume.name, names.dns_label(volume.name))
        if volume.name in good:
            found.duplicate(f"{where}.name", volume.name)
        if len(found.causes) == before:
            good[volume.name] = volume
    return good


def _source(found: Problems, path: str, volume: Volume, pod: str) -> None:
    given = [
        field
        for field in fields_of(Volume).values()
        if field.name != "name" and getattr(volume, field.name) is not None
    ]
    given.sort(key=lambda field: _ORDER.index(field.name) if field.name in _ORDER else len(_ORDER))
    if not given:
        found.required(path, "must specify a volume type")
        return
    for field in given[1:]:
        found.forbidden(f"{path}.{_MISNAMED.get(field.name, field.json)}", "may not specify more than 1 volume type")
    first = given[0]
    value = getattr(volume, first.name)
    if rule := RULES.get(first.name):
        rule(found, f"{path}.{_PLACES.get(first.name, first.json)}", value)
    if first.name == "image":
        if pod and not value.reference:
            found.required(f"{path}.image.reference")
        found.one_of(f"{path}.image.pullPolicy", value.pull_policy, choices.PULL_POLICIES)
    if first.name == "ephemeral" and pod and volume.name:
        claim = f"{pod}-{volume.name}"
        problems = names.dns_subdomain(claim)
        found.invalid_all(f"{path}.name", volume.name, [f'PVC name "{claim}": {problem}' for problem in problems])


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
    no_backsteps(found, f"{path}.path", source.path)
    found.optional_one_of(f"{path}.type", source.type, _HOST_PATH_TYPES)


def _secret(found: Problems, path: str, source: SecretVolumeSource) -> None:
    if not source.secret_name:
        found.required(f"{path}.secretName")
    mode(found, f"{path}.defaultMode", source.default_mode)
    keys(found, f"{path}.items", source.items)


def _config_map(found: Problems, path: str, source: ConfigMapVolumeSource) -> None:
    if not source.name:
        found.required(f"{path}.name")
    mode(found, f"{path}.defaultMode", source.default_mode)
    keys(found, f"{path}.items", source.items)


def _downward_api(found: Problems, path: str, source: DownwardAPIVolumeSource) -> None:
    mode(found, f"{path}.defaultMode", source.default_mode)
    for item in source.items:
        downward_file(found, path, item)


def _claim(found: Problems, path: str, source: PersistentVolumeClaimVolumeSource) -> None:
    if not source.claim_name:
        found.required(f"{path}.claimName")


def nfs(found: Problems, path: str, source: NFSVolumeSource) -> None:
    """A directory of an NFS server."""
    if not source.server:
        found.required(f"{path}.server")
    if not source.path:
        found.required(f"{path}.path")
    if not source.path.startswith("/"):
        found.invalid(f"{path}.path", source.path, "must be an absolute path")


def _csi(found: Problems, path: str, source: CSIVolumeSource) -> None:
    csi_driver(found, f"{path}.driver", source.driver)
    secret = source.node_publish_secret_ref
    if secret is not None and not secret.name:
        found.required(f"{path}.nodePublishSecretRef.name")
    elif secret is not None and secret.name:
        found.invalid_all(f"{path}.name", secret.name, names.dns_subdomain(secret.name))


def csi_driver(found: Problems, path: str, name: str) -> None:
    """The name of a CSI driver."""
    if not name:
        found.required(path)
        return
    if len(name) > 63:
        found.too_long(path, 63)
    found.invalid_all(path, name, names.dns_subdomain(name.lower()))


def _projected(found: Problems, path: str, source: ProjectedVolumeSource) -> None:
    mode(found, f"{path}.defaultMode", source.default_mode)
    taken: set[str] = set()
    for index, projection in enumerate(source.sources):
        where = f"{path}.sources[{index}]"
        given = [field for field in fields_of(type(projection)).values() if getattr(projection, field.name) is not None]
        for field in given:
            chosen = getattr(projection, field.name)
            for shown, item in projections.files(found, path, f"{where}.{field.json}", field.name, chosen):
                if item in taken:
                    found.invalid(path, shown, "conflicting duplicate paths")
                taken.add(item)
        if len(given) > 1:
            found.forbidden(where, "may not specify more than 1 volume type per source")


RULES: dict[str, Callable[[Problems, str, Any], None]] = {
    "empty_dir": _empty_dir,
    "host_path": host_path,
    "secret": _secret,
    "config_map": _config_map,
    "downward_api": _downward_api,
    "persistent_volume_claim": _claim,
    "nfs": nfs,
    "csi": _csi,
    "projected": _projected,
    **remote_volumes.RULES,
}
