"""A machine that goes down waits for its pods.

systemd's logind is asked to hold up shutdowns. When one is announced the node says that it is not ready and takes no more
pods; those it has end by priority, the less important first; then the lock is given back and the machine goes on. A
shutdown that is called off makes the node ready again at once, and pods whose turn has not come live on.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from kit import log
from kit.clock import Clock, deadline
from nodeagent.model.spec import is_terminal
from nodeagent.plan.pod import is_ending
from nodeagent.plan.shutdown import WHY, Share, Turn, plan_turns
from nodeagent.report.events import NodeEventRecorder
from nodeagent.sync.worker import PodWorker

LOOK = 0.2
_log = log.get("shutdown")


class Inhibitor(Protocol):
    """What holds up shutdowns."""

    async def hold(self) -> None: ...

    def release(self) -> None: ...

    async def allow(self, seconds: float) -> None: ...

    def shutdowns(self) -> AsyncIterator[bool]: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class Shutdown:
    """See the module. `tell` hears whether the machine goes down."""

    workers: Mapping[str, PodWorker]
    clock: Clock
    shares: Sequence[Share]
    events: NodeEventRecorder
    tell: Callable[[bool], object]
    ended: Callable[[], object] = lambda: None  # hears when its pods have ended

    async def run(self, inhibitor: Inhibitor) -> None:
        """Until the connection ends. Raises `DbusError`."""
        ending: asyncio.Task[None] | None = None
        try:
            await inhibitor.allow(float(sum(share.seconds for share in self.shares)))
            await inhibitor.hold()
            async for going in inhibitor.shutdowns():
                await _give_up(ending)
                self._heard(going)
                if going:
                    ending = asyncio.create_task(self._end_all(inhibitor))
                    ending.add_done_callback(_tell_failure)
                else:
                    await inhibitor.hold()
        finally:
            await _give_up(ending)
            inhibitor.close()
        from linux.dbus import DbusError  # few nodes wait for their pods

        raise DbusError("cannot watch for shutdowns: the connection to the bus is gone")

    def _heard(self, going: bool) -> None:
        what = "shutdown event" if going else "shutdown cancellation"
        self.events.tell("Normal", "Shutdown", f"Shutdown manager detected {what}")
        self.tell(going)

    async def _end_all(self, inhibitor: Inhibitor) -> None:
        """Those that are not yet to end live on when this is given up."""
        try:
            for turn in plan_turns([w.state.pod for w in self._living()], self.shares):
                await self._end(turn)
        finally:
            self.ended()
            inhibitor.release()
        _log.info("all pods have ended; the machine may go down")

    def _living(self) -> list[PodWorker]:
        return [w for w in self.workers.values() if not (is_terminal(w.state.pod) or w.state.memory.gone)]

    async def _end(self, turn: Turn) -> None:
        _log.info("ending pods", pods=len(turn.pods), seconds=turn.seconds)
        for uid, grace in turn.pods:
            worker = self.workers.get(uid)
            if worker is not None and not is_ending(worker.state.pod, worker.state.memory):
                worker.end(WHY, grace)
        try:
            async with deadline(self.clock, float(turn.seconds)):
                while any(self._runs(uid) for uid, _ in turn.pods):
                    await self.clock.sleep(LOOK)
        except TimeoutError:
            _log.warning("some pods have not ended in time")

    def _runs(self, uid: str) -> bool:
        worker = self.workers.get(uid)
        return worker is not None and not worker.state.memory.cleaned


def _tell_failure(ending: asyncio.Task[None]) -> None:
    """At once: the machine goes down, and nobody comes back to it."""
    if not ending.cancelled() and (error := ending.exception()) is not None:
        _log.exception("cannot end all pods before the machine goes down", error=error)


async def _give_up(ending: asyncio.Task[None] | None) -> None:
    if ending is not None:
        ending.cancel()
        await asyncio.gather(ending, return_exceptions=True)
