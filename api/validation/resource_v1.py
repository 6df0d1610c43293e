"""Rules for devices, claims to them and their classes."""

from typing import Any

from api import kinds, names
from api.kinds import Kind
from api.resource_v1 import DeviceClass, ResourceClaim, ResourceClaimTemplate
from api.validation.device_allocations import claim_status
from api.validation.device_requests import MOST_SETTINGS, claim_spec, selectors
from api.validation.device_settings import opaque
from api.validation.device_slices import resource_slice, slice_changed
from api.validation.problems import Problems
from api.validation.resources import is_extended
from api.validation.rules import Rules
from api.validation.templates import template_metadata


def claim(found: Problems, obj: ResourceClaim) -> None:
    """A ResourceClaim."""
    claim_spec(found, "spec", obj.spec)


def template(found: Problems, obj: ResourceClaimTemplate) -> None:
    """A ResourceClaimTemplate."""
    template_metadata(found, "spec.metadata", obj.spec.metadata)
    claim_spec(found, "spec.spec", obj.spec.spec)


def _claim_changed(found: Problems, new: ResourceClaim, old: ResourceClaim) -> None:
    found.immutable("spec", new.spec, old.spec)


def _template_changed(found: Problems, new: ResourceClaimTemplate, old: ResourceClaimTemplate) -> None:
    found.immutable("spec", new.spec, old.spec)


def device_class(found: Problems, obj: DeviceClass) -> None:
    """A DeviceClass."""
    spec = obj.spec
    selectors(found, "spec.selectors", spec.selectors)
    if len(spec.config) > MOST_SETTINGS:
        found.too_many("spec.config", len(spec.config), MOST_SETTINGS)
    else:
        for index, settings in enumerate(spec.config):
            opaque(found, f"spec.config[{index}].opaque", settings.opaque)
    name = spec.extended_resource_name
    if name is not None and not is_extended(name):
        found.invalid("spec.extendedResourceName", name, "must be a valid extended resource name")


def _class_name(value: str) -> list[str]:
    """Upstream tells how long it can be in bytes."""
    limit = "must be no more than 253"
    return [f"{limit} bytes" if problem.startswith(limit) else problem for problem in names.dns_subdomain(value)]


RULES: dict[Kind[Any], Rules] = {
    kinds.RESOURCE_CLAIM: Rules(None, _claim_changed, {"status": claim_status}, fresh=claim),
    kinds.RESOURCE_CLAIM_TEMPLATE: Rules(template, _template_changed),
    kinds.DEVICE_CLASS: Rules(device_class, name=_class_name),
    kinds.RESOURCE_SLICE: Rules(resource_slice, slice_changed),
}
