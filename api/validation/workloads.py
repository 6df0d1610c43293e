"""Rules for Deployments, ReplicaSets and their Scale."""

from typing import Any

from api import names, selectors
from api.apps_v1 import (
    Deployment,
    DeploymentSpec,
    DeploymentStatus,
    DeploymentStrategy,
    ReplicaSet,
    ReplicaSetSpec,
    ReplicaSetStatus,
)
from api.autoscaling_v1 import Scale
from api.validation import metadata, pods
from api.validation.problems import Problems


def create_deployment(found: Problems, obj: Deployment) -> None:
    """A new Deployment."""
    metadata.metadata(found, obj.metadata, True, names.dns_subdomain)
    _deployment_spec(found, obj.spec)


def update_deployment(found: Problems, new: Deployment, old: Deployment) -> None:
    """A changed Deployment."""
    metadata.metadata_update(found, new.metadata, old.metadata)
    _deployment_spec(found, new.spec)
    found.immutable("spec.selector", new.spec.selector, old.spec.selector)


def update_deployment_status(found: Problems, new: Deployment, old: Deployment) -> None:
    """A changed status of a Deployment."""
    metadata.metadata_update(found, new.metadata, old.metadata)
    _status(found, new.status)
    if (new.status.collision_count or 0) < (old.status.collision_count or 0):
        found.invalid("status.collisionCount", new.status.collision_count or 0, "cannot be decremented")


def create_replica_set(found: Problems, obj: ReplicaSet) -> None:
    """A new ReplicaSet."""
    metadata.metadata(found, obj.metadata, True, names.dns_subdomain)
    _replica_set_spec(found, obj.spec)


def update_replica_set(found: Problems, new: ReplicaSet, old: ReplicaSet) -> None:
    """A changed ReplicaSet."""
    metadata.metadata_update(found, new.metadata, old.metadata)
    _replica_set_spec(found, new.spec)
    found.immutable("spec.selector", new.spec.selector, old.spec.selector)


def update_replica_set_status(found: Problems, new: ReplicaSet, old: ReplicaSet) -> None:
    """A changed status of a ReplicaSet."""
    metadata.metadata_update(found, new.metadata, old.metadata)
    _status(found, new.status)


def scale(found: Problems, obj: Scale) -> None:
    """A wish for more or fewer replicas."""
    metadata.metadata(found, obj.metadata, True, names.dns_subdomain)
    found.not_negative("spec.replicas", obj.spec.replicas)


def _deployment_spec(found: Problems, spec: DeploymentSpec) -> None:
    found.not_negative("spec.replicas", spec.replicas)
    _selector_and_template(found, spec)
    _strategy(found, spec.strategy or DeploymentStrategy())
    found.not_negative("spec.minReadySeconds", spec.min_ready_seconds)
    found.not_negative("spec.revisionHistoryLimit", spec.revision_history_limit)
    deadline = spec.progress_deadline_seconds
    if deadline is not None:
        found.not_negative("spec.progressDeadlineSeconds", deadline)
        if deadline <= (spec.min_ready_seconds or 0):
            found.invalid("spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")


def _replica_set_spec(found: Problems, spec: ReplicaSetSpec) -> None:
    found.not_negative("spec.replicas", spec.replicas)
    found.not_negative("spec.minReadySeconds", spec.min_ready_seconds)
    _selector_and_template(found, spec)


def _selector_and_template(found: Problems, spec: DeploymentSpec | ReplicaSetSpec) -> None:
    selector = spec.selector
    if selector is None:
        found.required("spec.selector")
    else:
        metadata.label_selector(found, "spec.selector", selector)
        if not selector.match_labels and not selector.match_expressions:
            found.invalid("spec.selector", selector, "empty selector is invalid for deployment")
        try:
            parsed = selectors.from_struct(selector)
        except selectors.SelectorError:
            found.invalid("spec.selector", selector, "invalid label selector")
        else:
            labels = spec.template.metadata.labels
            if not parsed.matches(labels):
                detail = "`selector` does not match template `labels`"
                found.invalid("spec.template.metadata.labels", labels, detail)
    pods.template(found, "spec.template", spec.template)
    pod = spec.template.spec
    if pod.restart_policy not in (None, "", "Always"):
        found.not_supported("spec.template.spec.restartPolicy", pod.restart_policy, ("Always",))
    if pod.active_deadline_seconds is not None:
        detail = "activeDeadlineSeconds in ReplicaSet is not Supported"
        found.forbidden("spec.template.spec.activeDeadlineSeconds", detail)


def _strategy(found: Problems, strategy: DeploymentStrategy) -> None:
    path = "spec.strategy"
    if strategy.type == "Recreate":
        if strategy.rolling_update is not None:
            detail = "may not be specified when strategy `type` is 'Recreate'"
            found.forbidden(f"{path}.rollingUpdate", detail)
        return
    if strategy.type != "RollingUpdate":
        found.not_supported(path, strategy, ("Recreate", "RollingUpdate"))
        return
    rolling = strategy.rolling_update
    if rolling is None:
        found.required(f"{path}.rollingUpdate", "this should be defaulted and never be nil")
        return
    unavailable, surge = rolling.max_unavailable or 0, rolling.max_surge or 0
    _int_or_percent(found, f"{path}.rollingUpdate.maxUnavailable", unavailable)
    _int_or_percent(found, f"{path}.rollingUpdate.maxSurge", surge)
    if _is_nothing(unavailable) and _is_nothing(surge):
        detail = "may not be 0 when `maxSurge` is 0"
        found.invalid(f"{path}.rollingUpdate.maxUnavailable", unavailable, detail)
    if isinstance(unavailable, str) and not names.percent(unavailable) and int(unavailable[:-1]) > 100:
        found.invalid(f"{path}.rollingUpdate.maxUnavailable", unavailable, "must not be greater than 100%")


def _int_or_percent(found: Problems, path: str, value: int | str) -> None:
    if isinstance(value, str):
        found.invalid_all(path, value, names.percent(value))
    else:
        found.not_negative(path, value)


def _is_nothing(value: int | str) -> bool:
    return value == 0 or (isinstance(value, str) and not names.percent(value) and int(value[:-1]) == 0)


def _status(found: Problems, status: DeploymentStatus | ReplicaSetStatus) -> None:
    counts: dict[str, Any] = {
        json: getattr(status, name)
        for name, json in zip(status.__struct_fields__, status.__struct_encode_fields__, strict=True)
        if json != "conditions"
    }
    for json, count in counts.items():
        found.not_negative(f"status.{json}", count)
    for json in ("fullyLabeledReplicas", "updatedReplicas", "readyReplicas", "availableReplicas"):
        if (counts.get(json) or 0) > (status.replicas or 0):
            found.invalid(f"status.{json}", counts[json], "cannot be greater than status.replicas")
    if (status.available_replicas or 0) > (status.ready_replicas or 0):
        found.invalid("status.availableReplicas", status.available_replicas, "cannot be greater than readyReplicas")
