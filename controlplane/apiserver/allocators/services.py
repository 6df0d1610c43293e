"""What Services hold: kept up to date from the cache's events, asked by admission before a Service is written."""

from __future__ import annotations

import random
from collections.abc import Container, Iterable, Sequence

import msgspec

from api import kinds
from controlplane.apiserver.allocators.addresses import Addresses, Range, family_of, number_of, range_of
from controlplane.apiserver.allocators.ports import Ports
from controlplane.apiserver.cache import Event, Kept
from controlplane.apiserver.entry import Entry

KUBERNETES = "default/kubernetes"  # the first address is its own
DEFAULT_RANGE = "kubernetes"  # the ServiceCIDR that every cluster has


class _Port(msgspec.Struct, gc=False, rename="camel"):
    node_port: int = 0
    protocol: str = "TCP"


class HeldSpec(msgspec.Struct, gc=False, rename={"cluster_ips": "clusterIPs"}):
    """The part of a Service that holds numbers."""

    cluster_ips: list[str] = []
    ports: list[_Port] = []
    health: int = msgspec.field(default=0, name="healthCheckNodePort")
    type: str = ""

    @property
    def addresses(self) -> list[str]:
        """Its addresses."""
        return [address for address in self.cluster_ips if address != "None"]

    @property
    def node_ports(self) -> set[int]:
        """Its node ports, that of the health check with them."""
        found = {port.node_port for port in self.ports if port.node_port}
        return found | {self.health} if self.health else found


class _Service(msgspec.Struct, gc=False):
    spec: HeldSpec = msgspec.field(default_factory=HeldSpec)


class _Condition(msgspec.Struct, gc=False):
    type: str = ""
    status: str = ""


class _RangeMeta(msgspec.Struct, gc=False):
    deleted: str = msgspec.field(default="", name="deletionTimestamp")


class _RangeSpec(msgspec.Struct, gc=False):
    cidrs: list[str] = []


class _RangeStatus(msgspec.Struct, gc=False):
    conditions: list[_Condition] = []


class _ServiceRange(msgspec.Struct, gc=False):
    metadata: _RangeMeta = msgspec.field(default_factory=_RangeMeta)
    spec: _RangeSpec = msgspec.field(default_factory=_RangeSpec)
    status: _RangeStatus = msgspec.field(default_factory=_RangeStatus)

    @property
    def ready(self) -> bool:
        """Whether addresses may be taken from it: unless its controller says otherwise."""
        ready = [condition.status == "True" for condition in self.status.conditions if condition.type == "Ready"]
        return not self.metadata.deleted and all(ready)


_decoder = msgspec.json.Decoder(_Service)
_range_decoder = msgspec.json.Decoder(_ServiceRange)


def held(data: bytes) -> HeldSpec:
    """The numbers in a Service's bytes."""
    return _decoder.decode(data).spec


class ServiceNumbers:
    """The numbers of a cluster. `cidrs` has one range per family, the first is the default family; `known` the names of IPAddresses."""

    def __init__(
        self,
        cidrs: Sequence[str],
        ports: tuple[int, int],
        rng: random.Random | None = None,
        known: Container[str] = (),
    ) -> None:
        rng = rng or random.Random()
        self.cidrs = tuple(cidrs)
        own = [range_of(cidr) for cidr in cidrs]
        self.first = str(own[0].network[1])
        self.families = {found.family: Addresses(found.family, rng, known) for found in own}
        self.families[own[0].family].hold(self.first, KUBERNETES)
        self.ports = Ports(*ports, rng)
        self._ranges: dict[str, tuple[bool, list[Range]]] = {DEFAULT_RANGE: (True, own)}
        self._use_ranges()

    def observe(self, kept: Kept, event: Event) -> None:
        """A Service or a range has come, changed or gone."""
        if kept.kind is kinds.SERVICE:
            if event.previous is not None:
                self._let_go(event.previous)
            if not event.gone:
                self._hold(event.entry)
        elif kept.kind is kinds.SERVICE_CIDR:
            self._ranges.pop(event.entry.key, None)
            if not event.gone:
                found = _range_decoder.decode(event.entry.data)
                self._ranges[event.entry.key] = (found.ready, list(_ranges(found.spec.cidrs)))
            self._use_ranges()

    def covers(self, address: str) -> bool:
        """Whether any range has this address, ready or not."""
        number, family = number_of(address), family_of(address)
        return any(
            found.family == family and number in found for _, ranges in self._ranges.values() for found in ranges
        )

    def _use_ranges(self) -> None:
        ready = [found for usable, ranges in self._ranges.values() if usable for found in ranges]
        for family in self.families.values():
            family.use(ready)

    def _hold(self, entry: Entry) -> None:
        spec = held(entry.data)
        for address in spec.addresses:
            if (family := self.families.get(family_of(address))) is not None:
                family.hold(address, entry.key)
        for port in spec.node_ports:
            self.ports.hold(port, entry.key)

    def _let_go(self, entry: Entry) -> None:
        spec = held(entry.data)
        for address in spec.addresses:
            family = self.families.get(family_of(address))
            if family is not None and not (address == self.first and entry.key == KUBERNETES):
                family.let_go(address, entry.key)
        for port in spec.node_ports:
            self.ports.let_go(port, entry.key)


def _ranges(cidrs: Iterable[str]) -> Iterable[Range]:
    for cidr in cidrs:
        try:
            yield range_of(cidr)
        except ValueError:
            continue  # written by a version that checked less
