"""Rules for StorageClasses, attachments, CSI drivers and their nodes."""

from typing import Any

import msgspec

from api import choices, kinds, names
from api.core_volumes_v1 import TopologySelectorTerm
from api.kinds import Kind
from api.storage_v1 import (
    CSIDriver,
    CSINode,
    CSINodeDriver,
    CSIStorageCapacity,
    StorageClass,
    TokenRequest,
    VolumeAttachment,
    VolumeAttributesClass,
    VolumeError,
)
from api.validation import metadata, resources, volumes
from api.validation.core_volumes_v1 import inline_volume
from api.validation.problems import Problems
from api.validation.rules import Rules

_MOST_PARAMETERS = 512
_PARAMETERS_SIZE = 256 * 1024
_ERROR_SIZE = 1024
_FACTS_SIZE = 256 * 1024
_FS_POLICIES = ("File", "None", "ReadWriteOnceWithFSType")
_EITHER = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"


def storage_class(found: Problems, obj: StorageClass) -> None:
    """A StorageClass."""
    _provisioner(found, "provisioner", obj.provisioner)
    _parameters(found, obj.parameters)
    if obj.reclaim_policy:
        found.optional_one_of("reclaimPolicy", obj.reclaim_policy, ("Delete", "Retain"))
    found.optional_one_of("volumeBindingMode", obj.volume_binding_mode, choices.BINDING_MODES)
    for index, term in enumerate(obj.allowed_topologies):
        _topology(found, f"allowedTopologies[{index}]", term)
        # One that says nothing is a duplicate of itself, as upstream sees it.
        if not _places(term) or _places(term) in [_places(other) for other in obj.allowed_topologies[:index]]:
            found.duplicate(f"allowedTopologies[{index}].matchLabelExpressions", "")


def _places(term: TopologySelectorTerm) -> dict[str, set[str]]:
    return {expression.key: set(expression.values) for expression in term.match_label_expressions}


def _topology(found: Problems, path: str, term: TopologySelectorTerm) -> None:
    seen: set[str] = set()
    for index, expression in enumerate(term.match_label_expressions):
        where = f"{path}.matchLabelExpressions[{index}]"
        if not expression.values:
            found.required(f"{where}.values")
        for place, value in enumerate(expression.values):
            if value in expression.values[:place]:
                found.duplicate(f"{where}.values[{place}]", value)
        found.invalid_all(f"{where}.key", expression.key, names.label_key(expression.key))
        if expression.key in seen:
            found.duplicate(f"{where}.key", expression.key)
        seen.add(expression.key)


def _provisioner(found: Problems, path: str, value: str) -> None:
    if not value:
        found.required(path)
    else:
        found.invalid_all(path, value.lower(), names.label_key(value.lower()))


def _parameters(found: Problems, parameters: dict[str, str]) -> None:
    if len(parameters) > _MOST_PARAMETERS:
        found.too_long("parameters", _MOST_PARAMETERS)
        return
    if "" in parameters:
        found.invalid("parameters", "", "field can not be empty.")
    if sum(len(key.encode()) + len(value.encode()) for key, value in parameters.items()) > _PARAMETERS_SIZE:
        found.too_long("parameters", _PARAMETERS_SIZE)


def _storage_class_changed(found: Problems, new: StorageClass, old: StorageClass) -> None:
    found.immutable("parameters", new.parameters or None, old.parameters or None)
    found.immutable("provisioner", new.provisioner, old.provisioner)
    found.immutable("reclaimPolicy", new.reclaim_policy, old.reclaim_policy)
    found.immutable("volumeBindingMode", new.volume_binding_mode, old.volume_binding_mode)


def attributes_class(found: Problems, obj: VolumeAttributesClass) -> None:
    """A VolumeAttributesClass."""
    _provisioner(found, "driverName", obj.driver_name)
    _parameters(found, obj.parameters)
    if not obj.parameters:
        found.required("parameters", "must contain at least one key/value pair")


def _attributes_class_changed(found: Problems, new: VolumeAttributesClass, old: VolumeAttributesClass) -> None:
    if new.driver_name != old.driver_name:
        found.forbidden("driverName", "updates to driverName are forbidden.")
    if new.parameters != old.parameters:
        found.forbidden("parameters", "updates to parameters are forbidden.")


def attachment(found: Problems, obj: VolumeAttachment) -> None:
    """A VolumeAttachment."""
    spec, path = obj.spec, "spec.source"
    volumes.csi_driver(found, "spec.attacher", spec.attacher)
    name, inline = spec.source.persistent_volume_name, spec.source.inline_volume_spec
    if name is None and inline is None:
        found.required(path, _EITHER)
    elif name is not None and inline is not None:
        found.forbidden(path, _EITHER)
    elif inline is not None:
        inline_volume(found, f"{path}.inlineVolumeSpec", inline)
    elif not name:
        found.required(f"{path}.persistentVolumeName", "must specify non empty persistentVolumeName")
    found.invalid_all("spec.nodeName", spec.node_name, names.dns_subdomain(spec.node_name))
    if (
        sum(len(key.encode()) + len(text.encode()) for key, text in obj.status.attachment_metadata.items())
        > _FACTS_SIZE
    ):
        found.too_long("status.attachmentMetadata", _FACTS_SIZE)
    _error(found, "status.attachError", obj.status.attach_error)
    _error(found, "status.detachError", obj.status.detach_error)
    if name is not None:
        found.invalid_all(f"{path}.persistentVolumeName", name, names.dns_subdomain(name))


