"""Rules for PodDisruptionBudgets."""

from typing import Any

from api import choices, kinds, names
from api.kinds import Kind
from api.policy_v1 import PodDisruptionBudget
from api.validation import metadata
from api.validation.portions import at_most_all, portion
from api.validation.problems import Problems
from api.validation.rules import Rules


def budget(found: Problems, obj: PodDisruptionBudget) -> None:
    """A PodDisruptionBudget."""
    spec = obj.spec
    if spec.min_available is not None and spec.max_unavailable is not None:
        found.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set")
    for field, value in (("minAvailable", spec.min_available), ("maxUnavailable", spec.max_unavailable)):
        if value is not None:
            portion(found, f"spec.{field}", value)
            at_most_all(found, f"spec.{field}", value)
    if spec.selector is not None:
        metadata.label_selector(found, "spec.selector", spec.selector)
    policy = spec.unhealthy_pod_eviction_policy
    found.optional_one_of("spec.unhealthyPodEvictionPolicy", policy, choices.UNHEALTHY_EVICTION)


def _status(found: Problems, new: PodDisruptionBudget, old: PodDisruptionBudget) -> None:
    status = new.status
    metadata.conditions(found, "status.conditions", status.conditions)
    for field, value in (
        ("disruptionsAllowed", status.disruptions_allowed),
        ("currentHealthy", status.current_healthy),
        ("desiredHealthy", status.desired_healthy),
        ("expectedPods", status.expected_pods),
    ):
        found.not_negative(f"status.{field}", value)


RULES: dict[Kind[Any], Rules] = {
    kinds.POD_DISRUPTION_BUDGET: Rules(budget, parts={"status": _status}, name=names.path_segment),
}
