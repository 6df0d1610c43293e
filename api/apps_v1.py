"""apps/v1: Deployments and ReplicaSets."""

from typing import Annotated

from api import choices
from api.core_v1 import PodTemplateSpec
from api.fields import F, Int32, Int64, IntOrString, Time, Type, constant, required
from api.meta_v1 import LabelSelector, ObjectMeta


class RollingUpdateDeployment(Type):
    """How many pods of a Deployment may be missing, or too many, while they are replaced.

    max_unavailable: how many pods may be missing, as a number or a percentage; 25% by default
    max_surge: how many pods there may be above those wanted, as a number or a percentage; 25% by default
    """

    max_unavailable: Annotated[IntOrString | None, F(1, explicit=True)] = None
    max_surge: Annotated[IntOrString | None, F(2, explicit=True)] = None


class DeploymentStrategy(Type):
    """How the pods of a Deployment are replaced when its template changes.

    type: step by step, or all old pods before the first new one; RollingUpdate by default
    rolling_update: how many pods may be missing or too many meanwhile, if step by step
    """

    type: Annotated[str | None, F(1, among=choices.DEPLOYMENT_STRATEGIES)] = None
    rolling_update: Annotated[RollingUpdateDeployment | None, F(2)] = None


class DeploymentSpec(Type):
    """How many pods a Deployment has, what they look like, and how it replaces them.

    replicas: how many pods there should be; 1 by default
    selector: the labels that its pods have; it cannot be changed
    template: what its pods look like
    strategy: how pods are replaced when the template changes
    min_ready_seconds: how long a new pod must have been ready before it counts as available; 0 by default
    revision_history_limit: how many past ReplicaSets are kept to go back to; 10 by default
    paused: while true, changes of the template are not rolled out
    progress_deadline_seconds: after how long without progress a rollout is said to have failed; 600 by default
    """

    replicas: Annotated[Int32 | None, F(1, explicit=True)] = None
    selector: Annotated[LabelSelector | None, F(2)] = None
    template: Annotated[PodTemplateSpec, F(3)] = required(PodTemplateSpec)
    strategy: Annotated[DeploymentStrategy | None, F(4, retain_keys=True)] = None
    min_ready_seconds: Annotated[Int32 | None, F(5)] = None
    revision_history_limit: Annotated[Int32 | None, F(6, explicit=True)] = None
    paused: Annotated[bool | None, F(7)] = None
    progress_deadline_seconds: Annotated[Int32 | None, F(9, explicit=True)] = None


class DeploymentCondition(Type):
    """One thing that is, or is not, the case with a Deployment."""

    type: Annotated[str, F(1)] = required(str)
    status: Annotated[str, F(2)] = required(str)
    last_update_time: Annotated[Time | None, F(6)] = None
    last_transition_time: Annotated[Time | None, F(7)] = None
    reason: Annotated[str | None, F(4)] = None
    message: Annotated[str | None, F(5)] = None


class DeploymentStatus(Type):
    """How many pods of a Deployment there are, are ready, and are of the newest template."""

    observed_generation: Annotated[Int64 | None, F(1)] = None
    replicas: Annotated[Int32 | None, F(2)] = None
    updated_replicas: Annotated[Int32 | None, F(3)] = None
    ready_replicas: Annotated[Int32 | None, F(7)] = None
    available_replicas: Annotated[Int32 | None, F(4)] = None
    unavailable_replicas: Annotated[Int32 | None, F(5)] = None
    terminating_replicas: Annotated[Int32 | None, F(9, explicit=True)] = None
    conditions: Annotated[list[DeploymentCondition], F(6, merge="type")] = []
    collision_count: Annotated[Int32 | None, F(8, explicit=True)] = None


class Deployment(Type):
    """Pods that are all alike, as many as wanted, replaced step by step when their template changes."""

    kind: str = constant("Deployment")
    api_version: str = constant("apps/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[DeploymentSpec, F(2)] = required(DeploymentSpec)
    status: Annotated[DeploymentStatus, F(3)] = required(DeploymentStatus)


class ReplicaSetSpec(Type):
    """How many pods a ReplicaSet has, and what they look like.

    replicas: how many pods there should be; 1 by default
    min_ready_seconds: how long a new pod must have been ready before it counts as available; 0 by default
    selector: the labels that its pods have; it cannot be changed
    template: what its pods look like
    """

    replicas: Annotated[Int32 | None, F(1, explicit=True)] = None
    min_ready_seconds: Annotated[Int32 | None, F(4)] = None
    selector: Annotated[LabelSelector | None, F(2)] = None
    template: Annotated[PodTemplateSpec, F(3)] = required(PodTemplateSpec)


class ReplicaSetCondition(Type):
    """One thing that is, or is not, the case with a ReplicaSet."""

    type: Annotated[str, F(1)] = required(str)
    status: Annotated[str, F(2)] = required(str)
    last_transition_time: Annotated[Time | None, F(3)] = None
    reason: Annotated[str | None, F(4)] = None
    message: Annotated[str | None, F(5)] = None


class ReplicaSetStatus(Type):
    """How many pods of a ReplicaSet there are and are ready."""

    replicas: Annotated[Int32, F(1)] = required(int)
    fully_labeled_replicas: Annotated[Int32 | None, F(2)] = None
    ready_replicas: Annotated[Int32 | None, F(4)] = None
    available_replicas: Annotated[Int32 | None, F(5)] = None
    terminating_replicas: Annotated[Int32 | None, F(7, explicit=True)] = None
    observed_generation: Annotated[Int64 | None, F(3)] = None
    conditions: Annotated[list[ReplicaSetCondition], F(6, merge="type")] = []


class ReplicaSet(Type):
    """A number of pods that are all alike; mostly made by a Deployment."""

    kind: str = constant("ReplicaSet")
    api_version: str = constant("apps/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[ReplicaSetSpec, F(2)] = required(ReplicaSetSpec)
    status: Annotated[ReplicaSetStatus, F(3)] = required(ReplicaSetStatus)
