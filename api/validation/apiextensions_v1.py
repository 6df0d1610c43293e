"""Rules for CustomResourceDefinitions: names, versions, conversion, what is shown and scaled. Schemas have rules of their own."""

import re
import unicodedata
from typing import Any

from api import kinds, names
from api.apiextensions_v1 import (
    CustomResourceColumnDefinition,
    CustomResourceConversion,
    CustomResourceDefinition,
    CustomResourceDefinitionNames,
    CustomResourceDefinitionVersion,
    CustomResourceSubresources,
    JSONSchemaProps,
    SelectableField,
)
from api.kinds import Kind
from api.validation import hooks, schemas, structural
from api.validation.problems import Problems
from api.validation.rules import Rules

APPROVAL = "api-approved.kubernetes.io"
_APPROVAL_GUIDE = "https://github.com/kubernetes/enhancements/pull/1111"
_COLUMNS = ("boolean", "date", "integer", "number", "string")
_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_REVIEWS = ("v1", "v1beta1")
_MOST_SELECTABLE = 8
_LONGEST_WARNING = 256
_SELECTABLE_TYPES = ("string", "boolean", "integer")


def definition(found: Problems, obj: CustomResourceDefinition) -> None:
    """A CustomResourceDefinition."""
    spec = obj.spec
    if not spec.group:
        found.required("spec.group")
    elif problems := names.dns_subdomain(spec.group):
        found.invalid("spec.group", spec.group, ",".join(problems))
    elif "." not in spec.group:
        found.invalid("spec.group", spec.group, "should be a domain with at least one dot")
    found.one_of("spec.scope", spec.scope, ("Cluster", "Namespaced"))
    if spec.versions and spec.versions[0].name and (problems := names.dns_1035_label(spec.versions[0].name)):
        found.invalid("spec.version", spec.versions[0].name, ",".join(problems))
    shared = _shared(spec.versions)
    for index, version in enumerate(spec.versions):
        _version(found, f"spec.versions[{index}]", version, shared)
    if len({version.name for version in spec.versions}) != len(spec.versions):
        found.invalid_here("spec.versions", "must contain unique version names")
    if sum(version.storage for version in spec.versions) != 1:
        found.invalid_here("spec.versions", "must have exactly one version marked as storage version")
    given = spec.names
    for field, value in (
        ("plural", given.plural),
        ("singular", given.singular),
        ("kind", given.kind),
        ("listKind", given.list_kind),
    ):
        if not value:
            found.required(f"spec.names.{field}")
    _names(found, "spec.names", given)
    if spec.conversion is not None:
        _conversion(found, spec.conversion, unknown_fields=bool(spec.preserve_unknown_fields))
    _names(found, "status.acceptedNames", obj.status.accepted_names)
    _stored(found, obj)


def _fresh(found: Problems, obj: CustomResourceDefinition) -> None:
    if obj.metadata.name != f"{obj.spec.names.plural}.{obj.spec.group}":
        found.invalid("metadata.name", obj.metadata.name, 'must be spec.names.plural+"."+spec.group')
    if obj.spec.preserve_unknown_fields:
        _unknown_fields(found)
    _approval(found, obj, None)


def _unknown_fields(found: Problems) -> None:
    detail = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
    found.invalid("spec.preserveUnknownFields", True, detail)


def _names(found: Problems, path: str, given: CustomResourceDefinitionNames) -> None:
    for field, value in (
        ("plural", given.plural),
        ("singular", given.singular or ""),
        ("kind", given.kind),
        ("listKind", given.list_kind or ""),
    ):
        mixed = field in ("kind", "listKind")
        if value and (problems := names.dns_1035_label(value.lower() if mixed else value)):
            prefix = "may have mixed case, but should otherwise match: " if mixed else ""
            found.invalid(f"{path}.{field}", value, prefix + ",".join(problems))
    for field, values in (("shortNames", given.short_names), ("categories", given.categories)):
        for index, value in enumerate(values):
            if problems := names.dns_1035_label(value):
                found.invalid(f"{path}.{field}[{index}]", value, ",".join(problems))
    if given.kind and given.kind == given.list_kind:
        found.invalid(f"{path}.listKind", given.list_kind, "kind and listKind may not be the same")


def _shared(versions: list[CustomResourceDefinitionVersion]) -> frozenset[str]:
    """The parts in which all versions are alike: upstream keeps and tells them once for all, as in v1beta1."""
    return frozenset(
        name
        for name in ("schema", "subresources", "additional_printer_columns", "selectable_fields")
        if all(getattr(version, name) == getattr(versions[0], name) for version in versions)
    )


