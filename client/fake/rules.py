"""What an API server does to an object between a request and the store. Pure: objects in, objects out."""

from __future__ import annotations

import random
import uuid
from typing import Any

import msgspec

from api import codec, defaults, kinds, names, times, validation
from api.defaults.quantities import canonical_quantities
from api.kinds import Kind
from api.meta_v1 import StatusCause, StatusDetails
from api.resources import qos_class
from client import errors

Object = dict[str, Any]

_GENERATION = {kinds.POD: "spec", kinds.DEPLOYMENT: "spec", kinds.REPLICA_SET: "spec", kinds.ENDPOINT_SLICE: ""}
_SYSTEM = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink")
MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def read(kind: Kind[Any], body: bytes) -> Object:
    """A client's object: known fields only, defaults filled in, of the kind it should be."""
    try:
        obj = codec.decode(kind, body)
        canonical_quantities(obj)
    except codec.DecodeError as error:
        raise errors.make(400, str(error)) from error
    if (obj.kind, obj.api_version) != (kind.name, kind.api_version):
        raise errors.make(400, f"the object is a {obj.api_version} {obj.kind}, not a {kind.api_version} {kind.name}")
    defaults.apply(kind, obj)
    return codec.to_dict(obj)


def for_create(kind: Kind[Any], obj: Object, namespace: str, now: float, rng: random.Random) -> Object:
    """A new object: named, in its namespace, with the metadata that only the server sets, and a fresh status."""
    meta = {key: value for key, value in obj.get("metadata", {}).items() if key not in _SYSTEM}
    if meta.pop("resourceVersion", ""):
        raise errors.make(400, "resourceVersion should not be set on objects to be created")
    meta["namespace"] = at_home(kind, meta.get("namespace", ""), namespace)
    if not kind.namespaced:
        del meta["namespace"]
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = names.generate(meta["generateName"], rng)
    meta["uid"] = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    meta["creationTimestamp"] = times.format_time(now)
    if kind in _GENERATION:
        meta["generation"] = 1
    new = {**obj, "metadata": meta}
    if "status" in kind.subresources:
        new["status"] = _fresh_status(obj) if kind is kinds.POD else obj.get("status", {}) if kind is kinds.NODE else {}
    return new


def _fresh_status(pod: Object) -> Object:
    """A new pod waits, and knows its class of service from the start."""
    return {"phase": "Pending", "qosClass": qos_class(codec.from_dict(kinds.POD, pod).spec)}


def for_update(kind: Kind[Any], old: Object, new: Object, subresource: str) -> Object:
    """What replaces `old`: the part that this door may write, and the server's metadata as it was. Raises Conflict."""
    name = old["metadata"]["name"]
    meta = dict(new.get("metadata", {}))
    if meta.get("name", name) != name:
        raise errors.make(400, f"the name of the object ({meta['name']}) does not match the name on the URL ({name})")
    if (asked := meta.get("resourceVersion")) and asked != old["metadata"]["resourceVersion"]:
        raise conflict(kind, name, MODIFIED)
    if (asked := meta.get("uid")) and asked != old["metadata"]["uid"]:
        raise conflict(kind, name, precondition("UID", asked, old["metadata"]["uid"]))
    for field in (*_SYSTEM, "name", "namespace", "resourceVersion"):
        meta.pop(field, None)
        if field in old["metadata"]:
            meta[field] = old["metadata"][field]
    if subresource == "status":  # metadata can be written through this door as well
        kept = _kept(new, old, [part for part in old if part not in ("status", "metadata")])
        return kept | {"metadata": meta, "status": new.get("status", {})}
    result = {**new, "metadata": meta}
    if "status" in kind.subresources:
        result["status"] = old.get("status", {})
    if kind in _GENERATION and _changed(_GENERATION[kind], old, result):
        meta["generation"] = old["metadata"].get("generation", 0) + 1
    return result


def for_delete(kind: Kind[Any], old: Object, grace: int | None, now: float) -> Object | None:
    """What is left of an object after DELETE: None, or one that is marked and lives on for its grace or its finalizers."""
    meta = dict(old["metadata"])
    seconds = _grace(old, grace) if kind is kinds.POD else 0
    marked = "deletionTimestamp" in meta
    if marked:
        seconds = min(seconds, meta.get("deletionGracePeriodSeconds", 0))
    if seconds == 0 and not meta.get("finalizers"):
        return None
    if marked and seconds == meta.get("deletionGracePeriodSeconds"):
        return old
    meta["deletionTimestamp"] = times.format_time(now + seconds)
    meta["deletionGracePeriodSeconds"] = seconds
    if "generation" in meta:
        meta["generation"] += 1
    return {**old, "metadata": meta}


