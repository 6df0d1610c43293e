"""Deployments, daemon sets and jobs, where they differ from other workloads."""

from __future__ import annotations

from typing import Any

from api.meta_v1 import LabelSelector
from controlplane.apiserver.strategies.base import Workload, differ

TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
_CONTROLLER_UID = "batch.kubernetes.io/controller-uid"


class Deployments(Workload):
    """Annotations go on to replica sets, so they count as well."""

    def prepare_status(self, new: Any, old: Any, now: str) -> None:
        """The old spec and labels."""
        super().prepare_status(new, old, now)
        new.metadata.labels = old.metadata.labels

    def _changed(self, new: Any, old: Any) -> bool:
        return super()._changed(new, old) or bool(new.metadata.annotations != old.metadata.annotations)


class DaemonSets(Workload):
    """An annotation counts changes of the template, for who still goes by it."""

    def prepare_create(self, new: Any) -> None:
        """The first template."""
        super().prepare_create(new)
        _count(new, max(1, _counted(new)))

    def prepare_update(self, new: Any, old: Any) -> None:
        """The old count, or the next if the template changed."""
        super().prepare_update(new, old)
        _count(new, _counted(old) + differ(new.spec.template, old.spec.template))

    def prepare_status(self, new: Any, old: Any, now: str) -> None:
        """The old spec; the count belongs to it."""
        super().prepare_status(new, old, now)
        _count(new, _counted(old))


class StatefulSets(Workload):
    """How many pods may be away during an update is not open yet: always one."""

    def prepare_create(self, new: Any) -> None:
        """Without that number."""
        super().prepare_create(new)
        _one_at_a_time(new, None)

    def prepare_update(self, new: Any, old: Any) -> None:
        """The same, unless it is there."""
        _one_at_a_time(new, old)
        super().prepare_update(new, old)


def _one_at_a_time(new: Any, old: Any) -> None:
    rolling, known = (
        one.spec.update_strategy.rolling_update if one is not None and one.spec.update_strategy is not None else None
        for one in (new, old)
    )
    if rolling is not None and (known is None or known.max_unavailable is None):
        rolling.max_unavailable = None


def _counted(obj: Any) -> int:
    text = obj.metadata.annotations.get(TEMPLATE_GENERATION, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


def _count(obj: Any, number: int) -> None:
    obj.metadata.annotations = {**obj.metadata.annotations, TEMPLATE_GENERATION: str(number)}


class Jobs(Workload):
    """Unless it says that it knows better, a Job selects its pods by its own uid."""

    def prepare_create(self, new: Any) -> None:
        """Labels for the pods, and a selector of them."""
        super().prepare_create(new)
        if new.spec.manual_selector:
            return
        name, uid = new.metadata.name or "", new.metadata.uid
        made = {"job-name": name, "controller-uid": uid}
        made |= {f"batch.kubernetes.io/{key}": value for key, value in made.items()}
        labels = new.spec.template.metadata.labels
        new.spec.template.metadata.labels = made | labels
        if new.metadata.labels is labels:  # nobody labelled the Job, so it has the labels of its pods: these as well
            new.metadata.labels = made | labels
        new.spec.selector = new.spec.selector or LabelSelector()
        new.spec.selector.match_labels = {_CONTROLLER_UID: uid} | new.spec.selector.match_labels
