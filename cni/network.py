"""The network between nodes, hosted by the agent: what the API server tells goes to the fabric and to the policies.

A node may read nothing of other nodes and of their pods, so Nodes, Pods, Namespaces and NetworkPolicies take a client of their own.
Without one, policies are not enforced, and the log says so. Nodes are then asked for as the node itself, which some servers allow;
since others do not, it is the plugin that masquerades what pods send out of the cluster.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from api import kinds
from api.kinds import Kind
from client.client import Client
from client.errors import ApiError
from client.informer import Informer
from cni.fabric import nodes
from cni.fabric.fabric import Fabric
from cni.fabric.nodes import pod_cidrs
from cni.fabric.ways import Settings
from cni.policy import objects
from cni.policy.enforcer import Enforcer
from cni.policy.render import UNKNOWN
from kit import log
from kit.clock import Clock
from kit.supervisor import Supervisor

__all__ = ["Network", "NetworkSettings", "Settings", "pod_cidrs"]

_log = log.get("network")
_X = TypeVar("_X")
_COUNTED = {
    "allowed": "First packets that a policy let pass",
    "refused": "Packets to or from pods that a policy isolates, and that none let pass",
}


class NetworkSettings(NamedTuple):
    """What this node was told of the network."""

    fabric: Settings
    cluster_cidr: str
    data_dir: str
    bridge: str


class Network:
    """The parts."""

    def __init__(
        self,
        settings: NetworkSettings,
        client: Client,
        reader: Client | None,
        clock: Clock,
        mtu_changed: Callable[[int], object],
    ) -> None:
        self.attachments: Counter[str] = Counter()  # what the plugin's daemon has put back
        self.masquerades = reader is not None  # with it we shall know all Nodes
        self._client = client
        self._node = settings.fabric.node
        data = Path(settings.data_dir)
        self.fabric = Fabric(settings.fabric, settings.cluster_cidr, data, clock, self._tell, mtu_changed)
        self.nodes = Informer(reader or client, kinds.NODE, nodes.extract, clock=clock)
        self.nodes.subscribe(self.fabric.on_node)
        self.policies: Enforcer | None = None
        self._told: list[Informer[Any]] = []
        if reader is None:
            _log.warning("NetworkPolicies are not enforced", reason="the configuration has no network.kubeconfig")
            return
        self.policies = policies = Enforcer(self._node, settings.bridge, clock)
        self._follow(reader, kinds.POD, objects.pod, policies.on_pod, clock)
        self._follow(reader, kinds.NAMESPACE, objects.namespace, policies.on_namespace, clock)
        self._follow(reader, kinds.NETWORK_POLICY, objects.policy, policies.on_policy, clock)

    def _follow(
        self,
        reader: Client,
        kind: Kind[Any],
        extract: Callable[[bytes], _X],
        tell: Callable[[str, _X | None, _X | None], object],
        clock: Clock,
    ) -> None:
        fields = "spec.nodeName!=" if kind is kinds.POD else ""  # who has no node yet has no address either
        informer = Informer(reader, kind, extract, fields=fields, clock=clock)
        informer.subscribe(tell)
        self._told.append(informer)

    def start(self, supervisor: Supervisor) -> None:
        """Start to work."""
        supervisor.spawn("nodes-watch", self.nodes.run, restart=True)
        supervisor.spawn("fabric", lambda: self.fabric.run(self.nodes.synced), restart=True)
        if (policies := self.policies) is not None:
            for informer in self._told:
                supervisor.spawn(f"{informer.kind.plural}-of-all", informer.run, restart=True)
            synced = [informer.synced for informer in self._told]
            supervisor.spawn("policies", lambda: policies.run(synced), restart=True)

    def exposition(self) -> bytes:
        """The network's own numbers, for Prometheus."""
        ways: dict[str, int] = {}
        for way in self.fabric.desired.ways:
            ways[way.kind or "none"] = ways.get(way.kind or "none", 0) + 1
        policies = self.policies
        repairs = self.attachments + self.fabric.repairs + (policies.repairs if policies is not None else Counter())
        text = [
            *_family("repairs_total", "counter", "What somebody took away and was put back", "what", repairs),
            *_family("ways", "gauge", "Networks of other nodes' pods, by the way that leads there", "way", ways),
        ]
        if policies is not None:
            packets = policies.packets()
            for what, words in _COUNTED.items():
                mine = {name.partition("/")[2]: count for name, count in packets.items() if name.startswith(f"{what}/")}
                text += _family(f"policy_{what}_packets_total", "counter", words, "policy", mine)
            unknown = {"": packets.get(UNKNOWN, 0)}
            text += _family(
                "unknown_packets_total", "counter", "Packets of addresses that no known pod has", "", unknown
            )
        return "".join(f"{line}\n" for line in text).encode()

    async def _tell(self, text: str) -> bool:
        patch = {"metadata": {"annotations": {nodes.FABRIC: text or None}}}
        try:
            await self._client.patch(kinds.NODE, self._node, patch, type="merge")
        except ApiError as error:
            _log.warning("cannot annotate our node", node=self._node, error=error)
            return False
        return True


def _family(name: str, kind: str, words: str, label: str, values: Mapping[str, int]) -> Iterator[str]:
    if not values:
        return
    yield f"# HELP wherry_network_{name} {words}"
    yield f"# TYPE wherry_network_{name} {kind}"
    for value, count in sorted(values.items()):
        shown = f'{{{label}="{value}"}}' if label else ""
        yield f"wherry_network_{name}{shown} {count}"
