"""Schemas in CustomResourceDefinitions: how they are read, from JSON and protobuf, and what is refused."""

from __future__ import annotations

import copy
import struct
from typing import Any

import pytest

from api import codec, defaults, kinds, protobuf, protobuf_writing, validation
from api.apiextensions_v1 import JSONSchemaProps
from tests.samples import CRD
from tests.unit.api.protobuf_writer import varint

KIND = kinds.CUSTOM_RESOURCE_DEFINITION
ROOT = "spec.validation.openAPIV3Schema"
TEXT, NUMBER = {"type": "string"}, {"type": "integer"}


def definition(change: dict[str, Any] | None = None, **schema: Any) -> Any:
    document = copy.deepcopy({"metadata": {"name": "toys.example.com"}, "spec": CRD})
    document["spec"]["versions"][0] |= change or {}
    if schema:
        document["spec"]["versions"][0]["schema"] = {"openAPIV3Schema": schema}
    found = codec.from_dict(KIND, document)
    defaults.apply(KIND, found)
    found.status.stored_versions = ["v1"]
    return found


def causes(found: Any) -> list[str]:
    return [f"{c.field.removeprefix(ROOT)}: {c.message}" for c in validation.validate_create(KIND, found)]


def spec(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}


def test_a_schema_is_read_and_written_as_it_was():
    schema = {
        "type": "object",
        "description": "a toy",
        "x-kubernetes-preserve-unknown-fields": True,
        "properties": {
            "a": {"type": "integer", "minimum": 1, "maximum": 2.5, "default": 2, "enum": [1, 2, "x", None]},
            "b": {"type": "object", "additionalProperties": True},
            "c": {"type": "object", "additionalProperties": TEXT},
            "d": {"type": "array", "items": TEXT, "x-kubernetes-list-type": "set"},
            "e": {"anyOf": [NUMBER, TEXT], "x-kubernetes-int-or-string": True, "not": {"enum": [0]}},
            "f": {"type": "array", "items": [TEXT, NUMBER]},
            "g": {"type": "object", "default": {"x": {"y": [1, None]}}, "example": "z"},
            "h": {"$ref": "#/x", "$schema": "y", "dependencies": {"p": ["q"], "r": TEXT}},
            "i": {"type": "string", "x-kubernetes-validations": [{"rule": "self != ''", "message": "no"}]},
        },
    }
    found = codec.from_dict(JSONSchemaProps, schema | {"x-unknown": 1})
    assert codec.to_dict(found) == schema


def test_nulls_and_unknown_fields_deep_down():
    text = (
        b'{"spec":{"versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"type":"object",'
    )
    text += b'"title":null,"properties":{"a":{"items":{"type":null,"nope":1}}}}}}]}}'
    found = codec.decode(KIND, text)
    assert codec.to_dict(found.spec.versions[0].schema) == {
        "openAPIV3Schema": {"type": "object", "properties": {"a": {"items": {}}}}
    }
    (problem,) = codec.strict_problems(KIND, text)
    assert problem == 'unknown field "spec.versions[0].schema.openAPIV3Schema.properties.a.items.nope"'


# protobuf


def field(number: int, value: bytes | str | int) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def double(number: int, value: float) -> bytes:
    return varint(number << 3 | 1) + struct.pack("<d", value)


