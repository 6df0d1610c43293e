"""The order of all steps, in one place.

    every request   authenticate, route, impersonate, authorize, wait until the cache is fresh (only with a shared store)
    a read          the verb (cache), encode
    a write         decode, default, manage, mutate, validate, warn, admit, store (`writes.STEPS`), encode
    anything else   its own file in `actions/`, encode

What can be answered at once is returned, not awaited: a GET costs no task. Whoever carries requests (network, this process) calls `handle`
and does with the result what its own side needs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from controlplane.apiserver import deletes, freshness, reads, status, writes
from controlplane.apiserver.access.attributes import of_path
from controlplane.apiserver.actions import ACTIONS, Action
from controlplane.apiserver.call import Call, Result
from controlplane.apiserver.steps.authenticate import authenticate
from controlplane.apiserver.steps.authorize import authorize
from controlplane.apiserver.steps.impersonate import impersonate
from controlplane.apiserver.steps.route import route

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core


def _understand(call: Call, core: Core) -> None:
    """Route; that a path leads nowhere is told after the user has been found to be one who may know."""
    try:
        route(call, core)
    except status.StatusError as problem:
        call.problem = problem


FIRST: tuple[Callable[[Call, Core], None], ...] = (authenticate, _understand, impersonate, authorize)

_REFUSALS = (401, 403)
MOST_DOUBTFUL = 100  # that wait at a time

VERBS: dict[str, Action] = {
    "get": reads.get,
    "list": reads.list_,
    "watch": reads.watch,
    "create": writes.create,
    "update": writes.update,
    "patch": writes.patch,
    "delete": deletes.delete,
    "deletecollection": deletes.delete_collection,
}


def handle(call: Call, core: Core) -> Result | Awaitable[Result] | None:
    """Walk through the steps; None if the path is no resource. Raises StatusError, at once or when awaited."""
    user = call.user
    try:
        _begin(call, core)
    except status.StatusError as error:
        if error.code in _REFUSALS and core.store.shared and of_path(call).resource:
            call.user, call.problem, call.doubtful = user, None, True
            return _again(call, core, error)
        raise
    if call.target.kind is None:
        return None
    if freshness.behind(call, core):
        return _when_fresh(call, core)
    return _handler(call)(call, core)


def _handler(call: Call) -> Action:
    target = call.target
    assert target.kind is not None
    return ACTIONS.get((target.kind, target.subresource)) or VERBS[call.verb]


def _begin(call: Call, core: Core) -> None:
    for step in FIRST:
        step(call, core)
    if call.problem is not None:
        raise call.problem


async def _when_fresh(call: Call, core: Core) -> Result:
    await freshness.fresh(core)
    result = _handler(call)(call, core)
    return await result if isinstance(result, Awaitable) else result


async def _again(call: Call, core: Core, refusal: status.StatusError) -> Result:
    """After a refusal, begin again: another server may just have written the account or the role. Not too many may wait for that."""
    if core.doubtful >= MOST_DOUBTFUL:
        raise refusal
    core.doubtful += 1
    try:
        await freshness.fresh(core)
    finally:
        core.doubtful -= 1
    _begin(call, core)
    result = _handler(call)(call, core)
    return await result if isinstance(result, Awaitable) else result
