"""What somebody wants to do, as rules speak of it: a verb on a resource, or on a path that is no resource.

`of_call` takes it from a request that has been understood. `of_path` reads it from any path, also one that leads nowhere: whether there is
such a resource is told only to those who might use it.
"""

from __future__ import annotations

from dataclasses import dataclass

from api.selectors import SelectorError, parse_fields
from controlplane.apiserver.call import Call

_VERBS = {"POST": "create", "GET": "get", "HEAD": "get", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_OF_NAMESPACE = ("status", "finalize")
_COLLECTION = {"get": "list", "delete": "deletecollection"}
_SELECTING = ("list", "watch", "deletecollection")


@dataclass(frozen=True, slots=True)
class Attributes:
    """`path` is set for what is no resource, and then the rest is not. `fields` is a field selector, as text."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    fields: str = ""
    version: str = ""

    @property
    def combined(self) -> str:
        """`pods`, or `pods/status`: how rules name it."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


def of(call: Call) -> Attributes:
    """What a request wants, whether it leads anywhere or not."""
    return of_call(call) if call.problem is None else of_path(call)


def of_call(call: Call) -> Attributes:
    """What a request wants that `route` has understood."""
    target, verb = call.target, call.verb
    kind = target.asked
    if kind is None:
        return Attributes(verb, path=call.path)
    name, fields = target.name, ""
    if call.query and not name and verb in _SELECTING:
        fields = call.query.get("fieldSelector", "")
        name = selected(fields, "metadata.name") if verb != "deletecollection" else ""
    namespace = target.namespace
    if kind.plural == "namespaces" and not kind.group and target.name:
        namespace = target.name  # an object of its own namespace, so that roles in it count
    return Attributes(verb, kind.group, kind.plural, target.subresource, namespace, name, "", fields, kind.version)


def of_path(call: Call) -> Attributes:
    """What a request seems to want by its path alone."""
    parts = [part for part in call.path.strip("/").split("/") if part]
    known = {"api": 1, "apis": 2}.get(parts[0] if parts else "", 9)
    if len(parts) < known + 2:
        return Attributes(call.method.lower(), path=call.path)
    group = parts[1] if known == 2 else ""
    version, rest = parts[known], parts[known + 1 :]
    verb = _VERBS.get(call.method, "")
    if rest[0] in ("watch", "proxy") and len(rest) > 1:
        verb, rest = rest[0], rest[1:]
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 1:
        namespace = rest[1]
        if len(rest) > 2 and rest[2] not in _OF_NAMESPACE:
            rest = rest[2:]
    resource, name, subresource = [*rest, "", ""][:3]
    if not name:
        watching = call.query.get("watch", "") if call.query else ""
        verb = "watch" if verb == "get" and watching in ("1", "true") else _COLLECTION.get(verb, verb)
    return Attributes(verb, group, resource, subresource, namespace, name, version=version)


def selected(fields: str, path: str) -> str:
    """The value that a selector wants a field to have, "" for any."""
    if not fields:
        return ""
    try:
        return parse_fields(fields).exact(path) or ""
    except SelectorError:
        return ""  # the list itself will say what is wrong
