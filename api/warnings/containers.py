"""Containers of one pod: what they say twice, and what hides what."""

from collections.abc import Iterator
from typing import Any

from api.core_v1 import ContainerPort, EnvVar, PodSpec
from api.warnings import amounts
from api.warnings.text import child, quoted


def each(path: str, spec: PodSpec) -> Iterator[tuple[str, Any]]:
    """Containers of all sorts with their paths; `path` is that of the spec."""
    sorts: tuple[tuple[str, list[Any]], ...] = (
        ("initContainers", spec.init_containers),
        ("containers", spec.containers),
        ("ephemeralContainers", spec.ephemeral_containers),
    )
    for sort, containers in sorts:
        for index, container in enumerate(containers):
            yield child(path, f"{sort}[{index}]"), container


def of_resources(path: str, container: Any) -> list[str]:
    """Amounts that are no whole bytes."""
    resources = container.resources
    if resources is None:
        return []
    return [
        text
        for resource in amounts.BYTES
        for part, given in (("limits", resources.limits), ("requests", resources.requests))
        for text in amounts.fractional(f"{path}.resources.{part}", given, resource)
    ]


def of_environment(path: str, variables: list[EnvVar]) -> list[str]:
    """Names that are given again; one that builds on what it had before is no mistake."""
    found, seen = [], set[str]()
    for index, variable in enumerate(variables):
        if variable.name not in seen:
            seen.add(variable.name)
            continue
        reference, value = f"$({variable.name})", variable.value or ""
        if variable.value_from is not None or value == reference or reference not in value:
            hidden = f"hides previous definition of {quoted(variable.name)}, which may be dropped when using apply"
            found.append(f"{path}.env[{index}]: {hidden}")
    return found


def of_ports(path: str, spec: PodSpec) -> list[str]:
    """Ports that are given twice, in one container or in several."""
    found: list[str] = []
    seen: dict[tuple[int, str], list[tuple[str, ContainerPort]]] = {}
    for place, container in each(path, spec):
        for index, port in enumerate(container.ports):
            here = f"{place}.ports[{index}]"
            if port.host_ip and not port.host_port:
                found.append(f"{here}: hostIP set without hostPort: {_shown(port)}")
            others = seen.setdefault((port.container_port, port.protocol or ""), [])
            found += [text for where, other in others if (text := _clash(here, port, where, other))]
            others.append((here, port))
    return [*found, *_of_names(path, spec)]


def _clash(here: str, port: ContainerPort, where: str, other: ContainerPort) -> str:
    mine, theirs = port.host_ip or "", other.host_ip or ""
    same_number = (port.host_port or 0) == (other.host_port or 0)
    if mine == theirs and same_number:
        return f"{here}: duplicate port definition with {where}"
    if not port.host_port or not other.host_port:
        return f"{here}: overlapping port definition with {where}"
    if same_number and bool(mine) is not bool(theirs):
        return f"{here}: dangerously ambiguous port definition with {where}"
    return ""


def _of_names(path: str, spec: PodSpec) -> list[str]:
    found, seen = [], dict[str, str]()
    for place, container in each(path, spec):
        for index, port in enumerate(container.ports):
            if not port.name:
                continue
            here = f"{place}.ports[{index}]"
            if port.name in seen:
                first = seen[port.name]
                use = f"services and probes that select ports by name will use {first}"
                found.append(f"{here}: duplicate port name {quoted(port.name)} with {first}, {use}")
            else:
                seen[port.name] = here
    return found


def _shown(port: ContainerPort) -> str:
    where = f"ContainerPort:{port.container_port} Protocol:{port.protocol or ''} HostIP:{port.host_ip or ''}"
    return f"{{Name:{port.name or ''} HostPort:{port.host_port or 0} {where}}}"
