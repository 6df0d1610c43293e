"""Which pods are to be removed by force, and why. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from controlplane.controllers.seen import SeenPod

QUARANTINE = 40.0
"""Seconds a node must have been missing, for a cache may show a pod before its node."""


@dataclass(frozen=True, slots=True)
class Removal:
    pod: SeenPod
    reason: str = ""
    """Why the pod counts as failed; empty: it had ended, or never began."""


@dataclass(frozen=True, slots=True)
class Plan:
    remove: tuple[Removal, ...] = ()
    missing: tuple[str, ...] = ()
    """Nodes that pods name and that do not exist."""


def plan_removals(pods: Iterable[SeenPod], nodes: Collection[str], gone: Collection[str], limit: int) -> Plan:
    """`gone` are nodes that have been missing for longer than the quarantine."""
    remove: list[Removal] = []
    finished: list[SeenPod] = []
    missing: dict[str, None] = {}
    for pod in pods:
        if pod.node and pod.node not in nodes:
            missing[pod.node] = None
            if pod.node in gone:
                remove.append(Removal(pod, "PodGC: node no longer exists"))
                continue
        if pod.deleting and not pod.node:
            remove.append(Removal(pod))
        elif pod.finished and not pod.deleting:
            finished.append(pod)
    surplus = len(finished) - limit
    if limit > 0 and surplus > 0:
        oldest = sorted(finished, key=lambda pod: (pod.created, pod.name))[:surplus]
        remove += [Removal(pod) for pod in oldest]
    return Plan(tuple(remove), tuple(missing))
