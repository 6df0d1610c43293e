"""Who owns which fields of an object: metadata.managedFields, read and written.

An owner is a manager in one way of writing: by apply (whatever the version it applied in), or by update (one entry for each
version), to the object or to one of its subresources.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import NamedTuple

from api.apply import sets
from api.apply.merge import fitted
from api.apply.schema import Shape
from api.apply.sets import FieldsError, Set
from api.fields import NOTHING, Json
from api.meta_v1 import ManagedFieldsEntry

APPLY, UPDATE = "Apply", "Update"
MOST_UPDATERS = 10
ANCIENT = "ancient-changes"
BEFORE_APPLY = "before-first-apply"
UNKNOWN = "unknown"
_FIELDS = "FieldsV1"
_KNOWN_SETS, _LONGEST_KNOWN = 256, 16 * 1024


class Identity(NamedTuple):
    """What tells owners apart; `version` is "" for those who apply."""

    manager: str
    operation: str
    version: str
    subresource: str


class Owner(NamedTuple):
    """The fields (`raw` is their JSON if it is at hand), in which version, and when they last changed."""

    fields: Set
    raw: Json | None
    version: str
    time: str | None


Managed = dict[Identity, Owner]


def identity(manager: str, operation: str, version: str, subresource: str) -> Identity:
    """An owner's identity."""
    return Identity(manager or UNKNOWN, operation, "" if operation == APPLY else version, subresource)


def decode(entries: Iterable[ManagedFieldsEntry], shape: Shape) -> Managed:
    """The owners in managedFields. Raises FieldsError."""
    managed: Managed = {}
    for index, entry in enumerate(entries):
        operation, version = entry.operation, entry.api_version
        if operation not in (APPLY, UPDATE):
            raise FieldsError("operation must be `Apply` or `Update`")
        if not version:
            raise FieldsError("apiVersion must not be empty")
        if entry.fields_type != _FIELDS:
            raise FieldsError(
                f'invalid fieldsType "{entry.fields_type}" in managed fields entry {index}'
                if entry.fields_type
                else f"missing fieldsType in managed fields entry {index}"
            )
        who = Identity(entry.manager or "", operation, "" if operation == APPLY else version, entry.subresource or "")
        raw = entry.fields_v1
        if raw is NOTHING or raw is None:
            managed[who] = Owner(None, None, version, entry.time)
        else:
            assert isinstance(raw, Json)
            data = bytes(raw)
            known = _known_set if len(data) <= _LONGEST_KNOWN else _set
            managed[who] = Owner(*known(data, shape), version, entry.time)
    return managed


def _set(raw: bytes, shape: Shape) -> tuple[Set, Json]:
    """A set and its JSON as we write it, whoever wrote it before."""
    fields = fitted(shape, sets.decode(raw))
    return fields, Json(sets.encode(fields))


_known_set = functools.lru_cache(_KNOWN_SETS)(_set)  # most objects of a kind have one of a few sets


def encode(managed: Managed) -> list[ManagedFieldsEntry]:
    """managedFields in their order: those who apply first, then by time and name."""
    if len(managed) == 1:
        ((who, owner),) = managed.items()
        return [_entry(who, owner)]
    order = sorted(
        managed.items(),
        key=lambda one: (one[0].operation, one[1].time or "", one[0].manager, one[1].version, one[0].subresource),
    )
    return [_entry(who, owner) for who, owner in order]


def _entry(who: Identity, owner: Owner) -> ManagedFieldsEntry:
    raw = owner.raw if owner.raw is not None else Json(sets.encode(owner.fields))
    return ManagedFieldsEntry(
        manager=who.manager or None,
        operation=who.operation,
        api_version=owner.version,
        time=owner.time,
        fields_type=_FIELDS,
        fields_v1=raw,
        subresource=who.subresource or None,
    )


def given_up(owner: Owner, *fields: Set) -> Owner | None:
    """The owner without these fields; None if nothing is left."""
    left = owner.fields
    for one in fields:
        left = sets.difference(left, one)
    if left is owner.fields:
        return owner if left is not None else None
    return None if left is None else Owner(left, None, owner.version, owner.time)


def capped(managed: Managed) -> Managed:
    """No more than so many owners by update: of too many, the oldest of each version become one."""
    updaters = [who for who in managed if who.operation == UPDATE]
    left = len(updaters)
    if left <= MOST_UPDATERS:
        return managed
    managed = dict(managed)
    updaters.sort(key=lambda who: (managed[who].time or "", who))
    first: dict[str, Identity] = {}
    for who in updaters:
        if left <= MOST_UPDATERS:
            break
        owner = managed[who]
        bucket = identity(ANCIENT, UPDATE, owner.version, "")
        if owner.version not in first:
            first[owner.version] = who
            continue
        if bucket not in managed:
            managed[bucket] = managed.pop(first[owner.version])
        if who == bucket:
            continue
        managed[bucket] = Owner(sets.union(owner.fields, managed[bucket].fields), None, owner.version, owner.time)
        del managed[who]
        left -= 1
    return managed
