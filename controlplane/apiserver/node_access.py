"""What a node's agent may touch: itself and what its pods name, so that a stolen node credential is worth no more than that node.

`judge` is the authorizer's part, of names alone: Secrets, ConfigMaps, service accounts and claims are read one at a time, by name, and only
if a pod that is bound to the node refers to them; of nodes, pods, leases, CSINodes, attachments and slices of devices a node sees its
own. `restrict_writes` and `restrict_token` are admission's part: they look at what is to be written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from api import kinds
from api.authentication_v1 import TokenRequest
from api.kinds import Kind
from controlplane.apiserver import status
from controlplane.apiserver.access.attributes import Attributes, selected
from controlplane.apiserver.access.grants import Grant, Grants
from controlplane.apiserver.access.rules import line
from controlplane.apiserver.cache import Cache
from controlplane.apiserver.call import Call, User
from controlplane.apiserver.identity.users import NODE_PREFIX, NODES

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

LEASES = "kube-node-lease"
_WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
_SECRET, _CONFIG_MAP, _ACCOUNT, _CLAIM = "secrets", "configmaps", "serviceaccounts", "persistentvolumeclaims"
_DEVICES = "resourceclaims"
_READ = "get list watch"
RULES = (
    line("create", "tokenreviews", group="authentication.k8s.io"),
    line("create", "subjectaccessreviews localsubjectaccessreviews", group="authorization.k8s.io"),
    line(_READ, "services nodes pods configmaps secrets"),
    line("get", "endpoints serviceaccounts persistentvolumeclaims persistentvolumes"),
    line("create update patch", "nodes"),
    line("update patch", "nodes/status pods/status"),
    line("get update patch", "persistentvolumeclaims/status"),
    line("create delete", "pods"),
    line("create", "pods/eviction serviceaccounts/token"),
    line("create update patch", "events"),
    line("create update patch", "events", group="events.k8s.io"),
    line("create get list watch", "certificatesigningrequests", group="certificates.k8s.io"),
    line(_READ, "clustertrustbundles", group="certificates.k8s.io"),
    line("get create update patch delete", "leases", group="coordination.k8s.io"),
    line("get create update patch delete", "csinodes", group="storage.k8s.io"),
    line(_READ, "csidrivers", group="storage.k8s.io"),
    line("get", "volumeattachments", group="storage.k8s.io"),
    line("get", _DEVICES, group="resource.k8s.io"),
    line("create get list watch update patch delete deletecollection", "resourceslices", group="resource.k8s.io"),
    line(_READ, "runtimeclasses", group="node.k8s.io"),
)
_GRANTS = Grants((Grant("the rules of nodes", rule) for rule in RULES), ())
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
    "persistentVolumeClaim": (_CLAIM, ("claimName",)),
}


class _Meta(msgspec.Struct, gc=False):
    name: str = ""
    uid: str = ""


class _Spec(msgspec.Struct, gc=False):
    metadata: _Meta
    spec: dict[str, Any]
    status: dict[str, Any] = {}


_decoder = msgspec.json.Decoder(_Spec)


def node_of(user: User | None) -> str:
    """The node whose agent this is, "" for other users."""
    if user is None or NODES not in user.groups or not user.name.startswith(NODE_PREFIX):
        return ""
    return user.name.removeprefix(NODE_PREFIX)


def judge(node: str, wanted: Attributes, cache: Cache) -> str | None:
    """None if the node may do this by its rules; else why not, as far as there is more to say."""
    if _GRANTS.source(wanted) is None:
        return ""
    narrow = _NARROWED.get((wanted.group, wanted.resource))
    return narrow(node, wanted, cache) if narrow is not None else None


def restrict_writes(node: str, call: Call, core: Core) -> None:
    """Raise Forbidden if the path alone tells that the write is about another node. What has no name in its path yet is for admission."""
    target = call.target
    if call.verb not in _WRITES or target.kind is None or not target.name:
        return
    about = status.subject(target.kind, target.name)
    if target.kind is kinds.NODE and target.name != node:
        raise status.forbidden(about, f'node "{node}" is not allowed to modify node "{target.name}"')
    if target.kind is kinds.POD:
        entry = core.cache.resources[kinds.POD].entries.get(target.key)
        if entry is not None and entry.fields[0] != node:
            raise status.forbidden(about, f'node "{node}" can only act on pods with spec.nodeName set to itself')


def restrict_token(node: str, request: TokenRequest, call: Call, core: Core) -> str:
    """Raise Forbidden unless the token is bound to a pod on the node; an audience that the pod does not mention."""
    target, ref = call.target, request.spec.bound_object_ref
    about = status.subject(kinds.SERVICE_ACCOUNT, target.name)
    if ref is None or ref.api_version != "v1" or ref.kind != "Pod" or not ref.name:
        raise status.forbidden(about, "node requested token not bound to a pod")
    if not ref.uid:
        raise status.forbidden(about, "node requested token with a pod binding without a uid")
    entry = core.cache.resources[kinds.POD].entries.get(f"{target.namespace}/{ref.name}")
    if entry is None:
        raise status.not_found(status.subject(kinds.POD, ref.name))
    pod = _decoder.decode(entry.data)
    if pod.metadata.uid != ref.uid:
        why = f"the UID in the bound object reference ({ref.uid}) does not match the UID in record. "
        raise status.forbidden(about, why + "The object might have been deleted and then recreated")
    if entry.fields[0] != node:
        raise status.forbidden(about, "node requested token bound to a pod scheduled on a different node")
    asked = request.spec.audiences or [""]
    if len(asked) > 1:
        raise status.forbidden(about, "node may only request 0 or 1 audiences")
    return "" if asked[0] in _audiences(pod.spec) else asked[0]


def _audiences(spec: dict[str, Any]) -> set[str]:
    """For whom a pod has tokens mounted; "" is the API server, which every pod's own token is for."""
    sources = [one for volume in spec.get("volumes", ()) for one in volume.get("projected", {}).get("sources", ())]
    return {"", *(one["serviceAccountToken"].get("audience", "") for one in sources if "serviceAccountToken" in one)}


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


