"""A node in memory for one pod: fake runtime, fake API server, a clock that jumps, and faults wherever wanted."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from api import codec, times
from api.core_v1 import Pod, PodStatus, ResourceRequirements
from kit.clock import FakeClock
from linux.cgroup import FakeCgroups
from linux.mounts import FakeMounts
from nodeagent.cri.errors import RuntimeAway, RuntimeFault, RuntimeTimeout
from nodeagent.cri.fake import FakeRuntime
from nodeagent.cri.port import Exited, OutOfMemory, RuntimeEvent, SeenImage
from nodeagent.images.puller import Puller
from nodeagent.model.seen import SeenPod
from nodeagent.plan.actions import Plan
from nodeagent.plan.admission import NodeView
from nodeagent.plan.pod import is_ending
from nodeagent.plan.resizing import with_resources
from nodeagent.plan.status import NodeFacts
from nodeagent.render.references import Reference
from nodeagent.render.settings import NodeSettings, Sources
from nodeagent.sync.allocations import Allocations
from nodeagent.sync.cgroups import PodCgroups
from nodeagent.sync.doors import Doors
from nodeagent.sync.slots import Slots
from nodeagent.sync.worker import PodWorker
from nodeagent.volumes.pod import PodVolumes

VIEW = NodeView("n1", {"cpu": "4", "memory": "8Gi", "pods": "10"}, {})


class Faults:
    """Calls fail with some probability, before or after they did their work."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.rate = 0.0
        self.injected = 0

    def __call__(self, call: str, subject: str, done: bool) -> None:
        if self.rate and self.rng.random() < self.rate:
            self.injected += 1
            kind = RuntimeTimeout if self.rng.random() < 0.5 else RuntimeAway
            raise kind(call, subject, "injected" + (" after the work was done" if done else ""))


class NoObjects:
    """Pods of these worlds refer to nothing."""

    def hold(self, pod: Pod, references: set[Reference]) -> None: ...

    def release(self, uid: str) -> None: ...

    async def sources(self, pod: Pod, references: set[Reference]) -> Sources:
        return Sources()


class NoProbes:
    """Nor are they probed."""

    def follow(self, pod: Pod, seen: SeenPod) -> None: ...

    def forget(self, uid: str) -> None: ...


class EventLog:
    """What users were told."""

    def __init__(self) -> None:
        self.told: Counter[str] = Counter()
        self.last: list[tuple[str, str, str]] = []

    def tell(self, pod: Pod, kind: str, reason: str, message: str, container: str = "") -> None:
        self.told[reason] += 1
        self.last = [*self.last[-30:], (kind, reason, message)]


class FakeApi:
    """Remembers statuses, and deletes what is finished."""

    def __init__(self) -> None:
        self.status: PodStatus | None = None
        self.phases: list[str] = []
        self.finished = False

    def publish(self, pod: Pod, status: PodStatus) -> None:
        self.status = status
        if not self.phases or self.phases[-1] != status.phase:
            self.phases.append(status.phase or "")

    def observed(self, pod: Pod) -> None: ...

    def finish(self, pod: Pod, status: PodStatus) -> None:
        self.publish(pod, status)
        self.finished = True

    def forget(self, uid: str) -> None: ...


async def inline(work: Callable[[], None]) -> None:
    """No threads in simulations."""
    work()


