"""Rules for Services."""

from api import choices, names
from api.core_v1 import LoadBalancerStatus, Service, ServicePort, ServiceSpec
from api.validation import addresses, metadata
from api.validation.containers import PROTOCOLS
from api.validation.problems import Problems

_TYPES = choices.SERVICE_TYPES
_FAMILIES = ("IPv4", "IPv6")
_FAMILY_POLICIES = choices.IP_FAMILY_POLICIES
_LONGEST_AFFINITY = 86_400
_TRAFFIC_POLICIES = choices.TRAFFIC_POLICIES
_DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
_MODE = "service.kubernetes.io/topology-mode"
_HINTS = "service.kubernetes.io/topology-aware-hints"
_RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges"
_ONLY_LOAD_BALANCER = "may only be used when `type` is 'LoadBalancer'"


def create(found: Problems, obj: Service) -> None:
    """A new Service."""
    metadata.metadata(found, obj.metadata, True, names.dns_label)
    _annotations(found, obj, None)
    _spec(found, obj.spec)


def update(found: Problems, new: Service, old: Service) -> None:
    """A changed Service."""
    metadata.metadata_update(found, new.metadata, old.metadata)
    if "ExternalName" not in (new.spec.type, old.spec.type):
        _same_cluster_ips(found, new.spec, old.spec)
        _same_families(found, new.spec, old.spec)
    class_changed = new.spec.load_balancer_class != old.spec.load_balancer_class
    if new.spec.type == old.spec.type == "LoadBalancer" and class_changed:
        found.invalid("spec.loadBalancerClass", new.spec.load_balancer_class, "may not change once set")
    check_changed = new.spec.health_check_node_port != old.spec.health_check_node_port
    if _needs_health_check(old.spec) and _needs_health_check(new.spec) and check_changed:
        found.forbidden("spec.healthCheckNodePort", "field is immutable")
    _annotations(found, new, old)
    _spec(found, new.spec)


def update_status(found: Problems, new: Service, old: Service) -> None:
    """A changed status of a Service."""
    metadata.metadata_update(found, new.metadata, old.metadata)
    _load_balancer_status(found, new.status.load_balancer or LoadBalancerStatus(), new.spec.type)


def _annotations(found: Problems, obj: Service, old: Service | None) -> None:
    """Two old ways to say what now has a field, or another annotation."""
    given = obj.metadata.annotations
    mode, hints = given.get(_MODE), given.get(_HINTS)
    if mode is not None and hints is not None and mode != hints:
        detail = f"must match annotations[{_HINTS}] when both are specified"
        found.invalid(f"metadata.annotations[{_MODE}]", mode, detail)
    ranges = given.get(_RANGES)
    if ranges is None or obj.spec.load_balancer_source_ranges:
        return
    path = f"metadata.annotations[{_RANGES}]"
    if obj.spec.type != "LoadBalancer":
        found.forbidden(path, _ONLY_LOAD_BALANCER)
    if old is None or old.metadata.annotations.get(_RANGES) != ranges:
        for network in ranges.split(",") if ranges.strip() else []:
            addresses.cidr(found, path, network.strip())


def _spec(found: Problems, spec: ServiceSpec) -> None:
    headless = _headless(spec)
    if not spec.ports and not headless and spec.type != "ExternalName":
        found.required("spec.ports")
    if headless and spec.type in ("LoadBalancer", "NodePort"):
        found.invalid("spec.clusterIPs[0]", "None", f"may not be set to 'None' for {spec.type} services")
    if spec.type == "ExternalName":
        _external_name(found, spec)
    _ports(found, spec)
    metadata.labels(found, "spec.selector", spec.selector)
    _affinity(found, spec)
    if spec.type != "ExternalName":
        cluster_ips(found, spec)
    for index, address in enumerate(spec.external_ips):
        where = f"spec.externalIPs[{index}]"
        if addresses.ip(found, where, address):
            addresses.endpoint(found, where, address)
    found.one_of("spec.type", spec.type, _TYPES)
    _load_balancer(found, spec)
    _traffic(found, spec)


def _external_name(found: Problems, spec: ServiceSpec) -> None:
    for field, value in (
        ("clusterIPs", spec.cluster_ips),
        ("ipFamilies", spec.ip_families),
        ("ipFamilyPolicy", spec.ip_family_policy),
    ):
        if value:
            found.forbidden(f"spec.{field}", "may not be set for ExternalName services")
    name = (spec.external_name or "").removesuffix(".")
    if name:
        found.invalid_all("spec.externalName", name, names.dns_subdomain(name))
    else:
        found.required("spec.externalName")


