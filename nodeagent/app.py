"""The node agent, wired together.

Order of starting: the runtime must answer (we wait for one that is away), the node registers, the servers listen, what
the runtime holds is looked at, and only then are pods followed, so that every worker knows whether it takes over
containers. What the runtime holds beyond the pods of a complete list is nobody's and goes.
"""

import asyncio
import gc
import os
import sys
from dataclasses import dataclass, field, replace
from functools import partial

from api import codec, kinds
from api.core_v1 import Node, Pod
from client import kubeconfig
from client.client import Client
from client.errors import ApiError
from client.http import HttpTransport
from client.informer import Informer
from cni import daemon as cni
from cni import network as network_
from kit import log
from kit.backoff import Backoff
from kit.clock import Clock
from kit.http.health import Health
from kit.http.server import Server, parse_address
from kit.http.tls import ServerTls
from kit.supervisor import Supervisor
from linux.cgroup import Cgroups, open_cgroups
from linux.mounts import KernelMounts, Mounts
from linux.process import be_spared
from nodeagent.config import Config
from nodeagent.configured import (
    eviction_policy,
    image_policy,
    node_settings,
    node_view,
    pod_cgroups,
    rotation_policy,
    shutdown_shares,
    with_reserved,
)
from nodeagent.cri.client import GrpcRuntime
from nodeagent.cri.errors import RuntimeFault, Unsupported
from nodeagent.cri.port import Runtime
from nodeagent.cri.snapshots import ContainerdViews
from nodeagent.csi.volumes import NoCsi
from nodeagent.images.puller import Puller
from nodeagent.model.memory import BackoffPolicy
from nodeagent.plan.shutdown import Share
from nodeagent.plan.status import NodeFacts
from nodeagent.probes.prober import Prober
from nodeagent.report.events import NodeEventRecorder, PodEventRecorder
from nodeagent.report.facts import MachineFacts, read_machine
from nodeagent.report.lease import keep_alive
from nodeagent.report.node import NodeReporter
from nodeagent.report.node_status import NodeIdentity
from nodeagent.report.starts import StartMeter
from nodeagent.report.tally import Tally
from nodeagent.server.requests import Counted
from nodeagent.server_link import ServerLink
from nodeagent.serving import agent_api
from nodeagent.sources.alone import LoggedEvents, NoObjects, NoReporter
from nodeagent.sources.claims import NoClaims
from nodeagent.sources.directory import ManifestDirectory
from nodeagent.sources.runtime_classes import RuntimeClasses
from nodeagent.sources.static import StaticPods
from nodeagent.sources.tokens import NoTokens
from nodeagent.sync.allocations import Allocations
from nodeagent.sync.doors import Doors
from nodeagent.sync.host_files import read_resolv_conf
from nodeagent.sync.pods import Pods
from nodeagent.sync.slots import Slots
from nodeagent.upkeep.eviction import Eviction, Senses
from nodeagent.upkeep.images import ImageCollection
from nodeagent.upkeep.logs import LogRotation
from nodeagent.upkeep.namespaces import ForgottenNamespaces, folder_of
from nodeagent.upkeep.network_file import NetworkFile
from nodeagent.upkeep.uses import MachineSenses
from nodeagent.volumes.images import ImageVolumes
from nodeagent.volumes.pod import PodVolumes

LOOKS_LATE = 300.0  # seconds, as upstream has it
_log = log.get("agent")


async def run(config: Config, supervisor: Supervisor) -> None:
    """Start everything; returns when it runs."""
    clock = supervisor.clock
    os.makedirs(config.root_dir, mode=0o750, exist_ok=True)
    os.makedirs(config.pod_logs, mode=0o755, exist_ok=True)
    machine = read_machine(config.root_dir)
    client, tally = None, Tally()
    if config.kubeconfig:
        access = kubeconfig.load(config.kubeconfig)
        client = Client(HttpTransport(access, agent="kubelet", heard=tally.asked))
        supervisor.defer("client", client.close)
    runtime = GrpcRuntime(config.runtime_endpoint)
    supervisor.defer("runtime", runtime.close)
    agent = Agent(config, clock, client, runtime, machine, tally=tally)
    runtime.called = tally.called
    agent.client_certificate = (access.cert or b"") if client is not None else b""
    await agent.serve(supervisor)  # what can be wrong shows before anything is changed
    cni.install(config.cni.bin_dir, sys.executable, config.cni.socket, data_dir=config.cni.data_dir)
    gate = repairs = None
    if client is not None:
        reader = None
        if config.network.kubeconfig:
            reader = Client(HttpTransport(kubeconfig.load(config.network.kubeconfig), agent="wherry-network"))
            supervisor.defer("network-client", reader.close)
        agent.network = network_.Network(_network(config), client, reader, clock, agent.network_file.mtu)
        agent.network.start(supervisor)
        gate, repairs = agent.network.policies, agent.network.attachments
    socket, data = config.cni.socket, config.cni.data_dir
    supervisor.spawn("cni", lambda: cni.serve(socket, data, clock=clock, gate=gate, repairs=repairs), restart=True)
    agent.begin(supervisor)


