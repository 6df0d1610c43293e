"""discovery.k8s.io/v1: EndpointSlices."""

from typing import Annotated

from api import choices
from api.core_v1 import ObjectReference
from api.fields import F, Int32, Type, constant, required
from api.meta_v1 import ObjectMeta


class EndpointConditions(Type):
    """Whether an address is ready, still serves, or is about to go."""

    ready: Annotated[bool | None, F(1, explicit=True)] = None
    serving: Annotated[bool | None, F(2, explicit=True)] = None
    terminating: Annotated[bool | None, F(3, explicit=True)] = None


class ForZone(Type):
    """A zone whose traffic an address is meant for."""

    name: Annotated[str, F(1)] = required(str)


class ForNode(Type):
    """A node whose traffic an address is meant for."""

    name: Annotated[str, F(1)] = required(str)


class EndpointHints(Type):
    """For whom an address is meant to be used."""

    for_zones: Annotated[list[ForZone], F(1, atomic=True)] = []
    for_nodes: Annotated[list[ForNode], F(2, atomic=True)] = []


class Endpoint(Type):
    """One address behind a service: mostly a pod.

    addresses: the address
    conditions: whether it is ready, still serves, or is about to go
    hostname: its name in DNS, below that of the service
    target_ref: the pod
    node_name: the node
    zone: the zone of the node
    """

    addresses: Annotated[list[str], F(1, unique=True)] = required(list)
    conditions: Annotated[EndpointConditions, F(2)] = required(EndpointConditions)
    hostname: Annotated[str | None, F(3, explicit=True)] = None
    target_ref: Annotated[ObjectReference | None, F(4)] = None
    deprecated_topology: Annotated[dict[str, str], F(5)] = {}
    node_name: Annotated[str | None, F(6, explicit=True)] = None
    zone: Annotated[str | None, F(7, explicit=True)] = None
    hints: Annotated[EndpointHints | None, F(8)] = None


class EndpointPort(Type):
    """A port of the addresses behind a service."""

    name: Annotated[str | None, F(1, explicit=True)] = None
    protocol: Annotated[str | None, F(2, explicit=True, among=choices.PROTOCOLS)] = None
    port: Annotated[Int32 | None, F(3, explicit=True)] = None
    app_protocol: Annotated[str | None, F(4, explicit=True)] = None


class EndpointSlice(Type):
    """Some of the addresses behind a service, with their ports.

    address_type: what the addresses are
    endpoints: the addresses
    ports: the ports, which all the addresses have
    """

    kind: str = constant("EndpointSlice")
    api_version: str = constant("discovery.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    address_type: Annotated[str, F(4, among=choices.ADDRESS_TYPES)] = required(str)
    endpoints: Annotated[list[Endpoint], F(2, atomic=True)] = required(list)
    ports: Annotated[list[EndpointPort], F(3, atomic=True)] = required(list)
