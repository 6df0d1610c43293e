"""What may be done at which path with a kind: the operations that OpenAPI lists, whatever its version.

The old `/watch/` paths are served and not listed: to watch is a parameter of a list.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from api import meta_v1
from api.fields import Type
from api.kinds import Kind, Subresource
from controlplane.apiserver.openapi.schemas import DELETE_OPTIONS, PATCH, STATUS, Schemas

METHODS = {"get": "get", "list": "get", "create": "post", "update": "put", "patch": "patch"}
METHODS |= {"delete": "delete", "deletecollection": "delete"}
PATCHES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
_WORDS = {"get": "read", "list": "list", "create": "create", "update": "replace", "patch": "patch", "delete": "delete"}
_ACTIONS = {"create": "post", "update": "put"}
_BY_METHOD = {"get": "get", "create": "post", "update": "put", "patch": "patch", "delete": "delete"}
_CONNECTIONS = frozenset({"attach", "exec", "portforward", "proxy"})

# Query parameters: name and type.
Parameters = tuple[tuple[str, str], ...]
_WRITE: Parameters = (("dryRun", "string"), ("fieldManager", "string"), ("fieldValidation", "string"))
_REMOVE: Parameters = (
    ("dryRun", "string"),
    ("gracePeriodSeconds", "integer"),
    ("orphanDependents", "boolean"),
    ("propagationPolicy", "string"),
)
_SELECT: Parameters = (
    ("allowWatchBookmarks", "boolean"),
    ("continue", "string"),
    ("fieldSelector", "string"),
    ("labelSelector", "string"),
    ("limit", "integer"),
    ("resourceVersion", "string"),
    ("resourceVersionMatch", "string"),
    ("sendInitialEvents", "boolean"),
    ("timeoutSeconds", "integer"),
)
_WATCH: Parameters = (*_SELECT, ("watch", "boolean"))
_LOG: Parameters = (
    ("container", "string"),
    ("follow", "boolean"),
    ("insecureSkipTLSVerifyBackend", "boolean"),
    ("limitBytes", "integer"),
    ("previous", "boolean"),
    ("sinceSeconds", "integer"),
    ("stream", "string"),
    ("tailLines", "integer"),
    ("timestamps", "boolean"),
)
_STREAMS: Parameters = (
    ("container", "string"),
    ("stderr", "boolean"),
    ("stdin", "boolean"),
    ("stdout", "boolean"),
    ("tty", "boolean"),
)
_CONNECT: dict[str, Parameters] = {
    "attach": _STREAMS,
    "exec": (("command", "string"), *_STREAMS),
    "portforward": (("ports", "integer"),),
    "proxy": (("path", "string"),),
}

# What is served at a root of discovery, by how far down it is: its type, the end of the operation's name, and its tag if it is of no group.
_DISCOVERED: dict[tuple[str, bool, bool], tuple[type[Type], str, str]] = {
    ("api", False, False): (meta_v1.APIVersions, "APIVersions", ""),
    ("api", False, True): (meta_v1.APIResourceList, "APIResources", ""),
    ("apis", False, False): (meta_v1.APIGroupList, "APIVersions", "apis"),
    ("apis", True, False): (meta_v1.APIGroup, "APIGroup", ""),
    ("apis", True, True): (meta_v1.APIResourceList, "APIResources", ""),
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One method at one path. `body` and `answer` are names of schemas; "" for none, or plain text."""

    name: str  # operationId
    tag: str
    action: str  # "" for what is done with no kind
    gvk: dict[str, str]
    query: Parameters
    body: str
    answer: str
    codes: tuple[int, ...] = (200,)


Paths = dict[str, dict[str, Operation]]


def everything(kinds: Iterable[Kind[Any]], roots: Iterable[str], schemas: Schemas) -> Paths:
    """All of some kinds, and of some roots of discovery; adds the schemas."""
    kinds = list(kinds)
    if kinds:
        schemas.shared(kinds)
    paths: Paths = {}
    for root in roots:
        paths |= _discovery(root, schemas)
    for kind in kinds:
        paths |= operations(kind, schemas)
    return paths


def roots(kinds: Iterable[Kind[Any]]) -> list[str]:
    """Where kinds are told of, from the top: `apis`, `apis/apps`, `apis/apps/v1`."""
    found = {root_of(kind) for kind in kinds}
    parts = [root.split("/") for root in found]
    return sorted({"/".join(part[: end + 1]) for part in parts for end in range(len(part))})


def root_of(kind: Kind[Any]) -> str:
    """The root of a kind's group and version."""
    return f"apis/{kind.group}/{kind.version}" if kind.group else f"api/{kind.version}"


def operations(kind: Kind[Any], schemas: Schemas) -> Paths:
    """All of a kind and its subresources, by path and method; adds their schemas."""
    paths: Paths = {}
    words = _group(kind.group) + kind.version.capitalize()
    kept = "list" in kind.verbs or "get" in kind.verbs
    place = {"namespace": "{namespace}"} if kind.namespaced else {}
    scope = "Namespaced" if kind.namespaced else ""
    collection = {verb: _of_kind(kind, verb, f"{words}{{}}{scope}{kind.name}", schemas) for verb in kind.verbs}
    if kind.namespaced and "list" in kind.verbs:
        everywhere = _of_kind(kind, "list", f"{words}{{}}{kind.name}ForAllNamespaces", schemas)
        paths[kind.path()] = {"get": everywhere}
    _put(paths, kind.path(**place), collection, ("list", "create", "deletecollection"))
    if kept:
        _put(paths, kind.path(**place, name="{name}"), collection, ("get", "update", "patch", "delete"))
    for name, sub in kind.subresources.items():
        path = kind.path(**place, name="{name}", subresource=name)
        template = f"{words}{{}}{scope}{kind.name}{name.capitalize()}"
        if name in _CONNECTIONS:
            paths[path] = _connections(kind, sub, template)
            if name == "proxy":
                paths[path + "/{path}"] = _connections(kind, sub, f"{template}WithPath")
            continue
        answer = _body_of(sub, schemas)
        found = {verb: _operation(kind, verb, template, answer, sub) for verb in sub.verbs}
        _put(paths, path, found, ("get", "create", "update", "patch"))
    return {path: methods for path, methods in paths.items() if methods}


