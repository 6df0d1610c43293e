"""/openapi/v3: an index, and one document for each group and version, made when first asked for.

kubectl looks here for the fields of a kind (`explain`, `apply`) and whether PATCH knows `fieldValidation` before it leaves validation to
the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any

import msgspec

from api.kinds import Kind
from controlplane.apiserver import status
from controlplane.apiserver.call import JSON, Answer, Call
from controlplane.apiserver.openapi.keeping import Kept, keep
from controlplane.apiserver.openapi.operations import PATCHES, Operation, everything, placeholders, root_of, roots
from controlplane.apiserver.openapi.schemas import GVK, INT_OR_STRING, PATCH, QUANTITY_NAME, Schemas

ROOT = "/openapi/v3"
_PREFIX = "#/components/schemas/"
_ANSWERS = (JSON, "application/vnd.kubernetes.protobuf", "application/yaml")
_WORDS = {200: "OK", 201: "Created", 202: "Accepted"}
# What this version can say of types that are written in more than one way.
_SEVERAL: dict[str, Any] = {
    INT_OR_STRING: {"oneOf": [{"type": "integer"}, {"type": "string"}]},
    QUANTITY_NAME: {"oneOf": [{"type": "string"}, {"type": "number"}]},
}
_UNAUTHORIZED = {"401": {"description": "Unauthorized"}}
Document = dict[str, Any]


class OpenApi:
    """The index and one document per group and version."""

    def __init__(self, kinds: Iterable[Kind[Any]], version: str) -> None:
        self._version = version
        kinds = list(kinds)
        self._table: dict[str, list[Kind[Any]]] = {root: [] for root in roots(kinds)}
        for kind in kinds:
            self._table[root_of(kind)].append(kind)
        self._documents: dict[str, Kept] = {}
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
        return self._document(root).answer(call, JSON)

    def _make_index(self) -> Answer:
        hashes = {root: self._document(root).tag.strip('"') for root in self._table}
        paths = {root: {"serverRelativeURL": f"{ROOT}/{root}?hash={digest}"} for root, digest in hashes.items()}
        self._index = msgspec.json.encode({"paths": paths})
        return Answer(self._index)

    def _document(self, root: str) -> Kept:
        known = self._documents.get(root)
        if known is None:
            document = describe(self._table[root], self._version, [root])
            known = self._documents[root] = keep(msgspec.json.encode(document))
        return known


def describe(kinds: Iterable[Kind[Any]], version: str, roots: Iterable[str]) -> Document:
    """The document of some kinds and roots of discovery."""
    schemas = Schemas()
    paths = {path: _path(path, methods) for path, methods in everything(kinds, roots, schemas).items()}
    found = {name: _written(schema) for name, schema in sorted(schemas.found.items())}
    for name, several in _SEVERAL.items():
        if name in found:
            found[name] = {key: value for key, value in found[name].items() if key != "type"} | several
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
    if all(operation.action for operation in methods.values()):
        found["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": _text("string")} for name in placeholders(path)
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
    if operation.action:
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
