"""Whether a value is one that a schema takes: as far as the defaults in schemas need it.

Patterns are left out: they are strangers' regular expressions, and ours can be made to run for ever.
"""

from typing import Any

import msgspec

from api.apiextensions_v1 import JSONSchemaProps
from api.validation.problems import Problems

UNKNOWN = "in body is unknown"
_KINDS: dict[str, tuple[type, ...]] = {
    "array": (list,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}
_NAMES = {list: "array", bool: "boolean", int: "integer", float: "number", dict: "object", str: "string"}


def matches(found: Problems, path: str, schema: JSONSchemaProps) -> None:
    """The default of a schema."""
    value = msgspec.json.decode(schema.default)  # type: ignore[arg-type]  # the caller has seen that there is one
    problems = _problems("", schema, value)
    if any(problem == UNKNOWN for _, problem in problems):
        found.invalid(path, value, "must not have unknown fields")
        return
    for where, problem in problems:
        found.invalid(path, value, f"{where.removeprefix('.')} {problem}")


def _problems(path: str, schema: JSONSchemaProps, value: Any) -> list[tuple[str, str]]:
    if value is None:
        return [] if schema.nullable else [(path, f'in body must be of type {schema.type}: "null"')]
    kinds = (int, str) if schema.x_int_or_string else _KINDS.get(schema.type or "", ())
    if kinds and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
        wanted = "integer,string" if schema.x_int_or_string else schema.type
        return [(path, f'in body must be of type {wanted}: "{_NAMES[type(value)]}"')]
    problems = [(path, problem) for problem in (_enum(schema, value), *_bounds(schema, value)) if problem]
    if isinstance(value, list) and isinstance(schema.items, JSONSchemaProps):
        for index, item in enumerate(value):
            problems += _problems(f"{path}[{index}]", schema.items, item)
    if isinstance(value, dict):
        problems += _members(path, schema, value)
    return problems


def _enum(schema: JSONSchemaProps, value: Any) -> str:
    allowed = [msgspec.json.decode(one) for one in schema.enum]
    if not allowed or any(one == value and type(one) is type(value) for one in allowed):
        return ""
    return f"in body should be one of [{' '.join(str(one) for one in allowed)}]"


def _bounds(schema: JSONSchemaProps, value: Any) -> list[str]:
    if isinstance(value, str):
        return [_size(len(value), schema.min_length, schema.max_length, "chars long")]
    if isinstance(value, list):
        return [_size(len(value), schema.min_items, schema.max_items, "items")]
    if isinstance(value, dict):
        return [_size(len(value), schema.min_properties, schema.max_properties, "properties")]
    if isinstance(value, bool):
        return []
    low, high = schema.minimum, schema.maximum
    problems = []
    if low is not None and (value < low or (schema.exclusive_minimum and value == low)):
        problems.append(f"in body should be greater than {'' if schema.exclusive_minimum else 'or equal to '}{low}")
    if high is not None and (value > high or (schema.exclusive_maximum and value == high)):
        problems.append(f"in body should be less than {'' if schema.exclusive_maximum else 'or equal to '}{high}")
    return problems


def _size(size: int, least: int | None, most: int | None, unit: str) -> str:
    if least is not None and size < least:
        return f"in body should be at least {least} {unit}"
    if most is not None and size > most:
        return f"in body should be at most {most} {unit}"
    return ""


def _members(path: str, schema: JSONSchemaProps, value: dict[str, Any]) -> list[tuple[str, str]]:
    problems = [(f"{path}.{name}", "in body is required") for name in schema.required if name not in value]
    rest = schema.additional_properties
    for name, member in value.items():
        part = schema.properties.get(name)
        if part is not None:
            problems += _problems(f"{path}.{name}", part, member)
        elif isinstance(rest, JSONSchemaProps):
            problems += _problems(f"{path}.{name}", rest, member)
        elif not rest and not schema.x_preserve_unknown_fields and not schema.x_embedded_resource:
            problems.append((f"{path}.{name}", UNKNOWN))
    return problems
