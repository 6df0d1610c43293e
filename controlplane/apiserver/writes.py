"""The verbs that change something, each an ordered walk through the steps of a write.

An update or patch is a read, a change and a compare-and-swap. If somebody else wrote in between it starts again from what stands there now,
unless the client said which revision it replaces: then that is a conflict, which only the client can resolve.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any

from api import codec, kinds, times
from api.meta_v1 import DeleteOptions
from api.validation import Cause
from controlplane.apiserver import beside, deletion, freshness, options, selection, status
from controlplane.apiserver.admission import priorities
from controlplane.apiserver.admission.namespaces import require_mortal
from controlplane.apiserver.cache import Kept
from controlplane.apiserver.call import Answer, Call, Found, Listed, Result, Target
from controlplane.apiserver.entry import Entry
from controlplane.apiserver.steps import admit, decode, default, manage, mutate, store, validate
from controlplane.apiserver.strategies import strategy
from controlplane.apiserver.views import copy, view
from controlplane.apiserver.write import CREATE, UPDATE, Step, Write
from controlplane.store.interface import CompareFailed, Op, Unavailable

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

# The order of a write; `store.store` is the last step.
STEPS: tuple[Step, ...] = (
    decode.decode,
    default.default,
    manage.manage,
    mutate.mutate,
    validate.validate,
    admit.admit,
    manage.settle,
)

NAME_TRIES = 8
PATCH_TRIES = 5
UPDATE_TRIES = 100
DELETE_AT_ONCE = 32
WARNINGS_LENGTH = 4096  # bytes
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
    for _ in range(NAME_TRIES):
        write = _begin(call, core)
        try:
            await _attempt(write, core)
        except store.Raced:
            if write.generated and not write.dry_run:
                continue
            raise status.already_exists(write.subject) from None
        return _answer(write, 201)
    raise status.name_not_generated(write.subject)


@_until_not_outrun
async def update(call: Call, core: Core) -> Result:
    """PUT."""
    for _ in range(UPDATE_TRIES):
        write = _begin(call, core)
        _find(write)
        if write.entry is None and (call.target.subresource or not strategy(write.kind).create_on_update):
            raise status.not_found(write.subject)
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
        _find(write)
        if write.entry is None and (call.target.subresource or not decode.creates(call)):
            raise status.not_found(write.subject)
        try:
            await _attempt(write, core)
        except store.Raced:
            continue
        return _answer(write, 201 if write.operation == CREATE else 200)
    raise status.modified(write.subject)


async def delete(call: Call, core: Core) -> Result:
    """DELETE of one object."""
    opts = delete_options(call)
    kind = _kind(call)
    if kind is kinds.NAMESPACE:
        require_mortal(call.target.name)
    elif kind is kinds.PRIORITY_CLASS:
        priorities.require_mortal(call.target.name)
    data, gone = await delete_one(call.target, opts, core, dry_run=is_dry_run(call) or bool(opts.dry_run))
    if gone and not strategy(kind).returns_deleted:
        obj: Any = codec.decode(kind, data)
        details = status.subject(kind, call.target.name).details() | {"uid": obj.metadata.uid}
        return Answer(status.success(details))
    return Found(kind, data, 200 if gone or opts.orphan_dependents is not False else 202)


async def delete_collection(call: Call, core: Core) -> Result:
    """DELETE of all that a selection matches; answers with what was deleted."""
    opts = delete_options(call)
    kind = _kind(call)
    wanted = options.parse(call.query, watch=False)
    chosen = selection.select(call.target.shown_as or kind, call.target.namespace, wanted.labels, wanted.fields)
    entries = chosen.of(core.cache.resources[kind])
    revision, dry_run = core.cache.revision, is_dry_run(call) or bool(opts.dry_run)
    limit = asyncio.Semaphore(DELETE_AT_ONCE)

    async def one(entry: Entry) -> None:
        async with limit:
            try:
                await delete_one(Target(kind, entry.namespace, entry.name), opts, core, dry_run=dry_run)
            except status.StatusError as error:
                if error.code != 404:
                    raise

    outcomes = await asyncio.gather(*map(one, entries), return_exceptions=True)
    failed = next((outcome for outcome in outcomes if isinstance(outcome, BaseException)), None)
    if failed is not None:
        raise failed
    return Listed(kind, [entry.data for entry in entries], revision)


def delete_options(call: Call) -> DeleteOptions:
    """DeleteOptions of body and query; the query only counts without a body."""
    if call.body:
        opts: DeleteOptions = decode.read_body(call, DeleteOptions)
    else:
        query = call.query
        opts = DeleteOptions(
            grace_period_seconds=options.number(query, "gracePeriodSeconds") if "gracePeriodSeconds" in query else None,
            orphan_dependents=options.boolean(query, "orphanDependents") if "orphanDependents" in query else None,
            propagation_policy=query.get("propagationPolicy"),
        )
    check_delete_options(opts)
    return opts


def check_delete_options(opts: DeleteOptions) -> None:
    """Raise Invalid for options that cannot be carried out."""
    causes = []
    if any(value != "All" for value in opts.dry_run) or len(opts.dry_run) > 1:
        causes.append(Cause("dryRun", "FieldValueNotSupported", f'{_unsupported(",".join(opts.dry_run))}"All"'))
    policy = opts.propagation_policy
    if policy is not None and opts.orphan_dependents is not None:
        text = f'Invalid value: "{policy}": orphanDependents and deletionPropagation cannot be both set'
        causes.append(Cause("propagationPolicy", "FieldValueInvalid", text))
    elif policy is not None and policy not in ("Orphan", "Foreground", "Background"):
        text = f'{_unsupported(policy)}"Foreground", "Background", "Orphan", "nil"'
        causes.append(Cause("propagationPolicy", "FieldValueNotSupported", text))
    if causes:
        raise status.invalid_object("meta.k8s.io", "DeleteOptions", "", causes)


def _unsupported(value: str) -> str:
    return f'Unsupported value: "{value}": supported values: '


async def delete_one(target: Target, opts: DeleteOptions, core: Core, *, dry_run: bool) -> tuple[bytes, bool]:
    """Delete or mark one object; its bytes, and whether it is gone."""
    kind = target.kind
    assert kind is not None
    about = status.subject(kind, target.name)
    kept = core.cache.resources[kind]
    for _ in range(UPDATE_TRIES):
        entry = kept.entries.get(target.key)
        if entry is None:
            raise status.not_found(about)
        obj: Any = codec.decode(kind, entry.data)
        deletion.check_preconditions(about, obj.metadata, entry.revision, opts)
        plan = deletion.plan_delete(kind, obj, opts, core.clock.now(), copy)
        try:
            return await _carry_out(plan, obj, kept, entry, core, dry_run=dry_run)
        except CompareFailed:
            await freshness.fresh(core)
            continue
        except Unavailable as error:
            raise status.unavailable(str(error)) from None
    raise status.modified(about)


async def _carry_out(
    plan: deletion.Plan, obj: Any, kept: Kept, entry: Entry, core: Core, *, dry_run: bool
) -> tuple[bytes, bool]:
    if isinstance(plan, deletion.Leave):
        return entry.data, False
    if isinstance(plan, deletion.Remove):
        if not dry_run:
            op = Op(kept.store_key(entry.key), None, entry.revision)
            revision = await beside.write(core.store, op, beside.plan(kept.kind, obj, None, core, ""))
            await core.cache.caught_up(revision)
            return kept.moved(entry, revision), True
        return entry.data, True
    plan.obj.metadata.resource_version = None
    value = codec.encode(plan.obj)
    if dry_run:
        return kept.splice(value, entry.revision), False
    revision = await core.store.put(kept.store_key(entry.key), value, expected=entry.revision)
    await core.cache.caught_up(revision)
    return store.stored(kept, entry.key, value, revision), False


async def _bind(call: Call, core: Core) -> Result:
    """POST of a binding: an update of the pod, answered with a Status."""
    write = _begin(call, core)
    _find(write)
    if write.entry is None:
        raise status.not_found(write.subject)
    try:
        await _attempt(write, core)
    except store.Raced:
        raise status.modified(write.subject) from None
    return Answer(status.success(code=201), 201)


def _begin(call: Call, core: Core) -> Write:
    kind = _kind(call)
    kept = core.cache.resources[kind]
    return Write(call, kind, kept, times.format_time(core.clock.now()), is_dry_run(call))


def _find(write: Write) -> None:
    """Begin with what stands there now."""
    entry = write.kept.entries.get(write.call.target.key)
    if entry is not None:
        write.entry, write.operation = entry, UPDATE
        write.old = codec.decode(write.kind, entry.data)


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
    return Found(write.kind, data, code, _warnings(write.warnings))


def _warnings(problems: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Each a header; what clients would refuse as too long is left out."""
    headers, left = [], WARNINGS_LENGTH
    for problem in problems:
        text = problem.replace("\\", "\\\\").replace('"', '\\"')
        left -= len(text.encode())
        if left < 0:
            break
        headers.append(("Warning", f'299 - "{text}"'))
    return tuple(headers)


def _kind(call: Call) -> Any:
    assert call.target.kind is not None
    return call.target.kind


def is_dry_run(call: Call) -> bool:
    """Whether nothing is to be written. Raises StatusError."""
    asked = call.query.get("dryRun", "") if call.query else ""
    if asked not in ("", "All"):
        cause = Cause("dryRun", "FieldValueNotSupported", f'{_unsupported(asked)}"All"')
        raise status.invalid_object("meta.k8s.io", "CreateOptions", "", [cause])
    return asked == "All"
