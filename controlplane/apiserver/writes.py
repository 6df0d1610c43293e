"""The verbs that change something, each an ordered walk through the steps of a write.

An update or patch is a read, a change and a compare-and-swap. If somebody else wrote in between it starts again from what stands there now,
unless the client said which revision it replaces: then that is a conflict, which only the client can resolve.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import TYPE_CHECKING, Any

from api import codec, times
from api.validation import Cause
from controlplane.apiserver import deletion, status
from controlplane.apiserver.admission import accounts
from controlplane.apiserver.call import Answer, Call, Found, Result
from controlplane.apiserver.steps import admit, decode, default, manage, mutate, store, validate, warn
from controlplane.apiserver.steps.encode import representation
from controlplane.apiserver.strategies import strategy
from controlplane.apiserver.views import view
from controlplane.apiserver.write import CREATE, UPDATE, Step, Write
from controlplane.apiserver.write_options import is_dry_run

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

# The order of a write; `store.store` is the last step.
STEPS: tuple[Step, ...] = (
    decode.decode,
    default.default,
    manage.manage,
    mutate.mutate,
    validate.validate,
    warn.warn,
    admit.admit,
    manage.settle,
)

NAME_TRIES = 8
PATCH_TRIES = 5
UPDATE_TRIES = 100
_SHOWN = 100

Verb = Callable[[Call, "Core"], Coroutine[Any, Any, Result]]


def _until_not_outrun(verb: Verb) -> Verb:
    """Begin again when another server took a number (`beside.py`) that this write was to have."""

    @wraps(verb)
    async def run(call: Call, core: Core) -> Result:
        for _ in range(UPDATE_TRIES):
            try:
                return await verb(call, core)
            except store.Outrun:
                continue
        raise status.unavailable("others take the numbers that this object needs; please try again")

    return run


@_until_not_outrun
async def create(call: Call, core: Core) -> Result:
    """POST of a new object, or of a binding."""
    if call.target.subresource:
        return await _bind(call, core)
    names, waits = NAME_TRIES, accounts.TRIES
    while names:
        write = _begin(call, core)
        try:
            await _attempt(write, core)
        except accounts.AccountMissing:
            waits -= 1
            if not waits:
                raise
            await core.clock.sleep(random.uniform(*accounts.PAUSE))
            continue
        except store.Raced:
            names -= 1
            if write.generated and not write.dry_run:
                continue
            raise status.already_exists(write.subject, _is_going(write)) from None
        return _answer(write, 201)
    raise status.name_not_generated(write.subject)


@_until_not_outrun
async def update(call: Call, core: Core) -> Result:
    """PUT."""
    for _ in range(UPDATE_TRIES):
        write = _begin(call, core)
        _find(write, or_new=strategy(write.kind).create_on_update and not call.target.subresource)
        try:
            await _attempt(write, core)
        except store.Raced:
            if write.asked_revision:
                raise status.modified(write.subject) from None
            continue
        return _answer(write, 201 if write.operation == CREATE else 200)
    raise status.modified(write.subject)


@_until_not_outrun
async def patch(call: Call, core: Core) -> Result:
    """PATCH: tried again on what others wrote, unless the patch itself names a revision. What is applied need not be there."""
    for _ in range(PATCH_TRIES + 1):
        write = _begin(call, core)
        _find(write, or_new=decode.creates(call) and not call.target.subresource)
        try:
            await _attempt(write, core)
        except store.Raced:
            continue
        return _answer(write, 201 if write.operation == CREATE else 200)
    raise status.modified(write.subject)


def _is_going(write: Write) -> bool:
    """Whether what stands in the way of a new object is on its way out."""
    entry = write.kept.entries.get(store.key_of(write))
    return entry is not None and codec.decode(write.kind, entry.data).metadata.deletion_timestamp is not None


async def _bind(call: Call, core: Core) -> Result:
    """POST of a binding: an update of the pod, answered with a Status."""
    write = _begin(call, core)
    _find(write)
    try:
        await _attempt(write, core)
    except store.Raced:
        raise status.modified(write.subject) from None
    return Answer(status.success(code=201), 201)


def _begin(call: Call, core: Core) -> Write:
    representation(call, core)  # an answer that nobody could read must not come after the deed
    kind = _kind(call)
    kept = core.cache.resources[kind]
    return Write(call, kind, kept, times.format_time(core.clock.now()), is_dry_run(call))


def _find(write: Write, *, or_new: bool = False) -> None:
    """Begin with what stands there now. Raises StatusError if nothing does and the write may not make it."""
    entry = write.kept.entries.get(write.call.target.key)
    if entry is not None:
        write.entry, write.operation = entry, UPDATE
        write.old = codec.decode(write.kind, entry.data)
    elif not or_new:
        raise status.not_found(write.subject)


async def _attempt(write: Write, core: Core) -> None:
    """Walk through the steps once. Raises Raced."""
    try:
        for step in STEPS:
            step(write, core)
            if step is decode.decode:
                _check_revision(write)
        write.remove = write.operation == UPDATE and deletion.released(write.new)
        await store.store(write, core)
    finally:
        write.give_back()


def _check_revision(write: Write) -> None:
    """A writer that names the revision it replaces must name the present one."""
    if write.asked_revision == "0":
        write.asked_revision = ""
    asked = write.asked_revision
    if write.operation == CREATE:
        if asked and write.call.verb == "create":
            raise status.bad_request("resourceVersion should not be set on objects to be created")
        if asked and write.call.verb == "update":
            raise status.not_found(write.subject)
        return
    assert write.entry is not None
    if write.subresource == "binding":
        return
    if asked and not (asked.isascii() and asked.isdigit()):
        raise status.bad_request(f'metadata.resourceVersion: Invalid value: "{asked[:_SHOWN]}": must be a number')
    if asked and asked != str(write.entry.revision):
        raise status.modified(write.subject)
    if not asked and write.call.verb == "update" and not strategy(write.kind).unconditional_update:
        cause = Cause(
            "metadata.resourceVersion", "FieldValueInvalid", "Invalid value: 0: must be specified for an update"
        )
        raise status.invalid(write.kind, write.call.target.name, [cause])


def _answer(write: Write, code: int) -> Found | Answer:
    data = view(write.kind, write.subresource).answer(write.answer, write.kind)
    return Found(write.kind, data, code)


def _kind(call: Call) -> Any:
    assert call.target.kind is not None
    return call.target.kind
