"""Rules for Ingresses, NetworkPolicies, IPAddresses and ServiceCIDRs."""

import ipaddress
from typing import Any

from api import choices, kinds, names
from api.kinds import Kind
from api.networking_v1 import (
    HTTPIngressPath,
    Ingress,
    IngressBackend,
    IngressClass,
    IngressClassParametersReference,
    IngressServiceBackend,
    IPAddress,
    IPBlock,
    NetworkPolicy,
    NetworkPolicyPeer,
    NetworkPolicyPort,
    ServiceBackendPort,
    ServiceCIDR,
)
from api.validation import addresses, metadata, references
from api.validation.problems import Problems
from api.validation.rules import Rules

_PATH_TYPES = choices.PATH_TYPES
_NOT_IN_PATHS = ("//", "/./", "/../", "%2f", "%2F")
_NOT_AT_THE_END = ("/..", "/.")
_OLD_CLASS = "kubernetes.io/ingress.class"


def ingress(found: Problems, obj: Ingress) -> None:
    """An Ingress."""
    spec = obj.spec
    if not spec.rules and spec.default_backend is None:
        found.invalid("spec", spec.rules, "either `defaultBackend` or `rules` must be specified")
    if spec.default_backend is not None:
        _backend(found, "spec.defaultBackend", spec.default_backend)
    for index, rule in enumerate(spec.rules):
        path = f"spec.rules[{index}]"
        if rule.host:
            if addresses.version(rule.host):
                found.invalid(f"{path}.host", rule.host, "must be a DNS name, not an IP address")
            _host(found, f"{path}.host", rule.host)
        if rule.http is not None:
            if not rule.http.paths:
                found.required(f"{path}.http.paths")
            for place, item in enumerate(rule.http.paths):
                _path(found, f"{path}.http.paths[{place}]", item)
    for index, tls in enumerate(spec.tls):
        for place, host in enumerate(tls.hosts):
            _host(found, f"spec.tls[{index}].hosts[{place}]", host)
        if tls.secret_name:
            where = f"spec.tls[{index}].secretName"
            found.invalid_all(where, tls.secret_name, names.dns_subdomain(tls.secret_name))
    if spec.ingress_class_name is not None:
        found.invalid_all(
            "spec.ingressClassName", spec.ingress_class_name, names.dns_subdomain(spec.ingress_class_name)
        )


def _new_ingress(found: Problems, obj: Ingress) -> None:
    old = obj.metadata.annotations.get(_OLD_CLASS)
    if old is not None and obj.spec.ingress_class_name not in (None, old):
        found.invalid(f"annotations.{_OLD_CLASS}", old, "must match `ingressClassName` when both are specified")


def _host(found: Problems, path: str, host: str) -> None:
    rule = names.wildcard_subdomain if "*" in host else names.dns_subdomain
    found.invalid_all(path, host, rule(host))


def _path(found: Problems, path: str, item: HTTPIngressPath) -> None:
    where, text = f"{path}.path", item.path or ""
    if item.path_type is None:
        found.required(f"{path}.pathType", "pathType must be specified")
        return
    if item.path_type not in _PATH_TYPES:
        found.not_supported(f"{path}.pathType", item.path_type, _PATH_TYPES)
    elif not text.startswith("/") and (text or item.path_type != "ImplementationSpecific"):
        found.invalid(where, text, "must be an absolute path")
    if item.path_type in ("Exact", "Prefix"):
        for sequence in _NOT_IN_PATHS:
            if sequence in text:
                found.invalid(where, text, f"must not contain '{sequence}'")
        for suffix in _NOT_AT_THE_END:
            if text.endswith(suffix):
                found.invalid(where, text, f"cannot end with '{suffix}'")
    _backend(found, f"{path}.backend", item.backend)


def _backend(found: Problems, path: str, backend: IngressBackend) -> None:
    if backend.resource is not None and backend.service is not None:
        found.invalid(path, "", "cannot set both resource and service backends")
    elif backend.resource is not None:
        resource = backend.resource
        references.typed(found, f"{path}.resource", resource.api_group, resource.kind, resource.name)
    elif backend.service is not None:
        _service(found, path, backend.service)
    else:
        found.invalid(path, "", "resource or service backend is required")


