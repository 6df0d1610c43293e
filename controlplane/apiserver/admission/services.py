"""Addresses and node ports of Services: what is missing is completed, then the numbers are reserved.

A write keeps its reservations until it has ended (`write.undo`); then either the cache holds the numbers through the stored Service, or
they are free again. The records that keep other servers from them are written with the Service itself (`beside.py`).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from api import kinds
from api.core_v1 import ServicePort
from api.validation import Cause
from api.validation.services import is_exposed
from controlplane.apiserver import status
from controlplane.apiserver.admission import families
from controlplane.apiserver.admission.families import has_address, is_headless
from controlplane.apiserver.allocators.addresses import AddressError, NoneLeft
from controlplane.apiserver.allocators.ports import PortError
from controlplane.apiserver.allocators.services import ServiceNumbers
from controlplane.apiserver.write import Write

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

_WITH_NODE_PORTS = ("NodePort", "LoadBalancer")


def complete(write: Write, core: Core) -> None:
    """Carry over what was handed out before, drop what the type no longer has, and name the families."""
    if not _concerns(write):
        return
    new, old = write.new.spec, write.old.spec if write.old is not None else None
    if old is not None:
        _carry_over(new, old)
    _agree(new, old)
    if old is not None:
        _drop(new, old)
    if new.type == "ExternalName":
        new.internal_traffic_policy = None
    if causes := families.complete(new, old, core.numbers.families):
        raise status.invalid(write.kind, write.new.metadata.name or "", causes)


def reserve(write: Write, core: Core) -> None:
    """Take the numbers that the Service asks for or needs."""
    if not _concerns(write):
        return
    owner = f"{write.new.metadata.namespace}/{write.new.metadata.name}"
    _reserve_addresses(write, core.numbers, owner)
    _NodePorts(write, core.numbers, owner).reserve()


def _concerns(write: Write) -> bool:
    return write.kind is kinds.SERVICE and not write.subresource


def _needs_health_port(spec: Any) -> bool:
    return bool(spec.type == "LoadBalancer" and spec.external_traffic_policy == "Local")


def _gets_node_ports(spec: Any) -> bool:
    return bool(
        spec.type == "NodePort" or (spec.type == "LoadBalancer" and spec.allocate_load_balancer_node_ports is not False)
    )


def _carry_over(new: Any, old: Any) -> None:
    """A client that leaves out what the server chose does not mean to give it up."""
    if has_address(new) and has_address(old):
        new.cluster_ip = new.cluster_ip or old.cluster_ip
        new.cluster_ips = new.cluster_ips or list(old.cluster_ips)
    if _gets_node_ports(new) and _gets_node_ports(old):
        known = {port.name: port.node_port for port in old.ports}
        used = {port.node_port for port in new.ports} & {port.node_port for port in old.ports}
        for port in new.ports:
            before = known.get(port.name)
            if not port.node_port and before not in used:
                port.node_port = before
    if _needs_health_port(new) and _needs_health_port(old):
        new.health_check_node_port = new.health_check_node_port or old.health_check_node_port


def _agree(new: Any, old: Any) -> None:
    """clusterIP and clusterIPs say the same; who changed the one alone meant both."""
    if old is None:
        if new.cluster_ip and not new.cluster_ips:
            new.cluster_ips = [new.cluster_ip]
        return
    same = new.cluster_ips == old.cluster_ips
    if old.cluster_ips and not new.cluster_ips and new.cluster_ip == old.cluster_ip:
        new.cluster_ips = list(old.cluster_ips)
    if new.cluster_ip != old.cluster_ip and same:
        new.cluster_ips = [new.cluster_ip] if new.cluster_ip else []


def _drop(new: Any, old: Any) -> None:
    """What the new type does not have goes, unless the client changed it in the same breath (validation refuses that)."""
    if has_address(old) and not has_address(new):
        if (new.cluster_ip, new.cluster_ips) == (old.cluster_ip, old.cluster_ips):
            new.cluster_ip, new.cluster_ips = None, []
        if new.ip_families == old.ip_families:
            new.ip_families = []
        if new.ip_family_policy == old.ip_family_policy:
            new.ip_family_policy = None
    if old.type in _WITH_NODE_PORTS and new.type not in _WITH_NODE_PORTS:
        before = {port.node_port for port in old.ports}
        if all(port.node_port in before or not port.node_port for port in new.ports):
            for port in new.ports:
                port.node_port = None
    if is_exposed(old) and not is_exposed(new) and new.external_traffic_policy == old.external_traffic_policy:
        new.external_traffic_policy = None
    same_health_port = new.health_check_node_port == old.health_check_node_port
    if _needs_health_port(old) and not _needs_health_port(new) and same_health_port:
        new.health_check_node_port = None
    if old.type == "LoadBalancer" and new.type != "LoadBalancer":
        if new.allocate_load_balancer_node_ports == old.allocate_load_balancer_node_ports:
            new.allocate_load_balancer_node_ports = None
        if new.load_balancer_class == old.load_balancer_class:
            new.load_balancer_class = None


def _reserve_addresses(write: Write, numbers: ServiceNumbers, owner: str) -> None:
    """New Services get all they need, old ones a second address; what breaks the rules is left to validation."""
    spec, old = write.new.spec, write.old.spec if write.old is not None else None
    if not has_address(spec) or is_headless(spec) or not families.is_sound(spec) or families.unchanged(spec, old):
        return
    if old is not None and has_address(old):
        if len(old.ip_families) != 1 or len(spec.ip_families) != 2 or is_headless(old):
            return
        missing = range(1, 2)
    else:
        missing = range(len(spec.ip_families))
    addresses = list(spec.cluster_ips)
    for index in missing:
        asked = addresses[index] if index < len(addresses) else ""
        pool = numbers.families[spec.ip_families[index]]
        try:
            if asked:
                number = pool.reserve(asked, owner)
            else:
                number, asked = pool.reserve_any(owner)
        except AddressError as error:
            raise _no_address(write, asked, error) from None
        write.undo.append(partial(pool.give_back, number))
        addresses[index : index + 1] = [asked]
    spec.cluster_ips, spec.cluster_ip = addresses, addresses[0]


def _no_address(write: Write, asked: str, error: AddressError) -> status.StatusError:
    name = write.new.metadata.name
    if isinstance(error, NoneLeft):
        return status.internal_error(f'failed to allocate a serviceIP for Service "{name}": {error}')
    shown = ",".join(f'"{address}"' for address in write.new.spec.cluster_ips)
    text = f"Invalid value: [{shown}]: failed to allocate IP {asked}: {error}"
    return status.invalid(write.kind, name, [Cause("spec.clusterIPs", "FieldValueInvalid", text)])


class _NodePorts:
    """The node ports of one write. Those that the Service has already are its own."""

    def __init__(self, write: Write, numbers: ServiceNumbers, owner: str) -> None:
        self._write, self._ports, self._owner = write, numbers.ports, owner
        self._spec = write.new.spec
        self._old = write.old.spec if write.old is not None else None
        self._mine = {port.node_port for port in self._old.ports if port.node_port} if self._old is not None else set()

    def reserve(self) -> None:
        """Take what is missing."""
        spec = self._spec
        if spec.type in _WITH_NODE_PORTS:
            # In a new Service, TCP and UDP of one port share a node port.
            shared = {port.port: port.node_port for port in spec.ports if port.node_port} if self._old is None else {}
            for index, port in enumerate(spec.ports):
                if port.node_port or _gets_node_ports(spec):
                    self._reserve_port(index, port, shared)
        if _needs_health_port(spec) and not (self._old is not None and _needs_health_port(self._old)):
            self._reserve_health_port()

    def _reserve_port(self, index: int, port: ServicePort, shared: dict[int, Any]) -> None:
        asked = port.node_port or shared.get(port.port)
        try:
            port.node_port = self._take(asked)
        except PortError as error:
            if not asked:
                raise status.internal_error(f"failed to allocate a nodePort: {error}") from None
            raise self._refused(f"spec.ports[{index}].nodePort", asked, error) from None
        if self._old is None:
            shared[port.port] = port.node_port

    def _reserve_health_port(self) -> None:
        asked = self._spec.health_check_node_port
        try:
            if asked in self._mine:  # its own, but of a port
                raise PortError("provided port is already allocated")
            self._spec.health_check_node_port = self._take(asked)
        except PortError as error:
            if asked:
                raise self._refused("spec.healthCheckNodePort", asked, error) from None
            raise status.internal_error(f"failed to allocate a HealthCheck NodePort 0: {error}") from None

    def _refused(self, field: str, asked: int, error: PortError) -> status.StatusError:
        cause = Cause(field, "FieldValueInvalid", f"Invalid value: {asked}: {error}")
        return status.invalid(self._write.kind, self._write.new.metadata.name, [cause])

    def _take(self, asked: int | None) -> int:
        if asked and asked in self._mine:
            return asked
        if asked:
            self._ports.reserve(asked, self._owner)
        port = asked or self._ports.reserve_any(self._owner)
        self._mine.add(port)
        self._write.undo.append(partial(self._ports.give_back, port))
        return port
