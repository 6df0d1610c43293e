"""scheduling.k8s.io/v1: PriorityClasses."""

from typing import Annotated

from api import choices
from api.fields import F, Int32, Type, constant, required
from api.meta_v1 import ObjectMeta


class PriorityClass(Type):
    """How important pods are, by a name.

    value: how important the pods are; more is more
    global_default: whether pods that name no class are of this one
    description: what it is for
    preemption_policy: whether less important pods have to make room
    """

    kind: str = constant("PriorityClass")
    api_version: str = constant("scheduling.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    value: Annotated[Int32, F(2)] = required(int)
    global_default: Annotated[bool | None, F(3)] = None
    description: Annotated[str | None, F(4)] = None
    preemption_policy: Annotated[str | None, F(5, explicit=True, among=choices.PREEMPTION)] = None
