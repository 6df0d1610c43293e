"""One pod as its worker holds it: wanted, seen, remembered."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from api.core_v1 import Pod, PodStatus
from nodeagent.model.memory import PodMemory
from nodeagent.model.seen import Exit, SeenContainer, SeenPod
from nodeagent.plan.conditions import OWNED
from nodeagent.plan.kills import SIGKILLED, Kills, claim
from nodeagent.sync.slots import Slot, Slots


@dataclass(slots=True)
class PodState:
    """Only the pod's worker writes it; events are told to the worker and land in `exits` and `killed`."""

    pod: Pod
    memory: PodMemory
    seen: SeenPod = field(default_factory=SeenPod)
    exits: dict[str, Exit] = field(default_factory=dict)
    killed: set[str] = field(default_factory=set)  # containers of which the kernel killed something for memory
    kills: Kills = field(default_factory=Kills)  # of all that it killed, what is accounted for
    words: dict[str, str] = field(default_factory=dict)  # termination messages of containers that ended
    stopped: dict[str, asyncio.Event] = field(default_factory=dict)  # set when the runtime has been asked to stop it
    slot: Slot | None = None
    taking: asyncio.Lock = field(default_factory=asyncio.Lock)
    dirty: bool = True

    @property
    def uid(self) -> str:
        return self.pod.metadata.uid or ""

    def current(self, last_words: Callable[[SeenContainer], str], count_kills: Callable[[], Kills]) -> SeenPod:
        """What is seen, with what events told and, of those that ended, whether it was for memory and their last words."""
        seen = self.seen.overlay(self.exits)
        for container in seen.containers:
            if container.exited and container.id not in self.words:
                self._find_cause(container, count_kills)
                self.words[container.id] = last_words(container)
        containers = tuple(self._worded(c) if c.exited else c for c in seen.containers)
        return replace(seen, containers=containers)

    def adopt(self, pod: Pod, published: PodStatus | None) -> None:
        """Take over what the API server says; of the status, our own part is newer here than there."""
        if published is not None and pod.metadata.uid == self.uid:
            theirs = pod.status
            mine = {c.type: c for c in published.conditions if c.type in OWNED}
            status = PodStatus(**{name: getattr(published, name) for name in published.__struct_fields__})
            status.conditions = [c for c in theirs.conditions if c.type not in OWNED] + list(mine.values())
            status.nominated_node_name = theirs.nominated_node_name
            status.resource_claim_statuses = theirs.resource_claim_statuses
            if theirs.phase in ("Succeeded", "Failed"):
                status.phase, status.reason, status.message = theirs.phase, theirs.reason, theirs.message
            pod.status = status
        self.pod = pod

    async def take_slot(self, slots: Slots) -> None:
        """Wait for a place among the pods that start, unless we have one; it is one place, also for things done side by side."""
        async with self.taking:
            if self.slot is None:
                self.slot = await slots.take()

    def forget_gone(self) -> None:
        """What is remembered of containers and sandboxes that are not there any more."""
        known = {s.id for s in self.seen.sandboxes} | {c.id for c in self.seen.containers}
        for kept in (self.exits, self.words, self.stopped, self.memory.health, self.memory.applied):
            for ident in kept.keys() - known:
                del kept[ident]
        self.killed &= known

    def leave_slot(self) -> None:
        """Let another pod start."""
        if self.slot is not None:
            self.slot.leave()
            self.slot = None

    def _find_cause(self, container: SeenContainer, count_kills: Callable[[], Kills]) -> None:
        if container.exit_code == SIGKILLED and (accounted := claim(self.kills, count_kills())) is not None:
            self.kills = accounted
            self.killed.add(container.id)

    def _worded(self, container: SeenContainer) -> SeenContainer:
        message = ": ".join(part for part in (container.message, self.words[container.id]) if part)
        reason = "OOMKilled" if container.id in self.killed else container.reason
        return replace(container, reason=reason, message=message)