def _error(found: Problems, path: str, error: VolumeError | None) -> None:
    if error is None:
        return
    if len((error.message or "").encode()) > _ERROR_SIZE:
        found.too_long(f"{path}.message", _ERROR_SIZE)
    if error.error_code is not None:
        found.invalid_all(f"{path}.errorCode", error.error_code, names.in_range(error.error_code, 0, 2**31 - 1))


def _attachment_changed(found: Problems, new: VolumeAttachment, old: VolumeAttachment) -> None:
    found.immutable("spec", new.spec, old.spec)


def _attachment_status(found: Problems, new: VolumeAttachment, old: VolumeAttachment) -> None:
    attachment(found, new)


def csi_driver(found: Problems, obj: CSIDriver) -> None:
    """A CSIDriver."""
    spec = obj.spec
    found.optional_one_of("spec.fsGroupPolicy", spec.fs_group_policy, _FS_POLICIES)
    _tokens(found, "spec.tokenRequests", spec.token_requests)
    for mode in spec.volume_lifecycle_modes:
        found.optional_one_of("spec.volumeLifecycleModes", mode, ("Persistent", "Ephemeral"))
    period = spec.node_allocatable_update_period_seconds
    if period is not None and period < 10:
        found.invalid("spec.nodeAllocatableUpdatePeriodSeconds", period, "must be greater than or equal to 10 seconds")
    if spec.service_account_token_in_secrets is not None and not spec.token_requests:
        detail = "serviceAccountTokenInSecrets is set but no tokenRequests are specified"
        found.invalid("spec.serviceAccountTokenInSecrets", spec.service_account_token_in_secrets, detail)


def _tokens(found: Problems, path: str, tokens: list[TokenRequest]) -> None:
    for index, token in enumerate(tokens):
        if token.audience in [other.audience for other in tokens[:index]]:
            found.duplicate(f"{path}[{index}].audience", token.audience)
            continue
        seconds, where = token.expiration_seconds, f"{path}[{index}].expirationSeconds"
        if seconds is not None and seconds < 600:
            found.invalid(where, seconds, "may not specify a duration less than 10 minutes")
        if seconds is not None and seconds > 1 << 32:
            found.invalid(where, seconds, "may not specify a duration larger than 2^32 seconds")


def _csi_driver_changed(found: Problems, new: CSIDriver, old: CSIDriver) -> None:
    found.immutable("spec.attachedRequired", new.spec.attach_required, old.spec.attach_required)
    found.immutable("spec.volumeLifecycleModes", new.spec.volume_lifecycle_modes, old.spec.volume_lifecycle_modes)


def csi_node(found: Problems, obj: CSINode) -> None:
    """A CSINode."""
    seen: set[str] = set()
    for index, driver in enumerate(obj.spec.drivers):
        path = f"spec.drivers[{index}]"
        _driver(found, path, driver)
        if driver.name in seen:
            found.duplicate(f"{path}.name", driver.name)
        seen.add(driver.name)


def _driver(found: Problems, path: str, driver: CSINodeDriver) -> None:
    volumes.csi_driver(found, f"{path}.name", driver.name)
    if not driver.node_id:
        found.required(f"{path}.nodeID")
    if len(driver.node_id) > 256:
        found.invalid(f"{path}.nodeID", driver.node_id, "must be 256 characters or less")
    if driver.allocatable is not None:
        found.not_negative(f"{path}.allocatable.count", driver.allocatable.count)
    for index, key in enumerate(driver.topology_keys):
        if not key:
            found.required(path)
        if key in driver.topology_keys[:index]:
            found.duplicate(path, key)
        found.invalid_all(path, key, names.label_key(key))


def _csi_node_changed(found: Problems, new: CSINode, old: CSINode) -> None:
    before = {driver.name: driver for driver in old.spec.drivers}
    for driver in new.spec.drivers:
        if driver.name in before:
            was = msgspec.structs.replace(before[driver.name], allocatable=driver.allocatable)
            found.immutable("spec.drivers", driver, was)


def storage_capacity(found: Problems, obj: CSIStorageCapacity) -> None:
    """A CSIStorageCapacity."""
    if obj.node_topology is not None:
        metadata.label_selector(found, "nodeTopology", obj.node_topology)
    found.invalid_all("storageClassName", obj.storage_class_name, names.dns_subdomain(obj.storage_class_name))
    if obj.capacity is not None:
        resources.amount(found, "capacity", "storage", obj.capacity)


def _storage_capacity_changed(found: Problems, new: CSIStorageCapacity, old: CSIStorageCapacity) -> None:
    found.immutable("nodeTopology", new.node_topology, old.node_topology)
    found.immutable("storageClassName", new.storage_class_name, old.storage_class_name)


RULES: dict[Kind[Any], Rules] = {
    kinds.STORAGE_CLASS: Rules(storage_class, _storage_class_changed),
    kinds.VOLUME_ATTRIBUTES_CLASS: Rules(attributes_class, _attributes_class_changed),
    kinds.VOLUME_ATTACHMENT: Rules(attachment, _attachment_changed, {"status": _attachment_status}),
    kinds.CSI_DRIVER: Rules(csi_driver, _csi_driver_changed),
    kinds.CSI_NODE: Rules(csi_node, _csi_node_changed),
    kinds.CSI_STORAGE_CAPACITY: Rules(storage_capacity, _storage_capacity_changed),
}
