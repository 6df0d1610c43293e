"""componentstatuses: whether the store, the scheduler and the controllers are well. An old question that `kubectl get cs` still asks.

Scheduler and controllers live in this process and end with it, so they are well if anybody can answer; where several control planes share
a store, they are well while one of these holds the lease.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api import codec, kinds, times
from api.core_v1 import ComponentCondition, ComponentStatus
from api.meta_v1 import ObjectMeta
from api.selectors import SelectorError, parse_fields, parse_labels
from controlplane import election
from controlplane.apiserver import options, status
from controlplane.apiserver.call import Answer, Call, Found, Listed, Result
from controlplane.apiserver.steps.encode import encode
from controlplane.store.interface import StoreError

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

STORE, SCHEDULER, CONTROLLERS = "etcd-0", "scheduler", "controller-manager"
NAMES = (CONTROLLERS, STORE, SCHEDULER)
DEPRECATED = '299 - "v1 ComponentStatus is deprecated in v1.19+"'


async def show(call: Call, core: Core) -> Result:
    """GET and LIST."""
    name, kind = call.target.name, kinds.COMPONENT_STATUS
    result: Found | Listed
    if name:
        if name not in NAMES:
            raise status.not_found(status.Subject("", "componentstatus", name))
        result = Found(kind, codec.encode(await _component(name, core)))
    else:
        found = [await _component(name, core) for name in NAMES]
        result = Listed(kind, [codec.encode(component) for component in _selected(call, found)], core.cache.revision)
    answer: Answer = encode(call, core, result)
    answer.headers = (*answer.headers, ("Warning", DEPRECATED))
    return answer


def _selected(call: Call, components: list[ComponentStatus]) -> list[ComponentStatus]:
    """Those that the query's selectors mean; a component has a name and nothing else."""
    wanted = options.parse(call.query, watch=False)
    try:
        labels, fields = parse_labels(wanted.labels), parse_fields(wanted.fields)
    except SelectorError as error:
        raise status.bad_request(str(error)) from None
    return [c for c in components if labels.matches({}) and fields.matches({"metadata.name": c.metadata.name or ""})]


async def _component(name: str, core: Core) -> ComponentStatus:
    problem = await _store_problem(core) if name == STORE else _lease_problem(core)
    told = ComponentCondition(type="Healthy", status="False" if problem else "True")
    if problem:
        told.error = problem
    else:
        told.message = "ok"
    return ComponentStatus(metadata=ObjectMeta(name=name), conditions=[told])


async def _store_problem(core: Core) -> str:
    try:
        await core.store.get("/registry/health")
    except StoreError as error:
        return str(error)
    return ""


def _lease_problem(core: Core) -> str:
    if not core.store.shared:
        return ""
    entry = core.cache.resources[kinds.LEASE].entries.get(f"{election.NAMESPACE}/{election.LEASE}")
    lease: Any = codec.decode(kinds.LEASE, entry.data).spec if entry is not None else None
    if lease is None or not lease.holder_identity or not lease.renew_time:
        return "no control plane leads"
    age = core.clock.now() - times.parse_time(lease.renew_time)
    return "" if age <= election.LEASE_SECONDS else f"the control plane that leads was last heard {age:.0f} s ago"
