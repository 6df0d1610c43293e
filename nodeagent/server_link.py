"""What an agent has of the API server: what it reads there and what it tells it; a node that stands alone has nothing of this."""

import asyncio
from collections.abc import Callable

from api import codec, kinds
from api.core_v1 import Pod
from client.client import Client
from client.events import EventRecorder
from client.informer import Informer
from kit.clock import Clock
from kit.supervisor import Supervisor
from linux.mounts import Mounts
from nodeagent.csi.in_use import VolumesInUse
from nodeagent.csi.limits import VolumeLimits
from nodeagent.csi.registry import Registry
from nodeagent.csi.report import CsiNodeReporter
from nodeagent.csi.volumes import Aids, CsiVolumes
from nodeagent.model.origin import is_mirror
from nodeagent.render.settings import NodeSettings
from nodeagent.report.pods import PodReporter
from nodeagent.report.tally import Tally
from nodeagent.sources.claims import Claims
from nodeagent.sources.mirrors import Mirrors
from nodeagent.sources.objects import Objects
from nodeagent.sources.tokens import Tokens
from nodeagent.sync.pods import Pods


class ServerLink:
    """See the module. `start` follows our pods, once the node is registered."""

    def __init__(
        self, client: Client, node: str, clock: Clock, pods: Pods, tally: Tally, busy: Callable[[], bool]
    ) -> None:
        self.client = client
        self.recorder = EventRecorder(client, "kubelet", node, clock=clock)
        self.reporter = PodReporter(client, clock, took=tally.report_seconds.add, busy=busy)
        self.objects = Objects(client, clock, pods.objects_changed)
        self.tokens = Tokens(client, clock, pods.objects_changed)
        self.claims = Claims(client)
        self.clock = clock
        self.node_uid = ""
        self.registered = asyncio.Event()
        self.mirrors = Mirrors(client, clock, node, self.reporter, lambda: self.node_uid)
        self._pods = pods
        self._informer = Informer(
            client, kinds.POD, lambda data: codec.decode(Pod, data), fields=f"spec.nodeName={node}", clock=clock
        )

    def storage(self, mounts: Mounts, node: NodeSettings) -> CsiVolumes:
        """Volumes of storage drivers, which register by themselves."""
        reporter = CsiNodeReporter(self.client, node.name)
        self.drivers = Registry(node.root_dir, self.clock, reporter.tell, self._pods.drivers_changed)
        self.limits = VolumeLimits(self.client, self.drivers, self.clock)
        self.in_use = VolumesInUse(node.root_dir, self.clock)
        aids = Aids(
            client=self.client,
            mounts=mounts,
            node=node,
            tokens=self.tokens,
            clock=self.clock,
            changed=self._pods.objects_changed,
            recorder=self.recorder,
            in_use=self.in_use,
        )
        self.volumes = CsiVolumes(self.drivers, aids)
        return self.volumes

    async def start(self, supervisor: Supervisor) -> None:
        """Follow our pods; returns when all are known."""
        self.reporter.start(supervisor)
        supervisor.defer("objects", self.objects.close)
        supervisor.defer("tokens", self.tokens.close)
        self._informer.subscribe(self._told)
        await self.registered.wait()
        supervisor.spawn("pods-watch", self._informer.run, restart=True)
        await self._informer.synced.wait()
        self.mirrors.start(supervisor)

    def _told(self, key: str, old: Pod | None, new: Pod | None) -> None:
        """Mirrors are shown, not run."""
        mirror, before = new is not None and is_mirror(new), old is not None and is_mirror(old)
        if mirror or before:
            self.mirrors.observed_mirror(key, new if mirror else None)
        if not (mirror and before):
            self._pods.apply(key, None if before else old, None if mirror else new)
