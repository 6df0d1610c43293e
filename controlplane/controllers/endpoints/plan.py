"""The Endpoints object of a Service. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from controlplane.controllers.endpointslice.backing import HEADLESS, address, backing_pods, hostname, ports_of
from controlplane.controllers.seen import SeenEndpoints, SeenPod, SeenService
from controlplane.controllers.seen.service import SlicePort, subsets_digest

MOST = 1000
MANAGED_BY = "endpoints.kubernetes.io/managed-by"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
LAST_CHANGE = "endpoints.kubernetes.io/last-change-trigger-time"
CONTROLLER = "endpoint-controller"


@dataclass(frozen=True, slots=True)
class Desired:
    """What the object should hold: `subsets` as JSON."""

    subsets: bytes
    labels: dict[str, str]
    truncated: bool = False


def plan_endpoints(service: SeenService, pods: Iterable[SeenPod]) -> Desired:
    """The first family only: the object has no place for more. Not more than 1000 addresses, ready ones first."""
    backing = backing_pods(service, pods, terminating=service.publish_not_ready)
    family = service.families[0]
    served = [(pod, ip) for pod in backing if (ip := address(pod, family))]
    served.sort(key=lambda item: not _is_ready(service, item[0]))
    labels = dict(service.labels)
    labels.pop(HEADLESS, None)
    if service.headless:
        labels[HEADLESS] = ""
    labels[MANAGED_BY] = CONTROLLER
    return Desired(msgspec.json.encode(_subsets(service, served[:MOST])), labels, len(served) > MOST)


def is_current(seen: SeenEndpoints, desired: Desired) -> bool:
    """Whether the object holds that already."""
    return (
        seen.digest == subsets_digest(desired.subsets)
        and dict(seen.labels) == desired.labels
        and (seen.annotations.get(OVER_CAPACITY) == "truncated") == desired.truncated
    )


def _is_ready(service: SeenService, pod: SeenPod) -> bool:
    return service.publish_not_ready or pod.ready


def _subsets(service: SeenService, served: Sequence[tuple[SeenPod, str]]) -> list[dict[str, Any]]:
    """A subset is a set of ports and all the addresses that serve just these."""
    groups: dict[tuple[SlicePort, ...], list[tuple[SeenPod, str]]] = defaultdict(list)
    for pod, ip in served:
        ports = ports_of(service, pod)
        if ports or not service.ports:
            groups[tuple(sorted(ports, key=lambda p: (p.name, p.port, p.protocol)))].append((pod, ip))
    subsets: list[dict[str, Any]] = []
    for ports, members in sorted(groups.items(), key=lambda group: str(group[0])):
        subset: dict[str, Any] = {}
        for field, ready in (("addresses", True), ("notReadyAddresses", False)):
            chosen = sorted((ip, pod.uid, pod) for pod, ip in members if _is_ready(service, pod) is ready)
            if chosen:
                subset[field] = [_address(service, pod, ip) for ip, _, pod in chosen]
        if ports:
            subset["ports"] = [_port(port) for port in ports]
        subsets.append(subset)
    return subsets


def _address(service: SeenService, pod: SeenPod, ip: str) -> dict[str, Any]:
    written: dict[str, Any] = {"ip": ip}
    if hostname(service, pod):
        written["hostname"] = hostname(service, pod)
    if pod.node:
        written["nodeName"] = pod.node
    written["targetRef"] = {"kind": "Pod", "namespace": pod.namespace, "name": pod.name, "uid": pod.uid}
    return written


def _port(port: SlicePort) -> dict[str, Any]:
    written: dict[str, Any] = {"name": port.name} if port.name else {}
    written |= {"port": port.port, "protocol": port.protocol}
    if port.app_protocol:
        written["appProtocol"] = port.app_protocol
    return written
