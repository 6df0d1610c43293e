"""Rules for where PersistentVolumes come from: the sources of pods' volumes, but for those that name secrets in other namespaces."""

from collections.abc import Callable
from typing import Any

from api import names
from api.core_volumes_v1 import (
    AzureFilePersistentVolumeSource,
    CSIPersistentVolumeSource,
    GlusterfsPersistentVolumeSource,
    ISCSIPersistentVolumeSource,
    LocalVolumeSource,
    PersistentVolumeSpec,
    SecretReference,
)
from api.fields import fields_of
from api.validation import remote_volumes, volumes
from api.validation.paths import no_backsteps
from api.validation.problems import Problems

_TWICE = "may not specify more than 1 volume type"
_NAMESPACE = "if the endpointnamespace is set, it must be a valid namespace name"
_LONGEST_TARGET = 64
_TARGET = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified."
# What upstream calls them in causes, where that is not their name.
_MISNAMED = {"cephfs": "cephFS"}
_PLACES = {"gce_persistent_disk": "persistentDisk"}
_UNCOUNTED = "flex_volume"  # it may stand beside another one


def source(found: Problems, path: str, spec: PersistentVolumeSpec, volume: str) -> str:
    """Where a volume of this name comes from; the field that counts, "" if there is none."""
    given = [name for name in RULES if getattr(spec, name) is not None]
    if not given:
        found.required(path, "must specify a volume type")
        return ""
    shown = {field.name: field.json for field in fields_of(PersistentVolumeSpec).values()}
    for name in given:
        if name in (given[0], _UNCOUNTED):
            RULES[name](found, f"{path}.{_PLACES.get(name, shown[name])}", getattr(spec, name))
        else:
            found.forbidden(f"{path}.{_MISNAMED.get(name, shown[name])}", _TWICE)
    if given[0] == "iscsi" and spec.iscsi is not None:
        _target(found, f"{path}.iscsi.targetportal", spec.iscsi, volume)
    return given[0]


def origin(spec: PersistentVolumeSpec) -> dict[str, Any]:
    """All sources that are set."""
    return {name: getattr(spec, name) for name in RULES if getattr(spec, name) is not None}


def _target(found: Problems, path: str, item: ISCSIPersistentVolumeSource, volume: str) -> None:
    if item.initiator_name is not None and len(f"{volume}:{item.target_portal}".encode()) > _LONGEST_TARGET:
        found.invalid(path, item.target_portal, _TARGET)


def _iscsi(found: Problems, path: str, item: ISCSIPersistentVolumeSource) -> None:
    remote_volumes.iscsi(found, path, item, "must be valid format")
    if item.secret_ref is not None and not item.secret_ref.name:
        found.required(f"{path}.secretRef.name")


def _glusterfs(found: Problems, path: str, item: GlusterfsPersistentVolumeSource) -> None:
    remote_volumes.RULES["glusterfs"](found, path, item)
    namespace, where = item.endpoints_namespace, f"{path}.endpointsNamespace"
    if namespace == "":
        found.invalid(where, namespace, _NAMESPACE)
    elif namespace is not None:
        found.invalid_all(where, namespace, names.dns_label(namespace))


def _azure_file(found: Problems, path: str, item: AzureFilePersistentVolumeSource) -> None:
    remote_volumes.RULES["azure_file"](found, path, item)
    if item.secret_namespace == "":
        found.required(f"{path}.secretNamespace")


def _with_namespace(name: str) -> Callable[[Problems, str, Any], None]:
    """The rule of a source whose secret must be in some namespace."""

    def check(found: Problems, path: str, item: Any) -> None:
        remote_volumes.RULES[name](found, path, item)
        if item.secret_ref is not None and not item.secret_ref.namespace:
            found.required(f"{path}.secretRef.namespace")

    return check


def _local(found: Problems, path: str, item: LocalVolumeSource) -> None:
    if not item.path:
        found.required(f"{path}.path")
    else:
        no_backsteps(found, f"{path}.path", item.path)


def _csi(found: Problems, path: str, item: CSIPersistentVolumeSource) -> None:
    volumes.csi_driver(found, f"{path}.driver", item.driver)
    if not item.volume_handle:
        found.required(f"{path}.volumeHandle")
    for field, secret in (
        ("controllerPublishSecretRef", item.controller_publish_secret_ref),
        ("controllerExpandSecretRef", item.controller_expand_secret_ref),
        ("nodePublishSecretRef", item.node_publish_secret_ref),
        ("nodeExpandSecretRef", item.node_expand_secret_ref),
    ):
        if secret is not None:
            _secret(found, f"{path}.{field}", secret)


def _secret(found: Problems, path: str, secret: SecretReference) -> None:
    if not secret.name:
        found.required(f"{path}.name")
    else:
        found.invalid_all(f"{path}.name", secret.name, names.dns_subdomain(secret.name))
    if not secret.namespace:
        found.required(f"{path}.namespace")
    else:
        found.invalid_all(f"{path}.namespace", secret.namespace, names.dns_label(secret.namespace))


_SHARED = remote_volumes.RULES
# In the order in which upstream looks at them: of two, the first counts.
RULES: dict[str, Callable[[Problems, str, Any], None]] = {
    "host_path": volumes.host_path,
    "gce_persistent_disk": _SHARED["gce_persistent_disk"],
    "aws_elastic_block_store": _SHARED["aws_elastic_block_store"],
    "glusterfs": _glusterfs,
    "flocker": _SHARED["flocker"],
    "nfs": volumes.nfs,
    "rbd": _SHARED["rbd"],
    "quobyte": _SHARED["quobyte"],
    "cephfs": _SHARED["cephfs"],
    "iscsi": _iscsi,
    "cinder": _with_namespace("cinder"),
    "fc": _SHARED["fc"],
    "flex_volume": _SHARED["flex_volume"],
    "azure_file": _azure_file,
    "vsphere_volume": _SHARED["vsphere_volume"],
    "photon_persistent_disk": _SHARED["photon_persistent_disk"],
    "portworx_volume": _SHARED["portworx_volume"],
    "azure_disk": _SHARED["azure_disk"],
    "scale_io": _SHARED["scale_io"],
    "local": _local,
    "storageos": _with_namespace("storageos"),
    "csi": _csi,
}