def _service(found: Problems, path: str, service: IngressServiceBackend) -> None:
    if not service.name:
        found.required(f"{path}.service.name")
    else:
        found.invalid_all(f"{path}.service.name", service.name, names.dns_label(service.name))
    port = service.port or ServiceBackendPort()
    if port.name and port.number:
        found.invalid(path, "", "cannot set both port name & port number")
    elif port.name:
        found.port(f"{path}.service.port.name", port.name)
    elif port.number:
        found.port(f"{path}.service.port.number", port.number)
    else:
        found.required(path, "port name or number is required")


def _ingress_status(found: Problems, new: Ingress, old: Ingress) -> None:
    balancer = new.status.load_balancer
    for index, item in enumerate(balancer.ingress if balancer is not None else []):
        path = f"status.loadBalancer.ingress[{index}]"
        if item.ip:
            addresses.ip(found, f"{path}.ip", item.ip)
        if item.hostname:
            found.invalid_all(f"{path}.hostname", item.hostname, names.dns_subdomain(item.hostname))
            if addresses.version(item.hostname):
                found.invalid(f"{path}.hostname", item.hostname, "must be a DNS name, not an IP address")


def ingress_class(found: Problems, obj: IngressClass) -> None:
    """An IngressClass."""
    controller = obj.spec.controller or ""
    if len(controller) > 250:
        found.too_long("spec.controller", 250)
    references.domain_path(found, "spec.controller", controller)
    if obj.spec.parameters is not None:
        _parameters(found, "spec.parameters", obj.spec.parameters)


def _parameters(found: Problems, path: str, parameters: IngressClassParametersReference) -> None:
    references.typed(found, path, parameters.api_group, parameters.kind, parameters.name)
    scope, namespace = parameters.scope, parameters.namespace
    if scope not in ("Cluster", "Namespace"):
        found.not_supported(f"{path}.scope", scope, ("Cluster", "Namespace"))
    elif scope == "Cluster":
        if namespace is not None:
            found.forbidden(f"{path}.namespace", "`parameters.scope` is set to 'Cluster'")
    elif namespace is None:
        found.required(f"{path}.namespace", "`parameters.scope` is set to 'Namespace'")
    else:
        found.invalid_all(f"{path}.namespace", namespace, names.dns_label(namespace))


def _ingress_class_changed(found: Problems, new: IngressClass, old: IngressClass) -> None:
    found.immutable("spec.controller", new.spec.controller or "", old.spec.controller or "")


def network_policy(found: Problems, obj: NetworkPolicy) -> None:
    """A NetworkPolicy."""
    spec = obj.spec
    metadata.label_selector(found, "spec.podSelector", spec.pod_selector)
    directions = (
        ("ingress", "from", [(rule.ports, rule.from_) for rule in spec.ingress]),
        ("egress", "to", [(rule.ports, rule.to) for rule in spec.egress]),
    )
    for field, peers_field, rules in directions:
        for index, (ports, peers) in enumerate(rules):
            path = f"spec.{field}[{index}]"
            for place, port in enumerate(ports):
                _policy_port(found, f"{path}.ports[{place}]", port)
            for place, peer in enumerate(peers):
                _peer(found, f"{path}.{peers_field}[{place}]", peer)
    if len(spec.policy_types) > 2:
        found.invalid("spec.policyTypes", spec.policy_types, "may not specify more than two policyTypes")
        return
    for index, type_ in enumerate(spec.policy_types):
        found.optional_one_of(f"spec.policyTypes[{index}]", type_, ("Ingress", "Egress"))


def _policy_port(found: Problems, path: str, port: NetworkPolicyPort) -> None:
    found.optional_one_of(f"{path}.protocol", port.protocol, ("TCP", "UDP", "SCTP"))
    end = port.end_port
    if port.port is None:
        if end is not None:
            found.invalid(f"{path}.endPort", end, "may not be specified when `port` is not specified")
        return
    if isinstance(port.port, str):
        if end is not None:
            found.invalid(f"{path}.endPort", end, "may not be specified when `port` is non-numeric")
    elif end is not None:
        if end < port.port:
            found.invalid(f"{path}.endPort", port.port, "must be greater than or equal to `port`")
        found.port(f"{path}.endPort", end)
    found.port(f"{path}.port", port.port)


