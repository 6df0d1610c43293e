"""What the kernel should do for one Service port and family: neutral to backends, hashable, complete.

A backend needs nothing but these. Routes say what happens to the source address and which endpoints a packet may have:

| route | traffic from | endpoints | masqueraded |
|---|---|---|---|
| INTERNAL | anywhere | all, or the local ones if `internal_local` | if it comes from outside the pod network |
| EXTERNAL | anywhere | all | always |
| EXTERNAL_LOCAL | pods | all | never |
| | this node | all | always |
| | elsewhere | local ones | never |

Without an endpoint to go to, traffic is refused; but if the Service has endpoints, only none on this node, it is
dropped, so that a load balancer tries another node. What comes to a guarded frontend from elsewhere than the Service's
source ranges is dropped too. A packet from an endpoint that comes back to it is masqueraded
whatever the route. Other ports of a cluster IP refuse.
"""

import enum
from collections.abc import Collection

import msgspec

from proxy.model import addresses
from proxy.model.endpointslice import Slice
from proxy.model.facts import Facts
from proxy.model.networks import Network, of_family
from proxy.model.service import Service, ServicePort
from proxy.plan.topology import usable_endpoints

NODE = b""  # the address of a frontend that listens on each of the node's own addresses


class Route(enum.IntEnum):
    """How traffic to a frontend is treated; see above."""

    INTERNAL = 0
    EXTERNAL_LOCAL = 1
    EXTERNAL = 2


class Frontend(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An address and port that clients connect to."""

    address: bytes
    port: int
    route: int
    guarded: bool = False  # only `sources` may come; what others send is dropped


class Desired(msgspec.Struct, frozen=True, gc=False):
    """One Service port in one family. (name, family) identifies it."""

    name: str  # namespace/name:port
    family: int
    protocol: int
    frontends: tuple[Frontend, ...]
    affinity: int
    internal_local: bool
    every: bytes
    local: bytes
    here: bytes
    sources: tuple[Network, ...] = ()
    draining: bytes = b""  # endpoints that get no new traffic: their flows are left alone

    @property
    def key(self) -> tuple[str, int]:
        return self.name, self.family

    def endpoints(self, route: int) -> bytes:
        """Where traffic from outside the cluster goes."""
        return self.local if self.uses_local(route) else self.every

    def uses_local(self, route: int) -> bool:
        """Whether traffic from outside the cluster must stay on this node."""
        return route == Route.EXTERNAL_LOCAL or (route == Route.INTERNAL and self.internal_local)

    def dropped(self, route: int) -> bool:
        """Whether traffic is dropped, not refused, if there is nowhere to send it."""
        return self.uses_local(route) and not self.local and bool(self.every)


def desired_of(service: Service, slices: Collection[Slice], facts: Facts) -> tuple[Desired, ...]:
    """Everything to program for one Service."""
    ips = service.cluster_ips
    families = [addresses.family_of(ips[0])] if len(ips) == 1 else sorted({addresses.family_of(ip) for ip in ips})
    return tuple(_desired(service, port, slices, facts, family) for port in service.ports for family in families)


def _desired(service: Service, port: ServicePort, slices: Collection[Slice], facts: Facts, family: int) -> Desired:
    sources = of_family(service.sources, family)
    found = usable_endpoints(slices, family, port.name, port.protocol, facts.zone)
    return Desired(
        name=f"{service.key}:{port.name}" if port.name else service.key,
        family=family,
        protocol=port.protocol,
        frontends=_frontends(service, port, facts, family, guarded=bool(sources)),
        affinity=service.affinity,
        internal_local=service.internal_local,
        every=found.every,
        local=found.local,
        here=found.here,
        sources=sources,
        draining=found.draining,
    )


def _frontends(
    service: Service, port: ServicePort, facts: Facts, family: int, *, guarded: bool
) -> tuple[Frontend, ...]:
    size = 4 if family == addresses.IPV4 else 16
    route = Route.EXTERNAL_LOCAL if service.external_local else Route.EXTERNAL
    found = {a: Frontend(a, port.port, Route.INTERNAL) for a in service.cluster_ips if len(a) == size}
    outside = dict.fromkeys(service.external_ips if facts.external_ips else (), False)
    outside |= dict.fromkeys(service.ingress_ips, guarded)
    for address, limited in outside.items():
        if len(address) == size:
            found.setdefault(address, Frontend(address, port.port, route, limited))
    if port.node_port:
        found[NODE] = Frontend(NODE, port.node_port, route)
    return tuple(found.values())
