"""Step: who may do what. Until roles are objects (their issue), the rules of the cluster's own users stand here.

`system:masters` may do everything. What a node may do by its rules is narrowed further in `node_access.py`. Everybody who has proved who
he is may read discovery; anybody may ask for health and version.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from api import kinds
from api.kinds import Kind
from controlplane.apiserver import status
from controlplane.apiserver.call import Call, User
from controlplane.apiserver.node_access import node_of, restrict_node

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

MASTERS = "system:masters"
_READ = ("get", "list", "watch")
_WRITE = ("create", "update", "patch", "delete", "deletecollection")
_ANYBODY = frozenset({"/healthz", "/livez", "/readyz", "/version"})
_DISCOVERY = ("/api", "/apis", "/openapi")

Rules = frozenset[tuple[str, str]]


def _rules(*lines: tuple[Iterable[str], str]) -> Rules:
    """Pairs of verb and resource from lines of verbs and resources."""
    return frozenset((verb, resource) for verbs, resources in lines for verb in verbs for resource in resources.split())


def _resource(kind: Kind[Any], subresource: str) -> str:
    """`pods`, `pods/status`, `deployments.apps`, `deployments/status.apps`: how rules name a resource."""
    if not subresource:
        return kind.resource
    return f"{kind.plural}/{subresource}" + (f".{kind.group}" if kind.group else "")


_EVENTS = (("create", "update", "patch"), "events events.events.k8s.io")
_SCHEDULER = _rules(
    (_READ, "pods nodes namespaces services replicasets.apps"),
    (("delete",), "pods"),
    (("create",), "pods/binding leases.coordination.k8s.io"),
    (("patch", "update"), "pods/status"),
    (("get", "update"), "leases.coordination.k8s.io"),
    _EVENTS,
)
_PROXY = _rules(
    (("list", "watch"), "services endpoints endpointslices.discovery.k8s.io namespaces"), (_READ, "nodes"), _EVENTS
)
_NODE = _rules(
    (_READ, "services nodes pods configmaps secrets"),
    (("get",), "endpoints serviceaccounts"),
    (("create", "update", "patch"), "nodes"),
    (("update", "patch"), "nodes/status"),
    (("get", "create", "update", "patch", "delete"), "leases.coordination.k8s.io"),
    (("create", "delete"), "pods"),
    (("patch", "update"), "pods/status"),
    (("create",), "serviceaccounts/token"),
    _EVENTS,
)
_CONTROLLERS = _rules(
    ((*_READ, *_WRITE), " ".join(kind.resource for kind in kinds.ALL)),
    (
        ("get", "update", "patch"),
        " ".join(
            _resource(kind, name)
            for kind in kinds.ALL
            for name in ("status", "scale", "finalize")
            if name in kind.subresources
        ),
    ),
    (("create",), "serviceaccounts/token"),
)
_USERS: dict[str, Rules] = {
    "system:kube-scheduler": _SCHEDULER,
    "system:kube-controller-manager": _CONTROLLERS,
    "system:kube-proxy": _PROXY,
}


def authorize(call: Call, core: Core) -> None:
    """Raise Forbidden unless the user may do this."""
    user = call.user
    assert user is not None
    if MASTERS in user.groups:
        return
    if call.target.kind is None:
        if not _may_read_path(user, call):
            raise status.forbidden(status.Subject("", ""), f'User "{user.name}" cannot {call.verb} path "{call.path}"')
        return
    if (call.verb, _resource(call.target.kind, call.target.subresource)) not in _rules_of(user):
        raise status.forbidden(status.subject(call.target.kind, call.target.name), _refusal(user, call))
    if node := node_of(user):
        restrict_node(node, call, core)


def _rules_of(user: User) -> Rules:
    if node_of(user):
        return _NODE
    return _USERS.get(user.name, frozenset())


def _may_read_path(user: User, call: Call) -> bool:
    if call.method not in ("GET", "HEAD"):
        return False
    path = call.path
    root = "/" + path.split("/", 2)[1]
    if root in _ANYBODY:
        return True
    return "system:authenticated" in user.groups and (root in _DISCOVERY or path == "/")


def _refusal(user: User, call: Call) -> str:
    target = call.target
    assert target.kind is not None
    where = f'in the namespace "{target.namespace}"' if target.namespace else "at the cluster scope"
    resource = f"{target.kind.plural}/{target.subresource}" if target.subresource else target.kind.plural
    what = f'resource "{resource}" in API group "{target.kind.group}"'
    return f'User "{user.name}" cannot {call.verb} {what} {where}'