def _peer(found: Problems, path: str, peer: NetworkPolicyPeer) -> None:
    for field, selector in (("podSelector", peer.pod_selector), ("namespaceSelector", peer.namespace_selector)):
        if selector is not None:
            metadata.label_selector(found, f"{path}.{field}", selector)
    if peer.ip_block is not None:
        _block(found, f"{path}.ipBlock", peer.ip_block)
    by_label = peer.pod_selector is not None or peer.namespace_selector is not None
    if peer.ip_block is None and not by_label:
        found.required(path, "must specify a peer")
    elif peer.ip_block is not None and by_label:
        found.forbidden(path, "may not specify both ipBlock and another peer")


def _block(found: Problems, path: str, block: IPBlock) -> None:
    if not block.cidr:
        found.required(f"{path}.cidr")
        return
    addresses.cidr(found, f"{path}.cidr", block.cidr)
    whole = _network(block.cidr)
    if whole is None:
        return  # nothing can be told of its parts
    for index, text in enumerate(block.except_):
        where = f"{path}.except[{index}]"
        addresses.cidr(found, where, text)
        part = _network(text)
        if part is None:
            continue
        inside = whole.version == part.version and part.prefixlen > whole.prefixlen
        if not (inside and part.network_address in whole):
            found.invalid(where, text, "must be a strict subset of `cidr`")


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False) if "/" in text else None
    except ValueError:
        return None


def ip_address(found: Problems, obj: IPAddress) -> None:
    """An IPAddress."""
    parent = obj.spec.parent_ref
    if parent is None:
        found.required("spec.parentRef")
        return
    path = "spec.parentRef"
    if parent.group:
        found.invalid_all(f"{path}.group", parent.group, names.dns_subdomain(parent.group))
    references.segment(found, f"{path}.resource", parent.resource)
    references.segment(found, f"{path}.name", parent.name)
    if parent.namespace:
        references.segment(found, f"{path}.namespace", parent.namespace)


def _address_name(name: str) -> list[str]:
    found = Problems()
    if addresses.ip(found, "", name) and str(ipaddress.ip_address(name)) != name:
        return [f'must be in canonical form ("{ipaddress.ip_address(name)}")']
    return [cause.message.partition(": ")[2].partition(": ")[2] for cause in found.causes]


def _ip_address_changed(found: Problems, new: IPAddress, old: IPAddress) -> None:
    found.immutable("spec.parentRef", new.spec.parent_ref, old.spec.parent_ref)


def service_cidr(found: Problems, obj: ServiceCIDR) -> None:
    """A ServiceCIDR that is new, or has a second family now."""
    cidrs, path = obj.spec.cidrs, "spec.cidrs"
    if not cidrs:
        found.required(path, "at least one CIDR required")
    if len(cidrs) > 2:
        found.invalid(path, obj.spec, "may only hold up to 2 values")
        return
    before = len(found.causes)
    for index, text in enumerate(cidrs):
        addresses.cidr(found, f"{path}[{index}]", text)
    if len(cidrs) == 2 and len(found.causes) == before and not addresses.one_of_each_family(cidrs):
        detail = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
        found.invalid(path, cidrs, detail)


def _service_cidr_changed(found: Problems, new: ServiceCIDR, old: ServiceCIDR) -> None:
    """The second family may be added later; nothing else changes."""
    after, before = new.spec.cidrs, old.spec.cidrs
    if len(after) != len(before) and (len(before), len(after)) != (1, 2):
        found.invalid("spec.cidrs", after, "field is immutable")
        return
    if len(after) > len(before):
        service_cidr(found, new)
    for index, cidr in enumerate(before):
        found.immutable(f"spec.cidrs[{index}]", after[index], cidr)


RULES: dict[Kind[Any], Rules] = {
    kinds.INGRESS: Rules(ingress, parts={"status": _ingress_status}, fresh=_new_ingress),
    kinds.INGRESS_CLASS: Rules(ingress_class, _ingress_class_changed),
    kinds.NETWORK_POLICY: Rules(network_policy),
    kinds.IP_ADDRESS: Rules(ip_address, _ip_address_changed, name=_address_name),
    kinds.SERVICE_CIDR: Rules(change=_service_cidr_changed, fresh=service_cidr),
}
