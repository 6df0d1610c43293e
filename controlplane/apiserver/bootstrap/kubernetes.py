"""The Service by which pods find the API server, and its endpoints: the addresses of all servers that live.

A server of a shared store writes its address under `masterleases/` with a short time to live, over and over. Each server makes the
endpoints be what stands there, so that the address of a server that has died goes with its lease; one that ends takes its own away. The
only server of a store of its own is its only endpoint.
"""

from __future__ import annotations

import ipaddress
from typing import Any

from api import kinds
from api.core_v1 import EndpointAddress, EndpointPort, Endpoints, EndpointSubset, Service, ServicePort, ServiceSpec
from api.discovery_v1 import Endpoint, EndpointConditions, EndpointSlice
from api.discovery_v1 import EndpointPort as SlicePort
from api.meta_v1 import ObjectMeta
from controlplane.apiserver.bootstrap.ensure import Ensurer, Remade, Wanted
from controlplane.apiserver.cache import ROOT
from controlplane.store.interface import CompareFailed, Store

NAME, NAMESPACE = "kubernetes", "default"
LEASES = f"{ROOT}masterleases/"
LEASE_SECONDS = 15.0
_SKIP_MIRROR = {"endpointslice.kubernetes.io/skip-mirror": "true"}
_PORT_NAME, _SERVICE_PORT = "https", 443


class KubernetesService:
    """Keeps the Service and its endpoints. `address` and `port` are where nodes and pods reach this server."""

    def __init__(self, ensurer: Ensurer, store: Store, address: str, port: int, service_address: str) -> None:
        self._ensurer, self._store = ensurer, store
        self._address, self._port, self._service_address = address, port, service_address

    async def sync(self) -> None:
        """One look."""
        if self._store.shared:
            await self._store.put(LEASES + self._address, self._address.encode(), ttl=LEASE_SECONDS)
        await self._ensurer.ensure([Wanted(kinds.SERVICE, self._service())])
        await self._write(await self._living())

    async def leave(self) -> None:
        """Take this server's address away, if others are there to serve."""
        if not self._store.shared:
            return
        try:
            await self._store.delete(LEASES + self._address)
        except CompareFailed:
            return
        if left := await self._living():
            await self._write(left)

    async def _living(self) -> list[str]:
        if not self._store.shared:
            return [self._address]
        leases = (await self._store.range(LEASES)).records
        return sorted((lease.value.decode() for lease in leases), key=_order)

    async def _write(self, addresses: list[str]) -> None:
        await self._ensurer.ensure(
            [
                Wanted(kinds.ENDPOINTS, self._endpoints(addresses), _reconcile_endpoints),
                Wanted(kinds.ENDPOINT_SLICE, self._slice(addresses), _reconcile_slice),
            ]
        )

    def _service(self) -> Service:
        port = ServicePort(name=_PORT_NAME, port=_SERVICE_PORT, protocol="TCP", target_port=self._port)
        return Service(
            metadata=_meta({"component": "apiserver", "provider": "kubernetes"}),
            spec=ServiceSpec(
                type="ClusterIP",
                cluster_ip=self._service_address,
                cluster_ips=[self._service_address],
                ip_family_policy="SingleStack",
                session_affinity="None",
                ports=[port],
            ),
        )

    def _endpoints(self, addresses: list[str]) -> Endpoints:
        subset = EndpointSubset(
            addresses=[EndpointAddress(ip=address) for address in addresses],
            ports=[EndpointPort(name=_PORT_NAME, port=self._port, protocol="TCP")],
        )
        return Endpoints(metadata=_meta(_SKIP_MIRROR), subsets=[subset])

    def _slice(self, addresses: list[str]) -> EndpointSlice:
        family = "IPv6" if all(":" in address for address in addresses) else "IPv4"
        mine = [address for address in addresses if (":" in address) == (family == "IPv6")]
        return EndpointSlice(
            metadata=_meta({"kubernetes.io/service-name": NAME}),
            address_type=family,
            endpoints=[Endpoint(addresses=[one], conditions=EndpointConditions(ready=True)) for one in mine],
            ports=[SlicePort(name=_PORT_NAME, port=self._port, protocol="TCP")],
        )


def _reconcile_endpoints(found: Any, wanted: Any) -> Any:
    if found.subsets == wanted.subsets and _SKIP_MIRROR.items() <= found.metadata.labels.items():
        return None
    found.subsets, found.metadata.labels = wanted.subsets, {**found.metadata.labels, **_SKIP_MIRROR}
    return found


def _reconcile_slice(found: Any, wanted: Any) -> Any:
    if found.address_type != wanted.address_type:
        return Remade(wanted)
    labels = wanted.metadata.labels
    if (found.endpoints, found.ports) == (wanted.endpoints, wanted.ports) and found.metadata.labels == labels:
        return None
    found.endpoints, found.ports, found.metadata.labels = wanted.endpoints, wanted.ports, labels
    return found


def _order(address: str) -> tuple[int, int]:
    parsed = ipaddress.ip_address(address)
    return parsed.version, int(parsed)


def _meta(labels: dict[str, str]) -> ObjectMeta:
    return ObjectMeta(name=NAME, namespace=NAMESPACE, labels=dict(labels))
