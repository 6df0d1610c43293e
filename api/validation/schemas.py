"""Rules for the schemas in CustomResourceDefinitions, apart from their structure (`structural`)."""

from dataclasses import dataclass, replace

from api import choices
from api.apiextensions_v1 import JSONSchemaProps, ValidationRule
from api.fields import NOTHING
from api.validation.problems import Problems

TYPES = ("array", "boolean", "integer", "number", "object", "string")
_METADATA = frozenset(("metadata", "kind", "apiVersion"))
_REASONS = choices.FAILURE_REASONS
_LIST_TYPES, _MAP_TYPES = ("atomic", "set", "map"), ("atomic", "granular")
# What a schema may say at its root when the status has a path of its own; by their names in Go.
_AT_ROOT = (
    "Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems "
    "UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations"
)
_AT_ROOT_FIELDS = frozenset(
    """description type format title maximum exclusive_maximum minimum exclusive_minimum max_length min_length pattern max_items
       min_items unique_items multiple_of required items properties external_docs example x_preserve_unknown_fields
       x_validations""".split()  # noqa: SIM905 - as long as the line above
)


@dataclass(frozen=True, slots=True)
class Around:
    """What surrounds a schema."""

    root: bool = False
    in_metadata: bool = False
    no_default: str = ""  # why there may be none


def root(found: Problems, path: str, schema: JSONSchemaProps, has_status: bool) -> None:
    """The schema of a version."""
    if has_status:
        _with_status(found, path, schema)
    if schema.nullable:
        found.forbidden(f"{path}.nullable", "nullable cannot be true at the root")
    props(found, path, schema, Around(root=True))


def props(found: Problems, path: str, schema: JSONSchemaProps, around: Around) -> None:
    """One schema and all in it."""
    _supported(found, path, schema, around)
    if schema.unique_items:
        detail = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        found.forbidden(f"{path}.uniqueItems", detail)
    _parts(found, path, schema, around)
    if schema.x_preserve_unknown_fields is False:
        found.invalid(f"{path}.x-kubernetes-preserve-unknown-fields", False, "must be true or undefined")
    _map_type(found, path, schema)
    _list_type(found, path, schema)
    _map_keys(found, path, schema)
    for index, rule in enumerate(schema.x_validations):
        _rule(found, f"{path}.x-kubernetes-validations[{index}]", rule)


def _with_status(found: Problems, path: str, schema: JSONSchemaProps) -> None:
    if schema.type and schema.type != "object":
        detail = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled'
        found.invalid(f"{path}.type", schema.type or "", detail)
    blank = JSONSchemaProps()
    for name in schema.__struct_fields__:
        if name not in _AT_ROOT_FIELDS and getattr(schema, name) not in (getattr(blank, name), False):
            detail = (
                f"only [{_AT_ROOT}] fields are allowed at the root of the schema if the status subresource is enabled"
            )
            found.invalid_here(path, detail)
            return


def _supported(found: Problems, path: str, schema: JSONSchemaProps, around: Around) -> None:
    """What schemas may have that the server would know how to serve."""
    if schema.type and schema.type not in TYPES:
        found.not_supported(f"{path}.type", schema.type, TYPES)
    if schema.default is not NOTHING and around.no_default:
        found.forbidden(f"{path}.default", f"must not be set {around.no_default}")
    for field, is_set in (
        ("id", schema.id),
        ("additionalItems", schema.additional_items is not None),
        ("patternProperties", schema.pattern_properties),
        ("definitions", schema.definitions),
        ("dependencies", schema.dependencies),
        ("$ref", schema.ref is not None),
    ):
        if is_set:
            found.forbidden(f"{path}.{field}", f"{field} is not supported")
    if schema.type == "null":
        found.forbidden(f"{path}.type", "type cannot be set to null, use nullable as an alternative")
    if isinstance(schema.items, list) and schema.items:
        found.forbidden(f"{path}.items", "items must be a schema object and not an array")
    if around.in_metadata and schema.x_embedded_resource:
        found.forbidden(f"{path}.x-kubernetes-embedded-resource", "must not be used inside of resource meta")


def _parts(found: Problems, path: str, schema: JSONSchemaProps, around: Around) -> None:
    inner = replace(around, root=False)
    rest = schema.additional_properties
    if rest is not None and rest is not True and schema.properties:
        detail = "additionalProperties and properties are mutual exclusive"
        found.forbidden(f"{path}.additionalProperties", detail)
    if isinstance(rest, JSONSchemaProps):
        why = "inside additionalProperties applying to object metadata"
        below = replace(inner, no_default=why) if around.in_metadata else inner
        props(found, f"{path}.additionalProperties", rest, below)
    for name, part in schema.properties.items():
        below = inner
        if (around.root or schema.x_embedded_resource) and name in _METADATA:
            below = replace(inner, in_metadata=True)
            if around.root:
                below = replace(below, no_default=f"in top-level {name}")
        props(found, f"{path}.properties[{name}]", part, below)
    if schema.not_ is not None:
        props(found, f"{path}.not", schema.not_, inner)
    for field, parts in (("allOf", schema.all_of), ("oneOf", schema.one_of), ("anyOf", schema.any_of)):
        for index, part in enumerate(parts):
            props(found, f"{path}.{field}[{index}]", part, inner)
    for name, part in schema.definitions.items():
        props(found, f"{path}.definitions[{name}]", part, inner)
    if isinstance(schema.items, JSONSchemaProps):
        props(found, f"{path}.items", schema.items, inner)
    for index, part in enumerate(schema.items if isinstance(schema.items, list) else ()):
        props(found, f"{path}.items[{index}]", part, inner)
    for name, one in schema.dependencies.items():
        if isinstance(one, JSONSchemaProps):
            props(found, f"{path}.dependencies[{name}]", one, inner)


