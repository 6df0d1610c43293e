"""Rules of structural schemas: every field has one type, said in one place, and what `allOf` and its like add can only narrow it.

Only of such schemas is it clear what to prune, to default and to merge.
"""

import re

from api.apiextensions_v1 import JSONSchemaProps
from api.fields import NOTHING
from api.validation.problems import Problems
from api.validation.values import matches

_ROOT, _ITEM, _FIELD = "at the root", "for specified array items", "for specified object fields"
# What regular expressions of Go know and ours do not: who uses it will have tried it.
_GO_ONLY = re.compile(r"\\[pPzQEC]|\[\[:|\(\?[a-zA-Z-]+[:)]|\(\?<")
_NAMES = frozenset(("name", "generateName"))
_INT_OR_STRING = [JSONSchemaProps(type="integer"), JSONSchemaProps(type="string")]
# What only the structure itself may say: the field, how it is called, and what it must be elsewhere.
_STRUCTURE = (
    ("type", "type", "empty"),
    ("title", "title", "empty"),
    ("description", "description", "empty"),
    ("nullable", "nullable", "false"),
    ("x_preserve_unknown_fields", "x-kubernetes-preserve-unknown-fields", "false"),
    ("x_embedded_resource", "x-kubernetes-embedded-resource", "false"),
    ("x_int_or_string", "x-kubernetes-int-or-string", "false"),
    ("x_list_map_keys", "x-kubernetes-list-map-keys", "empty"),
    ("x_list_type", "x-kubernetes-list-type", "undefined"),
    ("x_map_type", "x-kubernetes-map-type", "undefined"),
    ("x_validations", "x-kubernetes-validations", "empty"),
)


def structural(found: Problems, path: str, schema: JSONSchemaProps) -> None:
    """The schema of a version."""
    before = len(found.causes)
    _invariants(found, path, schema, _ROOT)
    _complete(found, path, path, schema, schema)
    found.causes[before:] = sorted(found.causes[before:])
    if len(found.causes) == before:
        _defaults(found, path, schema)


def _invariants(found: Problems, path: str, schema: JSONSchemaProps, level: str) -> None:
    items, rest = schema.items, schema.additional_properties
    if schema.type == "array" and items is None:
        found.required(f"{path}.items", "must be specified")
    if isinstance(items, JSONSchemaProps):
        _invariants(found, f"{path}.items", items, _ITEM)
    for name, part in schema.properties.items():
        _invariants(found, f"{path}.properties[{name}]", part, _FIELD)
    if rest is not None and level is _ROOT:
        found.forbidden(f"{path}.additionalProperties", "must not be used at the root")
    if isinstance(rest, JSONSchemaProps):
        _invariants(found, f"{path}.additionalProperties", rest, _FIELD)
    if schema.x_int_or_string:
        for field, value in (
            ("preserve-unknown-fields", schema.x_preserve_unknown_fields),
            ("embedded-resource", schema.x_embedded_resource),
        ):
            if value:
                detail = "must be false if x-kubernetes-int-or-string is true"
                found.invalid(f"{path}.x-kubernetes-{field}", True, detail)
    _values(found, path, schema, whole=True)
    _type(found, path, schema, level)
    _objects(found, path, schema, level)


def _type(found: Problems, path: str, schema: JSONSchemaProps, level: str) -> None:
    detail = "must be object if x-kubernetes-embedded-resource is true"
    if schema.x_embedded_resource and not schema.type:
        found.required(f"{path}.type", detail)
    elif schema.x_embedded_resource and schema.type != "object":
        found.invalid(f"{path}.type", schema.type, detail)
    elif not schema.type and not schema.x_int_or_string and not schema.x_preserve_unknown_fields:
        found.required(f"{path}.type", f"must not be empty {level}")
    if level is _ROOT and schema.type and schema.type != "object":
        found.invalid(f"{path}.type", schema.type, "must be object at the root")


def _objects(found: Problems, path: str, schema: JSONSchemaProps, level: str) -> None:
    """What whole objects, at the root or embedded, may say of the fields that all objects have."""
    embedded = bool(schema.x_embedded_resource)
    if embedded and schema.additional_properties is not None:
        detail = "must not be used if x-kubernetes-embedded-resource is set"
        found.forbidden(f"{path}.additionalProperties", detail)
    if level is _ROOT or embedded:
        for name in ("kind", "apiVersion"):
            part = schema.properties.get(name)
            if part is not None and part.type != "string":
                found.invalid(f"{path}.properties[{name}].type", part.type or "", "must be string")
        meta = schema.properties.get("metadata")
        if meta is not None:
            _metadata(found, f"{path}.properties[metadata]", meta, level)
    if embedded and not schema.x_preserve_unknown_fields and not schema.properties:
        detail = (
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
        )
        found.required(f"{path}.properties", detail)


