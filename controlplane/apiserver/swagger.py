"""/openapi/v2, which kubectl before 1.27 wants (Debian 12 has 1.20), in the protobuf form that it asks for, and as JSON.

The definitions are those of /openapi/v3 with references written the old way. Field numbers are those of gnostic's OpenAPIv2.proto.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from api.kinds import Kind
from controlplane.apiserver import status
from controlplane.apiserver.call import JSON, Answer, Call

PATH = "/openapi/v2"
PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_ASKED = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"  # no valid media type, so never answered
_GVK = "x-kubernetes-group-version-kind"
Document = dict[str, Any]


class Swagger:
    """The one document, made when first asked for."""

    def __init__(self, kinds: Iterable[Kind[Any]], schemas: Callable[[], Document]) -> None:
        self._kinds = list(kinds)
        self._schemas = schemas
        self._made: dict[str, tuple[bytes, str]] = {}

    def serve(self, call: Call) -> Answer | None:
        """The document; None for other paths."""
        if call.path != PATH:
            return None
        form = self._form(call.accept)
        if form not in self._made:
            document = _document(self._kinds, self._schemas())
            body = msgspec.json.encode(document) if form == JSON else _packed_document(document)
            self._made[form] = (body, f'"{hashlib.sha512(body).hexdigest().upper()}"')
        body, tag = self._made[form]
        headers = (("ETag", tag), ("Vary", "Accept"))
        if call.has(tag):
            return Answer(b"", 304, form, headers)
        return Answer(body, 200, form, headers)

    def _form(self, accept: str) -> str:
        for clause in accept.split(","):
            media = clause.partition(";")[0].strip()
            if media in (PROTOBUF, _ASKED):
                return PROTOBUF
            if media in (JSON, "*/*", "application/*", ""):
                return JSON
        raise status.not_acceptable((JSON, PROTOBUF))


def _document(kinds: list[Kind[Any]], schemas: Document) -> Document:
    """The document as JSON has it; the paths say only what kubectl looks for: which objects take a dry run."""
    paths = {}
    for kind in kinds:
        place = {"namespace": "{namespace}"} if kind.namespaced else {}
        gvk = {"group": kind.group, "version": kind.version, "kind": kind.name}
        parameters = [{"name": name, "in": "query", "type": "string"} for name in ("dryRun", "fieldValidation")]
        patch = {"parameters": parameters, "responses": {"200": {"description": "OK"}}, _GVK: gvk}
        paths[kind.path(**place, name="{name}")] = {"patch": patch}
    definitions = {name: _old_style(schema) for name, schema in schemas.items()}
    info = {"title": "Kubernetes", "version": "v1.36.0"}
    return {"swagger": "2.0", "info": info, "paths": paths, "definitions": definitions}


def _old_style(schema: Any) -> Any:
    """References without `allOf` around them, to definitions instead of components."""
    if isinstance(schema, list):
        return [_old_style(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "allOf" in schema:
        name = schema["allOf"][0]["$ref"].rpartition("/")[2]
        return {"$ref": f"#/definitions/{name}"}
    return {key: _old_style(value) for key, value in schema.items()}


# protobuf


def _packed_document(document: Document) -> bytes:
    info = _text(1, document["info"]["title"]) + _text(2, document["info"]["version"])
    paths = b"".join(
        _piece(2, _text(1, path) + _piece(2, _packed_path(item))) for path, item in document["paths"].items()
    )
    return (
        _text(1, document["swagger"])
        + _piece(2, info)
        + _piece(8, paths)
        + _piece(9, _packed_named(document["definitions"]))
    )


def _packed_path(item: Document) -> bytes:
    patch = item["patch"]
    parameters = b"".join(_piece(8, _packed_parameter(parameter)) for parameter in patch["parameters"])
    answer = _piece(1, _text(1, "200") + _piece(2, _piece(1, _text(1, "OK"))))
    return _piece(8, parameters + _piece(9, answer) + _packed_extension(13, _GVK, patch[_GVK]))


def _packed_parameter(parameter: Mapping[str, str]) -> bytes:
    """ParametersItem > Parameter > NonBodyParameter > QueryParameterSubSchema."""
    query = _text(2, parameter["in"]) + _text(4, parameter["name"]) + _text(6, parameter["type"])
    return _piece(1, _piece(2, _piece(3, query)))


def _packed_named(schemas: Mapping[str, Any]) -> bytes:
    """Definitions and Properties alike: named schemas, repeated."""
    return b"".join(_piece(1, _text(1, name) + _piece(2, _packed_schema(schema))) for name, schema in schemas.items())


def _packed_schema(schema: Mapping[str, Any]) -> bytes:
    packed = b""
    for key, value in schema.items():
        if key == "$ref":
            packed += _text(1, value)
        elif key == "format":
            packed += _text(2, value)
        elif key == "additionalProperties":
            packed += _piece(21, _piece(1, _packed_schema(value)))
        elif key == "type":
            packed += _piece(22, _text(1, value))
        elif key == "items":
            packed += _piece(23, _piece(1, _packed_schema(value)))
        elif key == "properties":
            packed += _piece(25, _packed_named(value))
        elif key.startswith("x-"):
            packed += _packed_extension(31, key, value)
    return packed


def _packed_extension(number: int, name: str, value: Any) -> bytes:
    """NamedAny > Any.yaml; JSON is YAML."""
    return _piece(number, _text(1, name) + _piece(2, _text(2, msgspec.json.encode(value).decode())))


def _text(number: int, value: str) -> bytes:
    return _piece(number, value.encode())


def _piece(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    packed = bytearray()
    while value > 0x7F:
        packed.append(value & 0x7F | 0x80)
        value >>= 7
    packed.append(value)
    return bytes(packed)
