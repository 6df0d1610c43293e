"""One pod's worker: observe, plan, act, report; then sleep until something happens.

All that changes the pod's state happens in `step`, one after the other. Others only leave word (`update`, `remove`,
`note_...`) and wake it. A step that waits long, for a container that takes its time to end or for an image, gives up when
the pod's end becomes more urgent than it was: what was asked is asked again, with less patience.

Facts may be lost between an action and its answer; then the state is `dirty` and the next step looks at the runtime first.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from api.core_v1 import Pod, PodStatus
from kit import log
from kit.backoff import Backoff
from nodeagent.cri.errors import RuntimeFault
from nodeagent.model.memory import Health, PodMemory, Verdict, next_hold
from nodeagent.model.seen import Exit, SeenPod
from nodeagent.model.spec import container_type, long_name, ref_of
from nodeagent.plan.actions import (
    Action,
    CleanUp,
    CreateSandbox,
    DeleteObject,
    Forget,
    Plan,
    PrepareVolumes,
    RemoveContainer,
    RemoveSandbox,
    ResizePod,
    StartContainer,
    StopContainer,
    StopSandbox,
    together,
)
from nodeagent.plan.pod import grace_seconds, is_ending, plan_pod
from nodeagent.plan.resizing import is_between, is_resizing
from nodeagent.plan.status import compute_status
from nodeagent.sync import resizing, starting, stopping
from nodeagent.sync.allocations import summary
from nodeagent.sync.doors import NORMAL, WARNING, Doors
from nodeagent.sync.lessons import lesson_of, remember
from nodeagent.sync.observer import last_words, observe
from nodeagent.sync.state import PodState

RETRY = Backoff(base=0.5, cap=10.0, jitter=0.3)
PATIENT_REPEATS = 3  # the same plan again and again does not help: slow down
_log = log.get("pod")


class PodWorker:
    """See the module."""

    def __init__(self, pod: Pod, doors: Doors, *, fresh: bool = False, orphan: bool = False) -> None:
        self.state = PodState(pod, PodMemory(doors.clock.now(), doors.policy), dirty=not fresh)
        self.state.memory.gone = orphan
        self.forgotten = False
        self.last_plan = Plan()
        self.published: PodStatus | None = None
        self.over = asyncio.Event()  # set when it needs nothing of the node any more
        self._doors = doors
        self._wake = asyncio.Event()
        self._hurry = asyncio.Event()
        self._patience = self._urgency()
        self._failures = 0
        self._repeats = 0
        self._closing = False
        self._acting = False
        self._network_missed = False
        self._began: float | None = doors.clock.monotonic()  # None: the first step was made
        self._cause = "create"
        self._counted: set[str] | None = set() if fresh else None  # containers whose end was counted
        self._ended: dict[str, asyncio.Event] = {}
        self._log = _log.bind(pod=str(ref_of(pod)))

    # What others tell.

    def update(self, pod: Pod) -> None:
        """The API server shows the pod like this now."""
        self._doors.reporter.observed(pod)
        self._cause = self._cause or "update"
        changed = pod.metadata.annotations != self.state.pod.metadata.annotations
        if changed or pod.metadata.labels != self.state.pod.metadata.labels:
            self.refresh_volumes()
        self.state.adopt(pod, self.published)
        self._may_hurry()
        self.wake()

    def remove(self) -> None:
        """The API server no longer knows the pod."""
        self.state.memory.gone = True
        self._may_hurry()
        self.wake()

    def note_exit(self, ident: str, code: int, at: float) -> None:
        """A container or sandbox of ours ended."""
        self.state.exits[ident] = Exit(code, at)
        self.wake()

    def note_out_of_memory(self, ident: str) -> None:
        """The kernel killed something in a container of ours; its end, if it ends, is told next, or was told before."""
        self.state.killed.add(ident)
        self.wake()

    def note_health(self, ident: str, health: Health) -> None:
        """What probes found of a container."""
        self.state.memory.health[ident] = health
        self.wake()
        if self._acting:
            self._publish()  # what we do may take long, as a hook before the end does

    def note_dirty(self) -> None:
        """The runtime shows something else than we think: look."""
        self.state.dirty = True
        self.wake()

    def note_network(self, ready: bool) -> None:
        """The node's network can, or cannot, take pods."""
        if ready != self.state.memory.network_ready:
            self.state.memory.network_ready = ready
            self.state.memory.sandbox_retry = 0.0
            self.wake()

    def end(self, why: Verdict, grace: int | None = None) -> None:
        """The node cannot go on with the pod: it has so many seconds, or as many as it wishes."""
        memory = self.state.memory
        memory.verdict = why
        if grace is not None:
            memory.grace = grace if memory.grace is None else min(grace, memory.grace)
        self._doors.events.tell(self.state.pod, WARNING, why.reason, why.message)
        self._may_hurry()
        self.wake()

    def refresh_volumes(self) -> None:
        """Something that its volumes show has changed."""
        if not is_ending(self.state.pod, self.state.memory):
            self.state.memory.volumes_stale = True
            self.state.memory.volumes_retry = 0.0
            self.wake()

    def try_again(self) -> None:
        """What its volumes failed for may be different now."""
        memory = self.state.memory
        if memory.sandbox_failures or memory.volumes_failures or memory.stop_failures:
            memory.sandbox_retry = memory.volumes_retry = memory.stop_retry = 0.0
            self.wake()

    def wake(self) -> None:
        """Look again."""
        self._wake.set()

    def close(self) -> None:
        """Finish the step that is under way, and no more."""
        self._closing = True
        self.wake()

    # The worker itself.

    async def run(self) -> None:
        """Until the pod is forgotten."""
        try:
            while not (self.forgotten or self._closing):
                self._wake.clear()
                wait = await self._safe_step()
                if wait == 0.0:
                    await self._doors.clock.sleep(0)  # what was published is on its way before we look again
                elif not (self.forgotten or self._closing):
                    self.state.leave_slot()
                    await self._sleep(wait)
        finally:
            self.state.leave_slot()
            self._tell_ended(set())
            self.over.set()

    async def step(self) -> Plan:
        """One round. Raises `RuntimeFault` when the runtime cannot be looked at."""
        state, doors = self.state, self._doors
        if not state.seen.running():  # as when the agent begins: what was killed until now is nobody's that will end
            state.kills = doors.cgroups.kills(state.pod)
        if state.dirty:
            state.dirty = False
            began = doors.clock.monotonic()
            try:
                state.seen = await observe(doors.runtime, state.uid, state.seen)
                doors.tally.look_seconds.add(doors.clock.monotonic() - began)
            except BaseException:
                state.dirty = True
                raise
            state.forget_gone()
            for ident in (*(s.id for s in state.seen.sandboxes), *(c.id for c in state.seen.containers)):
                doors.register(ident, state.uid)
        state.seen = state.seen.overlay(state.exits)
        seen = self.seen()
        self._count_ends(seen)
        plan = self.last_plan = plan_pod(state.pod, seen, state.memory, doors.clock.now())
        self._remember(plan)
        self._publish()
        if plan.actions:
            doors.probing.follow(state.pod, self.seen())  # it stops to probe what is being stopped
            self._acting = True
            try:
                await self._act(plan.actions)
            finally:
                self._acting = False
            self._publish()
        seen = self.seen()
        doors.probing.follow(state.pod, seen)
        self._tell_ended({c.id for c in seen.containers if not c.exited})
        self._count_ends(seen)
        return plan

    def seen(self) -> SeenPod:
        """The pod in the runtime, as far as we know."""
        state, doors = self.state, self._doors
        return state.current(lambda c: last_words(state.pod, c, doors.settings), lambda: doors.cgroups.kills(state.pod))

    def ended(self, ident: str) -> asyncio.Event:
        """Set as soon as this container does not run any more."""
        event = self._ended.setdefault(ident, asyncio.Event())
        self._tell_ended({c.id for c in self.seen().containers if not c.exited})
        return event

    def _tell_ended(self, alive: set[str]) -> None:
        for ident in [ident for ident in self._ended if self.forgotten or ident not in alive]:
            self._ended.pop(ident).set()

    async def _safe_step(self) -> float | None:
        """A step whose failures are logged and retried: seconds until the next; None waits for word."""
        before = self.last_plan
        try:
            plan = await self._timed_step()
        except RuntimeFault as error:
            self._failures += 1
            self._log.warning("cannot look at the runtime", error=error)
            return RETRY.delay(self._failures)
        except Exception as error:  # the loop's edge
            self._failures += 1
            self.state.dirty = True
            self._log.exception("step failed", error=error)
            return RETRY.delay(self._failures)
        self._failures = 0
        if not plan.converged:
            self._repeats = self._repeats + 1 if plan == before else 0
            return RETRY.delay(self._repeats - PATIENT_REPEATS) if self._repeats > PATIENT_REPEATS else 0.0
        return None if plan.wake_at is None else max(0.001, plan.wake_at - self._doors.clock.now())

    async def _timed_step(self) -> Plan:
        """A step, and how long it took by what it was made for."""
        tally, began, cause = self._doors.tally, self._doors.clock.monotonic(), self._cause
        if self._began is not None:
            tally.worker_start.add(began - self._began)
            self._began = None
        self._cause = ""
        try:
            return await self.step()
        finally:
            state = self.state
            ending = "terminated" if state.memory.cleaned else "kill" if is_ending(state.pod, state.memory) else ""
            tally.steps.add(self._doors.clock.monotonic() - began, ending or cause or "sync")

    def _count_ends(self, seen: SeenPod) -> None:
        """Containers that have ended since we looked last; what had ended before we first looked is not ours to count."""
        ended = {c.id: c for c in seen.containers if c.exited}
        for ident in ended.keys() - (ended.keys() if self._counted is None else self._counted):
            found = ended[ident]
            reason = found.reason or ("Error" if found.exit_code else "Completed")
            kind = container_type(self.state.pod, found.name)
            self._doors.tally.containers_ended.add(kind, str(found.exit_code), reason)
        self._counted = set(ended)

    async def _sleep(self, seconds: float | None) -> None:
        timer = None if seconds is None else self._doors.clock.call_later(seconds, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            if timer is not None:
                timer.cancel()

    def _remember(self, plan: Plan) -> None:
        memory = self.state.memory
        memory.verdict = plan.verdict or memory.verdict
        memory.ended = memory.ended or plan.ended
        if plan.reset_for is not None and (memory.resets is None or memory.resets.since != plan.reset_for):
            memory.resets = next_hold(memory.resets, plan.reset_for, memory.policy)
        if plan.lacks_network and not self._network_missed:
            message = f"network is not ready: {self._doors.network_problem()}"
            self._doors.events.tell(self.state.pod, WARNING, "NetworkNotReady", message)
        self._network_missed = plan.lacks_network
        for name, waiting in plan.waiting.items():
            if memory.waiting.get(name) != waiting:
                message = f"Back-off restarting failed container {name} in pod {long_name(self.state.pod)}"
                self._doors.events.tell(self.state.pod, WARNING, "BackOff", message, name)
            memory.waiting[name] = waiting
        if plan.verdict is not None:
            self._doors.events.tell(self.state.pod, NORMAL, plan.verdict.reason, plan.verdict.message)
        note = memory.resize_progress
        if note is not None and not is_resizing(self.state.pod, self.seen(), memory):
            memory.resize_progress = None
            message = f"Pod resize completed: {summary(self.state.pod, note.generation)}"
            self._doors.events.tell(self.state.pod, NORMAL, "ResizeCompleted", message)
        if is_ending(self.state.pod, memory):
            memory.grace = grace_seconds(self.state.pod, memory)
            if memory.stopping_since is None:
                memory.stopping_since = self._doors.clock.now()

    def _publish(self) -> None:
        state, doors = self.state, self._doors
        if state.memory.gone or is_between(state.pod, self.seen(), state.memory):
            return
        status = compute_status(state.pod, self.seen(), state.memory, doors.facts, doors.clock.now())
        doors.reporter.publish(state.pod, status)  # before we make it ours: it compares with what the API server has
        self.published = status
        state.adopt(state.pod, status)

    async def _act(self, actions: tuple[Action, ...]) -> None:
        """In order; the first that fails ends the round, with what it taught us remembered."""
        position = 0
        self._hurry.clear()
        self._patience = self._urgency()  # what is done now has all the haste there is reason for now
        while position < len(actions) and not self._hurry.is_set():
            batch = together(actions[position:])
            position += len(batch)
            results = await self._until_hurried([self._perform(action) for action in batch])
            good = [self._learn(action, result) for action, result in zip(batch, results, strict=True)]
            if not all(good):
                return

    async def _until_hurried(self, work: list[Coroutine[Any, Any, None]]) -> list[BaseException | None]:
        """Run side by side; given up when the pod's end becomes more urgent."""
        tasks = [asyncio.ensure_future(coroutine) for coroutine in work]
        hurry = asyncio.ensure_future(self._hurry.wait())
        try:
            while not hurry.done() and (pending := [task for task in tasks if not task.done()]):
                await asyncio.wait([*pending, hurry], return_when=asyncio.FIRST_COMPLETED)
        finally:
            hurry.cancel()
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        return results

    async def _perform(self, action: Action) -> None:
        doors, state = self._doors, self.state
        self._log.debug("act", action=action)
        match action:
            case PrepareVolumes():
                await starting.prepare_volumes(doors, state)
            case CreateSandbox():
                await starting.create_sandbox(doors, state, action)
            case StartContainer():
                doors.tally.containers_started.add(container_type(state.pod, action.name))
                await starting.start_container(doors, state, action)
            case StopContainer():
                await stopping.stop_container(doors, state, action)
            case ResizePod():
                await resizing.resize(doors, state, action)
            case StopSandbox():
                await stopping.stop_sandbox(doors, state, action)
            case RemoveSandbox():
                await stopping.remove_sandbox(doors, state, action)
            case RemoveContainer():
                await stopping.remove_container(doors, state, action)
            case CleanUp():
                await stopping.clean_up(doors, state)
                self.over.set()
            case DeleteObject():
                self._finish()
            case Forget():
                stopping.forget(doors, state)
                self.forgotten = True

    def _finish(self) -> None:
        self._publish()
        if self.published is not None:
            self._doors.reporter.finish(self.state.pod, self.published)
        self.state.memory.reported = True

    def _learn(self, action: Action, result: BaseException | None) -> bool:
        """Remember how an action went, and tell it; false ends the round."""
        state, doors = self.state, self._doors
        lesson = lesson_of(action, result, state.memory, doors.clock.now(), RETRY.delay)
        remember(lesson, state.memory)
        state.dirty = state.dirty or lesson.look
        if lesson.failed:
            self._log.warning("action failed", action=action, error=result)
        if lesson.waiting is not None:
            doors.tally.containers_not_started.add(lesson.waiting.reason, container_type(state.pod, lesson.key))
        if lesson.warning is not None:
            doors.events.tell(state.pod, WARNING, *lesson.warning)
        if lesson.verdict is not None:
            self.end(lesson.verdict)
        if lesson.surprising and result is not None:
            raise result
        return lesson.go_on

    def _urgency(self) -> tuple[bool, int]:
        """Grows when the end comes closer: ending or not, and how little patience there is."""
        state = self.state
        ending = is_ending(state.pod, state.memory)
        return ending, -grace_seconds(state.pod, state.memory) if ending else 0

    def _may_hurry(self) -> None:
        urgency = self._urgency()
        if urgency[0] and (not self._patience[0] or urgency > self._patience):
            self._hurry.set()
        self._patience = urgency
