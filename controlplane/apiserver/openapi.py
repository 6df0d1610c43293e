"""/openapi/v3: what clients need to check and explain objects, generated from the types' declarations when first asked for.

kubectl looks here for the fields of a kind (`explain`, `apply`) and whether PATCH knows `fieldValidation` before it leaves validation to
the server. There are no descriptions: the declarations carry none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import msgspec

from api.fields import MICRO_TIME, QUANTITY, TIME, Field, IntOrString, Type, fields_of
from api.kinds import Kind
from controlplane.apiserver import status
from controlplane.apiserver.call import JSON, Answer, Call

ROOT = "/openapi/v3"
_SCALARS: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    bool: {"type": "boolean"},
    float: {"type": "number"},
    bytes: {"type": "string", "format": "byte"},
    IntOrString: {"type": "string", "format": "int-or-string"},
    TIME: {"type": "string", "format": "date-time"},
    MICRO_TIME: {"type": "string", "format": "date-time"},
    QUANTITY: {"type": "string"},
}
_WRITES = {"create": "post", "update": "put", "patch": "patch"}


class OpenApi:
    """The index and one document per group and version."""

    def __init__(self, kinds: Iterable[Kind[Any]]) -> None:
        self._table: dict[str, list[Kind[Any]]] = {}
        for kind in kinds:
            root = f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}"
            self._table.setdefault(root, []).append(kind)
        self._documents: dict[str, tuple[bytes, str]] = {}  # with their ETags
        self._index = b""

    def serve(self, call: Call) -> Answer | None:
        """The document at the path; None if it is none of ours."""
        if call.path != ROOT and not call.path.startswith(f"{ROOT}/"):
            return None
        if "application/json" not in call.accept and "*/*" not in call.accept and call.accept:
            raise status.not_acceptable((JSON,))
        root = call.path[len(ROOT) :].strip("/")
        if not root:
            return self._serve_index()
        if root not in self._table:
            raise status.no_such_path()
        body, tag = self._document(root)
        headers = (("ETag", tag),)
        return Answer(b"", 304, headers=headers) if call.has(tag) else Answer(body, headers=headers)

    def schemas(self) -> dict[str, Any]:
        """The schemas of all groups, by name."""
        found: dict[str, Any] = {}
        for kinds in self._table.values():
            found |= _describe(kinds)["components"]["schemas"]
        return found

    def _serve_index(self) -> Answer:
        if not self._index:
            hashes = {root: self._document(root)[1].strip('"') for root in self._table}
            paths = {root: {"serverRelativeURL": f"{ROOT}/{root}?hash={digest}"} for root, digest in hashes.items()}
            self._index = msgspec.json.encode({"paths": paths})
        return Answer(self._index)

    def _document(self, root: str) -> tuple[bytes, str]:
        known = self._documents.get(root)
        if known is None:
            body = msgspec.json.encode(_describe(self._table[root]))
            known = self._documents[root] = (body, _tag(body))
        return known


def _tag(body: bytes) -> str:
    return f'"{hashlib.sha512(body).hexdigest().upper()}"'


def _describe(kinds: list[Kind[Any]]) -> dict[str, Any]:
    schemas: dict[str, Any] = {}
    paths: dict[str, Any] = {}
    for kind in kinds:
        name = _add_schema(kind.type, schemas)
        schemas[name]["x-kubernetes-group-version-kind"] = [_gvk(kind)]
        place = {"namespace": "{namespace}"} if kind.namespaced else {}
        paths[kind.path(**place)] = _operations(kind, name, ("create",))
        paths[kind.path(**place, name="{name}")] = _operations(kind, name, ("update", "patch"))
    info = {"title": "Kubernetes", "version": "v1.36.0"}
    return {"openapi": "3.0.0", "info": info, "paths": paths, "components": {"schemas": schemas}}


def _gvk(kind: Kind[Any]) -> dict[str, str]:
    return {"group": kind.group, "version": kind.version, "kind": kind.name}


def _operations(kind: Kind[Any], schema: str, verbs: tuple[str, ...]) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
        for name in ("dryRun", "fieldManager", "fieldValidation", "pretty")
    ]
    body = {"content": {JSON: {"schema": {"$ref": f"#/components/schemas/{schema}"}}}}
    return {
        _WRITES[verb]: {
            "operationId": f"{verb}{kind.name}",
            "parameters": parameters,
            "requestBody": body,
            "responses": {"200": {"description": "OK", **body}},
            "x-kubernetes-action": verb,
            "x-kubernetes-group-version-kind": _gvk(kind),
        }
        for verb in verbs
        if verb in kind.verbs
    }


def _add_schema(cls: type[Type], schemas: dict[str, Any]) -> str:
    """Describe a type and all it is made of; its name among the schemas."""
    name = _name(cls)
    if name not in schemas:
        schemas[name] = {}  # types may contain themselves
        fields = fields_of(cls)
        schemas[name].update(
            type="object", properties={json: _property(field, schemas) for json, field in fields.items()}
        )
    return name


def _name(cls: type[Type]) -> str:
    module = cls.__module__.rpartition(".")[2]
    package, _, version = module.rpartition("_")
    root = "io.k8s.apimachinery.pkg.apis" if package == "meta" else "io.k8s.api"
    return f"{root}.{package}.{version}.{cls.__name__}"


def _property(field: Field, schemas: dict[str, Any]) -> dict[str, Any]:
    item = _item(field, schemas)
    if field.shape == "map":
        return {"type": "object", "additionalProperties": item}
    if field.shape == "list":
        found: dict[str, Any] = {"type": "array", "items": item}
        facts = field.facts
        if facts is not None and facts.merge:
            found["x-kubernetes-patch-strategy"] = "merge"
            if isinstance(facts.merge, str):
                found["x-kubernetes-patch-merge-key"] = facts.merge
        return found
    return item


def _item(field: Field, schemas: dict[str, Any]) -> dict[str, Any]:
    if field.struct is not None:
        return {"allOf": [{"$ref": f"#/components/schemas/{_add_schema(field.struct, schemas)}"}]}
    return dict(_SCALARS.get(field.item, {"type": "object"}))