def _of_pod(pod: _Spec) -> Iterator[tuple[str, str]]:
    """What a pod refers to, with what was made for it and so has a name of its own."""
    yield from references(pod.spec)
    for volume in pod.spec.get("volumes", ()):
        if "ephemeral" in volume:
            yield _CLAIM, f"{pod.metadata.name}-{volume['name']}"
    made = [*pod.spec.get("resourceClaims", ()), *pod.status.get("resourceClaimStatuses", ())]
    made.append(pod.status.get("extendedResourceClaimStatus", {}))
    yield from ((_DEVICES, name) for one in made if (name := one.get("resourceClaimName")))


def _of_pods(node: str, wanted: Attributes, cache: Cache) -> str | None:
    """One object, to which a pod of the node refers."""
    if not wanted.namespace:
        return "can only read namespaced object of this type"
    if not wanted.name:
        return "No Object name found"
    named = wanted.resource, wanted.name
    return None if _any_names(named, node, wanted.namespace, cache) else _no_relationship(node)


def _secret(node: str, wanted: Attributes, cache: Cache) -> str | None:
    """One to which a pod of the node refers, or a volume of such a pod: storage drivers are given it on the node."""
    refused = _of_pods(node, wanted, cache)
    if refused != _no_relationship(node):
        return refused
    for entry in cache.resources[kinds.PERSISTENT_VOLUME].entries.values():
        if b"SecretRef" not in entry.data:  # spares decoding the others
            continue
        volume = _decoder.decode(entry.data)
        if (wanted.namespace, wanted.name) in _volume_secrets(volume.spec):
            about = replace(wanted, resource="persistentvolumes", namespace="", name=volume.metadata.name)
            if _volume(node, about, cache) is None:
                return None
    return refused


def _volume_secrets(spec: dict[str, Any]) -> set[tuple[str, str]]:
    """The Secrets that a driver's volume needs on a node, as (namespace, name)."""
    driven, home = spec.get("csi", {}), spec.get("claimRef", {}).get("namespace", "")
    refs = [driven.get(field) for field in ("nodeStageSecretRef", "nodePublishSecretRef", "nodeExpandSecretRef")]
    return {(ref.get("namespace") or home, ref["name"]) for ref in refs if ref and ref.get("name")}