def check(kind: Kind[Any], new: Object, old: Object | None = None, subresource: str = "") -> None:
    """Refuse what breaks the rules of its kind. Services have no addresses here, so theirs are not checked."""
    if kind is kinds.SERVICE:
        return
    typed = codec.from_dict(kind, new)
    if old is None:
        causes = validation.validate_create(kind, typed)
    else:
        causes = validation.validate_update(kind, typed, codec.from_dict(kind, old), subresource)
    if causes:
        name = new["metadata"].get("name", "")
        listed = [StatusCause(reason=c.reason, message=c.message, field=c.field) for c in causes]
        details = StatusDetails(name=name or None, group=kind.group or None, kind=kind.name, causes=listed)
        raise errors.make(422, f'{kind.name} "{name}" is invalid: {validation.summary(causes)}', details=details)


def finished(obj: Object) -> bool:
    """Whether a marked object has nothing left to wait for."""
    meta = obj["metadata"]
    return "deletionTimestamp" in meta and not meta.get("finalizers") and not meta.get("deletionGracePeriodSeconds")


def token(account: Object, body: bytes, now: float, rng: random.Random) -> bytes:
    """The answer to a request for a token; nobody can check what is in it."""
    asked = msgspec.json.decode(body)
    seconds = asked["spec"].setdefault("expirationSeconds", 3600)
    meta = account["metadata"]
    text = f"{meta['namespace']}.{meta['name']}.{rng.getrandbits(64):x}"
    asked["status"] = {"token": text, "expirationTimestamp": times.format_time(now + seconds)}
    return msgspec.json.encode(asked)


def bind(pod: Object, binding: Object) -> Object:
    """The pod on the node that a Binding names."""
    name = pod["metadata"]["name"]
    if pod["metadata"].get("deletionTimestamp"):
        raise conflict(kinds.POD, name, f"pod {name} is being deleted, cannot be assigned to a host")
    if node := pod["spec"].get("nodeName"):
        raise conflict(kinds.POD, name, f'pod {name} is already assigned to node "{node}"')
    scheduled = {"type": "PodScheduled", "status": "True"}
    others = [item for item in pod["status"].get("conditions", []) if item["type"] != "PodScheduled"]
    return {
        **pod,
        "spec": {**pod["spec"], "nodeName": binding["target"]["name"]},
        "status": {**pod["status"], "conditions": [*others, scheduled]},
    }


def at_home(kind: Kind[Any], stated: str, asked: str) -> str:
    """The namespace of a write: the path's, which the object may repeat but not contradict."""
    if kind.namespaced and not asked:
        raise errors.make(400, f"an empty namespace may not be set during creation of {kind.plural}")
    if kind.namespaced and stated and stated != asked:
        raise errors.make(
            400, f"the namespace of the provided object does not match the namespace sent on the request ({asked})"
        )
    return asked


def not_found(kind: Kind[Any], name: str) -> errors.ApiError:
    """No object of that name."""
    return errors.make(404, f'{kind.resource} "{name}" not found', details=_details(kind, name))


def already_exists(kind: Kind[Any], name: str) -> errors.ApiError:
    """An object of that name is there."""
    return errors.make(409, f'{kind.resource} "{name}" already exists', "AlreadyExists", _details(kind, name))


def conflict(kind: Kind[Any], name: str, why: str) -> errors.ApiError:
    """The object is not what the writer thought it was."""
    message = f'Operation cannot be fulfilled on {kind.resource} "{name}": {why}'
    return errors.make(409, message, details=_details(kind, name))


def precondition(what: str, asked: str, found: str) -> str:
    """Why a precondition failed."""
    return f"Precondition failed: {what} in precondition: {asked}, {what} in object meta: {found}"


def _details(kind: Kind[Any], name: str) -> StatusDetails:
    return StatusDetails(name=name, group=kind.group or None, kind=kind.plural)


def _grace(pod: Object, asked: int | None) -> int:
    spec, status = pod.get("spec", {}), pod.get("status", {})
    if not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
        return 0
    seconds = asked if asked is not None else spec.get("terminationGracePeriodSeconds", 30)
    return seconds if seconds >= 0 else 1


def _kept(new: Object, old: Object, parts: list[str]) -> Object:
    return {**new, **{part: old[part] for part in parts}}


def _changed(part: str, old: Object, new: Object) -> bool:
    if part:
        return bool(old.get(part) != new.get(part))
    return {k: v for k, v in old.items() if k != "metadata"} != {k: v for k, v in new.items() if k != "metadata"}
