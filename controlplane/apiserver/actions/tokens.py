"""serviceaccounts/token: a new token for a service account, bound to a pod, a secret, a node or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from api import kinds, times
from api.authentication_v1 import BoundObjectReference, TokenRequest, TokenRequestStatus
from api.kinds import Kind
from api.validation.authentication_v1 import token_request
from api.validation.problems import INVALID, Cause, Problems
from controlplane.apiserver import node_access, status
from controlplane.apiserver.access.attributes import Attributes
from controlplane.apiserver.access.decisions import may
from controlplane.apiserver.actions import asked
from controlplane.apiserver.call import Call, Found
from controlplane.apiserver.entry import object_key
from controlplane.apiserver.identity.claims import Asked, Bound, Ref
from controlplane.apiserver.steps.mutate import new_uid

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

HOUR = 3600
_AUDIENCES = "request-serviceaccounts-token-audience"
_GROUP, _NAME = "authentication.k8s.io", "TokenRequest"


class _Meta(msgspec.Struct, gc=False):
    uid: str = ""


class _Spec(msgspec.Struct, gc=False, rename="camel"):
    service_account_name: str = ""
    node_name: str = ""


class _Object(msgspec.Struct, gc=False):
    metadata: _Meta
    spec: _Spec = msgspec.field(default_factory=_Spec)


_object = msgspec.json.Decoder(_Object)


def token(call: Call, core: Core) -> Found:
    """POST."""
    issuer, target = core.issuer, call.target
    if issuer is None:
        raise status.no_such_path()
    request = asked.read(call, TokenRequest)
    if node := node_access.node_of(call.user):
        _restrict_node(node, request, call, core)
    _check_identity(request, target.namespace, target.name)
    account = Ref(target.name, _find(core, kinds.SERVICE_ACCOUNT, target.namespace, target.name).metadata.uid)
    now = core.clock.now()
    _complete(request, account, target.namespace, issuer.audiences, times.format_time(now))
    found = Problems()
    token_request(found, request)
    asked.refuse(_NAME, _GROUP, found)
    spec = request.spec
    bound = _bound(core, spec.bound_object_ref, account.name, target.namespace)
    seconds = spec.expiration_seconds or HOUR
    wanted = Asked(target.namespace, account, bound, tuple(spec.audiences), seconds)
    made = issuer.issue(wanted, new_uid(), now)
    request.status = TokenRequestStatus(token=made, expiration_timestamp=times.format_time(now + seconds))
    return asked.answer(call, request)


def _check_identity(request: TokenRequest, namespace: str, name: str) -> None:
    """The body may name the account, but no other one."""
    meta = request.metadata
    for field, value, expected in (("name", meta.name, name), ("namespace", meta.namespace, namespace)):
        if value and value != expected:
            why = f'Invalid value: "{value}": must match the service account {field} if specified'
            raise status.invalid_object(_GROUP, _NAME, name, [Cause(f"metadata.{field}", INVALID, why)])


def _restrict_node(node: str, request: TokenRequest, call: Call, core: Core) -> None:
    """A node gets tokens of its own pods, for those whom the pod has tokens mounted for; a role may allow others."""
    audience = node_access.restrict_token(node, request, call, core)
    if not audience:
        return
    assert call.user is not None
    target = call.target
    wanted = Attributes(_AUDIENCES, "", audience, "", target.namespace, target.name)
    if not may(call.user, wanted, core):
        why = f'audience "{audience}" not found in pod spec volume, '
        why += f"{call.user.name} is not authorized to request tokens for this audience"
        raise status.forbidden(status.subject(kinds.SERVICE_ACCOUNT, target.name), why)


def _complete(request: TokenRequest, account: Ref, namespace: str, audiences: tuple[str, ...], now: str) -> None:
    meta, spec = request.metadata, request.spec
    if meta.uid and meta.uid != account.uid:
        why = f"the UID in the token request ({meta.uid}) does not match the UID of the service account ({account.uid})"
        raise status.conflict(status.Subject(_GROUP, _NAME, account.name), why)
    meta.name, meta.namespace, meta.uid, meta.creation_timestamp = account.name, namespace, account.uid, now
    spec.audiences = spec.audiences or list(audiences)
    if spec.expiration_seconds is None:
        spec.expiration_seconds = HOUR


def _bound(core: Core, ref: BoundObjectReference | None, account: str, namespace: str) -> Bound:
    """The objects that the token is bound to, as they are now."""
    if ref is None:
        return Bound()
    group, slash, version = (ref.api_version or "").rpartition("/")
    what = ref.kind if not slash else ""
    name = ref.name or ""
    if what == "Pod":
        pod = _find(core, kinds.POD, namespace, name)
        if pod.spec.service_account_name != account:
            raise status.bad_request(
                f'cannot bind token for serviceaccount "{account}" to pod running with different serviceaccount name.'
            )
        bound, uid = Bound(pod=Ref(name, pod.metadata.uid), node=_node(core, pod.spec.node_name)), pod.metadata.uid
    elif what == "Node":
        uid = _find(core, kinds.NODE, "", name).metadata.uid
        bound = Bound(node=Ref(name, uid))
    elif what == "Secret":
        uid = _find(core, kinds.SECRET, namespace, name).metadata.uid
        bound = Bound(secret=Ref(name, uid))
    else:
        raise status.bad_request(f"cannot bind token to object of type {group}/{version}, Kind={ref.kind or ''}")
    if ref.uid and ref.uid != uid:
        why = f"the UID in the bound object reference ({ref.uid}) does not match the UID in record. "
        why += "The object might have been deleted and then recreated"
        raise status.conflict(status.Subject(group, what or "", name), why)
    return bound


def _node(core: Core, name: str) -> Ref | None:
    """A pod's node; by its name alone if there is no such object."""
    if not name:
        return None
    entry = core.cache.resources[kinds.NODE].entries.get(name)
    return Ref(name, _object.decode(entry.data).metadata.uid if entry is not None else "")


def _find(core: Core, kind: Kind[Any], namespace: str, name: str) -> _Object:
    entry = core.cache.resources[kind].entries.get(object_key(namespace, name))
    if entry is None:
        raise status.not_found(status.subject(kind, name))
    return _object.decode(entry.data)
