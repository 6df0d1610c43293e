"""autoscaling/v1: Scale, the view that `kubectl scale` has of a workload, and the older view of HorizontalPodAutoscalers.

The older view knows one metric, the use of CPU. The others, and all else that it has no fields for, stand in annotations as JSON of the
types `MetricSpec`, `MetricStatus` and `HorizontalPodAutoscalerCondition` declared here (`api.conversion.autoscaling_v1`).
"""

from typing import Annotated

import msgspec

from api.fields import F, Int32, Int64, Quantity, Time, Type, constant, required
from api.meta_v1 import LabelSelector, ObjectMeta


class ScaleSpec(Type):
    """How many pods there should be."""

    replicas: Annotated[Int32 | None, F(1)] = None


class ScaleStatus(Type):
    """How many pods there are, and the labels that select them."""

    replicas: Annotated[Int32, F(1)] = required(int)
    selector: Annotated[str | None, F(2)] = None


class Scale(Type):
    """How many pods a Deployment or the like should have, and has."""

    kind: str = constant("Scale")
    api_version: str = constant("autoscaling/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[ScaleSpec, F(2)] = required(ScaleSpec)
    status: Annotated[ScaleStatus, F(3)] = required(ScaleStatus)


class CrossVersionObjectReference(Type):
    """An object, by kind, name and version."""

    kind: Annotated[str, F(1)] = required(str)
    name: Annotated[str, F(2)] = required(str)
    api_version: Annotated[str | None, F(3)] = None


class HorizontalPodAutoscalerSpec(Type):
    """What is scaled, between which numbers, and how busy its pods should be.

    scale_target_ref: what is made larger and smaller
    min_replicas: how many pods there are at least; 1 by default
    max_replicas: how many pods there are at most
    target_cpu_utilization_percentage: how much of the CPU they ask for pods should use on average
    """

    scale_target_ref: Annotated[CrossVersionObjectReference, F(1)] = required(CrossVersionObjectReference)
    min_replicas: Annotated[Int32 | None, F(2, explicit=True)] = None
    max_replicas: Annotated[Int32, F(3)] = required(int)
    target_cpu_utilization_percentage: Annotated[Int32 | None, F(4, explicit=True)] = msgspec.field(
        default=None, name="targetCPUUtilizationPercentage"
    )


class HorizontalPodAutoscalerStatus(Type):
    """How many pods there are and should be, and how busy they are."""

    observed_generation: Annotated[Int64 | None, F(1, explicit=True)] = None
    last_scale_time: Annotated[Time | None, F(2)] = None
    current_replicas: Annotated[Int32, F(3)] = required(int)
    desired_replicas: Annotated[Int32, F(4)] = required(int)
    current_cpu_utilization_percentage: Annotated[Int32 | None, F(5, explicit=True)] = msgspec.field(
        default=None, name="currentCPUUtilizationPercentage"
    )


class HorizontalPodAutoscaler(Type):
    """Makes a Deployment or the like larger and smaller by how busy its pods are."""

    kind: str = constant("HorizontalPodAutoscaler")
    api_version: str = constant("autoscaling/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[HorizontalPodAutoscalerSpec, F(2)] = required(HorizontalPodAutoscalerSpec)
    status: Annotated[HorizontalPodAutoscalerStatus, F(3)] = required(HorizontalPodAutoscalerStatus)


class HorizontalPodAutoscalerCondition(Type):
    """One thing that is, or is not, the case with an autoscaler."""

    type: Annotated[str, F(1)] = required(str)
    status: Annotated[str, F(2)] = required(str)
    last_transition_time: Annotated[Time | None, F(3)] = None
    reason: Annotated[str | None, F(4)] = None
    message: Annotated[str | None, F(5)] = None


class ObjectMetricSource(Type):
    """A measure of one object."""

    target: Annotated[CrossVersionObjectReference, F(1)] = required(CrossVersionObjectReference)
    metric_name: Annotated[str, F(2)] = required(str)
    target_value: Annotated[Quantity | None, F(3)] = None
    selector: Annotated[LabelSelector | None, F(4)] = None
    average_value: Annotated[Quantity | None, F(5)] = None


class PodsMetricSource(Type):
    """A measure of each pod, of which the average counts."""

    metric_name: Annotated[str, F(1)] = required(str)
    target_average_value: Annotated[Quantity | None, F(2)] = None
    selector: Annotated[LabelSelector | None, F(3)] = None


class ResourceMetricSource(Type):
    """How much of a resource the pods use."""

    name: Annotated[str, F(1)] = required(str)
    target_average_utilization: Annotated[Int32 | None, F(2, explicit=True)] = None
    target_average_value: Annotated[Quantity | None, F(3)] = None


class ContainerResourceMetricSource(Type):
    """How much of a resource one container of each pod uses."""

    name: Annotated[str, F(1)] = required(str)
    target_average_utilization: Annotated[Int32 | None, F(2, explicit=True)] = None
    target_average_value: Annotated[Quantity | None, F(3)] = None
    container: Annotated[str, F(5)] = required(str)


class ExternalMetricSource(Type):
    """A measure of something outside the cluster."""

    metric_name: Annotated[str, F(1)] = required(str)
    metric_selector: Annotated[LabelSelector | None, F(2)] = None
    target_value: Annotated[Quantity | None, F(3)] = None
    target_average_value: Annotated[Quantity | None, F(4)] = None


class MetricSpec(Type):
    """One measure, and the value that it should have."""

    type: Annotated[str, F(1)] = required(str)
    object: Annotated[ObjectMetricSource | None, F(2)] = None
    pods: Annotated[PodsMetricSource | None, F(3)] = None
    resource: Annotated[ResourceMetricSource | None, F(4)] = None
    container_resource: Annotated[ContainerResourceMetricSource | None, F(7)] = None
    external: Annotated[ExternalMetricSource | None, F(5)] = None


class ObjectMetricStatus(Type):
    """What was measured of one object."""

    target: Annotated[CrossVersionObjectReference, F(1)] = required(CrossVersionObjectReference)
    metric_name: Annotated[str, F(2)] = required(str)
    current_value: Annotated[Quantity | None, F(3)] = None
    selector: Annotated[LabelSelector | None, F(4)] = None
    average_value: Annotated[Quantity | None, F(5)] = None


class PodsMetricStatus(Type):
    """What was measured of the pods."""

    metric_name: Annotated[str, F(1)] = required(str)
    current_average_value: Annotated[Quantity | None, F(2)] = None
    selector: Annotated[LabelSelector | None, F(3)] = None


class ResourceMetricStatus(Type):
    """What was measured of a resource that the pods use."""

    name: Annotated[str, F(1)] = required(str)
    current_average_utilization: Annotated[Int32 | None, F(2, explicit=True)] = None
    current_average_value: Annotated[Quantity | None, F(3)] = None


class ContainerResourceMetricStatus(Type):
    """What was measured of a resource that one container of each pod uses."""

    name: Annotated[str, F(1)] = required(str)
    current_average_utilization: Annotated[Int32 | None, F(2, explicit=True)] = None
    current_average_value: Annotated[Quantity | None, F(3)] = None
    container: Annotated[str, F(4)] = required(str)


class ExternalMetricStatus(Type):
    """What was measured outside the cluster."""

    metric_name: Annotated[str, F(1)] = required(str)
    metric_selector: Annotated[LabelSelector | None, F(2)] = None
    current_value: Annotated[Quantity | None, F(3)] = None
    current_average_value: Annotated[Quantity | None, F(4)] = None


class MetricStatus(Type):
    """One measure, and its value at last."""

    type: Annotated[str, F(1)] = required(str)
    object: Annotated[ObjectMetricStatus | None, F(2)] = None
    pods: Annotated[PodsMetricStatus | None, F(3)] = None
    resource: Annotated[ResourceMetricStatus | None, F(4)] = None
    container_resource: Annotated[ContainerResourceMetricStatus | None, F(7)] = None
    external: Annotated[ExternalMetricStatus | None, F(5)] = None