def _any_names(named: tuple[str, str], node: str, namespace: str, cache: Cache) -> bool:
    """Whether a pod of the node refers to it."""
    pods = (entry for entry in cache.resources[kinds.POD].under(namespace) if entry.fields[0] == node)
    return any(named in _of_pod(_decoder.decode(entry.data)) for entry in pods)


def _volume(node: str, wanted: Attributes, cache: Cache) -> str | None:
    """The volume that is bound to a claim of one of its pods; who wrote the claim may name any volume."""
    entry = cache.resources[kinds.PERSISTENT_VOLUME].entries.get(wanted.name)
    claim = _decoder.decode(entry.data).spec.get("claimRef") if entry is not None else None
    if not claim:
        return _no_relationship(node)
    named = _CLAIM, claim.get("name", "")
    return None if _any_names(named, node, claim.get("namespace", ""), cache) else _no_relationship(node)


def _attachment(node: str, wanted: Attributes, cache: Cache) -> str | None:
    entry = cache.resources[kinds.VOLUME_ATTACHMENT].entries.get(wanted.name)
    own = entry is not None and _decoder.decode(entry.data).spec.get("nodeName") == node
    return None if own else _no_relationship(node)


def _slice(node: str, wanted: Attributes, cache: Cache) -> str | None:
    if wanted.verb == "create":
        return None  # admission sees whose it is to be
    if wanted.verb in ("list", "watch", "deletecollection"):
        own = selected(wanted.fields, "spec.nodeName") == node
        return None if own else "can only list/watch/deletecollection resourceslices with nodeName field selector"
    entry = cache.resources[kinds.RESOURCE_SLICE].entries.get(wanted.name)
    return None if entry is not None and entry.fields[0] == node else _no_relationship(node)


def _no_relationship(node: str) -> str:
    return f"no relationship found between node '{node}' and this object"


def _node(node: str, wanted: Attributes, cache: Cache) -> str | None:
    if wanted.verb not in ("get", "list", "watch") or wanted.name == node:
        return None
    what = f"'{wanted.name}'" if wanted.name else "all nodes"
    return f"node '{node}' cannot read {what}, only its own Node object"


def _pod(node: str, wanted: Attributes, cache: Cache) -> str | None:
    if wanted.verb not in ("get", "list", "watch"):
        return None
    if wanted.verb != "get" and selected(wanted.fields, "spec.nodeName") == node:
        return None
    if not wanted.name or not wanted.namespace:
        return "can only list/watch pods with spec.nodeName field selector"
    entry = cache.resources[kinds.POD].entries.get(f"{wanted.namespace}/{wanted.name}")
    return None if entry is not None and entry.fields[0] == node else _no_relationship(node)


def _lease(node: str, wanted: Attributes, cache: Cache) -> str | None:
    if wanted.namespace != LEASES:
        return f'can only access leases in the "{LEASES}" system namespace'
    if wanted.verb != "create" and wanted.name != node:
        return "can only access node lease with the same name as the requesting node"
    return None


def _csi_node(node: str, wanted: Attributes, cache: Cache) -> str | None:
    if wanted.verb != "create" and wanted.name != node:
        return "can only access CSINode with the same name as the requesting node"
    return None


def _by_resource(*pairs: tuple[Kind[Any], Callable[[str, Attributes, Cache], str | None]]) -> _Narrowed:
    return {(kind.group, kind.plural): narrow for kind, narrow in pairs}


_Narrowed = dict[tuple[str, str], Callable[[str, Attributes, Cache], str | None]]
_NARROWED: _Narrowed = _by_resource(
    (kinds.SECRET, _secret),
    (kinds.CONFIG_MAP, _of_pods),
    (kinds.SERVICE_ACCOUNT, _of_pods),
    (kinds.PERSISTENT_VOLUME_CLAIM, _of_pods),
    (kinds.PERSISTENT_VOLUME, _volume),
    (kinds.NODE, _node),
    (kinds.POD, _pod),
    (kinds.LEASE, _lease),
    (kinds.CSI_NODE, _csi_node),
    (kinds.VOLUME_ATTACHMENT, _attachment),
    (kinds.RESOURCE_CLAIM, _of_pods),
    (kinds.RESOURCE_SLICE, _slice),
)
