"""/openapi/v2: one document for all, as JSON and in the protobuf form that old kubectls ask for; made when first asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from typing import Any

import msgspec

from api.kinds import Kind
from controlplane.apiserver import status
from controlplane.apiserver.call import JSON, Answer, Call
from controlplane.apiserver.openapi import packed
from controlplane.apiserver.openapi.keeping import Kept, keep
from controlplane.apiserver.openapi.operations import PATCHES, Operation, everything, placeholders, roots
from controlplane.apiserver.openapi.schemas import GVK, PATCH, Schemas

PATH = "/openapi/v2"
PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_ASKED = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"  # no valid media type, so never answered
_PREFIX = "#/definitions/"
_ANSWERS = [JSON, "application/yaml", "application/vnd.kubernetes.protobuf"]
_WORDS = {200: "OK", 201: "Created", 202: "Accepted"}
Document = dict[str, Any]


class Swagger:
    """The one document in its two forms."""

    def __init__(self, kinds: Iterable[Kind[Any]], version: str) -> None:
        self._kinds = list(kinds)
        self._version = version
        self._made: dict[str, Kept] = {}

    def serve(self, call: Call) -> Answer | Awaitable[Answer] | None:
        """The document; None for other paths."""
        if call.path != PATH:
            return None
        form = _form(call.accept)
        return self._answer(form, call) if form in self._made else asyncio.to_thread(self._answer, form, call)

    def _answer(self, form: str, call: Call) -> Answer:
        if form not in self._made:
            document = describe(self._kinds, self._version)
            self._made[form] = keep(msgspec.json.encode(document) if form == JSON else packed.pack(document))
        return self._made[form].answer(call, form, (("Vary", "Accept"),))


def _form(accept: str) -> str:
    for clause in accept.split(","):
        media = clause.partition(";")[0].strip()
        if media in (PROTOBUF, _ASKED):
            return PROTOBUF
        if media in (JSON, "*/*", "application/*", ""):
            return JSON
    raise status.not_acceptable((JSON, PROTOBUF))


def describe(kinds: Iterable[Kind[Any]], version: str) -> Document:
    """The document as JSON has it."""
    schemas, kinds = Schemas(), list(kinds)
    paths = {path: _path(path, methods) for path, methods in everything(kinds, roots(kinds), schemas).items()}
    security = {"type": "apiKey", "name": "authorization", "in": "header"}
    return {
        "swagger": "2.0",
        "info": {"title": "Kubernetes", "version": version},
        "paths": dict(sorted(paths.items())),
        "definitions": {name: _written(schema) for name, schema in sorted(schemas.found.items())},
        "securityDefinitions": {"BearerToken": security},
        "security": [{"BearerToken": []}],
    }


def _written(schema: Any) -> Any:
    """References in the form of version 2."""
    if isinstance(schema, list):
        return [_written(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _PREFIX + value if key == "$ref" and isinstance(value, str) else _written(value)
        for key, value in schema.items()
    }


def _path(path: str, methods: dict[str, Operation]) -> Document:
    found: Document = {method: _operation(operation) for method, operation in methods.items()}
    if all(operation.action for operation in methods.values()):
        found["parameters"] = [
            {"name": name, "in": "path", "required": True, "type": "string", "uniqueItems": True}
            for name in placeholders(path)
        ] + [_query("pretty", "string")]
    return found


def _operation(operation: Operation) -> Document:
    parameters = [_query(name, type_) for name, type_ in operation.query]
    if operation.body:
        body: Document = {"name": "body", "in": "body", "schema": {"$ref": _PREFIX + operation.body}}
        if not operation.action.startswith("delete"):
            body["required"] = True
        parameters.insert(0, body)
    answer = {"$ref": _PREFIX + operation.answer} if operation.answer else {"type": "string"}
    answers = {str(code): {"description": _WORDS[code], "schema": answer} for code in operation.codes}
    watched = [f"{form};stream=watch" for form in (JSON, "application/vnd.kubernetes.protobuf")]
    marks = {"x-kubernetes-action": operation.action, GVK: operation.gvk} if operation.action else {}
    return {
        "tags": [operation.tag],
        "operationId": operation.name,
        "schemes": ["https"],
        "consumes": list(PATCHES) if operation.body == PATCH else ["*/*"],
        "produces": [*_ANSWERS, *(watched if operation.action == "list" else [])] if operation.answer else ["*/*"],
        "parameters": parameters,
        "responses": answers | {"401": {"description": "Unauthorized"}},
        **marks,
    }


def _query(name: str, type_: str) -> Document:
    return {"name": name, "in": "query", "type": type_, "uniqueItems": True}
