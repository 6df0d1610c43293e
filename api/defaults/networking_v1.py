"""Defaults of NetworkPolicies and IngressClasses."""

from collections.abc import Callable
from typing import Any

from api import kinds
from api.kinds import Kind
from api.networking_v1 import IngressClass, NetworkPolicy


def network_policy(obj: NetworkPolicy) -> None:
    """Defaults of a NetworkPolicy: it is about what comes in, and about what goes out if it says something of that."""
    spec = obj.spec
    if not spec.policy_types:
        spec.policy_types = ["Ingress", "Egress"] if spec.egress else ["Ingress"]
    listed = [rule.ports for rule in spec.ingress] + [rule.ports for rule in spec.egress]
    for ports in listed:
        for port in ports:
            if port.protocol is None:
                port.protocol = "TCP"


def ingress_class(obj: IngressClass) -> None:
    """Defaults of an IngressClass."""
    parameters = obj.spec.parameters
    if parameters is not None and parameters.scope is None:
        parameters.scope = "Cluster"


BY_KIND: dict[Kind[Any], Callable[[Any], None]] = {
    kinds.NETWORK_POLICY: network_policy,
    kinds.INGRESS_CLASS: ingress_class,
}
