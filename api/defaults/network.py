"""Defaults of Services, Endpoints and EndpointSlices. Addresses and node ports are the allocator's business."""

from api.core_v1 import ClientIPConfig, Endpoints, Service, ServiceSpec, SessionAffinityConfig
from api.discovery_v1 import EndpointSlice

_AFFINITY_SECONDS = 10_800
_WITH_CLUSTER_IP = ("ClusterIP", "NodePort", "LoadBalancer")


def service(obj: Service) -> None:
    """Defaults of a Service."""
    spec = obj.spec
    spec.type = spec.type or "ClusterIP"
    _session_affinity(spec)
    for port in spec.ports:
        port.protocol = port.protocol or "TCP"
        if port.target_port in (None, 0, ""):
            port.target_port = port.port
    exposed = spec.type in ("NodePort", "LoadBalancer") or (spec.type == "ClusterIP" and spec.external_ips)
    if exposed and not spec.external_traffic_policy:
        spec.external_traffic_policy = "Cluster"
    if spec.internal_traffic_policy is None and spec.type in _WITH_CLUSTER_IP:
        spec.internal_traffic_policy = "Cluster"
    if spec.type == "LoadBalancer":
        _load_balancer(obj)


def _session_affinity(spec: ServiceSpec) -> None:
    spec.session_affinity = spec.session_affinity or "None"
    if spec.session_affinity == "None":
        spec.session_affinity_config = None
    elif spec.session_affinity == "ClientIP":
        config = spec.session_affinity_config
        if config is None or config.client_ip is None or config.client_ip.timeout_seconds is None:
            spec.session_affinity_config = SessionAffinityConfig(
                client_ip=ClientIPConfig(timeout_seconds=_AFFINITY_SECONDS)
            )


def _load_balancer(obj: Service) -> None:
    if obj.spec.allocate_load_balancer_node_ports is None:
        obj.spec.allocate_load_balancer_node_ports = True
    for ingress in obj.status.load_balancer.ingress if obj.status.load_balancer is not None else []:
        if ingress.ip and ingress.ip_mode is None:
            ingress.ip_mode = "VIP"


def endpoints(obj: Endpoints) -> None:
    """Defaults of Endpoints."""
    for subset in obj.subsets:
        for port in subset.ports:
            port.protocol = port.protocol or "TCP"


def endpoint_slice(obj: EndpointSlice) -> None:
    """Defaults of an EndpointSlice."""
    for port in obj.ports:
        if port.name is None:
            port.name = ""
        if port.protocol is None:
            port.protocol = "TCP"
