"""autoscaling/v2: HorizontalPodAutoscalers."""

from typing import Annotated

from api.fields import F, Int32, Int64, Quantity, Time, Type, constant, required
from api.meta_v1 import LabelSelector, ObjectMeta


class CrossVersionObjectReference(Type):
    """An object, by kind, name and version."""

    kind: Annotated[str, F(1)] = required(str)
    name: Annotated[str, F(2)] = required(str)
    api_version: Annotated[str | None, F(3)] = None


class MetricTarget(Type):
    """The value that a measure should have."""

    type: Annotated[str, F(1)] = required(str)
    value: Annotated[Quantity | None, F(2)] = None
    average_value: Annotated[Quantity | None, F(3)] = None
    average_utilization: Annotated[Int32 | None, F(4, explicit=True)] = None


class MetricIdentifier(Type):
    """Which measure, by its name and labels."""

    name: Annotated[str, F(1)] = required(str)
    selector: Annotated[LabelSelector | None, F(2)] = None


class ObjectMetricSource(Type):
    """A measure of one object."""

    described_object: Annotated[CrossVersionObjectReference, F(1)] = required(CrossVersionObjectReference)
    target: Annotated[MetricTarget, F(2)] = required(MetricTarget)
    metric: Annotated[MetricIdentifier, F(3)] = required(MetricIdentifier)


class PodsMetricSource(Type):
    """A measure of each pod, of which the average counts."""

    metric: Annotated[MetricIdentifier, F(1)] = required(MetricIdentifier)
    target: Annotated[MetricTarget, F(2)] = required(MetricTarget)


class ResourceMetricSource(Type):
    """How much of a resource the pods use."""

    name: Annotated[str, F(1)] = required(str)
    target: Annotated[MetricTarget, F(2)] = required(MetricTarget)


class ContainerResourceMetricSource(Type):
    """How much of a resource one container of each pod uses."""

    name: Annotated[str, F(1)] = required(str)
    target: Annotated[MetricTarget, F(2)] = required(MetricTarget)
    container: Annotated[str, F(3)] = required(str)


class ExternalMetricSource(Type):
    """A measure of something outside the cluster."""

    metric: Annotated[MetricIdentifier, F(1)] = required(MetricIdentifier)
    target: Annotated[MetricTarget, F(2)] = required(MetricTarget)


class MetricSpec(Type):
    """One measure, and the value that it should have."""

    type: Annotated[str, F(1)] = required(str)
    object: Annotated[ObjectMetricSource | None, F(2)] = None
    pods: Annotated[PodsMetricSource | None, F(3)] = None
    resource: Annotated[ResourceMetricSource | None, F(4)] = None
    container_resource: Annotated[ContainerResourceMetricSource | None, F(7)] = None
    external: Annotated[ExternalMetricSource | None, F(5)] = None


class HPAScalingPolicy(Type):
    """By how much the number of pods may change within some time."""

    type: Annotated[str, F(1)] = required(str)
    value: Annotated[Int32, F(2)] = required(int)
    period_seconds: Annotated[Int32, F(3)] = required(int)


class HPAScalingRules(Type):
    """How fast the number of pods may change in one direction."""

    stabilization_window_seconds: Annotated[Int32 | None, F(3, explicit=True)] = None
    select_policy: Annotated[str | None, F(1, explicit=True)] = None
    policies: Annotated[list[HPAScalingPolicy], F(2, atomic=True)] = []
    tolerance: Annotated[Quantity | None, F(4)] = None


class HorizontalPodAutoscalerBehavior(Type):
    """How fast pods are added and taken away."""

    scale_up: Annotated[HPAScalingRules | None, F(1)] = None
    scale_down: Annotated[HPAScalingRules | None, F(2)] = None


class HorizontalPodAutoscalerSpec(Type):
    """What is scaled, between which numbers, by which measures, and how fast.

    scale_target_ref: what is made larger and smaller
    min_replicas: how many pods there are at least; 1 by default
    max_replicas: how many pods there are at most
    metrics: what is measured, and the values it should have
    behavior: how fast the number of pods may change
    """

    scale_target_ref: Annotated[CrossVersionObjectReference, F(1)] = required(CrossVersionObjectReference)
    min_replicas: Annotated[Int32 | None, F(2, explicit=True)] = None
    max_replicas: Annotated[Int32, F(3)] = required(int)
    metrics: Annotated[list[MetricSpec], F(4, atomic=True)] = []
    behavior: Annotated[HorizontalPodAutoscalerBehavior | None, F(5)] = None


