"""Step: what the server itself puts into an object, or keeps from the old one: identity, times, generation, and what admission adds."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

from api import kinds
from api.validation import Cause
from controlplane.apiserver import status
from controlplane.apiserver.admission import COMPLETING, MUTATING
from controlplane.apiserver.strategies import strategy
from controlplane.apiserver.write import CREATE, Write

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX, _LONGEST_BASE = 5, 58
# Unique, not secret: asking the kernel each time gives up the interpreter's lock, which costs more than the whole write.
_rng = random.Random(os.urandom(32))


def mutate(write: Write, core: Core) -> None:
    """Complete the new object."""
    if write.operation == CREATE:
        _name(write)
        _begin(write.new.metadata, write.now)
        strategy(write.kind).prepare_create(write.new)
    else:
        _keep_identity(write)
        for plugin in COMPLETING:
            plugin(write, core)
        _prepare_update(write)
    for plugin in MUTATING:
        plugin(write, core)


def _name(write: Write) -> None:
    meta = write.new.metadata
    if not meta.name and meta.generate_name:
        write.generated = True
        suffix = "".join(_rng.choices(SUFFIX_LETTERS, k=_SUFFIX))
        meta.name = meta.generate_name[:_LONGEST_BASE] + suffix
    if write.kind is kinds.LIMIT_RANGE:
        meta.name = meta.name or new_uid()
    if not meta.name:
        cause = Cause("metadata.name", "FieldValueRequired", "Required value: name or generateName is required")
        raise status.invalid(write.kind, "", [cause])


def _begin(meta: Any, now: str) -> None:
    """The metadata that no client may choose."""
    meta.uid = new_uid()
    meta.creation_timestamp = now
    meta.deletion_timestamp = meta.deletion_grace_period_seconds = None
    meta.resource_version = meta.self_link = None


def new_uid() -> str:
    """A random UUID (version 4)."""
    number = _rng.getrandbits(128) & ~(0xF << 76) & ~(0x3 << 62) | (0x4 << 76) | (0x2 << 62)
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _keep_identity(write: Write) -> None:
    """An object stays the same object; whoever names another uid means another object."""
    new, old = write.new.metadata, write.old.metadata
    if new.uid and new.uid != old.uid:
        why = f"Precondition failed: UID in precondition: {new.uid}, UID in object meta: {old.uid}"
        raise status.conflict(write.subject, why)
    new.uid, new.creation_timestamp, new.generation = old.uid, old.creation_timestamp, old.generation
    new.generate_name = old.generate_name
    # What is not being deleted is not told so by an update either: validation refuses that.
    new.deletion_timestamp = old.deletion_timestamp or new.deletion_timestamp
    if new.deletion_grace_period_seconds is None:
        new.deletion_grace_period_seconds = old.deletion_grace_period_seconds
    new.resource_version = old.resource_version  # what this write replaces; the store step takes it out
    new.self_link = None


def _prepare_update(write: Write) -> None:
    rules, new, old = strategy(write.kind), write.new, write.old
    if write.subresource == "status":
        rules.prepare_status(new, old, write.now)
    elif write.subresource == "approval":
        rules.prepare_approval(new, old, write.now)
    elif write.subresource == "finalize":
        new.status = old.status
    elif write.subresource in ("ephemeralcontainers", "resize"):
        rules.prepare_part(write.subresource, new, old)
    elif write.subresource != "binding":  # a binding changes spec and status of the old object and nothing else
        rules.prepare_update(new, old)