def _map_type(found: Problems, path: str, schema: JSONSchemaProps) -> None:
    kind = schema.x_map_type
    if kind is None:
        return
    _of_type(found, path, schema, "object", "x-kubernetes-map-type")
    if kind not in _MAP_TYPES:
        found.not_supported(f"{path}.x-kubernetes-map-type", kind, _MAP_TYPES)


def _list_type(found: Problems, path: str, schema: JSONSchemaProps) -> None:
    kind, items = schema.x_list_type, schema.items
    if kind is None:
        return
    if schema.type != "array":
        _of_type(found, path, schema, "array", "x-kubernetes-list-type")
    elif kind == "set" and isinstance(items, JSONSchemaProps):
        detail = "must be atomic as item of a list with x-kubernetes-list-type=set"
        if items.type == "array" and items.x_list_type not in (None, "atomic"):
            found.invalid(f"{path}.items.x-kubernetes-list-type", items.x_list_type, detail)
        if items.type == "object" and items.x_map_type != "atomic":
            found.invalid(f"{path}.items.x-kubernetes-map-type", items.x_list_type, detail)
    if kind not in _LIST_TYPES:
        found.not_supported(f"{path}.x-kubernetes-list-type", kind, _LIST_TYPES)
    if kind in ("set", "map") and isinstance(items, JSONSchemaProps) and items.nullable:
        found.forbidden(f"{path}.items.nullable", f"cannot be nullable when x-kubernetes-list-type is {kind}")


def _of_type(found: Problems, path: str, schema: JSONSchemaProps, wanted: str, because: str) -> None:
    detail = f"must be {wanted} if {because} is specified"
    if not schema.type:
        found.required(f"{path}.type", detail)
    elif schema.type != wanted:
        found.invalid(f"{path}.type", schema.type, detail)


def _map_keys(found: Problems, path: str, schema: JSONSchemaProps) -> None:
    keys, kind, items = schema.x_list_map_keys, schema.x_list_type, schema.items
    where = f"{path}.x-kubernetes-list-map-keys"
    if keys and kind != "map":
        detail = "must be map if x-kubernetes-list-map-keys is non-empty"
        if kind is None:
            found.required(f"{path}.x-kubernetes-list-type", detail)
        else:
            found.invalid(f"{path}.x-kubernetes-list-type", kind, detail)
    if kind != "map":
        return
    if not keys:
        found.required(where, "must not be empty if x-kubernetes-list-type is map")
    if items is None:
        found.required(f"{path}.items", "must have a schema if x-kubernetes-list-type is map")
    elif not isinstance(items, JSONSchemaProps):
        found.invalid_here(f"{path}.items", "must only have a single schema if x-kubernetes-list-type is map")
    elif items.type != "object":
        detail = "must be object if parent array's x-kubernetes-list-type is map"
        found.invalid(f"{path}.items.type", items.type or "", detail)
    else:
        _keys(found, path, where, keys, items)


def _keys(found: Problems, path: str, where: str, keys: list[str], items: JSONSchemaProps) -> None:
    for index, key in enumerate(keys):
        part = items.properties.get(key)
        at = f"{path}.items.properties[{key}]"
        if key in keys[:index]:
            found.invalid(where, keys, "must not contain duplicate entries")
        if part is None:
            found.invalid(where, keys, "entries must all be names of item properties")
            continue
        if part.type in ("array", "object"):
            detail = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            found.invalid(f"{at}.type", items.type, detail)
        in_keys = "this property is in x-kubernetes-list-map-keys, so it"
        if key not in items.required and part.default is NOTHING:
            found.required(f"{at}.default", f"{in_keys} must have a default or be a required property")
        if part.nullable:
            found.forbidden(f"{at}.nullable", f"{in_keys} cannot be nullable")


def _rule(found: Problems, path: str, rule: ValidationRule) -> None:
    """A rule in CEL, but for what it says."""
    message, text = rule.message or "", rule.rule.strip()
    if not text:
        found.required(f"{path}.rule", "rule is not specified")
    elif message and not message.strip():
        found.invalid(f"{path}.message", message, "must be non-empty if specified")
    elif _broken(message.strip()):
        found.invalid(f"{path}.message", message, "must not contain line breaks")
    elif _broken(text) and not message.strip():
        found.required(f"{path}.message", "message must be specified if rule contains line breaks")
    if rule.message_expression and not rule.message_expression.strip():
        found.required(f"{path}.messageExpression", "messageExpression must be non-empty if specified")
    found.optional_one_of(f"{path}.reason", rule.reason, _REASONS)
    where = rule.field_path or ""
    if where and not where.strip():
        found.invalid(f"{path}.fieldPath", where, "must be non-empty if specified")
    if _broken(where):
        found.invalid(f"{path}.fieldPath", where, "must not contain line breaks")


def _broken(text: str) -> bool:
    return "\n" in text or "\r" in text