class MetricValueStatus(Type):
    """A measured value."""

    value: Annotated[Quantity | None, F(1)] = None
    average_value: Annotated[Quantity | None, F(2)] = None
    average_utilization: Annotated[Int32 | None, F(3, explicit=True)] = None


class ObjectMetricStatus(Type):
    """What was measured of one object."""

    metric: Annotated[MetricIdentifier, F(1)] = required(MetricIdentifier)
    current: Annotated[MetricValueStatus, F(2)] = required(MetricValueStatus)
    described_object: Annotated[CrossVersionObjectReference, F(3)] = required(CrossVersionObjectReference)


class PodsMetricStatus(Type):
    """What was measured of the pods."""

    metric: Annotated[MetricIdentifier, F(1)] = required(MetricIdentifier)
    current: Annotated[MetricValueStatus, F(2)] = required(MetricValueStatus)


class ResourceMetricStatus(Type):
    """What was measured of a resource that the pods use."""

    name: Annotated[str, F(1)] = required(str)
    current: Annotated[MetricValueStatus, F(2)] = required(MetricValueStatus)


class ContainerResourceMetricStatus(Type):
    """What was measured of a resource that one container of each pod uses."""

    name: Annotated[str, F(1)] = required(str)
    current: Annotated[MetricValueStatus, F(2)] = required(MetricValueStatus)
    container: Annotated[str, F(3)] = required(str)


class ExternalMetricStatus(Type):
    """What was measured outside the cluster."""

    metric: Annotated[MetricIdentifier, F(1)] = required(MetricIdentifier)
    current: Annotated[MetricValueStatus, F(2)] = required(MetricValueStatus)


class MetricStatus(Type):
    """One measure, and its value at last."""

    type: Annotated[str, F(1)] = required(str)
    object: Annotated[ObjectMetricStatus | None, F(2)] = None
    pods: Annotated[PodsMetricStatus | None, F(3)] = None
    resource: Annotated[ResourceMetricStatus | None, F(4)] = None
    container_resource: Annotated[ContainerResourceMetricStatus | None, F(7)] = None
    external: Annotated[ExternalMetricStatus | None, F(5)] = None


class HorizontalPodAutoscalerCondition(Type):
    """One thing that is, or is not, the case with an autoscaler."""

    type: Annotated[str, F(1)] = required(str)
    status: Annotated[str, F(2)] = required(str)
    last_transition_time: Annotated[Time | None, F(3)] = None
    reason: Annotated[str | None, F(4)] = None
    message: Annotated[str | None, F(5)] = None


class HorizontalPodAutoscalerStatus(Type):
    """How many pods there are and should be, and what was measured.

    last_scale_time: when the number of pods was changed last
    current_replicas: how many pods there are
    desired_replicas: how many pods there should be
    current_metrics: what was measured last
    """

    observed_generation: Annotated[Int64 | None, F(1, explicit=True)] = None
    last_scale_time: Annotated[Time | None, F(2)] = None
    current_replicas: Annotated[Int32 | None, F(3)] = None
    desired_replicas: Annotated[Int32, F(4)] = required(int)
    current_metrics: Annotated[list[MetricStatus], F(5, atomic=True)] = required(list)
    conditions: Annotated[list[HorizontalPodAutoscalerCondition], F(6, merge="type")] = []


class HorizontalPodAutoscaler(Type):
    """Makes a Deployment or the like larger and smaller by what is measured of its pods or elsewhere."""

    kind: str = constant("HorizontalPodAutoscaler")
    api_version: str = constant("autoscaling/v2")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[HorizontalPodAutoscalerSpec, F(2)] = required(HorizontalPodAutoscalerSpec)
    status: Annotated[HorizontalPodAutoscalerStatus, F(3)] = required(HorizontalPodAutoscalerStatus)