@dataclass(frozen=True)
class Kernel:
    """The doors to the kernel."""

    mounts: Mounts = field(default_factory=KernelMounts)
    cgroups: Cgroups = field(default_factory=open_cgroups)
    senses: Senses | None = None  # None: what this machine has


class Agent:
    """The parts of a running agent."""

    def __init__(
        self,
        config: Config,
        clock: Clock,
        client: Client | None,
        runtime: Runtime,
        machine: MachineFacts,
        kernel: Kernel | None = None,
        tally: Tally | None = None,
    ) -> None:
        kernel = kernel or Kernel()
        self.tally = tally or Tally()
        machine = with_reserved(config, machine)
        self.config = config
        self.clock = clock
        self.client = client
        self.client_certificate = b""  # PEM
        self.runtime = runtime
        self.settings = node_settings(config, machine, kernel.cgroups.version)
        self.pods = Pods(runtime, clock)
        slots = Slots(clock, config.parallel_starts or max(4, 2 * machine.cpus))
        self.link = None
        if client is not None:
            self.link = ServerLink(client, config.node_name, clock, self.pods, self.tally, slots.busy)
        self.recorder = self.link.recorder if self.link is not None else LoggedEvents()
        self.static = StaticPods(self.pods, clock, self.link.mirrors.show if self.link is not None else _nobody)
        self.pods.forgotten = self.static.forgotten
        self.static.restarted = self.tally.restarted.add
        events = PodEventRecorder(self.recorder, clock, slots.busy)
        self.prober = Prober(runtime, clock, events, self.pods.tell_health)
        policy = BackoffPolicy(config.crash_loop.first, config.crash_loop.most)
        self.views = ContainerdViews(config.runtime_endpoint)
        told = self.link.mirrors if self.link is not None else NoReporter()
        self.starts = StartMeter(told, clock, self.tally)
        self.doors = Doors(
            runtime=runtime,
            puller=Puller(runtime, clock, parallel=config.parallel_pulls),
            volumes=PodVolumes(kernel.mounts, self.settings, lambda: self.allocations.view.labels),
            cgroups=pod_cgroups(config, kernel.cgroups, machine, clock, self.tally),
            objects=self.link.objects if self.link is not None else NoObjects(),
            tokens=self.link.tokens if self.link is not None else NoTokens(),
            claims=self.link.claims if self.link is not None else NoClaims(),
            drivers=self.link.storage(kernel.mounts, self.settings) if self.link is not None else NoCsi(),
            image_volumes=ImageVolumes(self.views, kernel.mounts, config.root_dir, clock),
            classes=RuntimeClasses(runtime, client),
            resolver=partial(read_resolv_conf, config.resolv_conf),
            events=events,
            reporter=self.starts,
            tally=self.tally,
            pulled=self.starts.pulled,
            probing=self.prober,
            clock=clock,
            settings=self.settings,
            facts=NodeFacts(self.settings.host_ips),
            slots=slots,
            policy=policy,
            register=self.pods.own,
            network_problem=lambda: self.node.problem,
        )
        self.allocations = Allocations(
            config.root_dir, node_view(config, machine, self.settings.allocatable), events, self.tally
        )
        self.pods.open(self.doors, self.allocations, self._ask_node)
        port = parse_address(config.listen)[1]
        identity = NodeIdentity(config.node_name, self.settings.host_ips, port, config.max_pods, machine)
        node_events = NodeEventRecorder(self.recorder, config.node_name)
        self.node = NodeReporter(client, runtime, identity, clock, node_events, self.pods.network)
        if self.link is not None:
            self.node.volumes = self.link.in_use
            self.link.in_use.changed = self.node.look
        self.rotation = LogRotation(self.pods.workers, runtime, self.settings, clock, rotation_policy(config))
        self.images = ImageCollection(
            runtime,
            node_events,
            clock,
            image_policy(config),
            (config.sandbox_image, *config.kept_images),
            self.tally.images_removed.add,
            soon=self.doors.puller.kept,
        )
        self.eviction = Eviction(
            workers=self.pods.workers,
            clock=clock,
            policy=eviction_policy(config),
            senses=kernel.senses or MachineSenses(runtime, self.settings),
            events=node_events,
            tell=self._pressed,
            reclaim=self.images.clear,
            count=self.tally.evicted,
        )
        self.node_events = node_events
        self.network: network_.Network | None = None
        self.network_file = NetworkFile(self._write_network, clock, self.node.network_written)

    async def start(self, supervisor: Supervisor) -> None:
        """Start the parts in order."""
        await self.serve(supervisor)
        self.begin(supervisor)

    def begin(self, supervisor: Supervisor) -> None:
        """Start to work."""
        supervisor.spawn("node-status", self.node.run, restart=True)
        supervisor.spawn("network-file", self.network_file.run, restart=True)
        if self.link is not None:
            link = self.link
            supervisor.spawn("events", link.recorder.run, restart=True)
            supervisor.spawn("node", lambda: self._be_a_node(link, supervisor))
        elif self.config.own_pod_cidr:
            self.network_file.ranges(tuple(self.config.own_pod_cidr.split(",")))
        supervisor.spawn("agent", lambda: self._begin(supervisor))

    async def serve(self, supervisor: Supervisor) -> None:
        """Listen on both ports."""
        pki = self.config.pki
        tls = ServerTls(pki.cert, pki.key, pki.client_ca)
        api = agent_api(self)
        served = Counted(api, "readwrite", self.tally, self.clock)
        health = Health(live={"syncloop": self.problem})
        servers = [
            Server(served, *parse_address(self.config.listen), tls, clock=self.clock),
            Server(health, *parse_address(self.config.healthz), clock=self.clock),
        ]
        if self.config.read_only:
            shown = Counted(api.public, "readonly", self.tally, self.clock)
            servers.append(Server(shown, *parse_address(self.config.read_only), clock=self.clock))
        for server in servers:
            await server.start()
            supervisor.defer("server", server.close)

    def problem(self) -> str:
        """Whether pods are looked after: the runtime was not listed for long, be it that it is away or that we are stuck."""
        looked = self.pods.looked
        late = looked is not None and self.clock.monotonic() - looked > LOOKS_LATE
        return "sync Loop took longer than expected" if late else ""

    async def _be_a_node(self, link: ServerLink, supervisor: Supervisor) -> None:
        """Register, tell the API server that we live, and listen to what it says of our node."""
        client = link.client
        node = await self.node.register()
        link.node_uid = node.metadata.uid or ""
        self._observed(node)
        supervisor.spawn("lease", lambda: keep_alive(client, node, self.clock), restart=True)
        nodes = Informer(
            client,
            kinds.NODE,
            lambda data: codec.decode(Node, data),
            fields=f"metadata.name={self.config.node_name}",
            clock=self.clock,
        )
        nodes.subscribe(lambda _key, _old, shown: self._observed(shown))
        supervisor.spawn("node-watch", nodes.run, restart=True)
        link.registered.set()
        supervisor.spawn("storage-drivers", link.drivers.run, restart=True)
        supervisor.defer("storage-drivers", link.drivers.close)
        supervisor.spawn("volume-limits", link.limits.run, restart=True)
        supervisor.spawn("volume-sizes", link.volumes.run, restart=True)

    async def _begin(self, supervisor: Supervisor) -> None:
        await _until_it_answers(self.runtime, self.config.runtime_endpoint, self.clock)
        if not be_spared():
            _log.info("the kernel may kill the agent like anybody when memory runs out")
        await self.doors.cgroups.prepare()
        await self._look_first()
        supervisor.defer("pods", self.pods.close)
        supervisor.defer("probes", self.prober.close)
        supervisor.defer("views", self.views.close)
        if self.config.static_pod_path:
            await self._read_manifests(supervisor)
        supervisor.spawn("runtime-watch", self.pods.run, restart=True)
        supervisor.spawn("log-rotation", self.rotation.run, restart=True)
        if folder := self.config.container_log_links:
            from nodeagent.upkeep.links import LogLinks  # where collectors want them

            links = LogLinks(self.pods.workers, self.settings, self.clock, folder)
            supervisor.spawn("log-links", links.run, restart=True)
        supervisor.spawn("eviction", self.eviction.run, restart=True)
        forgotten = ForgottenNamespaces(folder_of(self.config.runtime_endpoint), self.clock)
        supervisor.spawn("namespaces", forgotten.run, restart=True)
        supervisor.spawn("image-collection", lambda: self.images.run(self.config.image_gc.every), restart=True)
        if shares := shutdown_shares(self.config):
            supervisor.spawn("shutdown", lambda: self._watch_shutdowns(shares), restart=True)
        if self.link is not None:
            await self.link.start(supervisor)
        self.pods.sources_known()
        gc.collect()
        gc.freeze()  # what is loaded now stays; collections need not walk it
        _log.info("running", node=self.config.node_name, pods=len(self.pods.workers))

    async def _read_manifests(self, supervisor: Supervisor) -> None:
        """Static pods begin before anything is heard from the API server, which may be one of them."""
        read = asyncio.Event()

        def tell(pods: list[Pod]) -> None:
            self.static.update(pods)
            read.set()

        manifests = ManifestDirectory(self.config.static_pod_path, self.config.node_name, self.clock, tell)
        supervisor.spawn("manifests", manifests.run, restart=True)
        await read.wait()

    def _pressed(self, conditions: tuple[str, ...]) -> None:
        self.node.pressed(conditions)
        self.allocations.pressed(conditions)

    async def _look_first(self) -> None:
        retries = Backoff(base=0.1, cap=2.0).retries()
        while True:
            try:
                return await self.pods.begin()
            except RuntimeFault as error:
                _log.warning("cannot see what the runtime holds, will try again", error=error)
                await self.clock.sleep(retries.next())

    def _observed(self, node: Node | None) -> None:
        """The API server's news of our own node."""
        if node is not None:
            self.allocations.observed(node)
            self.node.observed(node)
            listed = node.spec.pod_cidrs or ([node.spec.pod_cidr] if node.spec.pod_cidr else [])
            self.network_file.ranges(network_.pod_cidrs(listed, node.metadata.annotations))

    async def _watch_shutdowns(self, shares: tuple[Share, ...]) -> None:
        """For as long as logind can be reached; tried again by the supervisor."""
        from linux.logind import Logind  # few nodes wait for their pods
        from nodeagent.upkeep.shutdown import Shutdown

        clock, ended = self.clock, self.tally.gone_down.set
        shutdown = Shutdown(
            self.pods.workers, clock, shares, self.node_events, self._going_down, lambda: ended(clock.now())
        )
        await shutdown.run(await Logind.open())

    def _going_down(self, going: bool) -> None:
        """The machine goes down, or stays after all."""
        self.allocations.view = replace(self.allocations.view, shutting_down=going)
        self.tally.going_down.set(self.clock.now() if going else 0.0)
        self.tally.gone_down.set(0.0)
        self.node.going_down = going
        self.node.look()

    async def _ask_node(self) -> None:
        """Look at our node's object as it is now; with the API server away, what is known must do."""
        if self.client is None:
            return
        try:
            self._observed(await self.client.get(kinds.NODE, self.config.node_name))
        except ApiError as error:
            _log.warning("cannot look at the node's object", error=error)

    def _write_network(self, pod_cidrs: tuple[str, ...], mtu: int) -> str:
        """Tell the runtime of the pod network; what went wrong."""
        own, inside, ranges = self.config.cni, self.config.pod_cidr, ",".join(pod_cidrs)
        masquerade = self.network is None or not self.network.masquerades
        try:
            cni.write_conflist(own.conf_dir, ranges, inside, own.bridge, own.mtu or mtu, masquerade=masquerade)
        except cni.ConflistError as error:
            return str(error)
        return ""


def _network(config: Config) -> network_.NetworkSettings:
    given = config.network
    fabric = network_.Settings(config.node_name, given.mode, given.vni, given.vxlan_port, given.wireguard_port)
    return network_.NetworkSettings(fabric, config.pod_cidr, config.cni.data_dir, config.cni.bridge)


def _nobody(key: str, pod: Pod | None) -> None:
    """There is no API server to show static pods."""


async def _until_it_answers(runtime: Runtime, endpoint: str, clock: Clock) -> None:
    """Wait for the runtime, and say so."""
    retries = Backoff(base=0.05, cap=2.0).retries()
    while True:
        try:
            found = await runtime.version()
            _log.info("runtime found", name=found.name, version=found.version, endpoint=endpoint)
            return
        except Unsupported as error:
            message = "the container runtime does not speak CRI v1: containerd 1.6 or newer is needed; waiting"
            if retries.failures % 60 == 0:
                _log.error(message, endpoint=endpoint, error=error)
        except RuntimeFault as error:
            if retries.failures in (5, 20) or retries.failures % 100 == 99:
                _log.warning("waiting for the container runtime", endpoint=endpoint, error=error)
        await clock.sleep(retries.next())


__all__ = ["Agent", "run"]
