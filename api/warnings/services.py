"""Services and what else holds addresses."""

from typing import Any

from api.core_v1 import Endpoints, Node, Pod, Service
from api.discovery_v1 import EndpointSlice
from api.networking_v1 import Ingress, NetworkPolicy
from api.warnings import addresses
from api.warnings.text import quoted

_HINTS, _MODE = "service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"
_INGRESS_CLASS = "kubernetes.io/ingress.class"
_ENDPOINTS_MANAGER = ("endpoints.kubernetes.io/managed-by", ("endpoint-controller",))
_SLICE_MANAGERS = (
    "endpointslice.kubernetes.io/managed-by",
    ("endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io"),
)


def of_service(service: Service) -> list[str]:
    """A Service."""
    spec = service.spec
    headless = spec.type == "ClusterIP" and spec.cluster_ip == "None"
    found = []
    if _HINTS in service.metadata.annotations:
        found.append(f"annotation {_HINTS} is deprecated, please use {_MODE} instead")
    if spec.cluster_ip and spec.cluster_ip != "None":
        for index, address in enumerate(spec.cluster_ips):
            found += addresses.of_ip(f"spec.clusterIPs[{index}]", address)
    if headless:
        found += [f"spec.{name} is ignored for headless services" for name in _ignored(service)]
    for index, address in enumerate(spec.external_ips):
        found += addresses.of_ip(f"spec.externalIPs[{index}]", address)
    if spec.external_ips and not headless and spec.type != "ExternalName":
        found.append("spec.externalIPs is deprecated and may no longer be implemented in some clusters")
    found += addresses.of_ip("spec.loadBalancerIP", spec.load_balancer_ip)
    for index, network in enumerate(spec.load_balancer_source_ranges):
        found += addresses.of_cidr(f"spec.loadBalancerSourceRanges[{index}]", network)
    if spec.type == "ExternalName" and spec.external_ips:
        found.append('spec.externalIPs is ignored when spec.type is "ExternalName"')
    if spec.type != "ExternalName" and spec.external_name:
        found.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if spec.traffic_distribution == "PreferClose":
        found.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    return found


def _ignored(service: Service) -> list[str]:
    spec = service.spec
    given = (
        ("loadBalancerIP", bool(spec.load_balancer_ip)),
        ("externalIPs", bool(spec.external_ips)),
        ("SessionAffinity", spec.session_affinity != "None"),
    )
    return [name for name, is_set in given if is_set]


def of_balancer(status: Any) -> list[str]:
    """The addresses of a load balancer in a status."""
    balancer = status.load_balancer
    return [
        text
        for index, ingress in enumerate(balancer.ingress if balancer is not None else ())
        for text in addresses.of_ip(f"status.loadBalancer.ingress[{index}]", ingress.ip)
    ]


def of_pod_status(pod: Pod) -> list[str]:
    """The addresses that a node reports of its pod."""
    found = []
    for index, address in enumerate(pod.status.pod_ips):
        found += addresses.of_ip(f"status.podIPs[{index}].ip", address.ip)
    for index, host in enumerate(pod.status.host_ips):
        found += addresses.of_ip(f"status.hostIPs[{index}].ip", host.ip)
    return found


def of_endpoints(endpoints: Endpoints) -> list[str]:
    """Endpoints that no controller of ours has written."""
    if _managed(endpoints, _ENDPOINTS_MANAGER):
        return []
    found = []
    for number, subset in enumerate(endpoints.subsets):
        for index, address in enumerate(subset.addresses):
            found += addresses.of_ip(f"subsets[{number}].addresses[{index}].ip", address.ip)
        for index, address in enumerate(subset.not_ready_addresses):
            found += addresses.of_ip(f"subsets[{number}].notReadyAddresses[{index}].ip", address.ip)
    return found


def of_slice(new: EndpointSlice, old: EndpointSlice | None) -> list[str]:
    """An EndpointSlice."""
    found = []
    if old is None and new.address_type == "FQDN":
        found.append("spec.addressType: FQDN endpoints are deprecated")
    if _managed(new, _SLICE_MANAGERS) or new.address_type == "FQDN":
        return found
    for number, endpoint in enumerate(new.endpoints):
        for index, address in enumerate(endpoint.addresses):
            found += addresses.of_ip(f"endpoints[{number}].addresses[{index}]", address)
    return found


def _managed(obj: Any, manager: tuple[str, tuple[str, ...]]) -> bool:
    label, names = manager
    return obj.metadata.labels.get(label) in names


def of_ingress(ingress: Ingress) -> list[str]:
    """An Ingress that names its class the old way."""
    if _INGRESS_CLASS not in ingress.metadata.annotations or ingress.spec.ingress_class_name is not None:
        return []
    return [f"annotation {quoted(_INGRESS_CLASS)} is deprecated, please use 'spec.ingressClassName' instead"]


def of_policy(policy: NetworkPolicy) -> list[str]:
    """A NetworkPolicy."""
    peers = [
        (f"spec.ingress[{rule}].from[{index}].ipBlock", peer.ip_block)
        for rule, ingress in enumerate(policy.spec.ingress)
        for index, peer in enumerate(ingress.from_)
    ] + [
        (f"spec.egress[{rule}].to[{index}].ipBlock", peer.ip_block)
        for rule, egress in enumerate(policy.spec.egress)
        for index, peer in enumerate(egress.to)
    ]
    found = []
    for path, block in peers:
        if block is not None:
            found += addresses.of_cidr(f"{path}.cidr", block.cidr)
            for index, network in enumerate(block.except_):
                found += addresses.of_cidr(f"{path}.except[{index}]", network)
    return found


def of_node(node: Node) -> list[str]:
    """A Node."""
    spec, found = node.spec, []
    if spec.config_source is not None:
        found.append("spec.configSource: the feature is removed")
    if spec.external_id:
        found.append("spec.externalID: this field is deprecated, and is unused by Kubernetes")
    for index, network in enumerate(spec.pod_cidrs):
        found += addresses.of_cidr(f"spec.podCIDRs[{index}]", network)
    return found
