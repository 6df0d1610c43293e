"""Keeps the node alive when memory, disk or processes run out: pods have to go, one at a time, before the kernel chooses.

Every few seconds it is read what is free (`signals`), judged (`plan.pressure`) and, if too little is, acted: on disks what nobody uses is
removed first; then the pod that `plan.eviction` names is ended. What that frees shows at the next look. What pods have on disks takes
long to find out, and memory cannot wait for it: then nobody looks at disks.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from api.core_v1 import Pod
from kit import log
from kit.clock import Clock
from nodeagent.cri.errors import RuntimeFault
from nodeagent.model.memory import Verdict
from nodeagent.plan.eviction import PodUse, limits_storage, over_its_limits, rank, verdict
from nodeagent.plan.pod import is_ending
from nodeagent.plan.pressure import DISK, SIGNALS, Free, Pressure, Threshold, judge, relieved
from nodeagent.report.events import NodeEventRecorder
from nodeagent.sync.worker import PodWorker

LOOK_EVERY = 10.0
WALK_EVERY = 30.0  # through the files of pods that may have only so many bytes
AT_ONCE = 1  # seconds of grace when there is no time
_log = log.get("eviction")


@dataclass(frozen=True, slots=True)
class EvictionPolicy:
    """When to act, and how patiently."""

    thresholds: tuple[Threshold, ...] = ()
    most_grace: int = 0  # seconds for pods that a soft threshold ends
    transition: float = 300.0


class Senses(Protocol):
    """What there is to see. Each may raise OSError or RuntimeFault."""

    async def free(self) -> dict[str, Free]:
        """What is left, by signal."""

    async def uses(self, pods: list[Pod], disks: bool) -> dict[str, PodUse]:
        """What pods use, by uid; without `disks` not what they have there, which takes long."""


@dataclass(slots=True)
class Eviction:
    """See the module. `tell` hears of changed conditions; `reclaim` frees disks of what nobody uses."""

    workers: Mapping[str, PodWorker]
    clock: Clock
    policy: EvictionPolicy
    senses: Senses
    events: NodeEventRecorder
    tell: Callable[[tuple[str, ...]], object]
    reclaim: Callable[[], Awaitable[object]]
    count: Callable[[str, float], object]  # an eviction, by signal, and how old the numbers were
    pressure: Pressure = field(default_factory=Pressure)
    _walked: float | None = None
    _seen: float = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
            except (OSError, RuntimeFault) as error:
                _log.warning("cannot see what is free", error=error)
            await self.clock.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Once: at most one pod goes."""
        self._seen = self.clock.monotonic()
        free = await self.senses.free()
        before = self.pressure.conditions
        self.pressure = judge(self.policy.thresholds, free, self.pressure, self.clock.now(), self.policy.transition)
        if self.pressure.conditions != before:
            self.tell(self.pressure.conditions)
        first = next(iter(self.pressure.met), None)
        if first is not None and SIGNALS[first.signal].condition != DISK and await self._relieve(first, free):
            return
        if not await self._end_greedy() and first is not None and SIGNALS[first.signal].condition == DISK:
            await self._relieve(first, free)

    async def _relieve(self, threshold: Threshold, free: dict[str, Free]) -> bool:
        """Do something about it; whether a pod goes."""
        signal = SIGNALS[threshold.signal]
        _log.warning("a resource runs low", signal=threshold.signal, available=free[threshold.signal].available)
        self.events.tell("Warning", "EvictionThresholdMet", f"Attempting to reclaim {signal.resource}")
        if signal.condition == DISK:
            await self.reclaim()
            free = await self.senses.free()
            if relieved(threshold, free):
                return False
        workers = self._living()
        uses = await self._uses(workers, disks=signal.condition == DISK)
        chosen = next(iter(rank([w.state.pod for w in workers.values()], uses, signal.resource)), None)
        if chosen is None:
            _log.error("a resource runs low, and there is no pod that may be ended", signal=threshold.signal)
            return False
        uid = chosen.metadata.uid or ""
        grace = AT_ONCE if threshold.grace is None else self.policy.most_grace
        why = verdict(chosen, uses.get(uid), threshold, free[threshold.signal])
        self._end(workers[uid], why, grace, threshold.signal)
        return True

    async def _end_greedy(self) -> bool:
        """End the pods that keep more on the disk than they may; whether there were any."""
        workers = {uid: w for uid, w in self._living().items() if limits_storage(w.state.pod)}
        now = self.clock.monotonic()
        if not workers or (self._walked is not None and now - self._walked < WALK_EVERY):
            return False
        uses = await self._uses(workers, disks=True)
        self._walked = self.clock.monotonic()
        guilty = {uid: over_its_limits(workers[uid].state.pod, use) for uid, use in uses.items()}
        for uid, why in guilty.items():
            if why is not None:
                self._end(workers[uid], why, AT_ONCE, "ephemeral-storage.limit")
        return any(guilty.values())

    def _end(self, worker: PodWorker, why: Verdict, grace: int, signal: str) -> None:
        _log.warning("a pod is evicted", pod=worker.state.uid, reason=why.message)
        self.count(signal, self.clock.monotonic() - self._seen)
        worker.end(why, grace)

    def _living(self) -> dict[str, PodWorker]:
        found = self.workers.items()
        return {uid: worker for uid, worker in found if not is_ending(worker.state.pod, worker.state.memory)}

    async def _uses(self, workers: Mapping[str, PodWorker], disks: bool) -> dict[str, PodUse]:
        return await self.senses.uses([worker.state.pod for worker in workers.values()], disks)
