"""Rules for metadata, labels and selectors, which all kinds share."""

import re
from collections.abc import Callable

from api import names
from api.meta_v1 import Condition, LabelSelector, ObjectMeta, OwnerReference
from api.validation.problems import Problems

NameRule = Callable[[str], list[str]]

_ANNOTATIONS_LIMIT = 256 * 1024
_CONDITION_STATUSES = ("False", "True", "Unknown")
_MESSAGE_LENGTH = 32 * 1024
_REASON_PATTERN = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?"
_REASON = (
    "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric characters or "
    "'_,:', and must end with an alphanumeric character or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName',  or "
    "'ReasonA,ReasonB',  or 'ReasonA:ReasonB', regex used for validation is "
    f"'{_REASON_PATTERN}')"
)
_is_reason = re.compile(_REASON_PATTERN).fullmatch


def metadata(found: Problems, meta: ObjectMeta, namespaced: bool, name_rule: NameRule) -> None:
    """The metadata of an object as it will be stored."""
    if meta.generate_name:
        found.invalid_all("metadata.generateName", meta.generate_name, name_rule(names.mask_prefix(meta.generate_name)))
    if not meta.name:
        found.required("metadata.name", "name or generateName is required")
    else:
        found.invalid_all("metadata.name", meta.name, name_rule(meta.name))
    if not namespaced:
        if meta.namespace:
            found.forbidden("metadata.namespace", "not allowed on this type")
    elif not meta.namespace:
        found.required("metadata.namespace")
    else:
        found.invalid_all("metadata.namespace", meta.namespace, names.dns_label(meta.namespace))
    found.not_negative("metadata.generation", meta.generation)
    _shared(found, meta)


def metadata_update(found: Problems, new: ObjectMeta, old: ObjectMeta) -> None:
    """What of the metadata may change."""
    if old.deletion_timestamp is not None:
        extra = sorted(set(new.finalizers) - set(old.finalizers))
        if extra:
            shown = "[]string{" + ", ".join(f'"{name}"' for name in extra) + "}"
            found.forbidden(
                "metadata.finalizers",
                f"no new finalizers can be added if the object is being deleted, found new finalizers {shown}",
            )
    if not new.resource_version:
        found.invalid("metadata.resourceVersion", new.resource_version or "", "must be specified for an update")
    if (new.generation or 0) < (old.generation or 0):
        found.invalid("metadata.generation", new.generation or 0, "must not be decremented")
    found.immutable("metadata.name", new.name, old.name)
    found.immutable("metadata.namespace", new.namespace or "", old.namespace or "")
    found.immutable("metadata.uid", new.uid, old.uid)
    found.immutable("metadata.creationTimestamp", new.creation_timestamp, old.creation_timestamp)
    found.immutable("metadata.deletionTimestamp", new.deletion_timestamp, old.deletion_timestamp)
    found.immutable(
        "metadata.deletionGracePeriodSeconds", new.deletion_grace_period_seconds, old.deletion_grace_period_seconds
    )
    _shared(found, new)


def labels(found: Problems, path: str, values: dict[str, str]) -> None:
    """A map of labels."""
    for key, value in values.items():
        found.invalid_all(path, key, names.label_key(key))
        found.invalid_all(path, value, names.label_value(value))


def annotations(found: Problems, path: str, values: dict[str, str]) -> None:
    """A map of annotations."""
    for key in values:
        found.invalid_all(path, key, names.label_key(key.lower()))
    if sum(len(key.encode()) + len(value.encode()) for key, value in values.items()) > _ANNOTATIONS_LIMIT:
        found.too_long(path, _ANNOTATIONS_LIMIT)


def label_selector(found: Problems, path: str, selector: LabelSelector) -> None:
    """A selector in an object."""
    labels(found, f"{path}.matchLabels", selector.match_labels)
    for index, expression in enumerate(selector.match_expressions):
        where = f"{path}.matchExpressions[{index}]"
        if expression.operator in ("In", "NotIn"):
            if not expression.values:
                found.required(f"{where}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        elif expression.operator in ("Exists", "DoesNotExist"):
            if expression.values:
                found.forbidden(f"{where}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
        else:
            found.invalid(f"{where}.operator", expression.operator, "not a valid selector operator")
        found.invalid_all(f"{where}.key", expression.key, names.label_key(expression.key))
        for place, value in enumerate(expression.values):
            found.invalid_all(f"{where}.values[{place}]", value, names.label_value(value))


def conditions(found: Problems, path: str, items: list[Condition]) -> None:
    """The conditions of a status."""
    seen: set[str] = set()
    for index, item in enumerate(items):
        where = f"{path}[{index}]"
        if item.type in seen:
            found.duplicate(f"{where}.type", item.type)
        seen.add(item.type)
        found.invalid_all(f"{where}.type", item.type, names.label_key(item.type))
        if item.status not in _CONDITION_STATUSES:
            found.not_supported(f"{where}.status", item.status, _CONDITION_STATUSES)
        if (item.observed_generation or 0) < 0:
            found.invalid(
                f"{where}.observedGeneration", item.observed_generation, "must be greater than or equal to zero"
            )
        if not item.last_transition_time:
            found.required(f"{where}.lastTransitionTime")
        if not item.reason:
            found.required(f"{where}.reason")
        elif not _is_reason(item.reason):
            found.invalid(f"{where}.reason", item.reason, _REASON)
        if len(item.message) > _MESSAGE_LENGTH:
            found.too_long(f"{where}.message", _MESSAGE_LENGTH)


def _shared(found: Problems, meta: ObjectMeta) -> None:
    labels(found, "metadata.labels", meta.labels)
    annotations(found, "metadata.annotations", meta.annotations)
    _owners(found, meta.owner_references)
    _finalizers(found, meta.finalizers)


def _owners(found: Problems, owners: list[OwnerReference]) -> None:
    path = "metadata.ownerReferences"
    controller = ""
    for owner in owners:
        if not owner.api_version.rpartition("/")[2]:
            found.invalid(f"{path}.apiVersion", owner.api_version, "version must not be empty")
        for name, value in (("kind", owner.kind), ("name", owner.name), ("uid", owner.uid)):
            if not value:
                found.invalid(f"{path}.{name}", value, "must not be empty")
        if (owner.api_version, owner.kind) == ("v1", "Event"):
            found.invalid(path, owner, "/v1, Kind=Event is disallowed from being an owner")
        if owner.controller:
            this = f"{owner.kind}/{owner.name}"
            if controller:
                detail = (
                    "Only one reference can have Controller set to true. "
                    f'Found "true" in references for {controller} and {this}'
                )
                found.invalid(path, owners, detail)
            controller = controller or this


def _finalizers(found: Problems, finalizers: list[str]) -> None:
    path = "metadata.finalizers"
    for finalizer in finalizers:
        found.invalid_all(path, finalizer, names.label_key(finalizer))
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        found.invalid(path, finalizers, "finalizer orphan and foregroundDeletion cannot be both set")