def test_a_schema_in_protobuf():
    text = field(5, "string")
    raw = b"".join(
        (
            field(5, "object"),
            double(9, 7.0),
            double(11, 0.5),
            field(8, field(1, b'{"a":1}')),
            field(20, field(1, b'"x"')) + field(20, field(1, b"3")),
            field(24, field(1, text)),
            field(29, field(1, "a") + field(2, field(30, field(1, 1) + field(2, text)))),
            field(29, field(1, "b") + field(2, field(30, field(1, 1)))),
            field(29, field(1, "c") + field(2, field(30, field(1, 0)))),
            field(29, field(1, "d") + field(2, field(24, field(2, text) + field(2, field(5, "integer"))))),
            field(32, field(1, "p") + field(2, field(2, "q") + field(2, "r"))),
            field(32, field(1, "s") + field(2, field(1, text))),
            field(38, 1),
            field(41, "k"),
        )
    )
    assert codec.to_dict(protobuf.decode_message(JSONSchemaProps, raw)) == {
        "type": "object",
        "maximum": 7,
        "minimum": 0.5,
        "default": {"a": 1},
        "enum": ["x", 3],
        "items": TEXT,
        "properties": {
            "a": {"additionalProperties": TEXT},
            "b": {"additionalProperties": True},
            "c": {"additionalProperties": False},
            "d": {"items": [TEXT, NUMBER]},
        },
        "dependencies": {"p": ["q", "r"], "s": TEXT},
        "x-kubernetes-preserve-unknown-fields": True,
        "x-kubernetes-list-map-keys": ["k"],
    }


@pytest.mark.parametrize(
    "raw", [double(9, float("nan")), double(9, float("inf")), field(9, b"abc"), field(24, 5), field(30, 5)]
)
def test_broken_protobuf(raw):
    with pytest.raises(protobuf.ProtobufError):
        protobuf.decode_message(JSONSchemaProps, raw)


def test_what_is_written_is_read_again():
    schema = {
        "type": "object",
        "minimum": 0.5,
        "default": {"a": [1, None]},
        "enum": [1, "x"],
        "items": TEXT,
        "additionalProperties": False,
        "additionalItems": TEXT,
        "properties": {"a": {"items": [TEXT, NUMBER]}, "b": {"additionalProperties": True}},
        "dependencies": {"p": ["q"], "r": TEXT},
        "x-kubernetes-validations": [{"rule": "true", "reason": "FieldValueInvalid"}],
    }
    found = definition(**schema)
    assert protobuf.decode(KIND, protobuf_writing.encode(found)) == found


def test_a_whole_definition_in_protobuf():
    schema = field(1, field(5, "object"))
    version = field(1, "v1") + field(2, 1) + field(3, 1) + field(4, schema)
    names = field(1, "toys") + field(4, "Toy")
    body = field(2, field(1, "example.com") + field(3, names) + field(4, "Cluster") + field(7, version))
    what = field(1, "apiextensions.k8s.io/v1") + field(2, "CustomResourceDefinition")
    found = protobuf.decode(KIND, protobuf.MAGIC + field(1, what) + field(2, body))
    (one,) = found.spec.versions
    assert one.schema is not None
    assert one.schema.open_api_v3_schema == JSONSchemaProps(type="object")


# rules