@dataclass
class World:
    """See the module."""

    root: Path
    pod: Pod
    seed: int = 0
    clock: FakeClock = field(default_factory=FakeClock)
    blocking: Callable[[Callable[[], None]], Awaitable[None]] = inline

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.faults = Faults(self.rng)
        self.runtime = FakeRuntime(self.clock, self.faults)
        self.runtime.present = {"busybox:1": SeenImage("sha256:busybox", ("busybox:1",))}
        self.runtime.tell = self.hear  # type: ignore[method-assign]
        self.lost_events = 0.0
        self.api = FakeApi()
        self.events = EventLog()
        self.mounts = FakeMounts()
        self.cgroups = FakeCgroups()
        settings = NodeSettings(
            name="n1",
            host_ips=("192.0.2.1",),
            root_dir=str(self.root / "agent"),
            pod_logs=str(self.root / "logs"),
            memory_capacity=8 << 30,
            allocatable={"cpu": "2", "memory": "8Gi"},
        )
        self.doors = Doors(
            runtime=self.runtime,
            puller=Puller(self.runtime, self.clock),
            volumes=PodVolumes(self.mounts, settings),
            cgroups=PodCgroups(self.cgroups, "/t"),
            objects=NoObjects(),
            events=self.events,
            reporter=self.api,
            probing=NoProbes(),
            clock=self.clock,
            settings=settings,
            facts=NodeFacts(settings.host_ips),
            slots=Slots(self.clock, 4),
            blocking=self.blocking,
        )
        self.begin(fresh=True)

    # The agent.

    def begin(self, fresh: bool = False) -> None:
        """A new worker that knows only what the API server does, as after a restart of the agent."""
        self.allocations = Allocations(str(self.root / "agent"), VIEW, self.events)
        pod = self.api_pod()
        self.worker = PodWorker(pod, self.doors, fresh=fresh)
        memory = self.worker.state.memory
        if not is_ending(pod, memory):
            self.worker.state.pod = self.allocations.admit(pod, list, memory, not fresh)

    def update(self) -> None:
        """The API server's news of the pod."""
        state = self.worker.state
        self.worker.update(self.allocations.update(self.api_pod(), list, state.memory, state.seen))

    def resize(self, resources: dict[str, ResourceRequirements]) -> None:
        """A user wants other resources for its containers."""
        self.pod = with_resources(self.pod, resources)
        meta = self.pod.metadata
        meta.generation = (meta.generation or 0) + 1
        if not self.worker.forgotten:
            self.update()

    def api_pod(self) -> Pod:
        """The pod as the API server has it."""
        pod = codec.decode(Pod, codec.encode(self.pod))
        if self.api.status is not None:
            pod.status = codec.decode(PodStatus, codec.encode(self.api.status))
        return pod

    def delete(self, grace: int) -> None:
        """A user deletes the pod."""
        meta = self.pod.metadata
        meta.deletion_timestamp = meta.deletion_timestamp or times.format_time(self.clock.now())
        meta.deletion_grace_period_seconds = min(grace, meta.deletion_grace_period_seconds or grace)
        self.update()

    def hear(self, event: RuntimeEvent) -> None:
        """The runtime's events, of which some get lost."""
        if self.rng.random() < self.lost_events:
            return
        if isinstance(event, Exited):
            self.worker.note_exit(event.id, event.code, event.at)
        elif isinstance(event, OutOfMemory):
            self.worker.note_out_of_memory(event.id)

    async def step(self) -> Plan | None:
        """One step of the worker; time passes while it waits. None: the runtime could not be looked at."""
        task = asyncio.ensure_future(self.worker.step())
        while not task.done():
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if not task.done():
                self.pass_idle_turns = getattr(self, "pass_idle_turns", 0) + 1
                if self.pass_idle_turns > 3:
                    self.next_event()
                    self.pass_idle_turns = 0
            else:
                self.pass_idle_turns = 0
        try:
            return task.result()
        except RuntimeFault:
            return None

    async def crash(self, after: int) -> None:
        """SIGKILL in mid-step, after so many turns of the loop; then a new agent."""
        task = asyncio.ensure_future(self.worker.step())
        for _ in range(after):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self.worker.state.leave_slot()
        self.begin()

    def next_event(self) -> None:
        """Jump to whatever is due next."""
        due = self.clock.next_due()
        self.clock.jump(1.0 if due is None else max(0.0, due - self.clock.monotonic()))

    async def settle(self, limit: int = 300) -> Plan:
        """Steps until nothing is to be done now; waiting for back-offs does not count."""
        for _ in range(limit):
            plan = await self.step()
            if self.worker.forgotten:
                return Plan()
            if plan is None:
                self.clock.jump(1.0)
            elif plan.converged:
                return plan
        raise AssertionError(f"no convergence: last plan {self.worker.last_plan}; events {self.events.last[-5:]}")

    async def live(self, seconds: float, limit: int = 2000) -> None:
        """Let time pass as the worker would see it."""
        end = self.clock.monotonic() + seconds
        for _ in range(limit):
            plan = await self.settle()
            if self.worker.forgotten or self.clock.monotonic() >= end:
                return
            wakes = [t for t in (self.clock.next_due(), _steady(self.clock, plan.wake_at), end) if t is not None]
            self.clock.jump(max(0.0, min(wakes) - self.clock.monotonic()))
            if self.rng.random() < self.lost_events:
                self.worker.note_dirty()  # the relist finds what events did not tell
        raise AssertionError("time does not pass")

    def running(self) -> list[str]:
        """The names of containers that run."""
        return sorted(c.seen.name for c in self.runtime.live_containers.values() if c.seen.running)


def _steady(clock: FakeClock, wall: float | None) -> float | None:
    return None if wall is None else wall - clock.now() + clock.monotonic()
