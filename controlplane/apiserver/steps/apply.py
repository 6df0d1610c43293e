"""A part of the step `decode`: an applied configuration merged into the object, there or not, and the owners of its fields then."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from api import autoscaling_v1, codec
from api.apply import check, managers, ownership, sets
from api.apply.compare import compare, named
from api.apply.managers import APPLY, Identity, Managed, Owner
from api.apply.objects import blank_of
from api.apply.ownership import Applier, Conflicts, Rules
from api.apply.schema import ItemError, shape_of
from api.apply.sets import Set
from api.fields import Type
from controlplane.apiserver import fieldmanagers, status, write_options
from controlplane.apiserver.steps.manage import account, decoded
from controlplane.apiserver.views import View
from controlplane.apiserver.write import Write
from kit import documents

APPLY_YAML = "application/apply-patch+yaml"
KUBECTL = "kubectl"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_LONGEST_YAML = 256 * 1024  # read at 5 us a byte, while everybody waits
_REPLICAS = sets.of(sets.field("spec", "replicas"))


def applied(write: Write, view: View) -> Any:
    """The typed body that results; sets `write.managed`. Raises StatusError."""
    call = write.call
    name = fieldmanagers.manager(call, apply=True)
    by = Applier(name, write.now, force=fieldmanagers.forced(call))
    config = _read(call.body)
    blank = blank_of(view.type)
    _check_identity(config, blank, write)
    rules = _rules(write, view)
    problems = check.problems(rules.shape, config)
    if problems:
        raise status.bad_request(f"failed to create typed patch object ({_about(config, blank)}): {problems}")
    live = view.show(write.old, write.entry) if write.entry is not None else blank
    live = {**live, "metadata": {k: v for k, v in live["metadata"].items() if k != "managedFields"}}
    parent = decoded(write.old.metadata.managed_fields, rules) if write.old is not None else {}
    managed = _of_scale(parent, rules) if write.subresource == "scale" else parent
    try:
        if not managed:
            managed = ownership.before_apply(live, blank, rules, write.now)
        result = _apply(live, config, managed, by, rules)
    except ItemError as error:
        raise status.bad_request(f"failed to create typed live object ({_about(config, blank)}): {error}") from None
    managed = _to_parent(parent, result.managed, write) if write.subresource == "scale" else result.managed
    write.managed = managers.encode(managed)
    new = live if result.new is None else result.new
    if name == KUBECTL and (new["metadata"].get("annotations") or {}).get(LAST_APPLIED):
        new = _with_last_applied(new, config)
    _check_twice(write)
    if new is live and write.entry is not None and view.type is write.kind.type:
        return codec.decode(write.kind, write.entry.data)  # to the letter, as JSON within may be
    return _typed(view.type, new)


def _apply(
    live: dict[str, Any], config: dict[str, Any], managed: Managed, by: Applier, rules: Rules
) -> ownership.Applied:
    try:
        return ownership.applied(live, config, managed, by, rules)
    except Conflicts as conflicts:
        found = conflicts.found
    allowed = _last_applied(live, rules) if by.manager == KUBECTL else None
    left = {who: both for who, fields in found.items() if (both := sets.difference(fields, allowed)) is not None}
    if left:
        raise _conflict(left)
    # All that is in the way is what kubectl itself wrote, when it still merged on the client's side.
    return ownership.applied(live, config, managed, replace(by, force=True), rules)


def _last_applied(live: dict[str, Any], rules: Rules) -> Set:
    """The fields that kubectl's annotation names and that still have the value it names."""
    text = (live["metadata"].get("annotations") or {}).get(LAST_APPLIED)
    try:
        config = codec.parse(text.encode()) if text else None
    except codec.DecodeError:
        return None
    if not isinstance(config, dict) or config.get("apiVersion") != rules.version or check.problems(rules.shape, config):
        return None
    difference = compare(rules.shape, config, live)
    fields = named(rules.shape, config)
    for changed in difference:
        fields = sets.difference(fields, changed)
    return fields


