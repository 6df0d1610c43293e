"""Rules for reviews of what somebody may do."""

from typing import Any

import msgspec

from api.authorization_v1 import (
    FieldSelectorAttributes,
    LabelSelectorAttributes,
    LocalSubjectAccessReview,
    ResourceAttributes,
    SelfSubjectAccessReview,
    SubjectAccessReview,
    SubjectAccessReviewSpec,
)
from api.meta_v1 import ObjectMeta
from api.validation.problems import Problems

_RESOURCE = "spec.resourceAttributes"
_PLAIN = "spec.nonResourceAttributes"


def subject_access_review(found: Problems, obj: SubjectAccessReview) -> None:
    """A SubjectAccessReview."""
    _subject(found, obj.spec)
    _metadata(found, obj.metadata)


def self_subject_access_review(found: Problems, obj: SelfSubjectAccessReview) -> None:
    """A SelfSubjectAccessReview."""
    _one_of(found, obj.spec)
    _resource(found, obj.spec.resource_attributes)
    _metadata(found, obj.metadata)


def local_subject_access_review(found: Problems, obj: LocalSubjectAccessReview) -> None:
    """A LocalSubjectAccessReview: about its own namespace only."""
    _subject(found, obj.spec)
    _metadata(found, obj.metadata, but="namespace")
    asked = obj.spec.resource_attributes
    if asked is not None and (asked.namespace or "") != (obj.metadata.namespace or ""):
        found.invalid(f"{_RESOURCE}.namespace", asked.namespace or "", "must match metadata.namespace")
    if obj.spec.non_resource_attributes is not None:
        found.invalid(_PLAIN, _shown(obj.spec.non_resource_attributes), "disallowed on this kind of request")


def _subject(found: Problems, spec: SubjectAccessReviewSpec) -> None:
    _one_of(found, spec)
    if not spec.user and not spec.groups:
        found.invalid("spec.user", spec.user or "", "at least one of user or group must be specified")
    _resource(found, spec.resource_attributes)


def _one_of(found: Problems, spec: Any) -> None:
    resource, plain = spec.resource_attributes, spec.non_resource_attributes
    if resource is not None and plain is not None:
        found.invalid(_PLAIN, _shown(plain), "cannot be specified in combination with resourceAttributes")
    if resource is None and plain is None:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        found.invalid(_RESOURCE, None, why)


def _metadata(found: Problems, meta: ObjectMeta, but: str = "") -> None:
    """A review has no name, nor anything else that would say it is kept."""
    shown = _shown(meta)
    shown.pop("managedFields", None)
    shown.pop(but, None)
    if shown:
        found.invalid("metadata", shown, f"must be empty{f' except for {but}' if but else ''}")


def _resource(found: Problems, asked: ResourceAttributes | None) -> None:
    if asked is not None:
        _selector(found, f"{_RESOURCE}.fieldSelector", asked.field_selector)
        _selector(found, f"{_RESOURCE}.labelSelector", asked.label_selector)


def _selector(found: Problems, path: str, selector: FieldSelectorAttributes | LabelSelectorAttributes | None) -> None:
    if selector is None:
        return
    raw = selector.raw_selector or ""
    requirements: list[Any] = list(selector.requirements)
    if raw and requirements:
        found.invalid(f"{path}.rawSelector", raw, "may not specified at the same time as requirements")
    if not raw and not requirements:
        found.required(f"{path}.requirements", f"when {path} is specified, requirements or rawSelector is required")
    for index, requirement in enumerate(requirements):
        where = f"{path}.requirements[{index}]"
        if not requirement.key:
            found.required(f"{where}.key", "must be specified")
        values = requirement.values
        if requirement.operator in ("In", "NotIn") and not values:
            found.required(f"{where}.values", "must be specified when `operator` is 'In' or 'NotIn'")
        if requirement.operator in ("Exists", "DoesNotExist") and values:
            found.forbidden(f"{where}.values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")


def _shown(obj: Any) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(obj)
    return shown
