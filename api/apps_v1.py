"""apps/v1: Deployments and ReplicaSets."""

from typing import Annotated

from api import choices
from api.core_v1 import PodTemplateSpec
from api.fields import F, Int32, Int64, IntOrString, Time, Type, constant, required
from api.meta_v1 import LabelSelector, ObjectMeta


class RollingUpdateDeployment(Type):
    max_unavailable: Annotated[IntOrString | None, F(1, explicit=True)] = None
    max_surge: Annotated[IntOrString | None, F(2, explicit=True)] = None


class DeploymentStrategy(Type):
    type: Annotated[str | None, F(1, among=choices.DEPLOYMENT_STRATEGIES)] = None
    rolling_update: Annotated[RollingUpdateDeployment | None, F(2)] = None


class DeploymentSpec(Type):
    replicas: Annotated[Int32 | None, F(1, explicit=True)] = None
    selector: Annotated[LabelSelector | None, F(2)] = None
    template: Annotated[PodTemplateSpec, F(3)] = required(PodTemplateSpec)
    strategy: Annotated[DeploymentStrategy | None, F(4, retain_keys=True)] = None
    min_ready_seconds: Annotated[Int32 | None, F(5)] = None
    revision_history_limit: Annotated[Int32 | None, F(6, explicit=True)] = None
    paused: Annotated[bool | None, F(7)] = None
    progress_deadline_seconds: Annotated[Int32 | None, F(9, explicit=True)] = None


class DeploymentCondition(Type):
    type: Annotated[str, F(1)] = required(str)
    status: Annotated[str, F(2)] = required(str)
    last_update_time: Annotated[Time | None, F(6)] = None
    last_transition_time: Annotated[Time | None, F(7)] = None
    reason: Annotated[str | None, F(4)] = None
    message: Annotated[str | None, F(5)] = None


class DeploymentStatus(Type):
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
    kind: str = constant("Deployment")
    api_version: str = constant("apps/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[DeploymentSpec, F(2)] = required(DeploymentSpec)
    status: Annotated[DeploymentStatus, F(3)] = required(DeploymentStatus)


class ReplicaSetSpec(Type):
    replicas: Annotated[Int32 | None, F(1, explicit=True)] = None
    min_ready_seconds: Annotated[Int32 | None, F(4)] = None
    selector: Annotated[LabelSelector | None, F(2)] = None
    template: Annotated[PodTemplateSpec, F(3)] = required(PodTemplateSpec)


class ReplicaSetCondition(Type):
    type: Annotated[str, F(1)] = required(str)
    status: Annotated[str, F(2)] = required(str)
    last_transition_time: Annotated[Time | None, F(3)] = None
    reason: Annotated[str | None, F(4)] = None
    message: Annotated[str | None, F(5)] = None


class ReplicaSetStatus(Type):
    replicas: Annotated[Int32, F(1)] = required(int)
    fully_labeled_replicas: Annotated[Int32 | None, F(2)] = None
    ready_replicas: Annotated[Int32 | None, F(4)] = None
    available_replicas: Annotated[Int32 | None, F(5)] = None
    terminating_replicas: Annotated[Int32 | None, F(7, explicit=True)] = None
    observed_generation: Annotated[Int64 | None, F(3)] = None
    conditions: Annotated[list[ReplicaSetCondition], F(6, merge="type")] = []


class ReplicaSet(Type):
    kind: str = constant("ReplicaSet")
    api_version: str = constant("apps/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[ReplicaSetSpec, F(2)] = required(ReplicaSetSpec)
    status: Annotated[ReplicaSetStatus, F(3)] = required(ReplicaSetStatus)
