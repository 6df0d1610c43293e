"""Addresses and node ports of Services: what is missing is completed, then the numbers are reserved.

A write keeps its reservations until it has ended (`write.undo`); then either the cache holds the numbers through the stored Service, or
they are free again.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from api import kinds
from api.core_v1 import ServicePort
from api.validation import Cause
from controlplane.apiserver import status
from controlplane.apiserver.allocators.addresses import AddressError
from controlplane.apiserver.allocators.ports import PortError
from controlplane.apiserver.allocators.services import ServiceNumbers
from controlplane.apiserver.write import Write

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

HEADLESS = "None"
_WITH_NODE_PORTS = ("NodePort", "LoadBalancer")


def complete(write: Write, core: Core) -> None:
    """Carry over what was handed out before, drop what the type no longer has, and name the families."""
    if not _concerns(write):
        return
    new = write.new.spec
    if new.cluster_ip and not new.cluster_ips:
        new.cluster_ips = [new.cluster_ip]
    elif new.cluster_ips and not new.cluster_ip and write.old is None:
        new.cluster_ip = new.cluster_ips[0]
    if write.old is not None:
        _carry_over(new, write.old.spec)
        _drop(new, write.old.spec)
    if has_address(new):
        _set_families(write, core.numbers)


def reserve(write: Write, core: Core) -> None:
    """Take the numbers that the Service asks for or needs."""
    if not _concerns(write):
        return
    owner = f"{write.new.metadata.namespace}/{write.new.metadata.name}"
    if has_address(write.new.spec) and HEADLESS not in write.new.spec.cluster_ips:
        _reserve_addresses(write, core.numbers, owner)
    _reserve_ports(write, core.numbers, owner)


def has_address(spec: Any) -> bool:
    """Whether Services of this type have an address (or say that they want none)."""
    return bool(spec.type != "ExternalName")


def _concerns(write: Write) -> bool:
    return write.kind is kinds.SERVICE and not write.subresource


def _needs_health_port(spec: Any) -> bool:
    return bool(spec.type == "LoadBalancer" and spec.external_traffic_policy == "Local")


def _carry_over(new: Any, old: Any) -> None:
    """A client that leaves out what the server chose does not mean to give it up."""
    if has_address(new) and has_address(old):
        new.cluster_ip = new.cluster_ip or old.cluster_ip
        new.cluster_ips = new.cluster_ips or old.cluster_ips
    if new.type in _WITH_NODE_PORTS and old.type in _WITH_NODE_PORTS:
        known = {port.name: port.node_port for port in old.ports}
        used = {port.node_port for port in new.ports}
        for port in new.ports:
            before = known.get(port.name)
            if not port.node_port and before and before not in used:
                port.node_port = before
    if _needs_health_port(new) and _needs_health_port(old):
        new.health_check_node_port = new.health_check_node_port or old.health_check_node_port


def _drop(new: Any, old: Any) -> None:
    """What the new type does not have goes, unless the client changed it in the same breath (validation refuses that)."""
    if has_address(old) and not has_address(new):
        if new.cluster_ips == old.cluster_ips:
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
        if new.external_traffic_policy == old.external_traffic_policy and not new.external_ips:
            new.external_traffic_policy = None
    if _needs_health_port(old) and not _needs_health_port(new):
        new.health_check_node_port = None
    if old.type == "LoadBalancer" and new.type != "LoadBalancer":
        new.allocate_load_balancer_node_ports = new.load_balancer_class = None


def _set_families(write: Write, numbers: ServiceNumbers) -> None:
    spec = write.new.spec
    selectorless = HEADLESS in spec.cluster_ips and not spec.selector
    if spec.ip_family_policy is None:
        two = len(spec.cluster_ips) == 2 or len(spec.ip_families) == 2
        spec.ip_family_policy = "RequireDualStack" if two or selectorless else "SingleStack"
    families = list(spec.ip_families)
    chosen = [address for address in spec.cluster_ips[len(families) :] if address and address != HEADLESS]
    families += ["IPv6" if ":" in address else "IPv4" for address in chosen]
    families = families or [numbers.default_family]
    if spec.ip_family_policy != "SingleStack" and len(families) == 1 and (len(numbers.families) == 2 or selectorless):
        families.append("IPv6" if families[0] == "IPv4" else "IPv4")
    spec.ip_families = families
    if not selectorless:
        _check_families(write, numbers)


def _check_families(write: Write, numbers: ServiceNumbers) -> None:
    spec = write.new.spec
    causes = []
    if spec.ip_family_policy == "RequireDualStack" and len(numbers.families) < 2:
        text = 'Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services'
        causes.append(Cause("spec.ipFamilyPolicy", "FieldValueInvalid", text))
    for index, family in enumerate(spec.ip_families):
        if family in ("IPv4", "IPv6") and family not in numbers.families:
            text = f'Invalid value: "{family}": not configured on this cluster'
            causes.append(Cause(f"spec.ipFamilies[{index}]", "FieldValueInvalid", text))
    if causes:
        raise status.invalid(write.kind, write.new.metadata.name, causes)


def _reserve_addresses(write: Write, numbers: ServiceNumbers, owner: str) -> None:
    spec = write.new.spec
    if len(spec.ip_families) > len(numbers.families):
        return  # validation refuses it
    addresses = list(spec.cluster_ips)
    for index, family in enumerate(spec.ip_families):
        pool = numbers.families.get(family)
        if pool is None:
            return  # validation refuses it
        asked = addresses[index] if index < len(addresses) else ""
        try:
            if asked:
                number = pool.reserve(asked, owner)
            else:
                number, asked = pool.reserve_any(owner)
        except AddressError as error:
            raise _no_address(write, asked, str(error)) from None
        write.undo.append(partial(pool.give_back, number))
        addresses[index : index + 1] = [asked]
    spec.cluster_ips = addresses[: len(spec.ip_families)]
    spec.cluster_ip = spec.cluster_ips[0]


def _no_address(write: Write, asked: str, why: str) -> status.StatusError:
    name = write.new.metadata.name
    if not asked:
        return status.internal_error(f'failed to allocate a serviceIP for Service "{name}": {why}')
    shown = ",".join(f'"{address}"' for address in write.new.spec.cluster_ips)
    text = f"Invalid value: [{shown}]: failed to allocate IP {asked}: {why}"
    return status.invalid(write.kind, name, [Cause("spec.clusterIPs", "FieldValueInvalid", text)])


def _reserve_ports(write: Write, numbers: ServiceNumbers, owner: str) -> None:
    spec = write.new.spec
    mine: set[int] = set()  # reserved by this very write: TCP and UDP of one port share a node port
    if spec.type in _WITH_NODE_PORTS:
        chosen = {port.port: port.node_port for port in spec.ports if port.node_port}
        for index, port in enumerate(spec.ports):
            if not port.node_port and spec.allocate_load_balancer_node_ports is False and spec.type == "LoadBalancer":
                continue
            _reserve_port(write, numbers, owner, mine, index, port, chosen)
    if _needs_health_port(spec):
        try:
            asked = spec.health_check_node_port
            spec.health_check_node_port = _take_port(write, numbers, owner, mine, asked)
        except PortError as error:
            raise status.internal_error(f"failed to allocate a HealthCheck NodePort {asked or ''}: {error}") from None


def _reserve_port(
    write: Write,
    numbers: ServiceNumbers,
    owner: str,
    mine: set[int],
    index: int,
    port: ServicePort,
    chosen: dict[int, Any],
) -> None:
    asked = port.node_port or chosen.get(port.port)
    try:
        port.node_port = chosen[port.port] = _take_port(write, numbers, owner, mine, asked)
    except PortError as error:
        if not asked:
            raise status.internal_error(f"failed to allocate a nodePort: {error}") from None
        cause = Cause(f"spec.ports[{index}].nodePort", "FieldValueInvalid", f"Invalid value: {asked}: {error}")
        raise status.invalid(write.kind, write.new.metadata.name, [cause]) from None


def _take_port(write: Write, numbers: ServiceNumbers, owner: str, mine: set[int], asked: int | None) -> int:
    if asked in mine and asked is not None:
        return asked
    if asked:
        numbers.ports.reserve(asked, owner)
    port = asked or numbers.ports.reserve_any(owner)
    mine.add(port)
    write.undo.append(partial(numbers.ports.give_back, port))
    return port
