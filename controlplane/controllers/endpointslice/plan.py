"""How the slices of a Service must change, with as few writes as possible. Pure.

Endpoints stay in the slice where they are. New ones fill slices that are written anyway, then the fullest slice with room for all of them,
then new slices. A slice that would be deleted while another is created is rewritten instead.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from controlplane.controllers.endpointslice.backing import HEADLESS, address, backing_pods, hostname, ports_of
from controlplane.controllers.seen import SeenPod, SeenService, SeenSlice
from controlplane.controllers.seen.service import MANAGED_BY, SERVICE_NAME, Endpoint, SlicePort

MOST = 100
CONTROLLER = "endpointslice-controller.k8s.io"
RESERVED = (SERVICE_NAME, MANAGED_BY, HEADLESS)

Ports = tuple[SlicePort, ...]
Endpoints = tuple[Endpoint, ...]
Wanted = dict[tuple[str, str], Endpoint]
"""By address and pod: pods on the network of their host share its address."""


@dataclass(frozen=True, slots=True)
class Create:
    family: str
    ports: Ports
    endpoints: Endpoints


@dataclass(frozen=True, slots=True)
class Update:
    slice: SeenSlice
    ports: Ports
    endpoints: Endpoints


@dataclass(frozen=True, slots=True)
class Plan:
    create: tuple[Create, ...] = ()
    update: tuple[Update, ...] = ()
    delete: tuple[SeenSlice, ...] = ()


def plan_slices(
    service: SeenService, pods: Iterable[SeenPod], slices: Sequence[SeenSlice], zones: Mapping[str, str]
) -> Plan:
    """All families of one Service. `slices` are those that carry our label; `zones` gives each node's zone."""
    backing = backing_pods(service, pods, terminating=True)
    labels = labels_for(service)
    plan = Plan(delete=tuple(s for s in slices if s.family not in service.families))
    for family in service.families:
        wanted = _wanted(service, backing, family, zones)
        part = _plan_family(family, wanted, [s for s in slices if s.family == family], labels)
        plan = Plan(plan.create + part.create, plan.update + part.update, plan.delete + part.delete)
    return plan


def labels_for(service: SeenService) -> dict[str, str]:
    """A slice has the labels of its Service and ours."""
    labels = {key: value for key, value in service.labels.items() if key not in RESERVED}
    if service.headless:
        labels[HEADLESS] = ""
    return labels | {SERVICE_NAME: service.name, MANAGED_BY: CONTROLLER}


def _wanted(
    service: SeenService, pods: Iterable[SeenPod], family: str, zones: Mapping[str, str]
) -> dict[Ports, Wanted]:
    """Endpoints by their ports, for pods may give one port name different numbers."""
    wanted: dict[Ports, Wanted] = defaultdict(dict)
    for pod in pods:
        ip = address(pod, family)
        if ip:
            wanted[ports_of(service, pod)][ip, pod.uid] = Endpoint(
                address=ip,
                ready=service.publish_not_ready or (pod.ready and not pod.deleting),
                serving=pod.ready,
                terminating=pod.deleting,
                pod=pod.name,
                pod_uid=pod.uid,
                node=pod.node,
                zone=zones.get(pod.node, ""),
                hostname=hostname(service, pod),
                since=pod.ready_since,
            )
    return wanted


def _plan_family(family: str, wanted: dict[Ports, Wanted], slices: list[SeenSlice], labels: Mapping[str, str]) -> Plan:
    create: list[Create] = []
    update: list[Update] = []
    delete = [s for s in slices if s.endpoints and s.ports not in wanted]
    empty = [s for s in slices if not s.endpoints]
    for ports, endpoints in wanted.items():
        group = [s for s in slices if s.endpoints and s.ports == ports]
        part = _plan_ports(family, ports, dict(endpoints), group, labels)
        create += part.create
        update += part.update
        delete += part.delete
    if not wanted and empty:
        keep, *empty = empty
        if dict(keep.labels) != labels or keep.ports:
            update.append(Update(keep, (), ()))
    elif not wanted:  # a Service without endpoints is told from one that nobody has looked at by an empty slice
        create.append(Create(family, (), ()))
    delete += empty
    while create and delete:
        made = create.pop()
        update.append(Update(delete.pop(), made.ports, made.endpoints))
    return Plan(tuple(create), tuple(update), tuple(delete))


def _plan_ports(family: str, ports: Ports, missing: Wanted, slices: list[SeenSlice], labels: Mapping[str, str]) -> Plan:
    """One group of equal ports; `missing` is used up."""
    kept: dict[str, list[Endpoint]] = {}
    changed: set[str] = set()
    for s in slices:
        kept[s.name] = [missing.pop(_key(e)) for e in s.endpoints if _key(e) in missing]
        if tuple(kept[s.name]) != s.endpoints or dict(s.labels) != labels:
            changed.add(s.name)
    left = list(missing.values())
    for name in sorted((n for n in changed if kept[n]), key=lambda n: -len(kept[n])):
        left = _fill(kept[name], left)
    if left and len(left) < MOST:
        roomy = [n for n in kept if n not in changed and len(kept[n]) + len(left) <= MOST]
        if roomy:
            name = max(roomy, key=lambda n: len(kept[n]))
            left = _fill(kept[name], left)
            changed.add(name)
    made = [Create(family, ports, tuple(left[i : i + MOST])) for i in range(0, len(left), MOST)]
    return Plan(
        tuple(made),
        tuple(Update(s, ports, tuple(kept[s.name])) for s in slices if s.name in changed and kept[s.name]),
        tuple(s for s in slices if not kept[s.name]),
    )


def _fill(into: list[Endpoint], left: list[Endpoint]) -> list[Endpoint]:
    room = MOST - len(into)
    into += left[:room]
    return left[room:]


def _key(e: Endpoint) -> tuple[str, str]:
    return e.address, e.pod_uid
