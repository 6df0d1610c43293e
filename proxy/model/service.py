"""What the proxy needs of a Service, taken from its bytes."""

import msgspec

from proxy.model import addresses
from proxy.model.addresses import PROTOCOLS, BadAddress
from proxy.model.networks import NOBODY, Network, merge

HEADLESS_LABEL = "service.kubernetes.io/headless"
PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name"
DEFAULT_AFFINITY_SECONDS = 10800
MAX_AFFINITY_SECONDS = 86400


class ServicePort(msgspec.Struct, frozen=True, gc=False):
    """One port of a Service."""

    name: str
    protocol: int
    port: int
    node_port: int


class Service(msgspec.Struct, frozen=True, gc=False):
    """One Service that has something to program. `complaints` says what in it could not be used."""

    key: str  # namespace/name
    cluster_ips: tuple[bytes, ...]
    external_ips: tuple[bytes, ...]
    ingress_ips: tuple[bytes, ...]
    ports: tuple[ServicePort, ...]
    affinity: int  # seconds that a client stays with its endpoint; 0: no affinity
    internal_local: bool
    external_local: bool
    created: str
    sources: tuple[Network, ...] = ()  # who may use the load balancer's addresses, if not everybody
    health_port: int = 0  # where load balancers ask whether this node has an endpoint; 0: nowhere
    complaints: tuple[str, ...] = ()


class _Metadata(msgspec.Struct, gc=False):
    name: str = ""
    namespace: str = ""
    labels: dict[str, str] | None = None
    creation_timestamp: str | None = msgspec.field(default=None, name="creationTimestamp")


class _Port(msgspec.Struct, gc=False, rename="camel"):
    name: str | None = None
    protocol: str | None = None
    port: int = 0
    node_port: int | None = None


class _ClientIP(msgspec.Struct, gc=False, rename="camel"):
    timeout_seconds: int | None = None


class _Affinity(msgspec.Struct, gc=False):
    client_ip: _ClientIP | None = msgspec.field(default=None, name="clientIP")


class _Spec(msgspec.Struct, gc=False, rename="camel"):
    type: str | None = None
    cluster_ip: str | None = msgspec.field(default=None, name="clusterIP")
    cluster_ips: list[str] | None = msgspec.field(default=None, name="clusterIPs")
    external_ips: list[str] | None = msgspec.field(default=None, name="externalIPs")
    ports: list[_Port] | None = None
    session_affinity: str | None = None
    session_affinity_config: _Affinity | None = None
    internal_traffic_policy: str | None = None
    external_traffic_policy: str | None = None
    health_check_node_port: int | None = None
    load_balancer_source_ranges: list[str] | None = None


class _Ingress(msgspec.Struct, gc=False):
    ip: str | None = None
    ip_mode: str | None = msgspec.field(default=None, name="ipMode")


class _LoadBalancer(msgspec.Struct, gc=False):
    ingress: list[_Ingress] | None = None


class _Status(msgspec.Struct, gc=False):
    load_balancer: _LoadBalancer | None = msgspec.field(default=None, name="loadBalancer")


class _Service(msgspec.Struct, gc=False):
    metadata: _Metadata
    spec: _Spec | None = None
    status: _Status | None = None


_decode = msgspec.json.Decoder(_Service).decode


def extract_service(data: bytes) -> Service | None:
    """The Service, or None if nothing is to be programmed for it: headless, ExternalName, another proxy's."""
    raw = _decode(data)
    spec = raw.spec or _Spec()
    if skipped_by_label(raw.metadata.labels) or spec.type == "ExternalName":
        return None
    cluster_ips = spec.cluster_ips or ([spec.cluster_ip] if spec.cluster_ip else [])
    if not cluster_ips or cluster_ips[0] in ("", "None"):
        return None
    complaints: list[str] = []
    balancer = raw.status.load_balancer if raw.status else None
    ingress = [one.ip for one in (balancer.ingress if balancer else None) or [] if one.ip and one.ip_mode != "Proxy"]
    external = spec.type in ("NodePort", "LoadBalancer")
    return Service(
        key=f"{raw.metadata.namespace}/{raw.metadata.name}",
        cluster_ips=_addresses(cluster_ips, "cluster IP", complaints),
        external_ips=_addresses(spec.external_ips or [], "external IP", complaints),
        ingress_ips=_addresses(ingress if spec.type == "LoadBalancer" else [], "load balancer IP", complaints),
        ports=_ports(spec.ports or [], external, complaints),
        affinity=_affinity(spec),
        internal_local=spec.internal_traffic_policy == "Local",
        external_local=spec.external_traffic_policy == "Local",
        created=raw.metadata.creation_timestamp or "",
        sources=_sources(spec, complaints),
        health_port=_health_port(spec),
        complaints=tuple(complaints),
    )


def skipped_by_label(labels: dict[str, str] | None) -> bool:
    """Whether an object asks this proxy not to look at it."""
    return labels is not None and (HEADLESS_LABEL in labels or PROXY_NAME_LABEL in labels)


def _addresses(texts: list[str], what: str, complaints: list[str]) -> tuple[bytes, ...]:
    found = []
    for text in texts:
        try:
            address = addresses.pack(text)
        except BadAddress as error:
            complaints.append(f"{what}: {error}")
            continue
        reason = addresses.refusal(address)
        if reason:
            complaints.append(f"{what}: cannot use address {text!r}: it is {reason}")
        elif address not in found:
            found.append(address)
    return tuple(found)


def _ports(ports: list[_Port], external: bool, complaints: list[str]) -> tuple[ServicePort, ...]:
    found = []
    for port in ports:
        protocol = PROTOCOLS.get(port.protocol or "TCP")
        node_port = (port.node_port or 0) if external else 0
        if protocol is None or not 0 < port.port < 65536 or not 0 <= node_port < 65536:
            complaints.append(f"cannot use port {port.name or port.port}: {port.protocol} {port.port} {node_port}")
            continue
        found.append(ServicePort(port.name or "", protocol, port.port, node_port))
    return tuple(found)


def _sources(spec: _Spec, complaints: list[str]) -> tuple[Network, ...]:
    """Disjoint networks in order, so that the same permission always looks the same."""
    found: list[Network] = []
    for text in (spec.load_balancer_source_ranges or []) if spec.type == "LoadBalancer" else []:
        try:
            found.append(Network(*addresses.network(text.strip())))
        except BadAddress as error:
            complaints.append(f"source range: {error}")
            found.extend(NOBODY)  # what was meant to be a limit does not open the door
    return merge(found)


def _health_port(spec: _Spec) -> int:
    asked = spec.type == "LoadBalancer" and spec.external_traffic_policy == "Local"
    port = spec.health_check_node_port or 0
    return port if asked and 0 < port < 65536 else 0


def _affinity(spec: _Spec) -> int:
    if spec.session_affinity != "ClientIP":
        return 0
    config = spec.session_affinity_config
    seconds = config.client_ip.timeout_seconds if config and config.client_ip else None
    return min(seconds, MAX_AFFINITY_SECONDS) if seconds and seconds > 0 else DEFAULT_AFFINITY_SECONDS
