"""The verbs that delete: one object, or all that a selection matches. What deleting means for an object is planned in `deletion.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

import msgspec

from api import codec, kinds
from api.kinds import Kind
from api.meta_v1 import DeleteOptions
from api.validation import Cause
from controlplane.apiserver import beside, deletion, freshness, options, selection, status
from controlplane.apiserver.admission import priorities
from controlplane.apiserver.admission.namespaces import require_mortal
from controlplane.apiserver.cache import Kept
from controlplane.apiserver.call import Answer, Call, Found, Result, Target
from controlplane.apiserver.entry import Entry
from controlplane.apiserver.listing import list_entries
from controlplane.apiserver.steps import store
from controlplane.apiserver.steps.bodies import read_body
from controlplane.apiserver.steps.encode import representation
from controlplane.apiserver.strategies import strategy
from controlplane.apiserver.views import copy
from controlplane.apiserver.write_options import is_dry_run
from controlplane.store.interface import CompareFailed, Op, Unavailable

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

TRIES = 100
DELETE_AT_ONCE = 32
_PODS_STAY = (
    "child pods are preserved by default when jobs are deleted; "
    "set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning"
)
_FROM_ELSEWHERE = "k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme/register.go:30"


class _Meta(msgspec.Struct, gc=False):
    name: str = ""
    namespace: str = ""


class _Head(msgspec.Struct, gc=False):
    metadata: _Meta


_heads = msgspec.json.Decoder(_Head)


async def delete(call: Call, core: Core) -> Result:
    """DELETE of one object."""
    representation(call, core)  # an answer that nobody could read must not come after the deed
    opts = delete_options(call)
    kind = _kind(call)
    _require_mortal(kind, call.target.name)
    data, gone = await delete_one(call.target, opts, core, dry_run=is_dry_run(call) or bool(opts.dry_run))
    if gone and not strategy(kind).returns_deleted:
        obj: Any = codec.decode(kind, data)
        details = status.subject(kind, call.target.name).details() | {"uid": obj.metadata.uid}
        return Answer(status.success(details))
    return Found(kind, data, 200 if gone or opts.orphan_dependents is not False else 202)


async def delete_collection(call: Call, core: Core) -> Result:
    """DELETE of all that a selection matches, or of one page of it; answers with what was deleted."""
    representation(call, core)
    kind = _kind(call)
    wanted = options.parse(call.query, watch=False)
    chosen = selection.select(call.target.shown_as or kind, call.target.namespace, wanted.labels, wanted.fields)
    opts = delete_options(call)
    dry_run = is_dry_run(call) or bool(opts.dry_run)
    found = list_entries(core.cache, core.store, core.cache.resources[kind], chosen, wanted)
    listed = await found if isinstance(found, Awaitable) else found
    limit = asyncio.Semaphore(DELETE_AT_ONCE)

    async def one(data: bytes) -> None:
        async with limit:
            meta = _heads.decode(data).metadata
            try:
                _require_mortal(kind, meta.name)
                await delete_one(Target(kind, meta.namespace, meta.name), opts, core, dry_run=dry_run)
            except status.StatusError as error:
                if error.code != 404:
                    raise

    outcomes = await asyncio.gather(*map(one, listed.items), return_exceptions=True)
    failed = next((outcome for outcome in outcomes if isinstance(outcome, BaseException)), None)
    if failed is not None:
        raise failed
    return listed


def delete_options(call: Call) -> DeleteOptions:
    """DeleteOptions of body and query; the query only counts without a body, but for `dryRun`. Raises StatusError."""
    if call.body:
        opts: DeleteOptions = read_body(call, DeleteOptions)
        if opts.kind not in ("", "DeleteOptions"):
            what = f'no kind "{opts.kind}" is registered for version "{opts.api_version}"'
            raise status.bad_request(f'{what} in scheme "{_FROM_ELSEWHERE}"')
    else:
        query = call.query
        opts = DeleteOptions(
            grace_period_seconds=options.number(query, "gracePeriodSeconds") if "gracePeriodSeconds" in query else None,
            orphan_dependents=options.boolean(query, "orphanDependents") if "orphanDependents" in query else None,
            propagation_policy=query.get("propagationPolicy"),
        )
    check_delete_options(opts)
    if call.target.kind is kinds.JOB and opts.propagation_policy is None and opts.orphan_dependents is None:
        call.warnings.append(_PODS_STAY)
    return opts


def check_delete_options(opts: DeleteOptions) -> None:
    """Raise Invalid for options that cannot be carried out."""
    causes = []
    policy = opts.propagation_policy
    if policy is not None and opts.orphan_dependents is not None:
        text = f'Invalid value: "{policy}": orphanDependents and deletionPropagation cannot be both set'
        causes.append(Cause("propagationPolicy", "FieldValueInvalid", text))
    if policy is not None and policy not in ("Orphan", "Foreground", "Background"):
        text = f'Unsupported value: "{policy}": supported values: "Foreground", "Background", "Orphan", "nil"'
        causes.append(Cause("propagationPolicy", "FieldValueNotSupported", text))
    if any(value != "All" for value in opts.dry_run):
        shown = msgspec.json.encode(opts.dry_run).decode()
        text = f'Unsupported value: {shown}: supported values: "All"'
        causes.append(Cause("dryRun", "FieldValueNotSupported", text))
    if causes:
        raise status.invalid_object("meta.k8s.io", "DeleteOptions", "", causes)


async def delete_one(target: Target, opts: DeleteOptions, core: Core, *, dry_run: bool) -> tuple[bytes, bool]:
    """Delete or mark one object; its bytes, and whether it is gone."""
    kind = target.kind
    assert kind is not None
    about = status.subject(kind, target.name)
    kept = core.cache.resources[kind]
    for _ in range(TRIES):
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


def _require_mortal(kind: Kind[Any], name: str) -> None:
    if kind is kinds.NAMESPACE:
        require_mortal(name)
    if kind is kinds.PRIORITY_CLASS:
        priorities.require_mortal(name)


def _kind(call: Call) -> Kind[Any]:
    assert call.target.kind is not None
    return call.target.kind