def _version(found: Problems, path: str, version: CustomResourceDefinitionVersion, shared: frozenset[str]) -> None:
    def at(part: str, name: str) -> str:
        if part in shared:
            return f"spec.{name.replace('schema.', 'validation.')}"
        return f"{path}.{name}"

    if problems := names.dns_1035_label(version.name):
        found.invalid(f"{path}.name", version.name, ",".join(problems))
    _deprecation(found, f"{path}.deprecationWarning", version)
    schema = version.schema.open_api_v3_schema if version.schema is not None else None
    parts = version.subresources
    if schema is None:
        found.required(f"{path}.schema.openAPIV3Schema")
    else:
        where = at("schema", "schema.openAPIV3Schema")
        structural.structural(found, where, schema)
        schemas.root(found, where, schema, parts is not None and parts.status is not None)
    if parts is not None:
        _subresources(found, at("subresources", "subresources"), parts)
    for index, column in enumerate(version.additional_printer_columns):
        _column(found, at("additional_printer_columns", f"additionalPrinterColumns[{index}]"), column)
    if version.selectable_fields:
        _selectable(found, at("selectable_fields", "selectableFields"), version.selectable_fields, schema)


def _deprecation(found: Problems, path: str, version: CustomResourceDefinitionVersion) -> None:
    warning = version.deprecation_warning
    if warning is None:
        return
    if not version.deprecated:
        found.invalid(path, warning, "can only be set for deprecated versions")
        return
    if len(warning.encode()) > _LONGEST_WARNING:
        found.invalid(path, warning, f"must be <= {_LONGEST_WARNING} characters long")
    if not warning:
        found.invalid(path, warning, "must not be an empty string")
    for index, letter in enumerate(warning):
        if letter != " " and unicodedata.category(letter)[0] in "CZ":
            what = f"non-printable character found at index {index}"
            found.invalid(path, warning, f"must only contain printable UTF-8 characters; {what}")
            break


def _subresources(found: Problems, path: str, parts: CustomResourceSubresources) -> None:
    scale = parts.scale
    if scale is None:
        return
    for field, value, roots, where in (
        ("specReplicasPath", scale.spec_replicas_path, (".spec.",), ".spec"),
        ("statusReplicasPath", scale.status_replicas_path, (".status.",), ".status"),
        ("labelSelectorPath", scale.label_selector_path, (".spec.", ".status."), "either .spec or .status"),
    ):
        at = f"{path}.scale.{field}"
        if not value:
            if field != "labelSelectorPath":
                found.required(at)
        elif not value.startswith("."):
            found.invalid(at, value, "must be a simple json path starting with .")
        elif not value.startswith(roots):
            found.invalid(at, value, f"should be a json path under {where}")


def _column(found: Problems, path: str, column: CustomResourceColumnDefinition) -> None:
    if not column.name:
        found.required(f"{path}.name")
    detail = f"must be one of {','.join(_COLUMNS)}"
    if not column.type:
        found.required(f"{path}.type", detail)
    elif column.type not in _COLUMNS:
        found.invalid(f"{path}.type", column.type, detail)
    if column.format and column.format not in _FORMATS:
        found.invalid(f"{path}.format", column.format, f"must be one of {','.join(_FORMATS)}")
    if not column.json_path:
        found.required(f"{path}.JSONPath")
    elif not column.json_path.startswith("."):
        found.invalid(f"{path}.JSONPath", column.json_path, "must be a simple json path starting with .")


def _selectable(found: Problems, path: str, fields: list[SelectableField], schema: JSONSchemaProps | None) -> None:
    if schema is None:
        found.invalid(path, "", "may only be set when `version.schema.openAPIV3Schema` is not included")
        return
    seen: set[str] = set()
    for index, field in enumerate(fields):
        where, text = f"{path}[{index}].jsonPath", field.json_path
        if not text:
            found.required(where)
            continue
        part = _at(schema, text)
        if part is None:
            found.invalid(where, text, "is an invalid path: does not refer to a valid field")
            continue
        if text.split(".")[1] == "metadata":
            found.invalid(where, text, "must not point to fields in metadata")
        if part.type not in _SELECTABLE_TYPES:
            detail = "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed."
            found.invalid(where, text, detail)
        if text in seen:
            found.duplicate(where, text)
        seen.add(text)
    if len(seen) > _MOST_SELECTABLE:
        found.too_many(path, len(seen), _MOST_SELECTABLE)


