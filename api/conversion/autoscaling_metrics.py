"""Metrics of autoscalers between the forms of v1 (a name and numbers side by side) and v2 (an identifier and a target)."""

from typing import Any

from api import autoscaling_v1 as v1
from api import autoscaling_v2 as v2
from api import quantity

_ZERO = "0"


def spec_to_v2(metric: v1.MetricSpec) -> v2.MetricSpec:
    """A wanted metric as v2 has it."""
    return v2.MetricSpec(
        type=metric.type,
        object=_object_to_v2(metric.object) if metric.object is not None else None,
        pods=_pods_to_v2(metric.pods) if metric.pods is not None else None,
        resource=_resource_to_v2(metric.resource) if metric.resource is not None else None,
        container_resource=_container_to_v2(metric.container_resource)
        if metric.container_resource is not None
        else None,
        external=_external_to_v2(metric.external) if metric.external is not None else None,
    )


def spec_to_v1(metric: v2.MetricSpec) -> v1.MetricSpec:
    """A wanted metric as v1 has it."""
    found = v1.MetricSpec(type=metric.type)
    if (one := metric.object) is not None:
        found.object = v1.ObjectMetricSource(
            target=_reference(v1, one.described_object),
            metric_name=one.metric.name,
            target_value=one.target.value or _ZERO,
            selector=one.metric.selector,
            average_value=one.target.average_value,
        )
    if (pods := metric.pods) is not None:
        found.pods = v1.PodsMetricSource(pods.metric.name, pods.target.average_value or _ZERO, pods.metric.selector)
    if (resource := metric.resource) is not None:
        target = resource.target
        found.resource = v1.ResourceMetricSource(resource.name, target.average_utilization, target.average_value)
    if (part := metric.container_resource) is not None:
        found.container_resource = v1.ContainerResourceMetricSource(
            part.name, part.target.average_utilization, part.target.average_value, part.container
        )
    if (external := metric.external) is not None:
        found.external = v1.ExternalMetricSource(
            external.metric.name, external.metric.selector, external.target.value, external.target.average_value
        )
    return found


def status_to_v2(metric: v1.MetricStatus) -> v2.MetricStatus:
    """A measured metric as v2 has it."""
    found = v2.MetricStatus(type=metric.type)
    if (one := metric.object) is not None:
        found.object = v2.ObjectMetricStatus(
            metric=v2.MetricIdentifier(one.metric_name, one.selector),
            current=v2.MetricValueStatus(one.current_value or _ZERO, one.average_value),
            described_object=_reference(v2, one.target),
        )
    if (pods := metric.pods) is not None:
        found.pods = v2.PodsMetricStatus(
            v2.MetricIdentifier(pods.metric_name, pods.selector),
            v2.MetricValueStatus(average_value=pods.current_average_value or _ZERO),
        )
    if (resource := metric.resource) is not None:
        found.resource = v2.ResourceMetricStatus(resource.name, _use(resource))
    if (part := metric.container_resource) is not None:
        found.container_resource = v2.ContainerResourceMetricStatus(part.name, _use(part), part.container)
    if (external := metric.external) is not None:
        found.external = v2.ExternalMetricStatus(
            v2.MetricIdentifier(external.metric_name, external.metric_selector),
            v2.MetricValueStatus(external.current_value or _ZERO, external.current_average_value),
        )
    return found


def status_to_v1(metric: v2.MetricStatus) -> v1.MetricStatus:
    """A measured metric as v1 has it."""
    found = v1.MetricStatus(type=metric.type)
    if (one := metric.object) is not None:
        found.object = v1.ObjectMetricStatus(
            target=_reference(v1, one.described_object),
            metric_name=one.metric.name,
            current_value=one.current.value or _ZERO,
            selector=one.metric.selector,
            average_value=one.current.average_value,
        )
    if (pods := metric.pods) is not None:
        found.pods = v1.PodsMetricStatus(pods.metric.name, pods.current.average_value or _ZERO, pods.metric.selector)
    if (resource := metric.resource) is not None:
        now = resource.current
        found.resource = v1.ResourceMetricStatus(resource.name, now.average_utilization, now.average_value or _ZERO)
    if (part := metric.container_resource) is not None:
        now = part.current
        found.container_resource = v1.ContainerResourceMetricStatus(
            part.name, now.average_utilization, now.average_value or _ZERO, part.container
        )
    if (external := metric.external) is not None:
        found.external = v1.ExternalMetricStatus(
            external.metric.name,
            external.metric.selector,
            external.current.value or _ZERO,
            external.current.average_value,
        )
    return found


def _reference(version: Any, ref: Any) -> Any:
    return version.CrossVersionObjectReference(kind=ref.kind, name=ref.name, api_version=ref.api_version)


def _object_to_v2(source: v1.ObjectMetricSource) -> v2.ObjectMetricSource:
    value: str | None = source.target_value or _ZERO
    if source.average_value is not None and _is_zero(source.target_value):
        value = None  # v1 cannot leave it out
    kind = "Value" if source.average_value is None else "AverageValue"
    return v2.ObjectMetricSource(
        described_object=_reference(v2, source.target),
        target=v2.MetricTarget(kind, value, source.average_value),
        metric=v2.MetricIdentifier(source.metric_name, source.selector),
    )


def _pods_to_v2(source: v1.PodsMetricSource) -> v2.PodsMetricSource:
    target = v2.MetricTarget("AverageValue", average_value=source.target_average_value or _ZERO)
    return v2.PodsMetricSource(v2.MetricIdentifier(source.metric_name, source.selector), target)


def _resource_to_v2(source: v1.ResourceMetricSource) -> v2.ResourceMetricSource:
    return v2.ResourceMetricSource(source.name, _share(source))


def _container_to_v2(source: v1.ContainerResourceMetricSource) -> v2.ContainerResourceMetricSource:
    return v2.ContainerResourceMetricSource(source.name, _share(source), source.container)


def _external_to_v2(source: v1.ExternalMetricSource) -> v2.ExternalMetricSource:
    kind = "AverageValue" if source.target_value is None else "Value"
    target = v2.MetricTarget(kind, source.target_value, source.target_average_value)
    return v2.ExternalMetricSource(v2.MetricIdentifier(source.metric_name, source.metric_selector), target)


def _share(source: v1.ResourceMetricSource | v1.ContainerResourceMetricSource) -> v2.MetricTarget:
    kind = "AverageValue" if source.target_average_utilization is None else "Utilization"
    return v2.MetricTarget(
        kind, average_value=source.target_average_value, average_utilization=source.target_average_utilization
    )


def _use(status: v1.ResourceMetricStatus | v1.ContainerResourceMetricStatus) -> v2.MetricValueStatus:
    return v2.MetricValueStatus(
        average_value=status.current_average_value or _ZERO, average_utilization=status.current_average_utilization
    )


def _is_zero(text: str | None) -> bool:
    try:
        return not text or quantity.parse(text) == 0
    except quantity.QuantityError:
        return False  # validation says what is wrong with it
