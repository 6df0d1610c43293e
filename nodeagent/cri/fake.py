"""A container runtime in memory, for tests: same contract, no processes, faults on demand.

Containers run until `exit` is called for them, or as their `Program` says. `faults` is asked before and after each call and
may raise: what was raised after a call looks like an answer lost on the way, with the work done.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

from kit.clock import Clock
from nodeagent.cri.convert import limits_of
from nodeagent.cri.errors import AlreadyExists, NotFound, Refused, RuntimeAway, Unsupported
from nodeagent.cri.port import (
    POD_NAME,
    POD_NAMESPACE,
    POD_UID,
    SPEC_HASH,
    ExecResult,
    Exited,
    Owned,
    RuntimeEvent,
    RuntimeStatus,
    RuntimeVersion,
    SeenImage,
    Streams,
)
from nodeagent.model.seen import ContainerState, PodRef, SeenContainer, SeenSandbox
from proto import cri_v1_pb2 as pb

Faults = Callable[[str, str, bool], None]


@dataclass(frozen=True, slots=True)
class Program:
    """What a fake container does: runs for a time (None: until stopped), then ends with a code."""

    runs: float | None = None
    code: int = 0
    deaf: bool = False  # ends only when killed
    fails_to_start: str = ""


@dataclass(slots=True)
class FakeContainer:
    """One container and what it was made from."""

    seen: SeenContainer
    pod: PodRef
    config: pb.ContainerConfig
    ended: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class FakeSandbox:
    """One sandbox and what it was made from."""

    seen: SeenSandbox
    pod: PodRef
    config: pb.PodSandboxConfig


def _no_faults(call: str, subject: str, done: bool) -> None:
    """The world without faults."""


class FakeRuntime:
    """See the module. `programs` maps container names to what they do; unknown ones run until stopped."""

    def __init__(self, clock: Clock, faults: Faults = _no_faults) -> None:
        self.clock = clock
        self.faults = faults
        self.programs: dict[str, Program] = {}
        self.present: dict[str, SeenImage] = {}
        self.pullable: dict[str, SeenImage] = {}
        self.live_sandboxes: dict[str, FakeSandbox] = {}
        self.live_containers: dict[str, FakeContainer] = {}
        self.network_ready = True
        self.exec_results: dict[tuple[str, ...], ExecResult] = {}
        self.calls: dict[str, int] = {}
        self.streaming_at = "http://127.0.0.1:9"  # where the tests' own streaming server is
        self.granted: dict[str, object] = {}  # token -> what may be done with it
        self._serial = itertools.count(1)
        self._watchers: list[asyncio.Queue[RuntimeEvent | None]] = []

    async def close(self) -> None:
        """Nothing is open."""

    async def version(self) -> RuntimeVersion:
        self._enter("version", "")
        return RuntimeVersion("containerd", "1.6.20", "v1")

    async def status(self) -> RuntimeStatus:
        self._enter("status", "")
        return RuntimeStatus(True, self.network_ready, "", "" if self.network_ready else "cni plugin not initialized")

    async def run_sandbox(self, config: pb.PodSandboxConfig, handler: str = "") -> str:
        meta = config.metadata
        self._enter("run_sandbox", meta.name)
        for other in self.live_sandboxes.values():
            if other.config.metadata == meta:
                raise AlreadyExists("run pod sandbox", meta.name, f"name is reserved for {other.seen.id}")
        number = next(self._serial)
        host = config.linux.security_context.namespace_options.network == pb.NODE
        ips = () if host else (f"10.244.{number >> 8 & 255}.{number & 255}",)
        seen = SeenSandbox(f"sandbox-{number}", meta.attempt, True, self._stamp(number), ips, host)
        pod = PodRef(*(config.labels.get(label, "") for label in (POD_UID, POD_NAMESPACE, POD_NAME)))
        self.live_sandboxes[seen.id] = FakeSandbox(seen, pod, config)
        self._leave("run_sandbox", meta.name)
        return seen.id

    async def stop_sandbox(self, ident: str) -> None:
        self._enter("stop_sandbox", ident)
        for container in list(self.live_containers.values()):
            if container.seen.sandbox_id == ident and container.seen.running:
                self.exit(container.seen.id, 137)
        if ident in self.live_sandboxes:
            self.kill_sandbox(ident)
        self._leave("stop_sandbox", ident)

    async def remove_sandbox(self, ident: str) -> None:
        self._enter("remove_sandbox", ident)
        found = self.live_sandboxes.get(ident)
        if found is not None and found.seen.ready:
            await self.stop_sandbox(ident)
        for container in [c for c in self.live_containers.values() if c.seen.sandbox_id == ident]:
            del self.live_containers[container.seen.id]
        self.live_sandboxes.pop(ident, None)
        self._leave("remove_sandbox", ident)

    async def sandbox(self, ident: str) -> SeenSandbox:
        self._enter("sandbox", ident)
        if ident not in self.live_sandboxes:
            raise NotFound("pod sandbox status", ident, "not found")
        return self.live_sandboxes[ident].seen

    async def sandboxes(self, uid: str = "") -> list[Owned[SeenSandbox]]:
        self._enter("sandboxes", uid)
        found = [s for s in self.live_sandboxes.values() if uid in ("", s.pod.uid)]
        return [Owned(s.pod, replace(s.seen, ips=(), host_network=False)) for s in found]

    async def create_container(self, sandbox_id: str, config: pb.ContainerConfig, sandbox: pb.PodSandboxConfig) -> str:
        name, attempt = config.metadata.name, config.metadata.attempt
        self._enter("create_container", name)
        home = self.live_sandboxes.get(sandbox_id)
        if home is None:
            raise NotFound("create container", name, f"sandbox {sandbox_id} not found")
        if not home.seen.ready:
            raise Refused("create container", name, f"sandbox {sandbox_id} is not running")
        for other in self.live_containers.values():
            if (other.pod.uid, other.seen.name, other.seen.attempt) == (home.pod.uid, name, attempt):
                raise AlreadyExists("create container", name, f"name is reserved for {other.seen.id}")
        number = next(self._serial)
        seen = SeenContainer(
            id=f"container-{number}",
            sandbox_id=sandbox_id,
            name=name,
            attempt=attempt,
            state=ContainerState.CREATED,
            created_at=self._stamp(number),
            image=config.image.image,
            image_ref=config.image.image,
            spec_hash=config.annotations.get(SPEC_HASH, ""),
            log_path=f"{sandbox.log_directory}/{config.log_path}",
            limits=limits_of(config.linux.resources),
        )
        self.live_containers[seen.id] = FakeContainer(seen, home.pod, config)
        self._leave("create_container", name)
        return seen.id

    async def start_container(self, ident: str) -> None:
        self._enter("start_container", ident)
        found = self._container("start container", ident)
        if found.seen.state is not ContainerState.CREATED:
            raise Refused("start container", ident, f"it is {found.seen.state.value}")
        program = self.programs.get(found.seen.name, Program())
        now = self.clock.now()
        found.seen = replace(found.seen, state=ContainerState.RUNNING, started_at=now)
        if program.fails_to_start:
            self.exit(ident, 128, "StartError")
            raise Refused("start container", ident, program.fails_to_start)
        if program.runs is not None:
            self.clock.call_later(program.runs, lambda: self.exit(ident, program.code))
        self._leave("start_container", ident)

    async def stop_container(self, ident: str, grace: int) -> None:
        self._enter("stop_container", ident)
        found = self.live_containers.get(ident)
        if found is not None and found.seen.running:
            if self.programs.get(found.seen.name, Program()).deaf:
                timer = self.clock.call_later(grace, lambda: self.exit(ident, 137))
                try:
                    await found.ended.wait()
                finally:
                    timer.cancel()
            else:
                self.exit(ident, 143)
        self._leave("stop_container", ident)

    async def remove_container(self, ident: str) -> None:
        self._enter("remove_container", ident)
        found = self.live_containers.get(ident)
        if found is not None and found.seen.running:
            self.exit(ident, 137)
        self.live_containers.pop(ident, None)
        self._leave("remove_container", ident)

    async def update_resources(self, ident: str, resources: pb.LinuxContainerResources) -> None:
        self._enter("update_resources", ident)
        found = self._container("update container resources", ident)
        found.seen = replace(found.seen, limits=limits_of(resources))
        self._leave("update_resources", ident)

    async def container(self, ident: str) -> SeenContainer:
        self._enter("container", ident)
        return replace(self._container("container status", ident).seen, sandbox_id="")

    async def containers(self, uid: str = "") -> list[Owned[SeenContainer]]:
        self._enter("containers", uid)
        found = [c for c in self.live_containers.values() if uid in ("", c.pod.uid)]
        bare = [
            replace(c.seen, limits=None, started_at=0.0, finished_at=0.0, exit_code=0, reason="", log_path="")
            for c in found
        ]
        return [Owned(c.pod, seen) for c, seen in zip(found, bare, strict=True)]

    async def exec_sync(self, ident: str, command: list[str], timeout: float) -> ExecResult:
        self._enter("exec_sync", ident)
        found = self._container("exec", ident)
        if not found.seen.running:
            raise Refused("exec sync", ident, "container is not running")
        return self.exec_results.get(tuple(command), ExecResult(0, b"", b""))

    async def exec(self, ident: str, command: list[str], streams: Streams) -> str:
        self._running("exec", ident)
        return self._grant("exec", (ident, tuple(command), streams))

    async def attach(self, ident: str, streams: Streams) -> str:
        self._running("attach", ident)
        return self._grant("attach", (ident, streams))

    async def port_forward(self, sandbox_id: str, ports: list[int]) -> str:
        self._enter("port_forward", sandbox_id)
        if sandbox_id not in self.live_sandboxes:
            raise NotFound("port forward", sandbox_id, "not found")
        return self._grant("portforward", (sandbox_id, tuple(ports)))

    def _running(self, call: str, ident: str) -> None:
        self._enter(call, ident)
        found = self._container(call, ident)
        if not found.seen.running:
            raise Refused(call, ident, f"it is {found.seen.state.value}")

    def _grant(self, call: str, what: object) -> str:
        token = f"/{call}/{next(self._serial)}"
        self.granted[token] = what
        return self.streaming_at + token

    async def image(self, name: str) -> SeenImage | None:
        self._enter("image", name)
        return self.present.get(name)

    async def images(self) -> list[SeenImage]:
        self._enter("images", "")
        return list(self.present.values())

    async def pull(self, name: str, auth: pb.AuthConfig | None, sandbox: pb.PodSandboxConfig | None) -> str:
        self._enter("pull", name)
        if name not in self.pullable:
            raise NotFound("pull image", name, "not found")
        self.present[name] = self.pullable[name]
        self._leave("pull", name)
        return self.present[name].id

    async def remove_image(self, name: str) -> None:
        self._enter("remove_image", name)
        self.present.pop(name, None)

    async def image_filesystems(self) -> list[pb.FilesystemUsage]:
        self._enter("image_filesystems", "")
        used = sum(image.size for image in self.present.values())
        place = pb.FilesystemIdentifier(mountpoint="/var/lib/runtime")
        return [pb.FilesystemUsage(fs_id=place, used_bytes=pb.UInt64Value(value=used))]

    async def checkpoint(self, ident: str, location: str, seconds: int) -> None:
        self._enter("checkpoint", ident)
        self._container("checkpoint container", ident)
        raise Unsupported("checkpoint container", ident, "unknown method CheckpointContainer")

    async def pod_stats(self) -> list[pb.PodSandboxStats]:
        self._enter("pod_stats", "")
        return [
            pb.PodSandboxStats(
                attributes=pb.PodSandboxAttributes(
                    id=ident, metadata=found.config.metadata, labels={POD_UID: found.pod.uid}
                )
            )
            for ident, found in self.live_sandboxes.items()
        ]

    async def reopen_log(self, ident: str) -> None:
        self._enter("reopen_log", ident)
        self._container("reopen log", ident)

    async def events(self) -> AsyncIterator[RuntimeEvent]:
        queue: asyncio.Queue[RuntimeEvent | None] = asyncio.Queue()
        self._watchers.append(queue)
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            self._watchers.remove(queue)
        raise RuntimeAway("watch events", "containerd", "the stream ended")

    # What tests make happen.

    def exit(self, ident: str, code: int, reason: str = "") -> None:
        """The process of this container ends now; nothing happens if it does not run."""
        found = self.live_containers.get(ident)
        if found is None or not found.seen.running:
            return
        now = self.clock.now()
        why = reason or ("Completed" if code == 0 else "Error")
        found.seen = replace(found.seen, state=ContainerState.EXITED, exit_code=code, finished_at=now, reason=why)
        found.ended.set()
        self.tell(Exited(ident, code, now))

    def kill_sandbox(self, ident: str) -> None:
        """The sandbox's own process ends now, and its address is lost."""
        found = self.live_sandboxes[ident]
        if found.seen.ready:
            found.seen = replace(found.seen, ready=False, ips=())
            self.tell(Exited(ident, 137, self.clock.now()))

    def break_streams(self) -> None:
        """All event streams end, as when the runtime restarts."""
        for queue in self._watchers:
            queue.put_nowait(None)

    def tell(self, event: RuntimeEvent) -> None:
        """Let everyone who watches know."""
        for queue in self._watchers:
            queue.put_nowait(event)

    def _container(self, call: str, ident: str) -> FakeContainer:
        if ident not in self.live_containers:
            raise NotFound(call, ident, "not found")
        return self.live_containers[ident]

    def _stamp(self, number: int) -> float:
        """Times of creation differ even when the clock stands still."""
        return self.clock.now() + number * 1e-6

    def _enter(self, call: str, subject: str) -> None:
        self.calls[call] = self.calls.get(call, 0) + 1
        self.faults(call, subject, False)

    def _leave(self, call: str, subject: str) -> None:
        self.faults(call, subject, True)
