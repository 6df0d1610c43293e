"""What a node's agent may touch: itself and what its pods name, so that a stolen node credential is worth no more than that node.

Secrets, ConfigMaps and service accounts are read one at a time, by name, and only if a pod that is bound to the node refers to them; of
nodes, pods and leases it sees its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from api import kinds
from api.selectors import SelectorError, parse_fields
from controlplane.apiserver import status
from controlplane.apiserver.call import Call, User

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

LEASES = "kube-node-lease"
NODES, NODE_PREFIX = "system:nodes", "system:node:"
_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_SECRET, _CONFIG_MAP, _ACCOUNT = "secrets", "configmaps", "serviceaccounts"
# Where a pod's spec refers to other objects: the field, what it names, and in which of its fields.
_REFERENCES = {
    "secret": (_SECRET, ("secretName", "name")),
    "secretRef": (_SECRET, ("name",)),
    "secretKeyRef": (_SECRET, ("name",)),
    "nodePublishSecretRef": (_SECRET, ("name",)),
    "azureFile": (_SECRET, ("secretName",)),
    "imagePullSecrets": (_SECRET, ("name",)),
    "configMap": (_CONFIG_MAP, ("name",)),
    "configMapRef": (_CONFIG_MAP, ("name",)),
    "configMapKeyRef": (_CONFIG_MAP, ("name",)),
}


class _Spec(msgspec.Struct, gc=False):
    spec: dict[str, Any]


_decoder = msgspec.json.Decoder(_Spec)


def node_of(user: User | None) -> str:
    """The node whose agent this is, "" for other users."""
    if user is None or NODES not in user.groups or not user.name.startswith(NODE_PREFIX):
        return ""
    return user.name.removeprefix(NODE_PREFIX)


def restrict_node(node: str, call: Call, core: Core) -> None:
    """Raise Forbidden unless the call is about the node itself. What has no name in its path yet is for admission to check."""
    kind = call.target.kind
    if kind is kinds.SECRET or kind is kinds.CONFIG_MAP or kind is kinds.SERVICE_ACCOUNT:
        _restrict_reads(node, call, core)
    elif kind is kinds.LEASE:
        _restrict_leases(node, call)
    elif call.verb in _WRITES:
        _restrict_writes(node, call, core)
    elif kind is kinds.NODE:
        _restrict_node_reads(node, call)
    elif kind is kinds.POD:
        _restrict_pod_reads(node, call, core)


def references(spec: Any) -> Iterator[tuple[str, str]]:
    """The Secrets and ConfigMaps that a pod's spec names, as (resource, name)."""
    if isinstance(spec, list):
        for item in spec:
            yield from references(item)
    elif isinstance(spec, dict):
        if account := spec.get("serviceAccountName"):
            yield _ACCOUNT, account
        for field, value in spec.items():
            if field in _REFERENCES:
                resource, names = _REFERENCES[field]
                for one in value if isinstance(value, list) else [value]:
                    yield from ((resource, one[name]) for name in names if isinstance(one, dict) and one.get(name))
            yield from references(value)


def _restrict_reads(node: str, call: Call, core: Core) -> None:
    target = call.target
    assert target.kind is not None
    name = target.name or _selected(call, "metadata.name")
    about = status.subject(target.kind, target.name)
    if not name or not target.namespace:
        raise status.forbidden(about, f'node "{node}" can only read individual resources of this type')
    wanted = (target.kind.plural, name)
    for entry in core.cache.resources[kinds.POD].under(target.namespace):
        if entry.fields[0] == node and wanted in references(_decoder.decode(entry.data).spec):
            return
    raise status.forbidden(about, f"no relationship found between node '{node}' and this object")


def _selected(call: Call, path: str) -> str:
    """The value that the call's selector wants a field to have."""
    try:
        return parse_fields(call.query.get("fieldSelector", "")).exact(path) or ""
    except SelectorError:
        return ""  # the list itself will say what is wrong


def _restrict_node_reads(node: str, call: Call) -> None:
    asked = call.target.name or _selected(call, "metadata.name")
    if asked != node:
        what = f"'{asked}'" if asked else "all nodes"
        about = status.subject(kinds.NODE, call.target.name)
        raise status.forbidden(about, f"node '{node}' cannot read {what}, only its own Node object")


def _restrict_pod_reads(node: str, call: Call, core: Core) -> None:
    target = call.target
    if call.verb != "get" and _selected(call, "spec.nodeName") == node:
        return
    name = target.name or _selected(call, "metadata.name")
    about = status.subject(kinds.POD, target.name)
    if not name or not target.namespace:
        raise status.forbidden(about, "can only list/watch pods with spec.nodeName field selector")
    entry = core.cache.resources[kinds.POD].entries.get(f"{target.namespace}/{name}")
    if entry is None or entry.fields[0] != node:
        raise status.forbidden(about, f"no relationship found between node '{node}' and this object")


def _restrict_leases(node: str, call: Call) -> None:
    target = call.target
    about = status.subject(kinds.LEASE, target.name)
    if target.namespace != LEASES:
        raise status.forbidden(about, f'can only access leases in the "{LEASES}" system namespace')
    if call.verb != "create" and target.name != node:
        raise status.forbidden(about, "can only access node lease with the same name as the requesting node")


def _restrict_writes(node: str, call: Call, core: Core) -> None:
    target = call.target
    assert target.kind is not None
    about = status.subject(target.kind, target.name)
    if target.kind is kinds.NODE and target.name and target.name != node:
        raise status.forbidden(about, f'node "{node}" is not allowed to modify node "{target.name}"')
    if target.kind is kinds.POD and target.name:
        entry = core.cache.resources[kinds.POD].entries.get(target.key)
        if entry is not None and entry.fields[0] != node:
            raise status.forbidden(about, f'node "{node}" can only act on pods with spec.nodeName set to itself')
