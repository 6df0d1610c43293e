"""Rules for Deployments, ReplicaSets and their Scale."""

from api import choices, names
from api.apps_v1 import (
    Deployment,
    DeploymentSpec,
    DeploymentStrategy,
    ReplicaSet,
    ReplicaSetSpec,
)
from api.autoscaling_v1 import Scale
from api.validation import metadata, replicas
from api.validation.portions import at_most_all, given, is_nothing, portion
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
    replicas.status(found, new.status)
    replicas.collisions(found, new.status.collision_count, old.status.collision_count)


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
    replicas.status(found, new.status)


def scale(found: Problems, obj: Scale) -> None:
    """A wish for more or fewer replicas."""
    metadata.metadata(found, obj.metadata, True, names.dns_subdomain)
    found.not_negative("spec.replicas", obj.spec.replicas)


def _deployment_spec(found: Problems, spec: DeploymentSpec) -> None:
    found.not_negative("spec.replicas", spec.replicas)
    # Of a selector that cannot be read, upstream says nothing about the template.
    if replicas.selector(found, "spec", spec.selector, spec.template, "deployment"):
        replicas.template(found, "spec.template", spec.template, "ReplicaSet")
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
    # Of a selector that cannot be read, upstream says nothing about the template.
    if replicas.selector(found, "spec", spec.selector, spec.template, "deployment"):
        replicas.template(found, "spec.template", spec.template, "ReplicaSet")


def _strategy(found: Problems, strategy: DeploymentStrategy) -> None:
    path = "spec.strategy"
    if strategy.type == "Recreate":
        if strategy.rolling_update is not None:
            detail = "may not be specified when strategy `type` is 'Recreate'"
            found.forbidden(f"{path}.rollingUpdate", detail)
        return
    if strategy.type != "RollingUpdate":
        found.not_supported(path, strategy, choices.DEPLOYMENT_STRATEGIES)
        return
    rolling = strategy.rolling_update
    if rolling is None:
        found.required(f"{path}.rollingUpdate", "this should be defaulted and never be nil")
        return
    unavailable, surge = given(rolling.max_unavailable), given(rolling.max_surge)
    portion(found, f"{path}.rollingUpdate.maxUnavailable", unavailable)
    portion(found, f"{path}.rollingUpdate.maxSurge", surge)
    if is_nothing(unavailable) and is_nothing(surge):
        detail = "may not be 0 when `maxSurge` is 0"
        found.invalid(f"{path}.rollingUpdate.maxUnavailable", unavailable, detail)
    at_most_all(found, f"{path}.rollingUpdate.maxUnavailable", unavailable)
