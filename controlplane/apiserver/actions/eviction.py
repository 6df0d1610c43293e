"""pods/eviction: a deletion that asks the PodDisruptionBudgets first. `budgets` knows what they allow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api import codec, kinds, times
from api.core_v1 import Pod, PodCondition
from api.meta_v1 import DeleteOptions, Preconditions
from api.policy_v1 import Eviction, PodDisruptionBudget
from api.validation import Cause
from controlplane.apiserver import budgets, status
from controlplane.apiserver.call import Answer, Call, Result
from controlplane.apiserver.deletes import check_delete_options, delete_one
from controlplane.apiserver.entry import Entry
from controlplane.apiserver.rewriting import TRIES, rewrite
from controlplane.apiserver.steps.decode import read_body
from controlplane.apiserver.views import copy
from controlplane.apiserver.write_options import is_dry_run

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

DISRUPTED = "DisruptionTarget"
_API_VERSIONS = ("", "policy/v1", "policy/v1beta1")


async def evict(call: Call, core: Core) -> Result:
    """POST of an Eviction; answers with a Status."""
    opts = _options(call)
    pod = await _delete_if_beyond_budgets(call, opts, core)
    if pod is None:
        return _done()
    guards = budgets.guarding(pod, core)
    if len(guards) > 1:
        return Answer(_TOO_MANY.body(), 201)  # upstream answers so: a failure in the body of a success
    name = guards[0].metadata.name or "" if guards else ""
    unready = bool(guards) and budgets.spares(guards[0], pod)
    if guards and not unready:
        await _spend(guards[0], pod, core, dry_run=bool(opts.dry_run))
    asked = opts.preconditions is not None and opts.preconditions.resource_version is not None
    try:
        await _delete(call, _pinned(opts, pod) if unready else opts, core)
    except status.StatusError as error:
        if error.reason == "Conflict" and unready and not asked:
            raise budgets.not_yet(name) from None  # it may have become ready: look again
        raise
    return _done()


_TOO_MANY = status.StatusError(
    500, "", "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
)


def _done() -> Answer:
    return Answer(status.success(code=201), 201)


def _options(call: Call) -> DeleteOptions:
    """How to delete, by the body and the query."""
    body: Any = read_body(call, Eviction)
    if body.kind not in ("", "Eviction") or body.api_version not in _API_VERSIONS:
        told = f"{body.api_version}, Kind={body.kind}"
        raise status.bad_request(f"an Eviction was expected, the object provided is {told}")
    if (body.metadata.namespace or call.target.namespace) != call.target.namespace:
        raise status.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if body.metadata.name != call.target.name:
        raise status.bad_request("name in URL does not match name in Eviction object")
    opts: DeleteOptions = body.delete_options or DeleteOptions()
    if opts.ignore_store_read_error_with_cluster_breaking_potential:
        field = "deleteOptions.ignoreStoreReadErrorWithClusterBreakingPotential"
        why = "Invalid value: true: can not be set for pod eviction, try after removing the option"
        cause = Cause(field, "FieldValueInvalid", why)
        raise status.invalid_object("policy", "Eviction", call.target.name, [cause])
    if is_dry_run(call):
        if opts.dry_run not in ([], ["All"]):
            told = " ".join(opts.dry_run)
            raise status.internal_error(f"Non-matching dry-run options in request and content: [{told}] and [All]")
        opts.dry_run = ["All"]
    check_delete_options(opts)
    return opts


async def _delete_if_beyond_budgets(call: Call, opts: DeleteOptions, core: Core) -> Pod | None:
    """Delete a pod that no budget has a say in; the pod, if it is not one."""
    asked = opts.preconditions is not None and opts.preconditions.resource_version is not None
    for attempt in range(TRIES):
        pod = _pod(call, core)
        if not budgets.is_beyond_budgets(pod):
            return pod
        pin = budgets.may_still_become_healthy(pod) and not asked
        try:
            await _delete(call, _pinned(opts, pod) if pin else opts, core)
        except status.StatusError as error:
            if error.reason != "Conflict" or asked or attempt == TRIES - 1:
                raise
            continue
        return None
    raise status.modified(_about(call))


def _pod(call: Call, core: Core) -> Pod:
    entry = core.cache.resources[kinds.POD].entries.get(call.target.key)
    if entry is None:
        raise status.not_found(_about(call))
    return codec.decode(kinds.POD, entry.data)


def _about(call: Call) -> status.Subject:
    return status.subject(kinds.POD, call.target.name)


def _pinned(opts: DeleteOptions, pod: Pod) -> DeleteOptions:
    """The same, for the pod as it was seen and in no other state."""
    pinned: DeleteOptions = copy(opts)
    pinned.preconditions = pinned.preconditions or Preconditions()
    pinned.preconditions.resource_version = pod.metadata.resource_version
    return pinned


async def _spend(budget: PodDisruptionBudget, pod: Pod, core: Core, *, dry_run: bool) -> None:
    """Take one of the budget's disruptions. Raises StatusError."""
    now = core.clock.now()
    if dry_run:
        budgets.spend(budget, pod.metadata.name or "", now)
        return

    def spend(found: Any, _: Entry) -> None:
        budgets.spend(found, pod.metadata.name or "", now)

    await rewrite(kinds.POD_DISRUPTION_BUDGET, f"{pod.metadata.namespace}/{budget.metadata.name}", spend, core)


async def _delete(call: Call, opts: DeleteOptions, core: Core) -> None:
    """Say in the pod's status why it goes, then delete it."""
    dry_run = bool(opts.dry_run)
    if not dry_run:
        now = times.format_time(core.clock.now())
        revision = await rewrite(
            kinds.POD, call.target.key, lambda pod, entry: _mark(pod, entry, opts.preconditions, now), core
        )
        if opts.preconditions is not None and opts.preconditions.resource_version:
            opts = copy(opts)
            assert opts.preconditions is not None
            opts.preconditions.resource_version = str(revision)
    await delete_one(call.target, opts, core, dry_run=dry_run)


def _mark(pod: Pod, entry: Entry, wanted: Preconditions | None, now: str) -> None:
    name = pod.metadata.name or ""
    if wanted is not None and wanted.uid and wanted.uid != pod.metadata.uid:
        raise _mismatch("UID", wanted.uid, pod.metadata.uid, name, "deleted and then recreated")
    if wanted is not None and wanted.resource_version and wanted.resource_version != str(entry.revision):
        raise _mismatch("ResourceVersion", wanted.resource_version, str(entry.revision), name, "modified")
    told = PodCondition(
        type=DISRUPTED,
        status="True",
        reason="EvictionByEvictionAPI",
        message="Eviction API: evicting",
        last_transition_time=now,
    )
    before = next((condition for condition in pod.status.conditions if condition.type == DISRUPTED), None)
    if before is None:
        pod.status.conditions = [*pod.status.conditions, told]
        return
    if before.status == "True":
        told.last_transition_time = before.last_transition_time
    pod.status.conditions = [told if condition is before else condition for condition in pod.status.conditions]


def _mismatch(what: str, wanted: str, found: str | None, name: str, happened: str) -> status.StatusError:
    why = f"the {what} in the precondition ({wanted}) does not match the {what} in record ({found})"
    return status.conflict(status.Subject("", "Pod", name), f"{why}. The object might have been {happened}")
