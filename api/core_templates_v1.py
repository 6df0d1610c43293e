"""core/v1: PodTemplates and ReplicationControllers."""

from typing import Annotated

from api.core_v1 import PodTemplateSpec
from api.fields import F, Int32, Int64, Time, Type, constant, required
from api.meta_v1 import ObjectMeta


class PodTemplate(Type):
    """What pods look like that others make from it."""

    kind: str = constant("PodTemplate")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    template: Annotated[PodTemplateSpec, F(2)] = required(PodTemplateSpec)


class ReplicationControllerSpec(Type):
    """How many pods there should be, and what they look like."""

    replicas: Annotated[Int32 | None, F(1, explicit=True)] = None
    min_ready_seconds: Annotated[Int32 | None, F(4)] = None
    selector: Annotated[dict[str, str], F(2, atomic=True)] = {}
    template: Annotated[PodTemplateSpec | None, F(3)] = None


class ReplicationControllerCondition(Type):
    """One thing that is, or is not, the case with a ReplicationController."""

    type: Annotated[str, F(1)] = required(str)
    status: Annotated[str, F(2)] = required(str)
    last_transition_time: Annotated[Time | None, F(3)] = None
    reason: Annotated[str | None, F(4)] = None
    message: Annotated[str | None, F(5)] = None


class ReplicationControllerStatus(Type):
    """How many pods there are and are ready."""

    replicas: Annotated[Int32, F(1)] = required(int)
    fully_labeled_replicas: Annotated[Int32 | None, F(2)] = None
    ready_replicas: Annotated[Int32 | None, F(4)] = None
    available_replicas: Annotated[Int32 | None, F(5)] = None
    observed_generation: Annotated[Int64 | None, F(3)] = None
    conditions: Annotated[list[ReplicationControllerCondition], F(6, merge="type")] = []


class ReplicationController(Type):
    """A number of pods that are all alike; ReplicaSet is its successor."""

    kind: str = constant("ReplicationController")
    api_version: str = constant("v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[ReplicationControllerSpec, F(2)] = required(ReplicationControllerSpec)
    status: Annotated[ReplicationControllerStatus, F(3)] = required(ReplicationControllerStatus)
