"""What every cluster has from its first moment: its namespaces, and the Service by which pods find the API server.

Run at every start: what is there stays, what is missing is made, and the server's address in the endpoints is brought up to date.
"""

from __future__ import annotations

from typing import Any

from api import kinds
from api.core_v1 import (
    EndpointAddress,
    EndpointPort,
    Endpoints,
    EndpointSubset,
    Namespace,
    Service,
    ServicePort,
    ServiceSpec,
)
from api.discovery_v1 import Endpoint, EndpointConditions, EndpointSlice
from api.discovery_v1 import EndpointPort as SlicePort
from api.kinds import Kind
from api.meta_v1 import ObjectMeta
from client.client import Client
from client.errors import AlreadyExists, NotFound

NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
NAME, NAMESPACE = "kubernetes", "default"
_SKIP_MIRROR = {"endpointslice.kubernetes.io/skip-mirror": "true"}
_PORT_NAME, _SERVICE_PORT = "https", 443


async def bootstrap(client: Client, address: str, port: int, service_address: str) -> None:
    """Make what is missing. `address` and `port` are where the API server is reached by nodes and pods."""
    for name in NAMESPACES:
        await _ensure(client, kinds.NAMESPACE, Namespace(metadata=ObjectMeta(name=name)))
    await _ensure(client, kinds.SERVICE, _service(service_address, port))
    await _ensure(client, kinds.ENDPOINTS, _endpoints(address, port), "subsets")
    await _ensure(client, kinds.ENDPOINT_SLICE, _slice(address, port), "endpoints", "ports")


async def _ensure(client: Client, kind: Kind[Any], wanted: Any, *kept_right: str) -> None:
    """Create it, or put right those of its fields that are ours."""
    meta = wanted.metadata
    try:
        found: Any = await client.get(kind, meta.name, meta.namespace or "")
    except NotFound:
        try:
            await client.create(kind, wanted)
        except AlreadyExists:
            await _ensure(client, kind, wanted, *kept_right)
        return
    if any(getattr(found, field) != getattr(wanted, field) for field in kept_right):
        for field in kept_right:
            setattr(found, field, getattr(wanted, field))
        await client.update(kind, found)


def _meta(labels: dict[str, str]) -> ObjectMeta:
    return ObjectMeta(name=NAME, namespace=NAMESPACE, labels=labels)


def _service(service_address: str, port: int) -> Service:
    return Service(
        metadata=_meta({"component": "apiserver", "provider": "kubernetes"}),
        spec=ServiceSpec(
            type="ClusterIP",
            cluster_ip=service_address,
            cluster_ips=[service_address],
            session_affinity="None",
            ports=[ServicePort(name=_PORT_NAME, port=_SERVICE_PORT, protocol="TCP", target_port=port)],
        ),
    )


def _endpoints(address: str, port: int) -> Endpoints:
    subset = EndpointSubset(
        addresses=[EndpointAddress(ip=address)], ports=[EndpointPort(name=_PORT_NAME, port=port, protocol="TCP")]
    )
    return Endpoints(metadata=_meta(_SKIP_MIRROR), subsets=[subset])


def _slice(address: str, port: int) -> EndpointSlice:
    return EndpointSlice(
        metadata=_meta({"kubernetes.io/service-name": NAME}),
        address_type="IPv6" if ":" in address else "IPv4",
        endpoints=[Endpoint(addresses=[address], conditions=EndpointConditions(ready=True))],
        ports=[SlicePort(name=_PORT_NAME, port=port, protocol="TCP")],
    )