def _with_last_applied(new: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    """The object with kubectl's annotation brought up to date."""
    meta = config.get("metadata") or {}
    annotations = {k: v for k, v in (meta.get("annotations") or {}).items() if k != LAST_APPLIED}
    plain = {**config, "metadata": {**meta, "annotations": annotations}}
    if not annotations:
        plain["metadata"].pop("annotations")
    text = msgspec.json.encode(plain, order="sorted").decode() + "\n"
    return {
        **new,
        "metadata": {**new["metadata"], "annotations": {**new["metadata"]["annotations"], LAST_APPLIED: text}},
    }


def _read(body: bytes) -> dict[str, Any]:
    """The configuration, which is YAML or, as mostly, JSON."""
    try:
        if body.lstrip()[:1] == b"{":
            try:
                document = codec.parse(body)
            except codec.DecodeError:
                document = _read_yaml(body)
        else:
            document = _read_yaml(body)
    except documents.DocumentError as error:
        raise status.bad_request(f"error decoding YAML: {error}") from None
    if not isinstance(document, dict):
        raise status.bad_request("error decoding YAML: it is no object")
    return document


def _read_yaml(text: bytes) -> Any:
    if len(text) > _LONGEST_YAML:
        raise status.too_large(f"a body of YAML may have at most {_LONGEST_YAML} bytes; JSON may be longer")
    return documents.read(text)


def _check_identity(config: dict[str, Any], blank: dict[str, Any], write: Write) -> None:
    if (config.get("apiVersion"), config.get("kind")) != (blank["apiVersion"], blank["kind"]):
        raise status.bad_request(f"invalid object type: {_type(config)}")
    meta = config.get("metadata")
    if meta is None:
        meta = {}
    if not isinstance(meta, dict):
        return  # the declaration says what is wrong with it
    if isinstance(meta.get("managedFields"), list):
        raise status.bad_request("metadata.managedFields must be nil")
    if write.entry is not None:
        return
    target = write.call.target
    if not meta.get("name"):
        raise status.bad_request(
            f"the name of the object ({target.name} based on URL) was undeterminable: name must be provided"
        )
    if meta.get("uid"):
        raise status.conflict(
            write.subject,
            f"uid mismatch: the provided object specified uid {meta['uid']}, and no existing object was found",
        )


def _rules(write: Write, view: View) -> Rules:
    """The rules of what is shown: the object, its scale, or a second view of it."""
    kept = account(write.kind, write.subresource).rules
    if write.subresource == "scale":
        return Rules(shape_of(autoscaling_v1.Scale), "autoscaling/v1", "scale")
    if view.type is write.kind.type:
        return kept
    versions = frozenset({kept.version, *kept.versions})
    return Rules(shape_of(view.type), write.asked.api_version, write.subresource, kept.reset, versions)


def _of_scale(parent: Managed, rules: Rules) -> Managed:
    """The owners of the replicas, as owners of the scale's."""
    found = {}
    for who, owner in parent.items():
        if sets.intersection(owner.fields, _REPLICAS) is not None:
            found[_scale_identity(who, rules)] = Owner(_REPLICAS, None, rules.version, owner.time)
    return found


def _scale_identity(who: Identity, rules: Rules) -> Identity:
    return who if who.operation == APPLY else who._replace(version=rules.version)


def _to_parent(parent: Managed, scale: Managed, write: Write) -> Managed:
    """The owners of the object, once the replicas have the owners that the scale's have."""
    rules, version = account(write.kind, "scale").rules, write.kind.api_version
    left = {who: owner for who, owner in scale.items() if sets.intersection(owner.fields, _REPLICAS) is not None}
    found: Managed = {}
    for who, owner in parent.items():
        mine = sets.intersection(owner.fields, _REPLICAS)
        if (
            mine is not None
            and left.pop(who if who.operation == APPLY else who._replace(version="autoscaling/v1"), None) is None
        ):
            kept = managers.given_up(owner, _REPLICAS)
            if kept is not None:
                found[who] = kept
            continue
        found[who] = owner
    for who, owner in left.items():
        found[managers.identity(who.manager, who.operation, rules.version, who.subresource)] = Owner(
            _REPLICAS, None, version, owner.time
        )
    return found


def _check_twice(write: Write) -> None:
    """What fieldValidation says of fields that are there twice; fields that nobody knows have been refused already."""
    level = write_options.field_validation(write.call)
    if level == write_options.IGNORE:
        return
    twice = _twice(write.call.body)
    if not twice:
        return
    text = f"error converting YAML to JSON: yaml: unmarshal errors:\n  {twice}"
    if level == write_options.STRICT:
        raise status.bad_request(f"error strict decoding YAML: {text}")
    write.warnings.append(text)


def _twice(body: bytes) -> str:
    """The first key of JSON that is there twice. YAML with such keys has not been read at all."""
    found: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                found.append(key)
            seen.add(key)

    try:
        json.loads(body, object_pairs_hook=look)
    except (ValueError, RecursionError):
        return ""
    return f'line 1: key "{found[0]}" already set in map' if found else ""


def _typed(what: type[Type], new: dict[str, Any]) -> Any:
    try:
        return codec.from_dict(what, new)
    except codec.DecodeError as error:
        raise status.bad_request(f"failed to convert new typed object to object: {error}") from None


def _conflict(found: Mapping[Identity, Set]) -> status.StatusError:
    """The conflict in upstream's words."""
    causes, lines = [], []
    for who in sorted(found):
        lines.append(f"conflicts with {_shown(who)}:")
        for path in sets.paths(found[who]):
            lines.append(f"- {path}")
            causes.append({"reason": "FieldManagerConflict", "message": f"conflict with {_shown(who)}", "field": path})
    if len(causes) == 1:
        message = f"Apply failed with 1 conflict: {causes[0]['message']}: {causes[0]['field']}"
    else:
        message = f"Apply failed with {len(causes)} conflicts: " + "\n".join(lines)
    return status.StatusError(409, "Conflict", message, {"causes": causes})


def _shown(who: Identity) -> str:
    text = json.dumps(who.manager, ensure_ascii=False)
    if who.subresource:
        text += f' with subresource "{who.subresource}"'
    return text if who.operation == APPLY else f"{text} using {who.version}"


def _type(config: dict[str, Any]) -> str:
    version, kind = config.get("apiVersion") or "", config.get("kind") or ""
    return f"{version if '/' in str(version) else f'/{version}'}, Kind={kind}"


def _about(config: dict[str, Any], blank: dict[str, Any]) -> str:
    meta = config.get("metadata")
    meta = meta if isinstance(meta, dict) else {}
    return f"{meta.get('namespace') or ''}/{meta.get('name') or ''}; {_type(blank)}"
