"""metrics.k8s.io/v1beta1: what nodes and pods use at the moment. Asked and answered, never kept."""

from typing import Annotated

from api.fields import DURATION, F, Quantity, Time, Type, constant, required
from api.meta_v1 import ObjectMeta


class NodeMetrics(Type):
    """How much of its resources a node uses."""

    kind: str = constant("NodeMetrics")
    api_version: str = constant("metrics.k8s.io/v1beta1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    timestamp: Annotated[Time | None, F(2)] = None
    window: Annotated[str, DURATION, F(3)] = required(str)
    usage: Annotated[dict[str, Quantity], F(4)] = required(dict)


class ContainerMetrics(Type):
    """How much of the node's resources a container uses."""

    name: Annotated[str, F(1)] = required(str)
    usage: Annotated[dict[str, Quantity], F(2)] = required(dict)


class PodMetrics(Type):
    """How much of the node's resources a pod uses."""

    kind: str = constant("PodMetrics")
    api_version: str = constant("metrics.k8s.io/v1beta1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    timestamp: Annotated[Time | None, F(2)] = None
    window: Annotated[str, DURATION, F(3)] = required(str)
    containers: Annotated[list[ContainerMetrics], F(4)] = required(list)
