"""What Pods, Namespaces and NetworkPolicies say, reduced to what decides about connections.

A part of a policy that cannot be used selects nobody and allows nothing: whoever is in doubt is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from api import codec, kinds
from api.meta_v1 import LabelSelector
from api.networking_v1 import NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort
from api.selectors import Selector, SelectorError, from_struct
from cni import ranges
from cni.ranges import Subnet

INGRESS, EGRESS = DIRECTIONS = ("ingress", "egress")
PROTOCOLS = {"TCP": 6, "UDP": 17, "SCTP": 132}
LAST_PORT = 65535
NOBODY = "<nobody>"  # for a selector that selects nothing
_OVER = ("Succeeded", "Failed")
_MIRROR = "kubernetes.io/config.mirror"  # has the uid of the static pod that a Pod shows


class Endpoint(NamedTuple):
    """A port of a container with a name."""

    name: str
    protocol: int
    port: int


class PodFacts(NamedTuple):
    """A pod."""

    namespace: str
    name: str
    labels: Mapping[str, str]
    node: str = ""
    ips: tuple[bytes, ...] = ()
    ports: tuple[Endpoint, ...] = ()
    apart: bool = False
    """It has no address of its own: it is the host's, or over."""
    uid: str = ""
    """As the runtime knows it."""


class Who(NamedTuple):
    """Pods by their labels, in one namespace or in those with labels."""

    namespace: str
    namespaces: str
    pods: str


class Block(NamedTuple):
    """Addresses by their network, without some."""

    cidr: Subnet
    without: tuple[Subnet, ...] = ()


class Ports(NamedTuple):
    """Ports that follow each other."""

    protocol: int
    first: int = 0
    last: int = LAST_PORT


class NamedPort(NamedTuple):
    """A port by its name, which each pod resolves for itself."""

    protocol: int
    name: str


class Rule(NamedTuple):
    """Who may connect to which ports. None: anybody, any port."""

    peers: tuple[Who | Block, ...] | None
    ports: tuple[Ports | NamedPort, ...] | None


class PolicyFacts(NamedTuple):
    """A policy. `selectors` has what the texts in each Who stand for."""

    namespace: str
    name: str
    subject: Who
    rules: Mapping[str, tuple[Rule, ...]]
    """By direction; a direction that is not there is not for this policy."""
    selectors: Mapping[str, Selector]
    complaints: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """As the informer's."""
        return f"{self.namespace}/{self.name}"


class _Port(msgspec.Struct):
    name: str | None = None
    protocol: str | None = None
    container_port: int | None = msgspec.field(default=None, name="containerPort")


class _Container(msgspec.Struct):
    ports: list[_Port] | None = None
    restart_policy: str | None = msgspec.field(default=None, name="restartPolicy")


class _Spec(msgspec.Struct):
    node_name: str | None = msgspec.field(default=None, name="nodeName")
    host_network: bool | None = msgspec.field(default=None, name="hostNetwork")
    containers: list[_Container] | None = None
    init_containers: list[_Container] | None = msgspec.field(default=None, name="initContainers")


class _Ip(msgspec.Struct):
    ip: str | None = None


class _Status(msgspec.Struct):
    phase: str | None = None
    pod_ip: str | None = msgspec.field(default=None, name="podIP")
    pod_ips: list[_Ip] | None = msgspec.field(default=None, name="podIPs")


class _Meta(msgspec.Struct):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class _Pod(msgspec.Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)
    spec: _Spec | None = None
    status: _Status | None = None


class _Namespace(msgspec.Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)


_pods = msgspec.json.Decoder(_Pod)
_namespaces = msgspec.json.Decoder(_Namespace)


