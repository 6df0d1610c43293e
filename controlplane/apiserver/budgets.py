"""What PodDisruptionBudgets allow to an eviction: pure questions about a pod and its budget.

The controller of budgets counts healthy pods and says in the status how many may go (`disruptionsAllowed`). An eviction takes one of these,
and writes the pod's name beside it so that the controller counts it as gone until it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from api import codec, kinds, selectors, times
from api.core_v1 import Pod
from api.meta_v1 import Condition
from api.policy_v1 import PodDisruptionBudget
from controlplane.apiserver import status

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

MOST_DISRUPTED = 2000
ALLOWED = "DisruptionAllowed"
REFUSAL = "Cannot evict pod as it would violate the pod's disruption budget."
_ENDED = ("Succeeded", "Failed")
_LATER = 10  # seconds


def is_beyond_budgets(pod: Pod) -> bool:
    """Whether the pod disrupts nothing by going: it never ran, has ended, or is on its way."""
    return pod.status.phase in (*_ENDED, "Pending") or pod.metadata.deletion_timestamp is not None


def may_still_become_healthy(pod: Pod) -> bool:
    """Whether the pod could be serving by the time that it is deleted, though it was not when it was looked at."""
    return pod.status.phase not in _ENDED and pod.metadata.deletion_timestamp is None


def guarding(pod: Pod, core: Core) -> list[PodDisruptionBudget]:
    """The budgets of the pod's namespace that select it."""
    budgets = []
    for entry in core.cache.resources[kinds.POD_DISRUPTION_BUDGET].under(pod.metadata.namespace or ""):
        budget = codec.decode(kinds.POD_DISRUPTION_BUDGET, entry.data)
        try:
            selector = selectors.from_struct(budget.spec.selector) if budget.spec.selector is not None else None
        except selectors.SelectorError:
            continue  # it can select nothing
        if selector is not None and selector.matches(pod.metadata.labels):
            budgets.append(budget)
    return budgets


def spares(budget: PodDisruptionBudget, pod: Pod) -> bool:
    """Whether an unready pod may go without asking: it is not among those that the budget counts on."""
    if any(condition.type == "Ready" and condition.status == "True" for condition in pod.status.conditions):
        return False
    if budget.spec.unhealthy_pod_eviction_policy == "AlwaysAllow":
        return True
    return budget.status.current_healthy >= budget.status.desired_healthy > 0


def spend(budget: PodDisruptionBudget, pod: str, now: float) -> None:
    """Take one disruption, in place. Raises StatusError when there is none."""
    meta, seen = budget.metadata, budget.status
    name = meta.name or ""
    if (seen.observed_generation or 0) < (meta.generation or 0):
        raise not_yet(name)
    about = status.Subject("policy", "poddisruptionbudget", name)
    if seen.disruptions_allowed < 0:
        raise status.forbidden(about, "pdb disruptions allowed is negative")
    if len(seen.disrupted_pods) > MOST_DISRUPTED:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        raise status.forbidden(about, why)
    if seen.disruptions_allowed == 0:
        raise _refused(_why_none(budget), 0)
    seen.disruptions_allowed -= 1
    if seen.disruptions_allowed == 0:
        _tell_exhausted(budget, now)
    seen.disrupted_pods = {**seen.disrupted_pods, pod: times.format_time(now)}


def not_yet(name: str) -> status.StatusError:
    """The budget's status does not tell how things are now."""
    return _refused(f"The disruption budget {name} is still being processed by the server.", _LATER)


def _refused(why: str, retry_after: int) -> status.StatusError:
    error = status.too_many_requests(REFUSAL, retry_after)
    details: dict[str, Any] = {"causes": [{"reason": "DisruptionBudget", "message": why}]}
    error.details = details | ({"retryAfterSeconds": retry_after} if retry_after else {})
    return error


def _why_none(budget: PodDisruptionBudget) -> str:
    seen, name = budget.status, budget.metadata.name
    found = next((condition for condition in seen.conditions if condition.type == ALLOWED), None)
    told = found if found is not None and found.status == "False" and found.message else None
    start = f"The disruption budget {name}"
    if told is not None and told.reason == "SyncFailed":
        return f"{start} does not allow evicting pods currently because it failed sync: {told.message}"
    if seen.current_healthy <= seen.desired_healthy:
        return f"{start} needs {seen.desired_healthy} healthy pods and has {seen.current_healthy} currently"
    if told is not None:
        return f"{start} does not allow evicting pods currently ({told.reason}): {told.message}"
    return f"{start} does not allow evicting pods currently"


def _tell_exhausted(budget: PodDisruptionBudget, now: float) -> None:
    conditions = budget.status.conditions
    before = next((condition for condition in conditions if condition.type == ALLOWED), None)
    unchanged = before is not None and before.status == "False"
    told = Condition(
        type=ALLOWED,
        status="False",
        reason="InsufficientPods",
        observed_generation=budget.status.observed_generation,
        last_transition_time=before.last_transition_time if before and unchanged else times.format_time(now),
    )
    budget.status.conditions = [msgspec.structs.replace(told) if c is before else c for c in conditions]
    if before is None:
        budget.status.conditions.append(told)
