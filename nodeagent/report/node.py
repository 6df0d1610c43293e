"""The node's own object: registration, status, heartbeat.

The status is computed every few seconds and patched when it differs, or every five minutes. While the node is not ready it
is looked at more often, so that it is ready at once when the runtime is. The pod network needs the node's podCIDR, which
the control plane gives: until the runtime was told of it (`upkeep/network_file.py`) and says that its network is ready, the
node is not.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from api import codec, kinds
from api.core_v1 import Node, NodeCondition, NodeSystemInfo
from client.client import Client
from client.errors import AlreadyExists, ApiError, NotFound, Retryable
from kit import log
from kit.backoff import Backoff
from kit.clock import Clock, deadline
from nodeagent.cri.errors import RuntimeFault, Unsupported
from nodeagent.cri.port import Runtime, RuntimeStatus, SeenImage
from nodeagent.report.events import NodeEventRecorder
from nodeagent.report.facts import runtime_version
from nodeagent.report.node_status import (
    NodeHealth,
    NodeIdentity,
    changed_pressures,
    compute_node_status,
    foreign_resources,
    initial_node,
    runtime_problem,
    tell_others,
    tell_runtime,
)
from nodeagent.report.patch import NODE_KEYS, Status, diff_status
from nodeagent.report.pods import revision_of

LOOK_EVERY = 10.0
LOOK_SOON = Backoff(base=0.02, cap=1.0)
REPORT_EVERY = 300.0
IMAGES_EVERY = 60.0
_MAY_GO = ("volumesInUse", "images")  # of what we have told, what there may be none of later
_log = log.get("node")


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
        for reason in changed_pressures(self._pressures, pressures):
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
