"""The tables of Services, Endpoints and EndpointSlices."""

from typing import Any

from api import kinds
from api.core_v1 import Endpoints, Service, ServicePort
from api.discovery_v1 import EndpointPort, EndpointSlice
from api.kinds import Kind
from controlplane.apiserver.tables.ages import age
from controlplane.apiserver.tables.columns import Cell, Layout, columns

_NONE = "<none>"
_SHOWN = 3


def _service(obj: Service, now: float) -> list[Cell]:
    spec = obj.spec
    return [
        obj.metadata.name,
        spec.type or "",
        spec.cluster_ips[0] if spec.cluster_ips else _NONE,
        _external(obj),
        ",".join(_port(port) for port in spec.ports) or _NONE,
        age(obj.metadata.creation_timestamp, now),
        ",".join(f"{key}={value}" for key, value in sorted(spec.selector.items())) or _NONE,
    ]


def _port(port: ServicePort) -> str:
    node_port = f":{port.node_port}" if port.node_port else ""
    return f"{port.port}{node_port}/{port.protocol}"


def _external(obj: Service) -> str:
    spec = obj.spec
    match spec.type:
        case "ClusterIP" | "NodePort":
            return ",".join(spec.external_ips) or _NONE
        case "LoadBalancer":
            ingress = obj.status.load_balancer.ingress if obj.status.load_balancer is not None else []
            balanced = sorted({item.ip or item.hostname or "" for item in ingress} - {""})
            return ",".join((*balanced, *spec.external_ips)) or "<pending>"
        case "ExternalName":
            return spec.external_name or ""
    return "<unknown>"


def _endpoints(obj: Endpoints, now: float) -> list[Cell]:
    shown = []
    for subset in obj.subsets:
        suffixes = [f":{port.port}" for port in subset.ports] or [""]
        for suffix in suffixes:
            for address in subset.addresses:
                ip = f"[{address.ip}]" if suffix and ":" in address.ip else address.ip
                shown.append(ip + suffix)
    text = _first(shown) if obj.subsets else _NONE
    return [obj.metadata.name, text, age(obj.metadata.creation_timestamp, now)]


def _slice(obj: EndpointSlice, now: float) -> list[Cell]:
    ports = [_slice_port(port) for port in obj.ports]
    addresses = [address for endpoint in obj.endpoints for address in endpoint.addresses]
    return [
        obj.metadata.name,
        obj.address_type,
        _first(ports) or "<unset>",
        _first(addresses) or "<unset>",
        age(obj.metadata.creation_timestamp, now),
    ]


def _slice_port(port: EndpointPort) -> str:
    if port.port is not None:
        return str(port.port)
    return "*" if port.name is None else port.name


def _first(items: list[str]) -> str:
    """The first few items, and how many more there are."""
    text = ",".join(items[:_SHOWN])
    more = len(items) - _SHOWN
    return f"{text} + {more} more..." if more > 0 else text


LAYOUTS: dict[Kind[Any], Layout] = {
    kinds.SERVICE: Layout(
        columns("Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age", wide=("Selector",)), _service
    ),
    kinds.ENDPOINTS: Layout(columns("Name", "Endpoints", "Age"), _endpoints),
    kinds.ENDPOINT_SLICE: Layout(columns("Name", "AddressType", "Ports", "Endpoints", "Age"), _slice),
}
