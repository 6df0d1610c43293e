"""Which pods stand behind a Service, with which ports and addresses. Pure; shared with the Endpoints controller."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from controlplane.controllers.seen import SeenPod, SeenService
from controlplane.controllers.seen.service import ServicePort, SlicePort

HEADLESS = "service.kubernetes.io/headless"


def backing_pods(service: SeenService, pods: Iterable[SeenPod], *, terminating: bool) -> list[SeenPod]:
    """Selected pods that have an address and are not finished, in a stable order."""
    found = [
        pod
        for pod in pods
        if pod.ips
        and not pod.finished
        and (terminating or not pod.deleting)
        and pod.namespace == service.namespace
        and service.selector.matches(pod.labels)
    ]
    return sorted(found, key=lambda pod: (pod.created, pod.name))


def address(pod: SeenPod, family: str) -> str:
    """The pod's first address of `IPv4` or `IPv6`; empty if it has none."""
    version = 6 if family == "IPv6" else 4
    for text in pod.ips:
        try:
            ip = ipaddress.ip_address(text)
        except ValueError:
            continue
        if ip.version == version:
            return str(ip)
    return ""


def ports_of(service: SeenService, pod: SeenPod) -> tuple[SlicePort, ...]:
    """The Service's ports as this pod serves them; a name that the pod does not have is left out."""
    found = ((port, _number(port, pod)) for port in service.ports)
    return tuple(SlicePort(p.name, p.protocol, number, p.app_protocol) for p, number in found if number)


def hostname(service: SeenService, pod: SeenPod) -> str:
    """The name the pod has under a headless Service of its subdomain."""
    return pod.hostname if pod.subdomain == service.name else ""


def _number(port: ServicePort, pod: SeenPod) -> int:
    return port.target if isinstance(port.target, int) else pod.ports.get((port.target, port.protocol), 0)
