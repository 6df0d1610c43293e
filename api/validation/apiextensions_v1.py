"""Rules for CustomResourceDefinitions. What their schemas say is checked by who serves their objects."""

from typing import Any

from api import kinds, names
from api.apiextensions_v1 import CustomResourceDefinition, CustomResourceDefinitionVersion
from api.fields import NOTHING
from api.kinds import Kind
from api.validation.problems import Problems
from api.validation.rules import Rules


def definition(found: Problems, obj: CustomResourceDefinition) -> None:
    """A CustomResourceDefinition."""
    spec = obj.spec
    if obj.metadata.name != f"{spec.names.plural}.{spec.group}":
        found.invalid("metadata.name", obj.metadata.name, 'must be spec.names.plural+"."+spec.group')
    if not spec.group:
        found.required("spec.group")
    elif problems := names.dns_subdomain(spec.group):
        found.invalid("spec.group", spec.group, ",".join(problems))
    elif "." not in spec.group:
        found.invalid("spec.group", spec.group, "should be a domain with at least one dot")
    found.one_of("spec.scope", spec.scope, ("Cluster", "Namespaced"))
    _names(found, obj)
    for index, version in enumerate(spec.versions):
        _version(found, f"spec.versions[{index}]", version)
        if version.name in [other.name for other in spec.versions[:index]]:
            found.invalid("spec.versions", version.name, "must contain unique version names")
    if sum(version.storage for version in spec.versions) != 1:
        found.invalid_here("spec.versions", "must have exactly one version marked as storage version")
    conversion = spec.conversion
    if conversion is not None:
        found.one_of("spec.conversion.strategy", conversion.strategy, ("None", "Webhook"))
        if conversion.strategy == "Webhook" and conversion.webhook is None:
            found.required("spec.conversion.webhook.clientConfig", "required when strategy is set to Webhook")
        elif conversion.strategy != "Webhook" and conversion.webhook is not None:
            found.forbidden("spec.conversion.webhook", "should not be set when strategy is not set to Webhook")


def _names(found: Problems, obj: CustomResourceDefinition) -> None:
    given, path = obj.spec.names, "spec.names"
    for field, value in (
        ("plural", given.plural),
        ("singular", given.singular or ""),
        ("kind", given.kind.lower()),
        ("listKind", (given.list_kind or "").lower()),
    ):
        if not value:
            found.required(f"{path}.{field}")
        elif problems := names.dns_1035_label(value):
            prefix = "may have mixed case, but should otherwise match: " if field in ("kind", "listKind") else ""
            found.invalid(f"{path}.{field}", value, prefix + ",".join(problems))
    for field, values in (("shortNames", given.short_names), ("categories", given.categories)):
        for index, value in enumerate(values):
            if problems := names.dns_1035_label(value):
                found.invalid(f"{path}.{field}[{index}]", value, ",".join(problems))
    if given.kind and given.kind == given.list_kind:
        found.invalid(f"{path}.listKind", given.list_kind, "kind and listKind may not be the same")


def _version(found: Problems, path: str, version: CustomResourceDefinitionVersion) -> None:
    if problems := names.dns_1035_label(version.name):
        found.invalid(f"{path}.name", version.name, ",".join(problems))
    if version.schema is None or version.schema.open_api_v3_schema is NOTHING:
        found.required(f"{path}.schema.openAPIV3Schema", "schemas are required")
    for index, column in enumerate(version.additional_printer_columns):
        where = f"{path}.additionalPrinterColumns[{index}]"
        if not column.name:
            found.required(f"{where}.name")
        found.one_of(f"{where}.type", column.type, ("boolean", "date", "integer", "number", "string"))
        if not column.json_path:
            found.required(f"{where}.jsonPath")
    scale = version.subresources.scale if version.subresources is not None else None
    if scale is not None:
        for field, value in (
            ("specReplicasPath", scale.spec_replicas_path),
            ("statusReplicasPath", scale.status_replicas_path),
        ):
            if not value:
                found.required(f"{path}.subresources.scale.{field}")


def _changed(found: Problems, new: CustomResourceDefinition, old: CustomResourceDefinition) -> None:
    found.immutable("spec.group", new.spec.group, old.spec.group)
    found.immutable("spec.names.plural", new.spec.names.plural, old.spec.names.plural)
    if any(item.type == "Established" and item.status == "True" for item in old.status.conditions):
        found.immutable("spec.scope", new.spec.scope, old.spec.scope)
        found.immutable("spec.names.kind", new.spec.names.kind, old.spec.names.kind)
    kept = {version.name for version in new.spec.versions}
    for name in old.status.stored_versions:
        if name not in kept:
            detail = (
                "missing from spec.versions; one was previously a storage version, and must remain in spec.versions"
            )
            found.invalid(
                "status.storedVersions[0]", name, f"{detail} until a storage migration ensures no data remains"
            )


RULES: dict[Kind[Any], Rules] = {kinds.CUSTOM_RESOURCE_DEFINITION: Rules(definition, _changed)}
