"""Step: what a path and a method mean: a resource, a namespace, a name, a subresource and a verb."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from api import kinds
from api.kinds import Kind
from controlplane.apiserver import status
from controlplane.apiserver.call import NOWHERE, Call, Target

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

_ON_OBJECT = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_ON_COLLECTION = {"GET": "list", "POST": "create", "DELETE": "deletecollection"}
_PROXIED = _ON_OBJECT | {"HEAD": "get", "OPTIONS": ""}  # any method goes through; the verb is for the rules of access
PROXY = "proxy"
_LONGEST_KEPT = 200  # characters of a path: what is kept of strangers must be small
_NOT_WATCHED = frozenset({"", "0", "f", "F", "false", "FALSE", "False"})


class Routed(NamedTuple):
    """What `route` found; `path` is without the slash at its end where that makes no difference."""

    target: Target
    verb: str
    path: str


def route(call: Call, core: Core) -> None:
    """Set `call.target` and `call.verb`; a path outside the resources gets no kind and the method as verb."""
    asked = call.query.get("watch", "0") if call.query else "0"
    find = _known if len(call.path) < _LONGEST_KEPT else _routed
    call.target, call.verb, call.path = find(call.method, call.path, asked not in _NOT_WATCHED)


def _routed(method: str, path: str, watch: bool) -> Routed:
    """Raises StatusError."""
    if not path.startswith("/"):
        raise status.no_such_path()
    parts = path.split("/")
    if len(parts) > 3 and parts[1] == "api":
        group, version, rest = "", parts[2], parts[3:]
    elif len(parts) > 4 and parts[1] == "apis":
        group, version, rest = parts[2], parts[3], parts[4:]
    else:
        if parts[1] in ("api", "apis", "version"):  # client libraries ask for /version/ and /apis/apps/
            path = path.rstrip("/")
        return Routed(NOWHERE, method.lower(), path)
    slash = rest[-1] == ""
    if slash:
        rest.pop()
    if not rest:
        return Routed(NOWHERE, method.lower(), path.rstrip("/"))
    watched = rest[0] == "watch"
    target = _target(group, version, rest[1:] if watched else rest, slash)
    verb = _verb(method, target, watched, watch)
    _check(target, verb)
    return Routed(target, verb, path)


_known = lru_cache(maxsize=2048)(_routed)  # agents and controllers ask for the same few again and again


def _target(group: str, version: str, rest: list[str], slash: bool) -> Target:
    namespace = ""
    if len(rest) > 2 and rest[0] == "namespaces" and rest[2] not in kinds.NAMESPACE.subresources:
        namespace, rest = rest[1], rest[2:]
        if not namespace:
            raise status.no_such_path()
    if "" in rest[1:3]:
        raise status.no_such_path()
    kind: Kind[Any] | None = kinds.by_plural(group, version, rest[0]) if rest else None
    if kind is None or (namespace and not kind.namespaced) or (len(rest) > 3 and rest[2] != PROXY):
        raise status.no_such_path()
    name = rest[1] if len(rest) > 1 else ""
    if name and kind.namespaced and not namespace:
        raise status.no_such_path()
    subresource = rest[2] if len(rest) > 2 else ""
    if subresource == PROXY:
        return Target(kind, namespace, name, subresource, behind=_behind(rest[3:], slash))
    if kind.stored_as is not None:
        return Target(kind.stored_as, namespace, name, subresource, kind)
    return Target(kind, namespace, name, subresource)


def _behind(parts: list[str], slash: bool) -> str:
    """What follows the subresource, with its slashes."""
    path = "".join(f"/{part}" for part in parts)
    return path + "/" if slash and not path.endswith("/") else path


def _verb(method: str, target: Target, watched: bool, watch: bool) -> str:
    if watched:
        if method != "GET" or target.subresource:
            raise status.plain_method_not_allowed()
        return "watch"
    if method == "GET" and not target.name and watch:
        return "watch"
    if target.subresource == PROXY and method in _PROXIED:
        return _PROXIED[method]
    verb = (_ON_OBJECT if target.name else _ON_COLLECTION).get(method, "")
    if not verb or (verb == "create" and bool(target.name) is not bool(target.subresource)):
        raise status.plain_method_not_allowed()
    return verb


def _check(target: Target, verb: str) -> None:
    """The table of kinds says what may be done."""
    kind = target.kind
    assert kind is not None
    if target.subresource:
        subresource = kind.subresources.get(target.subresource)
        if subresource is None:
            raise status.no_such_path()
        verbs = subresource.verbs
    else:
        verbs = kind.verbs
    if verb not in verbs and (verb or target.subresource != PROXY):
        raise status.method_not_allowed(status.subject(kind, target.name), verb)
    if kind.namespaced and not target.namespace and verb in ("create", "deletecollection"):
        raise status.plain_method_not_allowed()
