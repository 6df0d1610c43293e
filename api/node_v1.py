"""node.k8s.io/v1: RuntimeClasses."""

from typing import Annotated

from api.core_v1 import Toleration
from api.fields import F, Quantity, Type, constant, required
from api.meta_v1 import ObjectMeta


class Overhead(Type):
    """What a pod needs beside its containers."""

    pod_fixed: Annotated[dict[str, Quantity], F(1)] = {}


class Scheduling(Type):
    """The nodes that can run pods of a class."""

    node_selector: Annotated[dict[str, str], F(1, atomic=True)] = {}
    tolerations: Annotated[list[Toleration], F(2, atomic=True)] = []


class RuntimeClass(Type):
    """A way to run containers, of those that the nodes' runtimes know."""

    kind: str = constant("RuntimeClass")
    api_version: str = constant("node.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    handler: Annotated[str, F(2)] = required(str)
    overhead: Annotated[Overhead | None, F(3)] = None
    scheduling: Annotated[Scheduling | None, F(4)] = None
