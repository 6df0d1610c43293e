"""Step: who owns which fields of the object from this write on (metadata.managedFields). What the server adds later is nobody's.

An update owns what it changes. A write of a binding or an eviction is the server's own and owns nothing. What is applied comes with its
owners from `steps/apply.py`. An object that nobody has kept account of (a client reset it) stays so until something is applied to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from api import codec, kinds
from api.apply import managers, ownership, sets
from api.apply.compare import Difference
from api.apply.managers import Managed
from api.apply.objects import Compared
from api.apply.ownership import Rules
from api.apply.schema import ItemError, shape_of
from api.apply.sets import FieldsError
from api.fields import Json
from api.kinds import Kind
from api.meta_v1 import ManagedFieldsEntry
from controlplane.apiserver import fieldmanagers, status
from controlplane.apiserver.resets import reset
from controlplane.apiserver.write import CREATE, Write
from kit import documents, log

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

_log = log.get("apiserver")
_UNTRACKED = frozenset({"binding", "eviction"})
_REPLICAS = sets.of(sets.field("spec", "replicas"))
_BLANK = ManagedFieldsEntry()


@dataclass(frozen=True, slots=True)
class Account:
    """How the fields of a kind are kept account of when it is written by way of a subresource."""

    rules: Rules
    compared: Compared


@lru_cache(1024)
def account(kind: Kind[Any], subresource: str) -> Account:
    """The account of a kind."""
    views = frozenset(view.api_version for view in kinds.SERVED if view.stored_as is kind)
    gone = reset(kind, subresource)
    rules = Rules(shape_of(kind.type), kind.api_version, subresource, gone, views)
    return Account(rules, Compared(kind.type, gone))


def manage(write: Write, core: Core) -> None:
    """Set the new object's managedFields."""
    meta = write.new.metadata
    if write.managed is not None:
        meta.managed_fields = write.managed
        return
    if write.subresource in _UNTRACKED:
        meta.managed_fields = write.old.metadata.managed_fields
        return
    name = fieldmanagers.manager(write.call)
    try:
        if write.operation == CREATE:
            meta.managed_fields = _created(write, name)
        elif write.subresource == "scale":
            meta.managed_fields = _scaled(write, name)
        else:
            meta.managed_fields = _updated(write, name)
    except ItemError as error:  # such lists do not pass validation, but older objects may have them
        _log.warning("cannot keep account of an object's fields", kind=write.kind.name, error=error)
        meta.managed_fields = []


def settle(write: Write, core: Core) -> None:
    """A write that changes nothing but the times of managedFields changes nothing. The last step before the store."""
    if write.old is None:
        return
    new, old = write.new.metadata, write.old.metadata
    entries, before = new.managed_fields, old.managed_fields
    if entries is before or not entries or len(entries) != len(before):
        return
    if all(one.time == other.time for one, other in zip(entries, before, strict=True)):
        return
    if not all(map(_same_but_for_time, entries, before)):
        return
    new.managed_fields = before
    if write.new != write.old:
        new.managed_fields = entries


def _same_but_for_time(one: ManagedFieldsEntry, other: ManagedFieldsEntry) -> bool:
    return (
        one.manager == other.manager
        and one.operation == other.operation
        and one.api_version == other.api_version
        and one.subresource == other.subresource
        and one.fields_v1 == other.fields_v1
    )


def _created(write: Write, name: str) -> list[ManagedFieldsEntry]:
    kept, given = account(write.kind, write.subresource), write.new.metadata.managed_fields
    text = kept.compared.fresh(write.new)
    if given and given != [_BLANK]:
        try:
            managed = _checked(write, managers.decode(given, kept.rules.shape))
        except FieldsError:
            managed = {}
        added = sets.decode(text.encode()) if text else None
        return managers.encode(ownership.updated(managed, Difference(added=added), name, kept.rules, write.now))
    if not text:
        return []
    return [
        ManagedFieldsEntry(
            manager=name,
            operation=managers.UPDATE,
            api_version=kept.rules.version,
            time=write.now,
            fields_type="FieldsV1",
            fields_v1=Json(text.encode()),
            subresource=write.subresource or None,
        )
    ]


def _updated(write: Write, name: str) -> list[ManagedFieldsEntry]:
    kept = account(write.kind, write.subresource)
    managed = _present(write, kept.rules)
    if not managed:
        return []
    difference = kept.compared.difference(write.old, write.new)
    return managers.encode(ownership.updated(managed, difference, name, kept.rules, write.now))


def _scaled(write: Write, name: str) -> list[ManagedFieldsEntry]:
    rules = account(write.kind, "scale").rules
    managed = decoded(write.old.metadata.managed_fields, rules)
    if all(sets.intersection(owner.fields, _REPLICAS) is None for owner in managed.values()):
        kept: list[ManagedFieldsEntry] = write.old.metadata.managed_fields
        return kept  # nobody keeps account of the scale, which is an object of its own
    changed = write.new.spec.replicas != write.old.spec.replicas
    difference = Difference(modified=_REPLICAS if changed else None)
    return managers.encode(ownership.updated(managed, difference, name, rules, write.now))


def decoded(entries: list[ManagedFieldsEntry], rules: Rules) -> Managed:
    """The owners of a stored object; none if they cannot be read."""
    try:
        return managers.decode(entries, rules.shape)
    except FieldsError:
        return {}


def _present(write: Write, rules: Rules) -> Managed:
    """The owners to begin with: those that the client sends, unless it sends none or does not understand them."""
    sent, old = write.new.metadata.managed_fields, write.old.metadata.managed_fields
    if write.subresource:
        return decoded(old, rules)
    if sent == [_BLANK] or (not sent and old and _disowned(write)):
        return {}
    try:
        if managed := managers.decode(sent, rules.shape):
            return _checked(write, managed)
    except FieldsError:
        pass
    return decoded(old, rules)


def _checked(write: Write, managed: Managed) -> Managed:
    causes = fieldmanagers.entry_problems(write.new.metadata.managed_fields)
    if causes:
        raise status.invalid(write.kind, write.new.metadata.name or "", causes)
    return managed


def _disowned(write: Write) -> bool:
    """Whether the body sets managedFields to an empty list, which a typed object cannot tell from none."""
    body = write.call.body
    if b"managedFields" not in body:
        return False
    try:
        document = codec.parse(body) if body.lstrip()[:1] in (b"{", b"[") else documents.read(body)
    except (codec.DecodeError, documents.DocumentError):
        return False  # protobuf, which has no empty lists
    if isinstance(document, list):
        return any(
            isinstance(change, dict)
            and change.get("path") == "/metadata/managedFields"
            and change.get("value") in ([], [{}])
            for change in document
        )
    meta = document.get("metadata") if isinstance(document, dict) else None
    return isinstance(meta, dict) and meta.get("managedFields") == []