def _metadata(found: Problems, path: str, meta: JSONSchemaProps, level: str) -> None:
    if meta.type != "object":
        found.invalid(f"{path}.type", meta.type or "", "must be object")
    if level is not _ROOT:
        return
    blank = JSONSchemaProps(type=meta.type, default=meta.default)
    if meta.properties.keys() <= _NAMES:
        blank.properties = meta.properties
    if meta != blank:
        detail = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        found.forbidden(path, detail)


def _values(found: Problems, path: str, schema: JSONSchemaProps, *, whole: bool) -> None:
    """What narrows the values. Only of `whole` schemas may the choice between number and text name types."""
    choice = whole and schema.any_of == _INT_OR_STRING
    for index, part in enumerate(() if choice else schema.any_of):
        _nested(found, f"{path}.anyOf[{index}]", part)
    for index, part in enumerate(schema.all_of):
        first = whole and index == 0 and part.any_of == _INT_OR_STRING
        _nested(found, f"{path}.allOf[{index}]", part, choice=first)
    for index, part in enumerate(schema.one_of):
        _nested(found, f"{path}.oneOf[{index}]", part)
    if schema.not_ is not None:
        _nested(found, f"{path}.not", schema.not_)
    if schema.pattern and not _GO_ONLY.search(schema.pattern):
        try:
            re.compile(schema.pattern)
        except (re.error, RecursionError, OverflowError) as error:
            detail = f"must be a valid regular expression, but isn't: {error}"
            found.invalid(f"{path}.pattern", schema.pattern, detail)


def _nested(found: Problems, path: str, schema: JSONSchemaProps, *, choice: bool = False) -> None:
    """What stands under `allOf` and its like."""
    _values(found, path, schema, whole=choice)
    if isinstance(schema.items, JSONSchemaProps):
        _nested(found, f"{path}.items", schema.items)
    for name, part in schema.properties.items():
        _nested(found, f"{path}.properties[{name}]", part)
    for field, name, what in _STRUCTURE:
        if getattr(schema, field) not in (None, "", False, []):
            found.forbidden(f"{path}.{name}", f"must be {what} to be structural")
    if schema.additional_properties is not None:
        found.forbidden(f"{path}.additionalProperties", "must be undefined to be structural")
    if schema.default is not NOTHING:
        found.forbidden(f"{path}.default", "must be undefined to be structural")
    if "metadata" in schema.properties:
        found.forbidden(f"{path}.properties[metadata]", "must not be specified in a nested context")


def _complete(found: Problems, at: str, said: str, structure: JSONSchemaProps, schema: JSONSchemaProps) -> None:
    """Everything that `schema` narrows, standing at `said`, is there in the structure, at `at`."""
    parts = [("not", schema.not_)] if schema.not_ is not None else []
    for field, ones in (("allOf", schema.all_of), ("anyOf", schema.any_of), ("oneOf", schema.one_of)):
        parts += [(f"{field}[{index}]", one) for index, one in enumerate(ones)]
    for name, part in parts:
        _complete_nested(found, at, f"{said}.{name}", structure, part)


def _complete_nested(
    found: Problems, at: str, said: str, structure: JSONSchemaProps | None, nested: JSONSchemaProps
) -> None:
    if structure is None:
        found.required(at, f"because it is defined in {said}")
        return
    _complete(found, at, said, structure, nested)
    if isinstance(nested.items, JSONSchemaProps):
        items = structure.items if isinstance(structure.items, JSONSchemaProps) else None
        _complete_nested(found, f"{at}.items", f"{said}.items", items, nested.items)
    for name, part in nested.properties.items():
        where = f"properties[{name}]"
        _complete_nested(found, f"{at}.{where}", f"{said}.{where}", structure.properties.get(name), part)


def _defaults(found: Problems, path: str, schema: JSONSchemaProps) -> None:
    """A default is a value that the schema itself would take."""
    if schema.default is not NOTHING:
        matches(found, f"{path}.default", schema)
    if isinstance(schema.items, JSONSchemaProps):
        _defaults(found, f"{path}.items", schema.items)
    if isinstance(schema.additional_properties, JSONSchemaProps):
        _defaults(found, f"{path}.additionalProperties", schema.additional_properties)
    for name, part in schema.properties.items():
        _defaults(found, f"{path}.properties[{name}]", part)