def _at(schema: JSONSchemaProps, path: str) -> JSONSchemaProps | None:
    """The schema of the field at a path like `.spec.color`."""
    if not re.fullmatch(r"(\.[A-Za-z_][A-Za-z0-9_-]*)+", path):
        return None
    part: JSONSchemaProps | None = schema
    for name in path.split(".")[1:]:
        part = part.properties.get(name) if part is not None else None
    return part


def _conversion(found: Problems, conversion: CustomResourceConversion, *, unknown_fields: bool) -> None:
    # Upstream tells the fields as they were in v1beta1.
    path, webhook = "spec.conversion", conversion.webhook
    found.one_of(f"{path}.strategy", conversion.strategy, ("None", "Webhook"))
    if conversion.strategy == "Webhook" and unknown_fields:
        found.invalid(f"{path}.strategy", conversion.strategy, "must be None if spec.preserveUnknownFields is true")
    if conversion.strategy != "Webhook":
        if webhook is not None:
            for field, given in (
                ("webhookClientConfig", webhook.client_config),
                ("conversionReviewVersions", webhook.conversion_review_versions),
            ):
                if given:
                    found.forbidden(f"{path}.{field}", "should not be set when strategy is not set to Webhook")
        return
    if webhook is None or webhook.client_config is None:
        found.required(f"{path}.webhookClientConfig", "required when strategy is set to Webhook")
    else:
        hooks.client(found, f"{path}.webhookClientConfig", webhook.client_config.url, webhook.client_config.service)
    versions = webhook.conversion_review_versions if webhook is not None else []
    where = f"{path}.conversionReviewVersions"
    if not versions:
        found.required(where)
        return
    for index, version in enumerate(versions):
        if version in versions[:index]:
            found.invalid(f"{where}[{index}]", version, "duplicate version")
        else:
            found.invalid_all(f"{where}[{index}]", version, names.dns_1035_label(version))
    if not set(versions) & set(_REVIEWS):
        found.invalid(where, versions, f"must include at least one of {', '.join(_REVIEWS)}")


def _stored(found: Problems, obj: CustomResourceDefinition) -> None:
    stored, path = obj.status.stored_versions, "status.storedVersions"
    if not stored:
        found.invalid(path, [], "must have at least one stored version")
        return
    for version in obj.spec.versions:
        if version.storage and version.name not in stored:
            found.invalid(path, stored, f"must have the storage version {version.name}")
    kept = {version.name for version in obj.spec.versions}
    for index, name in enumerate(stored):
        if name not in kept:
            detail = (
                f"missing from spec.versions; {name} was previously a storage version, and must remain in spec.versions until a "
                f"storage migration ensures no data remains persisted in {name} and removes {name} from status.storedVersions"
            )
            found.invalid(f"{path}[{index}]", name, detail)


def _approval(found: Problems, new: CustomResourceDefinition, old: CustomResourceDefinition | None) -> None:
    """Groups of the community want to know who has agreed."""
    group = new.spec.group
    if not any(group == own or group.endswith(f".{own}") for own in ("k8s.io", "kubernetes.io")):
        return
    told = new.metadata.annotations.get(APPROVAL, "")
    if old is not None and old.metadata.annotations.get(APPROVAL, "") == told:
        return
    path = f"metadata.annotations[{APPROVAL}]"
    wanted = f'protected groups must have approval annotation "{APPROVAL}"'
    if not told:
        found.required(path, f"{wanted}, see {_APPROVAL_GUIDE}")
    elif not told.startswith(("unapproved", "http://", "https://")):
        detail = f'{wanted} with either a URL or a reason starting with "unapproved", see {_APPROVAL_GUIDE}'
        found.invalid(path, told, detail)


def _changed(found: Problems, new: CustomResourceDefinition, old: CustomResourceDefinition) -> None:
    if any(item.type == "Established" and item.status == "True" for item in old.status.conditions):
        found.immutable("spec.scope", new.spec.scope, old.spec.scope)
        found.immutable("spec.names.kind", new.spec.names.kind, old.spec.names.kind)
    found.immutable("spec.group", new.spec.group, old.spec.group)
    found.immutable("spec.names.plural", new.spec.names.plural, old.spec.names.plural)
    if new.spec.preserve_unknown_fields and not old.spec.preserve_unknown_fields:
        _unknown_fields(found)
    _approval(found, new, old)


def _status(found: Problems, new: CustomResourceDefinition, _: CustomResourceDefinition) -> None:
    _names(found, "status.acceptedNames", new.status.accepted_names)


RULES: dict[Kind[Any], Rules] = {
    kinds.CUSTOM_RESOURCE_DEFINITION: Rules(definition, _changed, parts={"status": _status}, fresh=_fresh)
}
