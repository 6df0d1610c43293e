"""The network between nodes, hosted by the agent: the API server's Nodes go to the fabric, its findings go to the agent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from api import kinds
from client.client import Client
from client.errors import ApiError
from client.informer import Informer
from cni.fabric import nodes
from cni.fabric.fabric import Fabric
from cni.fabric.nodes import pod_cidrs
from cni.fabric.ways import Settings
from kit import log
from kit.clock import Clock
from kit.supervisor import Supervisor

__all__ = ["Network", "NetworkSettings", "Settings", "pod_cidrs"]

_log = log.get("network")


class NetworkSettings(NamedTuple):
    """What this node was told of the network."""

    fabric: Settings
    cluster_cidr: str
    data_dir: str


class Network:
    """The parts."""

    def __init__(
        self, settings: NetworkSettings, client: Client, clock: Clock, mtu_changed: Callable[[int], object]
    ) -> None:
        self._client = client
        self._node = settings.fabric.node
        key_file = Path(settings.data_dir, "wireguard.key")
        self.fabric = Fabric(settings.fabric, settings.cluster_cidr, key_file, clock, self._tell, mtu_changed)
        self.nodes = Informer(client, kinds.NODE, nodes.extract, clock=clock)
        self.nodes.subscribe(self.fabric.on_node)

    def start(self, supervisor: Supervisor) -> None:
        """Start to work."""
        supervisor.spawn("nodes-watch", self.nodes.run, restart=True)
        supervisor.spawn("fabric", lambda: self.fabric.run(self.nodes.synced), restart=True)

    def exposition(self) -> bytes:
        """The network's own numbers, for Prometheus."""
        ways: dict[str, int] = {}
        for way in self.fabric.desired.ways:
            ways[way.kind or "none"] = ways.get(way.kind or "none", 0) + 1
        lines = [
            "# HELP wherry_network_repairs_total Things that somebody took away from the pod network and that were put back",
            "# TYPE wherry_network_repairs_total counter",
            *(f'wherry_network_repairs_total{{what="{what}"}} {n}' for what, n in sorted(self.fabric.repairs.items())),
            "# HELP wherry_network_ways Networks of other nodes' pods, by the way that leads there",
            "# TYPE wherry_network_ways gauge",
            *(f'wherry_network_ways{{way="{way}"}} {count}' for way, count in sorted(ways.items())),
        ]
        return "".join(f"{line}\n" for line in lines).encode()

    async def _tell(self, text: str) -> bool:
        patch = {"metadata": {"annotations": {nodes.FABRIC: text or None}}}
        try:
            await self._client.patch(kinds.NODE, self._node, patch, type="merge")
        except ApiError as error:
            _log.warning("cannot annotate our node", node=self._node, error=error)
            return False
        return True
