"""The tables of Services, their endpoints, and what lets traffic in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api import kinds, selectors
from api.core_v1 import Endpoints, Service, ServicePort
from api.discovery_v1 import EndpointPort, EndpointSlice
from api.kinds import Kind
from controlplane.apiserver.tables.ages import age
from controlplane.apiserver.tables.columns import Cell, Layout, columns

if TYPE_CHECKING:
    from api.networking_v1 import Ingress, IngressClass, IPAddress, NetworkPolicy, ServiceCIDR
    from api.policy_v1 import PodDisruptionBudget

_DEFAULT_INGRESS_CLASS = "ingressclass.kubernetes.io/is-default-class"
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


def _ingress(obj: Ingress, now: float) -> list[Cell]:
    spec, balancer = obj.spec, obj.status.load_balancer
    addresses = {item.ip or item.hostname or "" for item in (balancer.ingress if balancer is not None else [])}
    return [
        obj.metadata.name,
        _NONE if spec.ingress_class_name is None else spec.ingress_class_name,
        _hosts([rule.host or "" for rule in spec.rules]),
        ",".join(sorted(addresses - {""})),
        "80, 443" if spec.tls else "80",
        age(obj.metadata.creation_timestamp, now),
    ]


def _hosts(hosts: list[str]) -> str:
    """The first few hosts; if rules follow the last of them, how many more there are."""
    places = [place for place, host in enumerate(hosts) if host][:_SHOWN]
    text = ",".join(hosts[place] for place in places) or "*"
    follow = len(places) == _SHOWN and places[-1] + 1 < len(hosts)
    return f"{text} + {len(hosts) - _SHOWN} more..." if follow else text


def _ingress_class(obj: IngressClass, now: float) -> list[Cell]:
    meta, parameters = obj.metadata, obj.spec.parameters
    default = " (default)" if meta.annotations.get(_DEFAULT_INGRESS_CLASS) == "true" else ""
    shown = _NONE
    if parameters is not None:
        group = f".{parameters.api_group}" if parameters.api_group is not None else ""
        shown = f"{parameters.kind}{group}/{parameters.name}"
    return [f"{meta.name}{default}", obj.spec.controller or "", shown, age(meta.creation_timestamp, now)]


def _network_policy(obj: NetworkPolicy, now: float) -> list[Cell]:
    try:
        selector = str(selectors.from_struct(obj.spec.pod_selector)) or _NONE
    except selectors.SelectorError:
        selector = "<error>"
    return [obj.metadata.name, selector, age(obj.metadata.creation_timestamp, now)]


def _ip_address(obj: IPAddress, now: float) -> list[Cell]:
    parent = obj.spec.parent_ref
    shown = _NONE
    if parent is not None:
        resource = f"{parent.resource}.{parent.group}" if parent.group else parent.resource or ""
        shown = "/".join(part for part in (resource.lower(), parent.namespace, parent.name) if part)
    return [obj.metadata.name, shown]


def _service_cidr(obj: ServiceCIDR, now: float) -> list[Cell]:
    return [obj.metadata.name, ",".join(obj.spec.cidrs), age(obj.metadata.creation_timestamp, now)]


def _budget(obj: PodDisruptionBudget, now: float) -> list[Cell]:
    lowest, highest = obj.spec.min_available, obj.spec.max_unavailable
    return [
        obj.metadata.name,
        "N/A" if lowest is None else str(lowest),
        "N/A" if highest is None else str(highest),
        obj.status.disruptions_allowed,
        age(obj.metadata.creation_timestamp, now),
    ]


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
    kinds.INGRESS: Layout(columns("Name", "Class", "Hosts", "Address", "Ports", "Age"), _ingress),
    kinds.INGRESS_CLASS: Layout(columns("Name", "Controller", "Parameters", "Age"), _ingress_class),
    kinds.NETWORK_POLICY: Layout(columns("Name", "Pod-Selector", "Age"), _network_policy),
    kinds.IP_ADDRESS: Layout(columns("Name", "ParentRef"), _ip_address),
    kinds.SERVICE_CIDR: Layout(columns("Name", "CIDRs", "Age"), _service_cidr),
    kinds.POD_DISRUPTION_BUDGET: Layout(
        columns("Name", "Min Available", "Max Unavailable", "Allowed Disruptions:integer", "Age"), _budget
    ),
}
