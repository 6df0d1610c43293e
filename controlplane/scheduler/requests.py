"""How much of each resource a pod asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from api import quantity
from controlplane.scheduler.shapes import Container, PodSpec

Amounts = dict[str, int]

SCORED_CPU = 100
SCORED_MEMORY = 200 * 1024 * 1024
"""What a container without a request counts for when nodes are compared."""


def pod_requests(spec: PodSpec) -> Amounts:
    """What the pod holds at most: all containers and sidecars, or one init container and the sidecars before it."""
    total = _sum(_container(c) for c in spec.containers or ())
    sidecars: Amounts = {}
    peak: Amounts = {}
    for init in spec.init_containers or ():
        asked = _container(init)
        if init.restart_policy == "Always":
            total, sidecars = _sum((total, asked)), _sum((sidecars, asked))
            asked = sidecars
        else:
            asked = _sum((asked, sidecars))
        peak = _largest(peak, asked)
    total = _largest(total, peak)
    if spec.resources is not None:
        total |= amounts(spec.resources.requests)
    return _sum((total, amounts(spec.overhead)))


def scored_requests(spec: PodSpec, requests: Amounts) -> tuple[int, int]:
    """Cpu and memory as scores count them: a container that asks for nothing counts as a small one."""
    silent_cpu = silent_memory = 0
    for container in spec.containers or ():
        asked = _container(container)
        silent_cpu += 0 if "cpu" in asked else SCORED_CPU
        silent_memory += 0 if "memory" in asked else SCORED_MEMORY
    return requests.get("cpu", 0) + silent_cpu, requests.get("memory", 0) + silent_memory


def amounts(written: Mapping[str, str | int | float] | None) -> Amounts:
    """Quantities as whole numbers, rounded up: cpu in thousandths."""
    return {name: _amount(name == "cpu", str(value)) for name, value in (written or {}).items()}


@lru_cache(maxsize=4096)
def _amount(thousandths: bool, written: str) -> int:
    return quantity.milli(written) if thousandths else quantity.ceil(written)


def _container(container: Container) -> Amounts:
    return amounts(container.resources.requests) if container.resources else {}


def _sum(parts: Iterable[Mapping[str, int]]) -> Amounts:
    total: Amounts = {}
    for part in parts:
        for name, amount in part.items():
            total[name] = total.get(name, 0) + amount
    return total


def _largest(one: Mapping[str, int], other: Mapping[str, int]) -> Amounts:
    return {name: max(one.get(name, 0), other.get(name, 0)) for name in {**one, **other}}
