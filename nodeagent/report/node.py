"""The node's own object: registration, status, heartbeat.

The status is computed every few seconds and patched when it differs, or every five minutes. While the node is not ready it
is looked at more often, so that it is ready at once when the runtime is. The pod network needs the node's podCIDR, which
the control plane gives: until the runtime was told of it (`upkeep/network_file.py`) and says that its network is ready, the
node is not.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

from api import codec, kinds, times
from api.core_v1 import (
    ContainerImage,
    DaemonEndpoint,
    Node,
    NodeAddress,
    NodeCondition,
    NodeDaemonEndpoints,
    NodeFeatures,
    NodeRuntimeHandler,
    NodeRuntimeHandlerFeatures,
    NodeSpec,
    NodeStatus,
    NodeSwapStatus,
    NodeSystemInfo,
)
from api.meta_v1 import ObjectMeta
from client.client import Client
from client.errors import AlreadyExists, ApiError, NotFound, Retryable
from kit import log
from kit.backoff import Backoff
from kit.clock import Clock, deadline
from nodeagent.cri.errors import RuntimeFault, Unsupported
from nodeagent.cri.port import Runtime, RuntimeStatus, SeenImage
from nodeagent.report.events import NodeEventRecorder
from nodeagent.report.facts import VERSION, MachineFacts, runtime_version
from nodeagent.report.patch import NODE_KEYS, Status, diff_status
from nodeagent.report.pods import revision_of

LOOK_EVERY = 10.0
LOOK_SOON = Backoff(base=0.02, cap=1.0)
REPORT_EVERY = 300.0
IMAGES_EVERY = 60.0
MAX_IMAGES, MAX_NAMES = 50, 5
FEATURES = (  # what newer pods ask of a node
    "InPlacePodLevelResourcesVerticalScaling",
    "InPlacePodVerticalScalingInitContainers",
    "RestartAllContainersOnContainerExits",
)
_MAY_GO = ("volumesInUse", "images")  # of what we have told, what there may be none of later
_log = log.get("node")
# Of each condition: what is told while all is well, and what when it is not.
_PRESSURES = (
    (
        "MemoryPressure",
        ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
    ),
    (
        "DiskPressure",
        ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("KubeletHasDiskPressure", "kubelet has disk pressure"),
    ),
    (
        "PIDPressure",
        ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
    ),
)


@dataclass(frozen=True, slots=True)
class NodeIdentity:
    """What does not change while the agent runs."""

    name: str
    addresses: tuple[str, ...]
    port: int
    max_pods: int
    machine: MachineFacts


@dataclass(frozen=True, slots=True)
class NodeHealth:
    """What keeps the node from being ready, if anything; and the conditions of what runs low."""

    problem: str = ""
    pressures: Collection[str] = ()


class VolumesTold(Protocol):
    """Which volumes the node uses, and who hears that the API server knows."""

    def names(self) -> list[str]: ...

    def told(self, names: Collection[str]) -> None: ...


class NoVolumes:
    """A node whose volumes nobody attaches."""

    def names(self) -> list[str]:
        """None."""
        return []

    def told(self, names: Collection[str]) -> None:
        """Nobody waits."""


def initial_node(identity: NodeIdentity) -> Node:
    """The object with which a node registers."""
    machine = identity.machine
    labels = {
        "kubernetes.io/hostname": identity.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": machine.architecture,
        "beta.kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": machine.architecture,
    }
    annotations = {"volumes.kubernetes.io/controller-managed-attach-detach": "true"}
    return Node(metadata=ObjectMeta(name=identity.name, labels=labels, annotations=annotations), spec=NodeSpec())


def compute_node_status(
    identity: NodeIdentity,
    health: NodeHealth,
    runtime: str,
    images: list[SeenImage],
    old: list[NodeCondition],
    now: float,
) -> NodeStatus:
    """The whole status. Transition times move only when a condition does."""
    machine = identity.machine
    addresses = [NodeAddress(type="InternalIP", address=address) for address in identity.addresses]
    return NodeStatus(
        capacity=machine.capacity(identity.max_pods),
        allocatable=machine.allocatable(identity.max_pods),
        conditions=_conditions(health, old, now),
        addresses=[*addresses, NodeAddress(type="Hostname", address=identity.name)],
        daemon_endpoints=NodeDaemonEndpoints(kubelet_endpoint=DaemonEndpoint(port=identity.port)),
        node_info=NodeSystemInfo(
            machine_id=machine.machine_id,
            system_uuid=machine.system_uuid,
            boot_id=machine.boot_id,
            kernel_version=machine.kernel,
            os_image=machine.os_image,
            container_runtime_version=runtime,
            kubelet_version=VERSION,
            operating_system="linux",
            architecture=machine.architecture,
            swap=NodeSwapStatus(capacity=machine.swap) if machine.swap else None,
        ),
        images=[
            ContainerImage(names=[*image.digests, *image.tags][:MAX_NAMES], size_bytes=image.size)
            for image in sorted(images, key=lambda i: i.size, reverse=True)[:MAX_IMAGES]
        ],
        declared_features=list(FEATURES),
    )


def tell_runtime(status: NodeStatus, runtime: RuntimeStatus) -> None:
    """What the runtime says that it can do; one that says nothing leaves nothing."""
    status.runtime_handlers = [
        NodeRuntimeHandler(
            name=handler.name,
            features=NodeRuntimeHandlerFeatures(
                recursive_read_only_mounts=handler.recursive_read_only, user_namespaces=handler.user_namespaces
            ),
        )
        for handler in sorted(runtime.handlers, key=lambda h: h.name)
    ]
    if runtime.strict_groups is not None:
        status.features = NodeFeatures(supplemental_groups_policy=runtime.strict_groups)


def tell_others(status: NodeStatus, others: Mapping[str, str]) -> None:
    """Resources that somebody else has given the node: pods may have all of them."""
    status.capacity = {**others, **status.capacity}
    status.allocatable = {**others, **status.allocatable}


def foreign_resources(capacity: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """What a node's object says it has that its machine does not know of."""
    return {name: amount for name, amount in capacity.items() if name not in own and not name.startswith("hugepages-")}


