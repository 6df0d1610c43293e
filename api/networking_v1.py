"""networking.k8s.io/v1: Ingresses, NetworkPolicies and the addresses of Services."""

from typing import Annotated

from api import choices
from api.core_v1 import TypedLocalObjectReference
from api.fields import F, Int32, IntOrString, Type, constant, required
from api.meta_v1 import Condition, LabelSelector, ObjectMeta


class ServiceBackendPort(Type):
    """A port of a service, by name or number."""

    name: Annotated[str | None, F(1)] = None
    number: Annotated[Int32 | None, F(2)] = None


class IngressServiceBackend(Type):
    """A service and one of its ports.

    name: the service
    port: its port
    """

    name: Annotated[str, F(1)] = required(str)
    port: Annotated[ServiceBackendPort | None, F(2)] = None


class IngressBackend(Type):
    """Where requests go: to a service, or to something else."""

    service: Annotated[IngressServiceBackend | None, F(4)] = None
    resource: Annotated[TypedLocalObjectReference | None, F(3)] = None


class IngressTLS(Type):
    """Hosts, and the Secret that holds their certificate.

    hosts: the hosts
    secret_name: the Secret
    """

    hosts: Annotated[list[str], F(1, atomic=True)] = []
    secret_name: Annotated[str | None, F(2)] = None


class HTTPIngressPath(Type):
    """A path, and where requests for it go.

    path: the path, or the beginning of paths
    path_type: how paths are compared
    backend: where requests go
    """

    path: Annotated[str | None, F(1)] = None
    path_type: Annotated[str | None, F(3, explicit=True, among=choices.PATH_TYPES)] = None
    backend: Annotated[IngressBackend, F(2)] = required(IngressBackend)


class HTTPIngressRuleValue(Type):
    """Paths, and where requests for them go."""

    paths: Annotated[list[HTTPIngressPath], F(1, atomic=True)] = required(list)


class IngressRule(Type):
    """A host, and where requests for it go.

    host: the host; all by default
    """

    host: Annotated[str | None, F(1)] = None
    http: Annotated[HTTPIngressRuleValue | None, F(2, 1)] = None


class IngressSpec(Type):
    """The hosts and paths of an Ingress, their services and certificates.

    ingress_class_name: the class, which says who sees to it
    default_backend: where requests go that no rule is for
    tls: hosts with certificates, and the Secrets that hold them
    rules: hosts and paths, and the services behind them
    """

    ingress_class_name: Annotated[str | None, F(4, explicit=True)] = None
    default_backend: Annotated[IngressBackend | None, F(1)] = None
    tls: Annotated[list[IngressTLS], F(2, atomic=True)] = []
    rules: Annotated[list[IngressRule], F(3, atomic=True)] = []


class IngressPortStatus(Type):
    """A port at which an Ingress can be reached, or why it cannot."""

    port: Annotated[Int32, F(1)] = required(int)
    protocol: Annotated[str, F(2, among=choices.PROTOCOLS)] = required(str)
    error: Annotated[str | None, F(3, explicit=True)] = None


class IngressLoadBalancerIngress(Type):
    """One address at which an Ingress can be reached."""

    ip: Annotated[str | None, F(1)] = None
    hostname: Annotated[str | None, F(2)] = None
    ports: Annotated[list[IngressPortStatus], F(4, atomic=True)] = []


class IngressLoadBalancerStatus(Type):
    """The addresses at which an Ingress can be reached."""

    ingress: Annotated[list[IngressLoadBalancerIngress], F(1, atomic=True)] = []


class IngressStatus(Type):
    """Where an Ingress can be reached."""

    load_balancer: Annotated[IngressLoadBalancerStatus, F(1)] = required(IngressLoadBalancerStatus)