def _discovery(path: str, schemas: Schemas) -> Paths:
    root, group, version = (*path.split("/"), "", "")[:3]
    if root == "api":
        group, version = "", group
    at = (root, bool(group), bool(version))
    words = "" if root == "apis" and not group else _group(group)
    type_, tail, tag = _DISCOVERED[at]
    answer = schemas.add(type_)
    tag = tag or _lower(_group(group)) + (f"_{version}" if version else "")
    name = f"get{words}{version.capitalize()}{tail}"
    return {f"/{path}/": {"get": Operation(name, tag, "", {}, (), "", answer)}}


def placeholders(path: str) -> list[str]:
    """The parameters that stand in a path."""
    return [name for name in ("name", "namespace", "path") if f"{{{name}}}" in path]


def _of_kind(kind: Kind[Any], verb: str, template: str, schemas: Schemas) -> Operation:
    own = schemas.kind(kind)
    listed = schemas.listing(kind) if verb == "list" else own
    return _operation(kind, verb, template, listed, None)


def _put(paths: Paths, path: str, found: dict[str, Operation], verbs: tuple[str, ...]) -> None:
    at = paths.setdefault(path, {})
    for verb in verbs:
        if verb in found:
            at[METHODS[verb]] = found[verb]


def _operation(kind: Kind[Any], verb: str, template: str, schema: str, sub: Subresource | None) -> Operation:
    head, _, tail = template.partition("{}")
    name = f"{_WORDS.get(verb, 'delete')}{head}{'Collection' if verb == 'deletecollection' else ''}{tail}"
    gvk = _gvk(kind, sub)
    tag = f"{_lower(_group(kind.group))}_{kind.version}"
    action = _ACTIONS.get(verb, verb)
    log = sub is not None and sub.name == "log"
    if verb in ("get", "list"):
        query = _WATCH if verb == "list" else _LOG if log else ()
        return Operation(name, tag, action, gvk, query, "", "" if log else schema)
    if verb in ("delete", "deletecollection"):
        removed = STATUS if verb == "deletecollection" else schema if _shown(kind) else STATUS
        query = (*_REMOVE, *_SELECT) if verb == "deletecollection" else _REMOVE
        codes: tuple[int, ...] = (200,) if verb == "deletecollection" else (200, 202)
        return Operation(name, tag, action, gvk, query, DELETE_OPTIONS, removed, codes)
    if verb == "patch":
        return Operation(name, tag, action, gvk, (*_WRITE, ("force", "boolean")), PATCH, schema, (200, 201))
    codes = (200, 201, 202) if verb == "create" else (200, 201)
    return Operation(name, tag, action, gvk, _WRITE, schema, schema, codes)


def _connections(kind: Kind[Any], sub: Subresource, template: str) -> dict[str, Operation]:
    head, _, tail = template.partition("{}")
    methods = [_BY_METHOD[verb] for verb in _BY_METHOD if verb in sub.verbs]
    if sub.name == "proxy":
        methods += ["head", "options"]
    tag, gvk = f"{_lower(_group(kind.group))}_{kind.version}", _gvk(kind, sub)
    return {
        method: Operation(f"connect{head}{method.capitalize()}{tail}", tag, "connect", gvk, _CONNECT[sub.name], "", "")
        for method in methods
    }


def _body_of(sub: Subresource, schemas: Schemas) -> str:
    """The schema of what a subresource takes and gives, which may be of another group."""
    from api import authentication_v1, autoscaling_v1, core_v1, policy_v1
    from api.kinds import by_name

    others: dict[str, type[Type]] = {
        "Binding": core_v1.Binding,
        "Eviction": policy_v1.Eviction,
        "Scale": autoscaling_v1.Scale,
        "TokenRequest": authentication_v1.TokenRequest,
    }
    api_version = f"{sub.group}/{sub.version}" if sub.group else sub.version
    kind = by_name(api_version, sub.kind)
    if kind is not None:
        return schemas.kind(kind)
    name = schemas.add(others[sub.kind])
    schemas.mark(name, sub.group, sub.version, sub.kind)
    return name


def _shown(kind: Kind[Any]) -> bool:
    from controlplane.apiserver.strategies import strategy

    return strategy(kind).returns_deleted


def _gvk(kind: Kind[Any], sub: Subresource | None) -> dict[str, str]:
    if sub is None:
        return {"group": kind.group, "version": kind.version, "kind": kind.name}
    return {"group": sub.group, "version": sub.version, "kind": sub.kind}


def _group(group: str) -> str:
    """`core`, `apps`, `rbac.authorization.k8s.io` as they stand in operations: Core, Apps, RbacAuthorization."""
    return "".join(part[0].upper() + part[1:] for part in (group or "core").removesuffix(".k8s.io").split("."))


def _lower(words: str) -> str:
    return words[0].lower() + words[1:]