def _conditions(health: NodeHealth, old: list[NodeCondition], now: float) -> list[NodeCondition]:
    wanted = [
        (kind, str(kind in health.pressures), *(low if kind in health.pressures else fine))
        for kind, fine, low in _PRESSURES
    ]
    if health.problem:
        wanted.append(("Ready", "False", "KubeletNotReady", health.problem))
    else:
        wanted.append(("Ready", "True", "KubeletReady", "kubelet is posting ready status"))
    before = {c.type: c for c in old}
    stamp = times.format_time(now)
    conditions = []
    for kind, status, reason, message in wanted:
        last = before.get(kind)
        since = last.last_transition_time if last is not None and last.status == status else stamp
        conditions.append(NodeCondition(kind, status, stamp, since, reason, message))
    return conditions


def runtime_problem(status: RuntimeStatus, unwritten: str = "") -> str:
    """What the node's readiness lacks, in upstream's words; `unwritten` is why the runtime could not be told of the pod network."""
    if not status.ready:
        return f"container runtime not ready: {status.problem}"
    if status.network_ready and not unwritten:
        return ""
    mine = f"NetworkReady=false reason:NetworkPluginNotReady message:cni config uninitialized: {unwritten}"
    return f"container runtime network not ready: {mine if unwritten else status.network_problem}"