def pod(data: bytes) -> PodFacts:
    """The facts of a Pod."""
    shape = _pods.decode(data)
    meta, spec, status = shape.metadata, shape.spec or _Spec(), shape.status or _Status()
    texts = [one.ip for one in status.pod_ips or () if one.ip] or ([status.pod_ip] if status.pod_ip else [])
    sidecars = [one for one in spec.init_containers or () if one.restart_policy == "Always"]
    ports = tuple(
        Endpoint(port.name, PROTOCOLS.get(port.protocol or "TCP", 0), port.container_port)
        for container in [*(spec.containers or ()), *sidecars]
        for port in container.ports or ()
        if port.name and port.container_port
    )
    ips = []
    for text in texts:
        try:
            ips.append(ranges.parse(text))
        except ValueError:
            continue  # a status that says nonsense
    apart = bool(spec.host_network) or status.phase in _OVER
    uid = (meta.annotations or {}).get(_MIRROR) or meta.uid
    return PodFacts(meta.namespace, meta.name, meta.labels or {}, spec.node_name or "", tuple(ips), ports, apart, uid)


def namespace(data: bytes) -> Mapping[str, str]:
    """The labels of a Namespace."""
    return _namespaces.decode(data).metadata.labels or {}


def policy(data: bytes) -> PolicyFacts:
    """The facts of a NetworkPolicy."""
    return _Reader(codec.decode(kinds.NETWORK_POLICY, data)).read()


class _Reader:
    """Reads one policy."""

    def __init__(self, given: NetworkPolicy) -> None:
        self._given = given
        self._namespace = given.metadata.namespace or ""
        self._selectors: dict[str, Selector] = {}
        self._complaints: list[str] = []

    def read(self) -> PolicyFacts:
        spec = self._given.spec
        types = [one.lower() for one in spec.policy_types]
        if not types:
            types = [INGRESS, EGRESS] if spec.egress else [INGRESS]
        rules: dict[str, tuple[Rule, ...]] = {}
        if INGRESS in types:
            rules[INGRESS] = tuple(self._rule(one.from_, one.ports) for one in spec.ingress)
        if EGRESS in types:
            rules[EGRESS] = tuple(self._rule(one.to, one.ports) for one in spec.egress)
        subject = Who(self._namespace, "", self._selector(spec.pod_selector))
        name = self._given.metadata.name or ""
        return PolicyFacts(self._namespace, name, subject, rules, self._selectors, tuple(self._complaints))

    def _rule(self, peers: list[NetworkPolicyPeer], ports: list[NetworkPolicyPort]) -> Rule:
        who = tuple(found for one in peers if (found := self._peer(one)) is not None) if peers else None
        where = tuple(port for one in ports if (port := self._port(one)) is not None) if ports else None
        return Rule(who, where)

    def _peer(self, peer: NetworkPolicyPeer) -> Who | Block | None:
        if peer.ip_block is not None:
            try:
                without = tuple(ranges.subnet(text) for text in peer.ip_block.except_)
                return Block(ranges.subnet(peer.ip_block.cidr), without)
            except ValueError as error:
                self._complaints.append(f"ipBlock: {error}")
                return None
        if peer.namespace_selector is None and peer.pod_selector is None:
            self._complaints.append("a peer selects nothing")
            return None
        pods = self._selector(peer.pod_selector) if peer.pod_selector is not None else ""
        if peer.namespace_selector is None:
            return Who(self._namespace, "", pods)
        return Who("", self._selector(peer.namespace_selector), pods)

    def _port(self, port: NetworkPolicyPort) -> Ports | NamedPort | None:
        protocol = PROTOCOLS.get(port.protocol or "TCP")
        if protocol is None:
            self._complaints.append(f"protocol {port.protocol} is none of {', '.join(PROTOCOLS)}")
            return None
        if port.port is None:
            return Ports(protocol)
        if isinstance(port.port, str):
            return NamedPort(protocol, port.port)
        last = port.port if port.end_port is None else port.end_port
        if not 0 < port.port <= last <= LAST_PORT:
            self._complaints.append(f"ports {port.port} to {last} are none")
            return None
        return Ports(protocol, port.port, last)

    def _selector(self, given: LabelSelector | None) -> str:
        """The text that stands for a selector; the empty one selects all."""
        try:
            made = from_struct(given)
        except SelectorError as error:
            self._complaints.append(str(error))
            made = Selector(nothing=True)
        text = NOBODY if made.nothing else str(made)
        if text:
            self._selectors[text] = made
        return text