GOOD: list[dict[str, Any]] = [
    spec(size=NUMBER, colour={"type": "string", "enum": ["red"], "default": "red"}),
    spec(port={"x-kubernetes-int-or-string": True, "anyOf": [NUMBER, TEXT]}),
    spec(port={"x-kubernetes-int-or-string": True, "allOf": [{"anyOf": [NUMBER, TEXT]}, {"pattern": "a"}]}),
    spec(rest={"type": "object", "x-kubernetes-preserve-unknown-fields": True, "default": {"any": 1}}),
    spec(maps={"type": "object", "additionalProperties": {"type": "string"}, "default": {"a": "b"}}),
    spec(
        keyed={
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["name"],
            "items": {"type": "object", "required": ["name"], "properties": {"name": TEXT}},
        }
    ),
    spec(
        inner={"type": "object", "x-kubernetes-embedded-resource": True, "x-kubernetes-preserve-unknown-fields": True}
    ),
    spec(letters={"type": "string", "pattern": r"^[\p{L}]+$"}),
    {
        "type": "object",
        "properties": {"metadata": {"type": "object", "properties": {"name": {"type": "string", "pattern": "a"}}}},
    },
    spec(size=NUMBER)
    | {"anyOf": [{"required": ["spec"], "properties": {"spec": {"properties": {"size": {"minimum": 1}}}}}]},
    {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
]


@pytest.mark.parametrize("schema", GOOD)
def test_good_schemas(schema):
    assert causes(definition(**schema)) == []


BAD: list[tuple[dict[str, Any], str]] = [
    ({"type": "string"}, '.type: Invalid value: "string": must be object at the root'),
    ({"properties": {}}, ".type: Required value: must not be empty at the root"),
    ({"type": "object", "nullable": True}, ".nullable: Forbidden: nullable cannot be true at the root"),
    (
        {"type": "object", "additionalProperties": TEXT},
        ".additionalProperties: Forbidden: must not be used at the root",
    ),
    (spec(a={}), ".properties[spec].properties[a].type: Required value: must not be empty for specified object fields"),
    (spec(a={"type": "array"}), ".properties[spec].properties[a].items: Required value: must be specified"),
    (
        spec(a={"type": "array", "items": {}}),
        "[a].items.type: Required value: must not be empty for specified array items",
    ),
    (spec(a={"type": "nothing"}), '[a].type: Unsupported value: "nothing": supported values: "array", "boolean"'),
    (
        spec(a={"type": "string", "pattern": "("}),
        '[a].pattern: Invalid value: "(": must be a valid regular expression, but isn\'t',
    ),
    (spec(a=TEXT | {"uniqueItems": True}), "[a].uniqueItems: Forbidden: uniqueItems cannot be set to true"),
    (
        spec(a={"type": "object", "properties": {"b": TEXT}, "additionalProperties": False}),
        "additionalProperties and properties are mutual exclusive",
    ),
    (spec(a=TEXT | {"$ref": "x"}), "[a].$ref: Forbidden: $ref is not supported"),
    (
        spec(a={"type": "array", "items": [TEXT]}),
        "[a].items: Forbidden: items must be a schema object and not an array",
    ),
    (spec(a=TEXT | {"x-kubernetes-preserve-unknown-fields": False}), "must be true or undefined"),
    (
        spec(a=TEXT | {"x-kubernetes-list-type": "set"}),
        '[a].type: Invalid value: "string": must be array if x-kubernetes-list-type is specified',
    ),
    (
        spec(a={"type": "array", "items": TEXT, "x-kubernetes-list-type": "bag"}),
        '"bag": supported values: "atomic", "set", "map"',
    ),
    (
        spec(a={"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "set"}),
        "must be atomic as item of a list with x-kubernetes-list-type=set",
    ),
    (
        spec(a={"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "map"}),
        "x-kubernetes-list-map-keys: Required value: must not be empty",
    ),
    (
        spec(
            a={
                "type": "array",
                "items": {"type": "object"},
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["b"],
            }
        ),
        "entries must all be names of item properties",
    ),
    (
        spec(
            a={
                "type": "array",
                "items": {"type": "object", "properties": {"b": TEXT}},
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["b"],
            }
        ),
        "it must have a default or be a required property",
    ),
    (
        spec(a={"type": "object", "x-kubernetes-embedded-resource": True}),
        "must not be empty if x-kubernetes-embedded-resource is true",
    ),
    (spec(a=TEXT) | {"anyOf": [{"type": "object"}]}, ".anyOf[0].type: Forbidden: must be empty to be structural"),
    (
        spec(a=TEXT) | {"allOf": [{"properties": {"b": {"minimum": 1}}}]},
        ".properties[b]: Required value: because it is defined in " + ROOT + ".allOf[0].properties[b]",
    ),
    (spec(a={"type": "integer", "default": "x"}), 'in body must be of type integer: "string"'),
    (
        spec(a={"type": "object", "default": {"b": 1}}),
        '[a].default: Invalid value: {"b":1}: must not have unknown fields',
    ),
    (spec(a={"type": "integer", "default": 9, "maximum": 5}), "in body should be less than or equal to 5"),
    (
        {
            "type": "object",
            "properties": {"metadata": {"type": "object", "properties": {"labels": {"type": "object"}}}},
        },
        "must not specify anything other than name and generateName",
    ),
    (
        {"type": "object", "properties": {"kind": {"type": "string", "default": "x"}}},
        "default: Forbidden: must not be set in top-level kind",
    ),
    (
        spec(a=TEXT | {"x-kubernetes-validations": [{"rule": " "}]}),
        "x-kubernetes-validations[0].rule: Required value: rule is not specified",
    ),
    (
        spec(a=TEXT | {"x-kubernetes-validations": [{"rule": "a", "reason": "Odd"}]}),
        '[0].reason: Unsupported value: "Odd"',
    ),
]


@pytest.mark.parametrize(("schema", "says"), BAD)
def test_bad_schemas(schema, says):
    found = causes(definition(**schema))
    assert any(says in cause for cause in found), found


CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"deprecationWarning": "x"}, "can only be set for deprecated versions"),
    ({"deprecated": True, "deprecationWarning": "a\nb"}, "non-printable character found at index 1"),
    (
        {"subresources": {"scale": {"specReplicasPath": ".status.n", "statusReplicasPath": ".status.n"}}},
        "should be a json path under .spec",
    ),
    (
        {"subresources": {"scale": {"specReplicasPath": ".spec.n", "statusReplicasPath": "status"}}},
        "must be a simple json path starting with .",
    ),
    (
        {"additionalPrinterColumns": [{"name": "a", "type": "thing", "jsonPath": ".a"}]},
        "must be one of boolean,date,integer,number,string",
    ),
    ({"additionalPrinterColumns": [{"name": "a", "type": "string", "jsonPath": "a"}]}, "JSONPath: Invalid value"),
    ({"selectableFields": [{"jsonPath": ".spec.none"}]}, "is an invalid path"),
    ({"selectableFields": [{"jsonPath": ".metadata.name"}]}, "is an invalid path"),
    ({"schema": None}, "Required value"),
    ({"name": "V1"}, "spec.versions[0].name: Invalid value"),
    ({"storage": False}, "must have exactly one version marked as storage version"),
]


@pytest.mark.parametrize(("change", "says"), CHANGES)
def test_bad_versions(change, says):
    found = causes(definition(change))
    assert any(says in cause for cause in found), found


@pytest.mark.parametrize(
    ("conversion", "says"),
    [
        ({"strategy": "Webhook"}, "required when strategy is set to Webhook"),
        ({"strategy": "Webhook", "webhook": {"clientConfig": {}}}, "exactly one of url or service is required"),
        (
            {
                "strategy": "Webhook",
                "webhook": {"clientConfig": {"url": "http://x"}, "conversionReviewVersions": ["v2"]},
            },
            "must include at least one of v1, v1beta1",
        ),
        (
            {"strategy": "None", "webhook": {"conversionReviewVersions": ["v1"]}},
            "should not be set when strategy is not set to Webhook",
        ),
    ],
)
def test_conversions(conversion, says):
    found = definition()
    found.spec.conversion = codec.from_dict(type(found.spec.conversion), conversion)
    assert any(says in cause for cause in causes(found)), causes(found)


def test_groups_of_the_community_need_an_approval():
    found = definition()
    found.spec.group, found.metadata.name = "toys.k8s.io", "toys.toys.k8s.io"
    assert any("protected groups must have approval annotation" in cause for cause in causes(found))
    found.metadata.annotations = {"api-approved.kubernetes.io": "https://example.com/1"}
    assert causes(found) == []


def test_versions_that_are_stored_stay():
    old = definition()
    new = codec.decode(KIND, codec.encode(old))
    new.spec.versions[0].name = "v2"
    new.status.stored_versions = ["v1", "v2"]
    new.metadata.resource_version = "1"
    found = validation.validate_update(KIND, new, old)
    assert [cause.field for cause in found] == ["status.storedVersions[0]"]
    assert "v1 was previously a storage version, and must remain in spec.versions" in found[0].message
