"""autoscaling/v1: Scale, the view that `kubectl scale` has of a workload, and the older view of HorizontalPodAutoscalers.

The older view knows one metric, the use of CPU. The others, and all else that it has no fields for, stand in annotations as JSON of the
types `MetricSpec`, `MetricStatus` and `HorizontalPodAutoscalerCondition` declared here (`api.conversion.autoscaling_v1`).
"""

from typing import Annotated

import msgspec

from api.fields import F, Int32, Int64, Quantity, Time, Type, constant, required
from api.meta_v1 import LabelSelector, ObjectMeta


class ScaleSpec(Type):
    replicas: Annotated[Int32 | None, F(1)] = None


class ScaleStatus(Type):
    replicas: Annotated[Int32, F(1)] = required(int)
    selector: Annotated[str | None, F(2)] = None


class Scale(Type):
    kind: str = constant("Scale")
    api_version: str = constant("autoscaling/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[ScaleSpec, F(2)] = required(ScaleSpec)
    status: Annotated[ScaleStatus, F(3)] = required(ScaleStatus)


class CrossVersionObjectReference(Type):
    kind: Annotated[str, F(1)] = required(str)
    name: Annotated[str, F(2)] = required(str)
    api_version: Annotated[str | None, F(3)] = None


class HorizontalPodAutoscalerSpec(Type):
    scale_target_ref: Annotated[CrossVersionObjectReference, F(1)] = required(CrossVersionObjectReference)
    min_replicas: Annotated[Int32 | None, F(2, explicit=True)] = None
    max_replicas: Annotated[Int32, F(3)] = required(int)
    target_cpu_utilization_percentage: Annotated[Int32 | None, F(4, explicit=True)] = msgspec.field(
        default=None, name="targetCPUUtilizationPercentage"
    )


class HorizontalPodAutoscalerStatus(Type):
    observed_generation: Annotated[Int64 | None, F(1, explicit=True)] = None
    last_scale_time: Annotated[Time | None, F(2)] = None
    current_replicas: Annotated[Int32, F(3)] = required(int)
    desired_replicas: Annotated[Int32, F(4)] = required(int)
    current_cpu_utilization_percentage: Annotated[Int32 | None, F(5, explicit=True)] = msgspec.field(
        default=None, name="currentCPUUtilizationPercentage"
    )


class HorizontalPodAutoscaler(Type):
    kind: str = constant("HorizontalPodAutoscaler")
    api_version: str = constant("autoscaling/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[HorizontalPodAutoscalerSpec, F(2)] = required(HorizontalPodAutoscalerSpec)
    status: Annotated[HorizontalPodAutoscalerStatus, F(3)] = required(HorizontalPodAutoscalerStatus)


class HorizontalPodAutoscalerCondition(Type):
    type: Annotated[str, F(1)] = required(str)
    status: Annotated[str, F(2)] = required(str)
    last_transition_time: Annotated[Time | None, F(3)] = None
    reason: Annotated[str | None, F(4)] = None
    message: Annotated[str | None, F(5)] = None


class ObjectMetricSource(Type):
    target: Annotated[CrossVersionObjectReference, F(1)] = required(CrossVersionObjectReference)
    metric_name: Annotated[str, F(2)] = required(str)
    target_value: Annotated[Quantity | None, F(3)] = None
    selector: Annotated[LabelSelector | None, F(4)] = None
    average_value: Annotated[Quantity | None, F(5)] = None


class PodsMetricSource(Type):
    metric_name: Annotated[str, F(1)] = required(str)
    target_average_value: Annotated[Quantity | None, F(2)] = None
    selector: Annotated[LabelSelector | None, F(3)] = None


class ResourceMetricSource(Type):
    name: Annotated[str, F(1)] = required(str)
    target_average_utilization: Annotated[Int32 | None, F(2, explicit=True)] = None
    target_average_value: Annotated[Quantity | None, F(3)] = None


class ContainerResourceMetricSource(Type):
    name: Annotated[str, F(1)] = required(str)
    target_average_utilization: Annotated[Int32 | None, F(2, explicit=True)] = None
    target_average_value: Annotated[Quantity | None, F(3)] = None
    container: Annotated[str, F(5)] = required(str)


class ExternalMetricSource(Type):
    metric_name: Annotated[str, F(1)] = required(str)
    metric_selector: Annotated[LabelSelector | None, F(2)] = None
    target_value: Annotated[Quantity | None, F(3)] = None
    target_average_value: Annotated[Quantity | None, F(4)] = None


class MetricSpec(Type):
    type: Annotated[str, F(1)] = required(str)
    object: Annotated[ObjectMetricSource | None, F(2)] = None
    pods: Annotated[PodsMetricSource | None, F(3)] = None
    resource: Annotated[ResourceMetricSource | None, F(4)] = None
    container_resource: Annotated[ContainerResourceMetricSource | None, F(7)] = None
    external: Annotated[ExternalMetricSource | None, F(5)] = None


class ObjectMetricStatus(Type):
    target: Annotated[CrossVersionObjectReference, F(1)] = required(CrossVersionObjectReference)
    metric_name: Annotated[str, F(2)] = required(str)
    current_value: Annotated[Quantity | None, F(3)] = None
    selector: Annotated[LabelSelector | None, F(4)] = None
    average_value: Annotated[Quantity | None, F(5)] = None


class PodsMetricStatus(Type):
    metric_name: Annotated[str, F(1)] = required(str)
    current_average_value: Annotated[Quantity | None, F(2)] = None
    selector: Annotated[LabelSelector | None, F(3)] = None


class ResourceMetricStatus(Type):
    name: Annotated[str, F(1)] = required(str)
    current_average_utilization: Annotated[Int32 | None, F(2, explicit=True)] = None
    current_average_value: Annotated[Quantity | None, F(3)] = None


class ContainerResourceMetricStatus(Type):
    name: Annotated[str, F(1)] = required(str)
    current_average_utilization: Annotated[Int32 | None, F(2, explicit=True)] = None
    current_average_value: Annotated[Quantity | None, F(3)] = None
    container: Annotated[str, F(4)] = required(str)


class ExternalMetricStatus(Type):
    metric_name: Annotated[str, F(1)] = required(str)
    metric_selector: Annotated[LabelSelector | None, F(2)] = None
    current_value: Annotated[Quantity | None, F(3)] = None
    current_average_value: Annotated[Quantity | None, F(4)] = None


class MetricStatus(Type):
    type: Annotated[str, F(1)] = required(str)
    object: Annotated[ObjectMetricStatus | None, F(2)] = None
    pods: Annotated[PodsMetricStatus | None, F(3)] = None
    resource: Annotated[ResourceMetricStatus | None, F(4)] = None
    container_resource: Annotated[ContainerResourceMetricStatus | None, F(7)] = None
    external: Annotated[ExternalMetricStatus | None, F(5)] = None
