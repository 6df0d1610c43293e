"""Pods: what they start with, and the parts of them that have paths of their own."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from api.core_v1 import PodCondition, PodStatus
from api.meta_v1 import LabelSelectorRequirement
from api.quantity import QuantityError
from api.resources import qos_class
from controlplane.apiserver.strategies.base import Workload, keep_metadata

LONGEST_GRACE = 2**31 - 1  # later than any time that can be written


class Pods(Workload):
    """Pods are deleted with grace, and know their class of service from the start."""

    def prepare_create(self, new: Any) -> None:
        """Pending."""
        new.metadata.generation = 1
        new.status = PodStatus(phase="Pending")
        with suppress(QuantityError):  # validation, which comes later, says what is wrong with it
            new.status.qos_class = qos_class(new.spec)
        if new.spec.scheduling_gates:
            new.status.conditions = [
                PodCondition(
                    type="PodScheduled",
                    status="False",
                    reason="SchedulingGated",
                    message="Scheduling is blocked due to non-empty scheduling gates",
                    last_transition_time=new.metadata.creation_timestamp,
                )
            ]
        _merge_label_keys(new)

    def prepare_status(self, new: Any, old: Any, now: str) -> None:
        """Neither spec nor owners nor a deletion can be changed through the status, nor an observed generation cleared."""
        super().prepare_status(new, old, now)
        new.metadata.owner_references = old.metadata.owner_references
        new.metadata.deletion_timestamp = old.metadata.deletion_timestamp
        new.status.qos_class = new.status.qos_class or old.status.qos_class
        new.status.observed_generation = new.status.observed_generation or old.status.observed_generation
        before = list(old.status.conditions)
        for condition in new.status.conditions:
            known = next((c for c in before if c.type == condition.type), None)
            if known is not None:
                before.remove(known)
                condition.observed_generation = condition.observed_generation or known.observed_generation

    def prepare_part(self, part: str, new: Any, old: Any) -> None:
        """Only ephemeral containers, or only the resources of the containers that are there; a new generation if that changed."""
        spec, known = new.spec, old.spec
        if part == "ephemeralcontainers":
            new.spec = replace(known, ephemeral_containers=spec.ephemeral_containers)
        elif not _same_names(spec, known):
            return  # validation says so
        else:
            new.spec = replace(
                known,
                resources=spec.resources,
                containers=_with_resources(spec.containers, known.containers),
                init_containers=_with_resources(spec.init_containers, known.init_containers),
            )
        new.status = old.status
        keep_metadata(new, old)
        if self._changed(new, old):
            new.metadata.generation = (old.metadata.generation or 0) + 1

    def grace(self, obj: Any, asked: int | None) -> int | None:
        """What was asked or specified; none for a pod that never ran or no longer does."""
        period = asked if asked is not None else obj.spec.termination_grace_period_seconds or 0
        if not obj.spec.node_name or obj.status.phase in ("Failed", "Succeeded"):
            return 0
        return 1 if period < 0 else min(int(period), LONGEST_GRACE)


def _same_names(new: Any, old: Any) -> bool:
    return all(
        [one.name for one in getattr(new, field)] == [one.name for one in getattr(old, field)]
        for field in ("containers", "init_containers")
    )


def _with_resources(new: list[Any], old: list[Any]) -> list[Any]:
    pairs = zip(new, old, strict=True)
    return [replace(known, resources=one.resources, resize_policy=one.resize_policy) for one, known in pairs]


def _merge_label_keys(pod: Any) -> None:
    """Write the values that the pod itself has for `matchLabelKeys` into the selectors beside them, for the scheduler."""
    labels, affinity = pod.metadata.labels, pod.spec.affinity
    for constraint in pod.spec.topology_spread_constraints:
        _select(constraint.label_selector, constraint.match_label_keys, "In", labels)
    for terms in (affinity.pod_affinity, affinity.pod_anti_affinity) if affinity is not None else ():
        if terms is None:
            continue
        preferred = [term.pod_affinity_term for term in terms.preferred_during_scheduling_ignored_during_execution]
        for term in (*preferred, *terms.required_during_scheduling_ignored_during_execution):
            _select(term.label_selector, term.match_label_keys, "In", labels)
            _select(term.label_selector, term.mismatch_label_keys, "NotIn", labels)


def _select(selector: Any, keys: list[str], operator: str, labels: dict[str, str]) -> None:
    if selector is not None:
        selector.match_expressions = [
            *selector.match_expressions,
            *(LabelSelectorRequirement(key, operator, [labels[key]]) for key in keys if key in labels),
        ]