def _ports(found: Problems, spec: ServiceSpec) -> None:
    seen_names: set[str] = set()
    seen_ports: set[tuple[str | None, int]] = set()
    seen_node_ports: set[tuple[str | None, int]] = set()
    for index, port in enumerate(spec.ports):
        where = f"spec.ports[{index}]"
        _port(found, where, port, named=len(spec.ports) > 1)
        if port.name and port.name in seen_names:
            found.duplicate(f"{where}.name", port.name)
        seen_names.add(port.name or "")
        if port.node_port and spec.type == "ClusterIP":
            found.forbidden(f"{where}.nodePort", "may not be used when `type` is 'ClusterIP'")
        if port.node_port:
            if (port.protocol, port.node_port) in seen_node_ports:
                found.duplicate(f"{where}.nodePort", port.node_port)
            seen_node_ports.add((port.protocol, port.node_port))
        if (port.protocol, port.port) in seen_ports:
            found.duplicate(where, {"protocol": port.protocol, "port": port.port})
        seen_ports.add((port.protocol, port.port))


def _port(found: Problems, path: str, port: ServicePort, *, named: bool) -> None:
    if port.name:
        found.invalid_all(f"{path}.name", port.name, names.dns_label(port.name))
    elif named:
        found.required(f"{path}.name")
    found.port(f"{path}.port", port.port)
    found.one_of(f"{path}.protocol", port.protocol, PROTOCOLS)
    found.port(f"{path}.targetPort", port.target_port)
    if port.app_protocol is not None:
        found.invalid_all(f"{path}.appProtocol", port.app_protocol, names.label_key(port.app_protocol))


def _affinity(found: Problems, spec: ServiceSpec) -> None:
    found.one_of("spec.sessionAffinity", spec.session_affinity, choices.AFFINITIES)
    path, config = "spec.sessionAffinityConfig", spec.session_affinity_config
    if spec.session_affinity == "None" and config is not None:
        found.forbidden(path, "must not be set when session affinity is None")
    if spec.session_affinity != "ClientIP":
        return
    why = "when session affinity type is ClientIP"
    if config is None:
        found.required(path, why)
    elif config.client_ip is None:
        found.required(f"{path}.clientIP", why)
    elif config.client_ip.timeout_seconds is None:
        found.required(f"{path}.clientIP.timeoutSeconds", why)
    elif not 0 < config.client_ip.timeout_seconds <= _LONGEST_AFFINITY:
        detail = f"must be greater than 0 and less than {_LONGEST_AFFINITY}"
        found.invalid(f"{path}.clientIP.timeoutSeconds", config.client_ip.timeout_seconds, detail)


def cluster_ips(found: Problems, spec: ServiceSpec) -> None:
    """Addresses of the cluster, their families and the policy for both."""
    path, ips = "spec.clusterIPs", spec.cluster_ips
    if spec.cluster_ip and not ips:
        found.required(path)
    elif spec.cluster_ip and ips[0] != spec.cluster_ip:
        found.invalid(path, ips, "first value must match `clusterIP`")
    elif not spec.cluster_ip and ips:
        found.invalid(path, ips, "must be empty when `clusterIP` is not specified")
    seen: set[str] = set()
    for index, family in enumerate(spec.ip_families):
        found.optional_one_of(f"spec.ipFamilies[{index}]", family, _FAMILIES)
        if family in seen:
            found.duplicate(f"spec.ipFamilies[{index}]", family)
        seen.add(family)
    found.optional_one_of("spec.ipFamilyPolicy", spec.ip_family_policy, _FAMILY_POLICIES)
    headless = _headless(spec)
    none = ips[:1] == ["None"]
    if none and len(ips) > 1:
        found.invalid(path, ips, "'None' must be the first and only value")
    real = [(index, ip) for index, ip in enumerate(ips) if index or not none]
    good = [addresses.ip(found, f"{path}[{index}]", ip) for index, ip in real]
    if len(ips) > 2:
        found.invalid(path, ips, "may only hold up to 2 values")
    if not all(good) or none or headless:
        return
    if not addresses.one_of_each_family(ips):
        found.invalid(path, ips, "may specify no more than one IP for each IP family")
    for index, (ip, family) in enumerate(zip(ips, spec.ip_families, strict=False)):
        if family in _FAMILIES and not family.endswith(str(addresses.version(ip))):
            detail = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            found.invalid(f"{path}[{index}]", ip, detail)


