"""Defaults of Deployments and ReplicaSets."""

from api.apps_v1 import Deployment, DeploymentStrategy, ReplicaSet, RollingUpdateDeployment
from api.defaults.pods import pod_spec


def deployment(obj: Deployment) -> None:
    """Defaults of a Deployment."""
    spec = obj.spec
    if spec.replicas is None:
        spec.replicas = 1
    if spec.strategy is None:
        spec.strategy = DeploymentStrategy()
    spec.strategy.type = spec.strategy.type or "RollingUpdate"
    if spec.strategy.type == "RollingUpdate":
        rolling = spec.strategy.rolling_update = spec.strategy.rolling_update or RollingUpdateDeployment()
        if rolling.max_unavailable is None:
            rolling.max_unavailable = "25%"
        if rolling.max_surge is None:
            rolling.max_surge = "25%"
    if spec.revision_history_limit is None:
        spec.revision_history_limit = 10
    if spec.progress_deadline_seconds is None:
        spec.progress_deadline_seconds = 600
    pod_spec(spec.template.spec)


def replica_set(obj: ReplicaSet) -> None:
    """Defaults of a ReplicaSet."""
    if obj.spec.replicas is None:
        obj.spec.replicas = 1
    pod_spec(obj.spec.template.spec)
