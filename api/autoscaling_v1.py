"""autoscaling/v1: Scale, the view that `kubectl scale` has of a workload."""

from typing import Annotated

from api.fields import F, Int32, Type, constant, required
from api.meta_v1 import ObjectMeta


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