def _load_balancer(found: Problems, spec: ServiceSpec) -> None:
    balanced = spec.type == "LoadBalancer"
    # Upstream writes this one field with a capital.
    path = "spec.LoadBalancerSourceRanges"
    if spec.load_balancer_source_ranges and not balanced:
        found.forbidden(path, _ONLY_LOAD_BALANCER)
    for index, network in enumerate(spec.load_balancer_source_ranges):
        addresses.cidr(found, f"{path}[{index}]", network.strip())
    if spec.allocate_load_balancer_node_ports is not None and not balanced:
        found.forbidden("spec.allocateLoadBalancerNodePorts", _ONLY_LOAD_BALANCER)
    if spec.allocate_load_balancer_node_ports is None and balanced:
        found.required("allocateLoadBalancerNodePorts")
    if spec.load_balancer_class is not None:
        if balanced:
            problems = names.label_key(spec.load_balancer_class)
            found.invalid_all("spec.loadBalancerClass", spec.load_balancer_class, problems)
        else:
            found.forbidden("spec.loadBalancerClass", _ONLY_LOAD_BALANCER)


def _traffic(found: Problems, spec: ServiceSpec) -> None:
    policy = spec.external_traffic_policy
    if is_exposed(spec):
        found.one_of("spec.externalTrafficPolicy", policy, _TRAFFIC_POLICIES)
    elif policy:
        detail = "may only be set for externally-accessible services"
        found.invalid("spec.externalTrafficPolicy", policy, detail)
    check = spec.health_check_node_port
    if not _needs_health_check(spec):
        if check:
            detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
            found.invalid("spec.healthCheckNodePort", check, detail)
    elif not check:
        found.required("spec.healthCheckNodePort")
    else:
        found.port("spec.healthCheckNodePort", check)
    if spec.internal_traffic_policy is None:
        if spec.type in ("NodePort", "LoadBalancer", "ClusterIP"):
            found.required("spec.internalTrafficPolicy")
    else:
        found.optional_one_of("spec.internalTrafficPolicy", spec.internal_traffic_policy, _TRAFFIC_POLICIES)
    found.optional_one_of("spec.trafficDistribution", spec.traffic_distribution, _DISTRIBUTIONS)


def _same_cluster_ips(found: Problems, new: ServiceSpec, old: ServiceSpec) -> None:
    """The first address of a Service stays; a second may come, and go with ipFamilyPolicy SingleStack."""
    if _headless(new) and _headless(old):
        return
    before, after = old.cluster_ips, new.cluster_ips
    for index, ip in enumerate(before[: len(after)]):
        if ip != after[index]:
            found.invalid(f"spec.clusterIPs[{index}]", after, "may not change once set")
    if before and not after:
        found.invalid("spec.clusterIPs[0]", after, "primary clusterIP can not be unset")
    elif len(before) > len(after) and new.ip_family_policy != "SingleStack":
        detail = "must be set to 'SingleStack' when releasing the secondary clusterIP"
        found.invalid("spec.ipFamilyPolicy", new.ip_family_policy, detail)


def _same_families(found: Problems, new: ServiceSpec, old: ServiceSpec) -> None:
    if _headless(new) or _headless(old):
        return
    before, after = old.ip_families, new.ip_families
    if any(family != after[index] for index, family in enumerate(before[: len(after)])):
        found.invalid("spec.ipFamilies[0]", after, "may not change once set")
    if len(before) > len(after) and after and new.ip_family_policy != "SingleStack":
        detail = "must be set to 'SingleStack' when releasing the secondary ipFamily"
        found.invalid("spec.ipFamilyPolicy", new.ip_family_policy, detail)


def _load_balancer_status(found: Problems, status: LoadBalancerStatus, type_: str | None) -> None:
    path = "status.loadBalancer.ingress"
    if type_ != "LoadBalancer" and status.ingress:
        found.forbidden(path, "may only be used when `spec.type` is 'LoadBalancer'")
        return
    for index, ingress in enumerate(status.ingress):
        where = f"{path}[{index}]"
        if ingress.ip:
            addresses.ip(found, f"{where}.ip", ingress.ip)
            if ingress.ip_mode is None:
                found.required(f"{where}.ipMode", "must be specified when `ip` is set")
        elif ingress.ip_mode is not None:
            found.forbidden(f"{where}.ipMode", "may not be specified when `ip` is not set")
        found.optional_one_of(f"{where}.ipMode", ingress.ip_mode, ("Proxy", "VIP"))
        if ingress.hostname:
            found.invalid_all(f"{where}.hostname", ingress.hostname, names.dns_subdomain(ingress.hostname))
            if addresses.version(ingress.hostname):
                found.invalid(f"{where}.hostname", ingress.hostname, "must be a DNS name, not an IP address")


def _headless(spec: ServiceSpec) -> bool:
    return spec.cluster_ip == "None" or spec.cluster_ips[:1] == ["None"]


def is_exposed(spec: ServiceSpec) -> bool:
    """Whether it can be reached from outside of the cluster."""
    return spec.type in ("LoadBalancer", "NodePort") or (spec.type == "ClusterIP" and bool(spec.external_ips))


def _needs_health_check(spec: ServiceSpec) -> bool:
    return spec.type == "LoadBalancer" and spec.external_traffic_policy == "Local"