class Ingress(Type):
    """Which requests from outside go to which services, by host and path."""

    kind: str = constant("Ingress")
    api_version: str = constant("networking.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[IngressSpec, F(2)] = required(IngressSpec)
    status: Annotated[IngressStatus, F(3)] = required(IngressStatus)


class IngressClassParametersReference(Type):
    """The object with the parameters of a class."""

    api_group: Annotated[str | None, F(1, explicit=True)] = None
    kind: Annotated[str, F(2)] = required(str)
    name: Annotated[str, F(3)] = required(str)
    scope: Annotated[str | None, F(4, explicit=True)] = None
    namespace: Annotated[str | None, F(5, explicit=True)] = None


class IngressClassSpec(Type):
    """The controller of a class, and its parameters."""

    controller: Annotated[str | None, F(1)] = None
    parameters: Annotated[IngressClassParametersReference | None, F(2)] = None


class IngressClass(Type):
    """Which controller sees to the Ingresses of a class."""

    kind: str = constant("IngressClass")
    api_version: str = constant("networking.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[IngressClassSpec, F(2)] = required(IngressClassSpec)


class NetworkPolicyPort(Type):
    """A port, or some that follow each other.

    protocol: TCP by default
    port: the port, by number or name; all by default
    end_port: the last port, if it is more than one
    """

    protocol: Annotated[str | None, F(1, explicit=True, among=choices.PROTOCOLS)] = None
    port: Annotated[IntOrString | None, F(2, explicit=True)] = None
    end_port: Annotated[Int32 | None, F(3, explicit=True)] = None


class IPBlock(Type):
    """Addresses by their network, with exceptions."""

    cidr: Annotated[str, F(1)] = required(str)
    except_: Annotated[list[str], F(2, atomic=True)] = []


class NetworkPolicyPeer(Type):
    """Who is at the other end: pods, namespaces or addresses."""

    pod_selector: Annotated[LabelSelector | None, F(1)] = None
    namespace_selector: Annotated[LabelSelector | None, F(2)] = None
    ip_block: Annotated[IPBlock | None, F(3)] = None


class NetworkPolicyIngressRule(Type):
    """From whom to which ports pods may be connected to."""

    ports: Annotated[list[NetworkPolicyPort], F(1, atomic=True)] = []
    from_: Annotated[list[NetworkPolicyPeer], F(2, atomic=True)] = []


class NetworkPolicyEgressRule(Type):
    """To whom and which ports pods may connect."""

    ports: Annotated[list[NetworkPolicyPort], F(1, atomic=True)] = []
    to: Annotated[list[NetworkPolicyPeer], F(2, atomic=True)] = []


class NetworkPolicySpec(Type):
    """The pods, and their connections in and out.

    pod_selector: labels of the pods; all of the namespace if empty
    ingress: which connections in are allowed
    egress: which connections out are allowed
    policy_types: whether it is for connections in, out or both
    """

    pod_selector: Annotated[LabelSelector, F(1)] = required(LabelSelector)
    ingress: Annotated[list[NetworkPolicyIngressRule], F(2, atomic=True)] = []
    egress: Annotated[list[NetworkPolicyEgressRule], F(3, atomic=True)] = []
    policy_types: Annotated[list[str], F(4, atomic=True, among=choices.POLICY_TYPES)] = []


class NetworkPolicy(Type):
    """Which connections some pods may take and make."""

    kind: str = constant("NetworkPolicy")
    api_version: str = constant("networking.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[NetworkPolicySpec, F(2)] = required(NetworkPolicySpec)


class ParentReference(Type):
    """The object that has taken an address."""

    group: Annotated[str | None, F(1)] = None
    resource: Annotated[str | None, F(2)] = None
    namespace: Annotated[str | None, F(3)] = None
    name: Annotated[str | None, F(4)] = None


class IPAddressSpec(Type):
    """Who has taken the address."""

    parent_ref: Annotated[ParentReference | None, F(1)] = None


class IPAddress(Type):
    """An address that is taken, and by whom."""

    kind: str = constant("IPAddress")
    api_version: str = constant("networking.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[IPAddressSpec, F(2)] = required(IPAddressSpec)


class ServiceCIDRSpec(Type):
    """The networks, one for each family of addresses."""

    cidrs: Annotated[list[str], F(1, atomic=True)] = []


class ServiceCIDRStatus(Type):
    """Whether the networks can be used."""

    conditions: Annotated[list[Condition], F(1, merge="type")] = []


class ServiceCIDR(Type):
    """Networks that the addresses of services are taken from."""

    kind: str = constant("ServiceCIDR")
    api_version: str = constant("networking.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    spec: Annotated[ServiceCIDRSpec, F(2)] = required(ServiceCIDRSpec)
    status: Annotated[ServiceCIDRStatus, F(3)] = required(ServiceCIDRStatus)
