"""What is wrong between Services and the records of their numbers, and what to do about it: a pure plan.

Services and records are written together, so nothing of this happens by itself, but for the second address of a Service whose write was
cut short. People delete and write IPAddresses, though, and stores come from versions that had no records.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from controlplane.apiserver.allocators.addresses import canonical, family_of, number_of

GRACE_SECONDS = 60.0  # for a Service that is being written to come


@dataclass(frozen=True, slots=True)
class SeenService:
    """A Service and its numbers."""

    namespace: str
    name: str
    uid: str = ""
    addresses: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()

    @property
    def key(self) -> str:
        """Its key."""
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class SeenAddress:
    """An IPAddress. `service` is the key of the Service it refers to, "" if it refers to something else."""

    name: str
    service: str
    ours: bool = True  # made by us, to go by its labels
    labelled: bool = True  # has all labels that it ought to have
    created: float = 0.0
    revision: int = 0
    uid: str = ""


@dataclass(frozen=True, slots=True)
class SeenPort:
    """The record of a node port."""

    port: int
    service: str
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Say:
    """Tell people about a Service, or about an IPAddress."""

    about: SeenService | SeenAddress
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class MakeAddress:
    """Make the IPAddress of a Service."""

    address: str
    service: SeenService


@dataclass(frozen=True, slots=True)
class DropAddress:
    """Delete an IPAddress."""

    address: SeenAddress


@dataclass(frozen=True, slots=True)
class WritePort:
    """Write the record of a node port, in place of that at `revision`."""

    port: int
    service: SeenService
    revision: int = 0


@dataclass(frozen=True, slots=True)
class DropPort:
    """Delete the record of a node port."""

    record: SeenPort


Action = Say | MakeAddress | DropAddress | WritePort | DropPort


@dataclass(frozen=True, slots=True)
class Seen:
    """All that holds numbers, as of one moment."""

    services: Mapping[str, SeenService]
    addresses: Mapping[str, SeenAddress]
    ports: Mapping[int, SeenPort]
    covers: Callable[[str], bool]  # whether a ServiceCIDR has the address
    port_range: tuple[int, int]
    now: float = 0.0


def plan(seen: Seen) -> list[Action]:
    """What to do, empty if all is well."""
    actions: list[Action] = []
    for service in seen.services.values():
        for address in service.addresses:
            actions += _check_address(seen, service, address)
    for found in seen.addresses.values():
        actions += _check_object(seen, found)
    return [*actions, *_check_ports(seen)]


def _check_address(seen: Seen, service: SeenService, address: str) -> Iterator[Action]:
    family = family_of(address)
    if number_of(address) < 0:
        message = f"Cluster IP {address} is not a valid IP; please recreate Service"
        yield Say(service, "ClusterIPNotValid", message)
        return
    if not seen.covers(address):
        message = f"Cluster IP [{family}]: {address} is not within any configured Service CIDR; please recreate service"
        yield Say(service, "ClusterIPOutOfRange", message)
        return
    found = seen.addresses.get(canonical(address))
    if found is None:
        message = f"Cluster IP [{family}]: {address} is not allocated; repairing"
        yield Say(service, "ClusterIPNotAllocated", message)
        yield MakeAddress(canonical(address), service)
        return
    if found.service == service.key:
        if not found.labelled:
            yield from (DropAddress(found), MakeAddress(found.name, service))
        return
    other = seen.services.get(found.service)
    if other is None:
        where = f"{family}]: {address} for Service {service.key}"
        yield Say(service, "ClusterIPNotAllocated", f"the ClusterIP [{where} has a wrong reference; repairing")
        yield from (DropAddress(found), MakeAddress(found.name, service))
    elif address in other.addresses:
        message = f"Cluster IP [{family}]:{address} was assigned to multiple services; please recreate service"
        yield Say(service, "ClusterIPAlreadyAllocated", message)


def _check_object(seen: Seen, found: SeenAddress) -> Iterator[Action]:
    """An IPAddress that we made belongs to a Service that has the address."""
    if not found.ours:
        return
    if not found.service:
        message = f"IPAddress {found.name} appears to have been modified, not referencing a Service: cleaning up"
        yield from (Say(found, "IPAddressNotAllocated", message), DropAddress(found))
        return
    service = seen.services.get(found.service)
    if seen.now - found.created < GRACE_SECONDS:
        return
    if service is None:
        if any(found.name in map(canonical, other.addresses) for other in seen.services.values()):
            return  # that Service gets an IPAddress of its own in its place
        message = f"IPAddress: {found.name} for Service {found.service} appears to have leaked: cleaning up"
        yield from (Say(found, "IPAddressNotAllocated", message), DropAddress(found))
    elif found.name not in map(canonical, service.addresses):
        message = f"IPAddress: {found.name} for Service {found.service} has a wrong reference; cleaning up"
        yield from (Say(found, "IPAddressWrongReference", message), DropAddress(found))


@dataclass(slots=True)
class _Ports:
    owners: dict[int, SeenService] = field(default_factory=dict)
    actions: list[Action] = field(default_factory=list)


def _check_ports(seen: Seen) -> list[Action]:
    ports, (first, last) = _Ports(), seen.port_range
    for service in seen.services.values():
        for port in service.ports:
            if not first <= port <= last:
                message = f"Port {port} is not within the port range {first}-{last}; please recreate service"
                ports.actions.append(Say(service, "PortOutOfRange", message))
            elif port in ports.owners:
                message = f"Port {port} was assigned to multiple services; please recreate service"
                ports.actions.append(Say(service, "PortAlreadyAllocated", message))
            ports.owners.setdefault(port, service)
    for port, service in ports.owners.items():
        record = seen.ports.get(port)
        if record is None:
            ports.actions.append(Say(service, "PortNotAllocated", f"Port {port} is not allocated; repairing"))
            ports.actions.append(WritePort(port, service))
        elif port not in seen.services.get(record.service, service).ports or record.service not in seen.services:
            ports.actions.append(WritePort(port, service, record.revision))
    leaked = [record for port, record in seen.ports.items() if port not in ports.owners]
    return [*ports.actions, *map(DropPort, leaked)]