class NodeReporter:
    """See the module. `on_network` hears whether pods can have a network; without a client nobody else hears anything."""

    def __init__(
        self,
        client: Client | None,
        runtime: Runtime,
        identity: NodeIdentity,
        clock: Clock,
        events: NodeEventRecorder,
        on_network: Callable[[bool], object],
    ) -> None:
        self._client = client
        self._runtime = runtime
        self._identity = identity
        self._clock = clock
        self._events = events
        self._on_network = on_network
        self._look = asyncio.Event()
        self._base: Status = {}
        self._conditions: list[NodeCondition] = []
        self._reported_at = 0.0
        self._revision = 0
        self._version = ""
        self._runtime_status = RuntimeStatus(False, False)
        self._foreign: Mapping[str, str] = {}
        self.volumes: VolumesTold = NoVolumes()
        self.going_down = False
        self._unwritten = ""
        self._pressures: Collection[str] = ()
        self._images: list[SeenImage] = []
        self._images_at: float | None = None
        self.problem = "the container runtime was not asked yet"

    async def register(self) -> Node:
        """Make the node's object, or take over the one that is there; tries until the API server answers."""
        retries = Backoff(base=0.1, cap=5.0, jitter=0.2).retries()
        while True:
            try:
                node = await self._register()
                self._base = codec.to_dict(node.status)
                self._foreign = self._foreign_of(node)
                self._tell_reboot(node.status.node_info)
                self._conditions = node.status.conditions
                self._look.set()
                return node
            except ApiError as error:
                wait = retries.next()
                if retries.failures in (1, 10) or retries.failures % 100 == 0:
                    _log.warning("cannot register the node, will try again", error=error)
                await self._clock.sleep(wait)

    async def _register(self) -> Node:
        assert self._client is not None
        wanted = initial_node(self._identity)
        try:
            return await self._client.create(kinds.NODE, wanted)
        except AlreadyExists:
            node = await self._client.get(kinds.NODE, self._identity.name)
        missing = {k: v for k, v in wanted.metadata.labels.items() if node.metadata.labels.get(k) != v}
        if missing:
            node = await self._client.patch(kinds.NODE, self._identity.name, {"metadata": {"labels": missing}})
        return node

    def observed(self, node: Node) -> None:
        """The API server shows the node like this. What others made of its conditions is put right."""
        if revision_of(node.metadata.resource_version) < self._revision or not self._base:
            return
        if (foreign := self._foreign_of(node)) != self._foreign:
            self._foreign = foreign
            self._look.set()
        shown = codec.to_dict(node.status)
        mine = {c["type"]: c["status"] for c in self._base.get("conditions", [])}
        theirs = {c["type"]: c["status"] for c in shown.get("conditions", [])}
        if any(theirs.get(kind) != status for kind, status in mine.items()):
            self._base, self._conditions = shown, node.status.conditions
            self._look.set()

    def _foreign_of(self, node: Node) -> Mapping[str, str]:
        return foreign_resources(node.status.capacity, self._identity.machine.capacity(self._identity.max_pods))

    def _tell_reboot(self, before: NodeSystemInfo) -> None:
        boot = self._identity.machine.boot_id
        if before.boot_id and before.boot_id != boot:
            text = f"Node {self._identity.name} has been rebooted, boot id: {boot}"
            self._events.tell("Warning", "Rebooted", text)

    def pressed(self, pressures: Collection[str]) -> None:
        """What runs low on the node now."""
        for kind, fine, low in _PRESSURES:
            if (kind in pressures) != (kind in self._pressures):
                reason = (low if kind in pressures else fine)[0].replace("Kubelet", "Node")
                self._events.tell("Normal", reason, f"Node {self._identity.name} status is now: {reason}")
        self._pressures = pressures
        self._look.set()

    def network_written(self, problem: str) -> None:
        """The runtime was told of the pod network, or could not be."""
        self._unwritten = problem
        self._look.set()

    def look(self) -> None:
        """Something changed: compute the status now."""
        self._look.set()

    async def run(self) -> None:
        """Report until cancelled."""
        failures = unready = 0
        while True:
            self._look.clear()
            problem = await self._ask_runtime()
            unready = unready + 1 if problem else 0
            try:
                await self._report(problem)
                failures = 0
            except NotFound:
                await self.register()
                continue
            except ApiError as error:
                failures += 1
                if failures == 1 or not isinstance(error, Retryable):
                    _log.warning("cannot report the node's status", error=error)
            wait = LOOK_SOON.delay(unready or failures) if unready or failures else LOOK_EVERY
            try:
                async with deadline(self._clock, wait):
                    await self._look.wait()
            except TimeoutError:
                pass

    async def _ask_runtime(self) -> str:
        """What keeps the node from being ready."""
        try:
            if not self._version:
                version = await self._runtime.version()
                self._version = runtime_version(version.name, version.version)
            status = await self._runtime.status()
            await self._look_at_images()
        except Unsupported as error:
            problem, network = (
                f"the container runtime does not speak CRI v1 (containerd 1.6 or newer does): {error}",
                False,
            )
        except RuntimeFault as error:
            problem, network = f"container runtime is down: {error}", False
        else:
            problem = runtime_problem(status, self._unwritten)
            network = status.network_ready and not self._unwritten
            self._runtime_status = status
        if self.going_down and not problem:
            problem = "node is shutting down"
        self._on_network(network)
        if problem != self.problem:
            (_log.warning if problem else _log.info)(
                "the node is " + ("not ready" if problem else "ready"), problem=problem
            )
            if bool(problem) != bool(self.problem):
                reason = "NodeNotReady" if problem else "NodeReady"
                self._events.tell("Normal", reason, f"Node {self._identity.name} status is now: {reason}")
        self.problem = problem
        return problem

    async def _look_at_images(self) -> None:
        now = self._clock.monotonic()
        if self._images_at is None or now - self._images_at >= IMAGES_EVERY:
            self._images = await self._runtime.images()
            self._images_at = now

    async def _report(self, problem: str) -> None:
        if self._client is None or not self._base:
            return  # not registered
        now = self._clock.now()
        status = compute_node_status(
            self._identity, NodeHealth(problem, self._pressures), self._version, self._images, self._conditions, now
        )
        status.volumes_in_use = in_use = self.volumes.names()
        tell_others(status, self._foreign)
        tell_runtime(status, self._runtime_status)
        wanted = codec.to_dict(status)
        if _without_heartbeats(wanted) == _without_heartbeats(self._base) and now - self._reported_at < REPORT_EVERY:
            self.volumes.told(in_use)
            return
        mine = {name: self._base[name] for name in (*wanted, *_MAY_GO) if name in self._base}
        kinds_of = {c["type"] for c in wanted["conditions"]}
        mine["conditions"] = [c for c in mine.get("conditions", []) if c["type"] in kinds_of]
        patch = diff_status(mine, wanted, NODE_KEYS)
        if patch:
            answer = await self._client.patch(kinds.NODE, self._identity.name, {"status": patch}, subresource="status")
            self._revision = revision_of(answer.metadata.resource_version)
        self._base, self._conditions, self._reported_at = wanted, status.conditions, now
        self.volumes.told(in_use)


def _without_heartbeats(status: Status) -> Status:
    conditions = [{k: v for k, v in c.items() if k != "lastHeartbeatTime"} for c in status.get("conditions", [])]
    return {**status, "conditions": conditions}
