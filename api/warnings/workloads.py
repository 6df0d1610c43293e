"""Workloads: what makes pods, and what their names become."""

from typing import Any

from api import names
from api.apps_sets_v1 import StatefulSet
from api.batch_v1 import CronJob, JobSpec
from api.warnings import pods, volumes

_MOST_COMPLETIONS, _MOST_AT_ONCE = 100_000, 10_000
_INDEXES = (
    "In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not "
    "be able to track completedIndexes when a big number of indexes fail"
)
_TIME_ZONE = (
    "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see "
    "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"
)
_HISTORY = "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"


def of_name(obj: Any, use: str = "Pod names and hostnames") -> list[str]:
    """A name that is no label, which hostnames are."""
    problems = names.dns_label(obj.metadata.name or "")
    surprise = f"this is used in {use}, which can result in surprising behavior"
    return [f"metadata.name: {surprise}; a DNS label is recommended: [{' '.join(problems)}]"] if problems else []


def changed(new: Any, old: Any) -> bool:
    """Whether the spec is new."""
    return old is None or new.metadata.generation != old.metadata.generation


def of_workload(new: Any, old: Any) -> list[str]:
    """A Deployment, ReplicaSet or ReplicationController."""
    found = of_name(new) if old is None else []
    return [*found, *of_set(new, old)]


def of_set(new: Any, old: Any) -> list[str]:
    """A DaemonSet, whose name is only a part of names."""
    return pods.of_template("spec.template", new.spec.template) if changed(new, old) else []


def of_stateful_set(new: StatefulSet, old: StatefulSet | None) -> list[str]:
    """A StatefulSet."""
    found = of_set(new, old)
    for index, claim in enumerate(new.spec.volume_claim_templates):
        path = f"spec.volumeClaimTemplates[{index}]"
        found += volumes.of_claim_spec(path if old is None else f"{path}.Spec", claim.spec)
    if (new.spec.revision_history_limit or 0) < 0:
        found.append(_HISTORY)
    return found


def of_job(new: Any, old: Any) -> list[str]:
    """A Job."""
    found = of_name(new) if old is None else []
    return [*found, *of_job_spec("spec", new.spec)] if changed(new, old) else found


def of_cron_job(new: CronJob, old: CronJob | None) -> list[str]:
    """A CronJob."""
    found = of_name(new) if old is None else []
    if changed(new, old) and new.spec.job_template is not None:
        found += of_job_spec("spec.jobTemplate.spec", new.spec.job_template.spec)
    if old is not None and "TZ" in (new.spec.schedule or ""):
        found.append(_TIME_ZONE)
    return found


def of_job_spec(path: str, spec: JobSpec | None) -> list[str]:
    """What jobs are made of."""
    if spec is None:
        return []
    found = []
    large = (spec.completions or 0) > _MOST_COMPLETIONS and (spec.parallelism or 0) > _MOST_AT_ONCE
    if spec.completion_mode == "Indexed" and large:
        found.append(f"{path}: {_INDEXES}")
    return [*found, *pods.of_template(f"{path}.template", spec.template)]


def of_pod_template(new: Any, old: Any) -> list[str]:
    """A PodTemplate."""
    return pods.of_template("template", new.template) if changed(new, old) else []


def of_pod(pod: Any) -> list[str]:
    """A new Pod."""
    return [*of_name(pod, "the Pod's hostname"), *pods.of_pod("", pod)]
