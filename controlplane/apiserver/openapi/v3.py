"""/openapi/v3: an index, and one document for each group and version, made when first asked for.

kubectl looks here for the fields of a kind (`explain`, `apply`) and whether PATCH knows `fieldValidation` before it leaves validation to
the server.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Iterable
from typing import Any

import msgspec

from api.kinds import Kind
from controlplane.apiserver import status
from controlplane.apiserver.call import JSON, Answer, Call
from controlplane.apiserver.openapi.operations import PATCHES, Operation, operations
from controlplane.apiserver.openapi.schemas import GVK, INT_OR_STRING, PATCH, QUANTITY_NAME, Schemas

ROOT = "/openapi/v3"
_PREFIX = "#/components/schemas/"
_ANSWERS = (JSON, "application/vnd.kubernetes.protobuf", "application/yaml")
_WORDS = {200: "OK", 201: "Created", 202: "Accepted"}
# What this version can say of types that are written in more than one way.
_SEVERAL: dict[str, Any] = {
    INT_OR_STRING: {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
    QUANTITY_NAME: {"oneOf": [{"type": "string"}, {"type": "number"}]},
}
_UNAUTHORIZED = {"401": {"description": "Unauthorized"}}
Document = dict[str, Any]


class OpenApi:
    """The index and one document per group and version."""

    def __init__(self, kinds: Iterable[Kind[Any]], version: str) -> None:
        self._version = version
        self._table: dict[str, list[Kind[Any]]] = {}
        for kind in kinds:
            root = f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}"
            self._table.setdefault(root, []).append(kind)
        self._documents: dict[str, tuple[bytes, str]] = {}  # with their ETags
        self._index = b""

    def serve(self, call: Call) -> Answer | Awaitable[Answer] | None:
        """The document at the path; None if it is none of ours."""
        if call.path != ROOT and not call.path.startswith(f"{ROOT}/"):
            return None
        if "application/json" not in call.accept and "*/*" not in call.accept and call.accept:
            raise status.not_acceptable((JSON,))
        root = call.path[len(ROOT) :].strip("/")
        if not root:
            # All documents at once: a tenth of a second that nobody else has to wait.
            return Answer(self._index) if self._index else asyncio.to_thread(self._make_index)
        if root not in self._table:
            raise status.no_such_path()
        body, tag = self._document(root)
        headers = (("ETag", tag),)
        return Answer(b"", 304, headers=headers) if call.has(tag) else Answer(body, headers=headers)

    def _make_index(self) -> Answer:
        hashes = {root: self._document(root)[1].strip('"') for root in self._table}
        paths = {root: {"serverRelativeURL": f"{ROOT}/{root}?hash={digest}"} for root, digest in hashes.items()}
        self._index = msgspec.json.encode({"paths": paths})
        return Answer(self._index)

    def _document(self, root: str) -> tuple[bytes, str]:
        known = self._documents.get(root)
        if known is None:
            body = msgspec.json.encode(describe(self._table[root], self._version))
            tag = f'"{hashlib.sha512(body).hexdigest().upper()}"'
            known = self._documents[root] = (body, tag)
        return known


def describe(kinds: Iterable[Kind[Any]], version: str) -> Document:
    """The document of some kinds."""
    schemas = Schemas()
    schemas.shared()
    paths = {path: _path(path, methods) for kind in kinds for path, methods in operations(kind, schemas).items()}
    found = {name: _written(schema) for name, schema in sorted(schemas.found.items())}
    for name, several in _SEVERAL.items():
        if name in found:
            found[name] = several
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": version},
        "paths": dict(sorted(paths.items())),
        "components": {"schemas": found},
    }


def _written(schema: Any) -> Any:
    """References in the form of version 3: what stands beside one has to stand around it."""
    if isinstance(schema, list):
        return [_written(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("$ref"), str):  # and no property of that name
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        reference = {"$ref": _PREFIX + schema["$ref"]}
        return {"allOf": [reference], **beside} if beside else reference
    return {key: _written(value) for key, value in schema.items()}


def _path(path: str, methods: dict[str, Operation]) -> Document:
    found: Document = {method: _operation(operation) for method, operation in methods.items()}
    named = [name for name in ("name", "namespace", "path") if f"{{{name}}}" in path]
    found["parameters"] = [
        {"name": name, "in": "path", "required": True, "schema": _text("string")} for name in named
    ] + [{"name": "pretty", "in": "query", "schema": _text("string")}]
    return found


def _operation(operation: Operation) -> Document:
    found: Document = {"tags": [operation.tag], "operationId": operation.name}
    if operation.query:
        found["parameters"] = [{"name": name, "in": "query", "schema": _text(type_)} for name, type_ in operation.query]
    if operation.body:
        reference = {"schema": {"$ref": _PREFIX + operation.body}}
        forms = PATCHES if operation.body == PATCH else ("*/*",)
        found["requestBody"] = {"content": dict.fromkeys(forms, reference)}
        if not operation.action.startswith("delete"):
            found["requestBody"]["required"] = True
    found["responses"] = {
        str(code): {"description": _WORDS[code], **_content(operation)} for code in operation.codes
    } | _UNAUTHORIZED
    found["x-kubernetes-action"] = operation.action
    found[GVK] = operation.gvk
    return found


def _content(operation: Operation) -> Document:
    if not operation.answer:
        return {"content": {"*/*": {"schema": {"type": "string"}}}}
    reference = {"schema": {"$ref": _PREFIX + operation.answer}}
    forms = [*_ANSWERS]
    if operation.action == "list":
        forms += [f"{JSON};stream=watch", "application/vnd.kubernetes.protobuf;stream=watch"]
    return {"content": dict.fromkeys(forms, reference)}


def _text(type_: str) -> Document:
    return {"type": type_, "uniqueItems": True}
