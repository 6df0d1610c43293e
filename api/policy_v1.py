"""policy/v1: PodDisruptionBudgets and evictions."""

from typing import Annotated

from api import choices
from api.fields import F, Int32, Int64, IntOrString, Time, Type, constant, required
from api.meta_v1 import Condition, DeleteOptions, LabelSelector, ObjectMeta


class PodDisruptionBudgetSpec(Type):
    """The pods, and how many must stay or may be missing.

    min_available: how many pods must stay, as a number or a percentage
    selector: labels of the pods
    max_unavailable: how many pods may be missing, as a number or a percentage
    unhealthy_pod_eviction_policy: whether pods that are not ready may always go
    """

    min_available: Annotated[IntOrString | None, F(1, explicit=True)] = None
    selector: Annotated[LabelSelector | None, F(2, replaced=True)] = None
    max_unavailable: Annotated[IntOrString | None, F(3, explicit=True)] = None
    unhealthy_pod_eviction_policy: Annotated[str | None, F(4, explicit=True, among=choices.UNHEALTHY_EVICTION)] = None


class PodDisruptionBudgetStatus(Type):
    """How many pods are there, and how many may go now.

    disruptions_allowed: how many pods may go now
    current_healthy: how many pods are ready
    desired_healthy: how many pods must be ready
    expected_pods: how many pods there should be
    """

    observed_generation: Annotated[Int64 | None, F(1)] = None
    disrupted_pods: Annotated[dict[str, Time], F(2)] = {}
    disruptions_allowed: Annotated[Int32, F(3)] = required(int)
    current_healthy: Annotated[Int32, F(4)] = required(int)
    desired_healthy: Annotated[Int32, F(5)] = required(int)
    expected_pods: Annotated[Int32, F(6)] = required(int)
    conditions: Annotated[list[Condition], F(7, merge="type")] = []


class PodDisruptionBudget(Type):
    """How many pods must stay while others are moved away."""

    kind: str = constant("PodDisruptionBudget")
    api_version: str = constant("policy/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[PodDisruptionBudgetSpec, F(2)] = required(PodDisruptionBudgetSpec)
    status: Annotated[PodDisruptionBudgetStatus, F(3)] = required(PodDisruptionBudgetStatus)


class Eviction(Type):
    """Asks a pod to leave its node, unless a budget forbids that now."""

    kind: str = constant("Eviction")
    api_version: str = constant("policy/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    delete_options: Annotated[DeleteOptions | None, F(2)] = None
