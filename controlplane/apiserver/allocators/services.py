"""What Services hold: kept up to date from the cache's events, asked by admission before a Service is written."""

from __future__ import annotations

import random
from collections.abc import Sequence

import msgspec

from api import kinds
from controlplane.apiserver.allocators.addresses import Addresses
from controlplane.apiserver.allocators.ports import Ports
from controlplane.apiserver.cache import Event, Kept
from controlplane.apiserver.entry import Entry


class _Port(msgspec.Struct, gc=False, rename="camel"):
    node_port: int = 0


class _Spec(msgspec.Struct, gc=False, rename={"cluster_ips": "clusterIPs"}):
    cluster_ips: list[str] = []
    ports: list[_Port] = []
    health: int = msgspec.field(default=0, name="healthCheckNodePort")


class _Service(msgspec.Struct, gc=False):
    spec: _Spec


_decoder = msgspec.json.Decoder(_Service)


class ServiceNumbers:
    """The ranges of a cluster. `cidrs` has one range per family, the first is the default family."""

    def __init__(self, cidrs: Sequence[str], ports: tuple[int, int], rng: random.Random | None = None) -> None:
        rng = rng or random.Random()
        self.families: dict[str, Addresses] = {}
        for cidr in cidrs:
            addresses = Addresses(cidr, rng)
            self.families[addresses.family] = addresses
        self.ports = Ports(*ports, rng)

    @property
    def default_family(self) -> str:
        """The family of a Service that does not say."""
        return next(iter(self.families))

    def observe(self, kept: Kept, event: Event) -> None:
        """A Service has come, changed or gone."""
        if kept.kind is not kinds.SERVICE:
            return
        if event.previous is not None:
            self._let_go(event.previous)
        if not event.gone:
            self._hold(event.entry)

    def _hold(self, entry: Entry) -> None:
        spec = _decoder.decode(entry.data).spec
        for address in spec.cluster_ips:
            for family in self.families.values():
                family.hold(address, entry.key)
        for port in _ports(spec):
            self.ports.hold(port, entry.key)

    def _let_go(self, entry: Entry) -> None:
        spec = _decoder.decode(entry.data).spec
        for address in spec.cluster_ips:
            for family in self.families.values():
                family.let_go(address, entry.key)
        for port in _ports(spec):
            self.ports.let_go(port, entry.key)


def _ports(spec: _Spec) -> set[int]:
    found = {port.node_port for port in spec.ports if port.node_port}
    return found | {spec.health} if spec.health else found
