"""The protobuf form of /openapi/v2, for kubectl before 1.27: what it looks for, which is the definitions and what takes a dry run.

Field numbers are those of gnostic's OpenAPIv2.proto.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from api.protobuf_writing import piece
from controlplane.apiserver.openapi.schemas import GVK

Document = dict[str, Any]


def pack(document: Document) -> bytes:
    """The document in bytes."""
    info = _text(1, document["info"]["title"]) + _text(2, document["info"]["version"])
    paths = b"".join(
        piece(2, _text(1, path) + piece(2, _packed_path(item)))
        for path, item in document["paths"].items()
        if "patch" in item
    )
    return (
        _text(1, document["swagger"])
        + piece(2, info)
        + piece(8, paths)
        + piece(9, _packed_named(document["definitions"]))
    )


def _packed_path(item: Document) -> bytes:
    patch = item["patch"]
    parameters = b"".join(
        piece(8, _packed_parameter(parameter)) for parameter in patch["parameters"] if parameter["in"] == "query"
    )
    answer = piece(1, _text(1, "200") + piece(2, piece(1, _text(1, "OK"))))
    return piece(8, parameters + piece(9, answer) + _packed_extension(13, GVK, patch[GVK]))


def _packed_parameter(parameter: Mapping[str, str]) -> bytes:
    """ParametersItem > Parameter > NonBodyParameter > QueryParameterSubSchema."""
    query = _text(2, parameter["in"]) + _text(4, parameter["name"]) + _text(6, parameter["type"])
    return piece(1, piece(2, piece(3, query)))


def _packed_named(schemas: Mapping[str, Any]) -> bytes:
    """Definitions and Properties alike: named schemas, repeated."""
    return b"".join(piece(1, _text(1, name) + piece(2, _packed_schema(schema))) for name, schema in schemas.items())


def _packed_schema(schema: Mapping[str, Any]) -> bytes:
    packed = b""
    for key, value in schema.items():
        if key == "$ref":
            packed += _text(1, value)
        elif key == "format":
            packed += _text(2, value)
        elif key == "description":
            packed += _text(4, value)
        elif key == "enum":
            packed += b"".join(piece(20, _text(2, item)) for item in value)
        elif key == "additionalProperties":
            packed += piece(21, piece(1, _packed_schema(value)))
        elif key == "required":
            packed += b"".join(_text(19, name) for name in value)
        elif key == "type":
            packed += piece(22, _text(1, value))
        elif key == "items":
            packed += piece(23, piece(1, _packed_schema(value)))
        elif key == "properties":
            packed += piece(25, _packed_named(value))
        elif key.startswith("x-"):
            packed += _packed_extension(31, key, value)
    return packed


def _packed_extension(number: int, name: str, value: Any) -> bytes:
    """NamedAny > Any.yaml; JSON is YAML."""
    return piece(number, _text(1, name) + piece(2, _text(2, msgspec.json.encode(value).decode())))


def _text(number: int, value: str) -> bytes:
    return piece(number, value.encode())
