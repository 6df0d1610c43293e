"""All pods of the node: one worker each, and the news of the API server and of the runtime brought to them.

Workers exist for every pod that the API server binds to us and for every pod that the runtime still holds. The runtime's
event stream tells of exits at once; every so often, and whenever the stream broke, everything is listed and compared
with what workers think (`relist`), and those that differ are told to look. Without a stream the list is the only news and
comes every second.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from api.core_v1 import Pod
from api.meta_v1 import ObjectMeta
from kit import log
from kit.backoff import Backoff
from kit.clock import Clock, deadline
from linux.cgroup import CgroupError
from nodeagent.cri.errors import RuntimeFault, Unsupported
from nodeagent.cri.port import Exited, OutOfMemory, Runtime, RuntimeEvent
from nodeagent.model.memory import Health, PodMemory, Verdict
from nodeagent.model.seen import ContainerState, PodRef
from nodeagent.model.spec import is_terminal
from nodeagent.plan.pod import is_ending
from nodeagent.plan.preemption import WHY as PREEMPTED
from nodeagent.report.tally import Tally
from nodeagent.sync.allocations import Allocations
from nodeagent.sync.doors import WARNING, Doors
from nodeagent.sync.stopping import logged
from nodeagent.sync.worker import PodWorker

RELIST = 60.0
RELIST_WITHOUT_EVENTS = 1.0
SUBSCRIBED = 1.0
CLOSING = 3.0
MAX_STRAY = 1000
_log = log.get("pods")


class Pods:
    """See the module. `add`, `remove` and `network` bring the API server's and the node's news."""

    def __init__(self, runtime: Runtime, clock: Clock) -> None:
        self.workers: dict[str, PodWorker] = {}
        self.streaming = False
        self.looked: float | None = None  # when the runtime was last listed, by the steady clock
        self._runtime = runtime
        self._clock = clock
        self._doors: Doors | None = None
        self._owners: dict[str, str] = {}  # id of a container or sandbox -> uid of its pod
        self._stray: dict[str, Exited] = {}  # exits of what nobody owns (yet)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._in_runtime: set[str] | None = None
        self._network_ready = True
        self._sources_known = False
        self._look = asyncio.Event()
        self._others_came = asyncio.Event()
        self._relisted: float | None = None
        self.forgotten: Callable[[str], object] = lambda uid: None  # told when nothing of a pod is left
        self._allocations: Allocations | None = None
        self._ask_node: Callable[[], Coroutine[Any, Any, None]] | None = None
        self._asking: dict[str, Pod] = {}  # pods that wait for news of our node, or for room, as they are wished now
        self._asks: set[asyncio.Task[None]] = set()

    def open(
        self,
        doors: Doors,
        allocations: Allocations,
        ask_node: Callable[[], Coroutine[Any, Any, None]] | None = None,
    ) -> None:
        """The doors are made after us, as they tell us who owns what. `ask_node` looks at our node's object anew."""
        self._doors = doors
        self._allocations = allocations
        self._ask_node = ask_node

    @property
    def _tally(self) -> Tally:
        assert self._doors is not None
        return self._doors.tally

    def own(self, ident: str, uid: str) -> None:
        """This container or sandbox belongs to that pod."""
        self._owners[ident] = uid
        if (event := self._stray.pop(ident, None)) is not None and uid in self.workers:
            self.workers[uid].note_exit(ident, event.code, event.at)

    def pods(self) -> list[Pod]:
        """All pods that are known to the API server."""
        return [worker.state.pod for worker in self.workers.values() if not worker.state.memory.gone]

    def apply(self, key: str, old: Pod | None, new: Pod | None) -> None:
        """The API server's news, as an informer tells them."""
        if old is not None and (new is None or new.metadata.uid != old.metadata.uid):
            worker = self.workers.get(old.metadata.uid or "")
            if worker is not None:
                worker.remove()
            self._asking.pop(old.metadata.uid or "", None)
        if new is not None:
            uid = new.metadata.uid or ""
            worker = self.workers.get(uid)
            if uid in self._asking:
                self._asking[uid] = new
            elif worker is None:
                self._begin(new)
            else:
                worker.state.memory.gone = False
                worker.update(self._allowed(worker, new))
        self._others_came.set()
        self.retry_resizes()

    def retry_resizes(self) -> None:
        """What could not be given before may be free now; the more important pods are asked first."""
        waiting = [w for w in self.workers.values() if w.state.memory.resize_wish is not None]
        for worker in sorted(waiting, key=lambda w: -(w.state.pod.spec.priority or 0)):
            wish = worker.state.memory.resize_wish
            if wish is None or is_ending(worker.state.pod, worker.state.memory):
                continue
            pod = self._allowed(worker, wish)
            if worker.state.memory.resize_wish is None:
                worker.update(pod)

    def _allowed(self, worker: PodWorker, pod: Pod) -> Pod:
        """The pod with the resources that it may have."""
        assert self._allocations is not None
        memory = worker.state.memory
        others = self._others(pod.metadata.uid or "")
        return self._allocations.update(pod, others, memory, worker.state.seen)

    def _others(self, uid: str) -> Callable[[], list[Pod]]:
        """The pods beside this one that need their share of the node."""
        return lambda: [
            w.state.pod
            for other, w in self.workers.items()
            if other != uid and not _is_over(w.state.memory) and not is_terminal(w.state.pod)
        ]

    def named(self, namespace: str, name: str) -> PodWorker | None:
        """The worker of a pod that the API server knows by this name."""
        return next((w for w in self.workers.values() if _is(w, namespace, name)), None)

    def tell_health(self, uid: str, ident: str, health: Health) -> None:
        """What probes found."""
        if (worker := self.workers.get(uid)) is not None:
            worker.note_health(ident, health)

    def objects_changed(self, uid: str) -> None:
        """Something that a pod refers to has changed."""
        if (worker := self.workers.get(uid)) is not None:
            worker.refresh_volumes()

    def drivers_changed(self) -> None:
        """There are other storage drivers: pods that wait for one need not wait longer."""
        for worker in self.workers.values():
            worker.try_again()

    def sources_known(self) -> None:
        """Every pod that is ours has been told; what else the runtime holds is nobody's."""
        self._sources_known = True
        self._look.set()

    def network(self, ready: bool) -> None:
        """Whether the node's network can take pods."""
        self._network_ready = ready
        for worker in self.workers.values():
            worker.note_network(ready)

    async def begin(self) -> None:
        """See what the runtime holds already; to be called before pods are told. Raises `RuntimeFault`."""
        sandboxes = await self._runtime.sandboxes()
        containers = await self._runtime.containers()
        self._in_runtime = {s.pod.uid for s in sandboxes} | {c.pod.uid for c in containers}

    async def run(self) -> None:
        """Follow the runtime until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow())
            group.create_task(self._relist_now_and_then())
            group.create_task(self._weigh())

    async def close(self) -> None:
        """End all workers; containers live on. What is being started is given a moment, as half a start is a failed one."""
        tasks = list(self._tasks.values())
        for ask in self._asks:
            ask.cancel()
        for worker in self.workers.values():
            worker.close()
        try:
            async with deadline(self._clock, CLOSING):
                await asyncio.gather(*tasks, return_exceptions=True)
        except TimeoutError:
            pass
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # The runtime's news.

    async def _follow(self) -> None:
        retries = Backoff(base=0.1, cap=2.0).retries()
        while True:
            try:
                self.streaming = True
                self._tally.streams.add()
                self._look.set()  # what happened before the stream began is only in the list,
                self._clock.call_later(SUBSCRIBED, self._look.set)  # and nobody tells when it begins
                async for event in self._runtime.events():
                    retries.reset()
                    self._tell(event)
            except Unsupported:
                self.streaming = False
                _log.info("the runtime has no event stream; looking every second instead")
                return
            except RuntimeFault as error:
                self.streaming = False
                self._tally.stream_errors.add()
                wait = retries.next()
                if retries.failures == 1:
                    _log.warning("lost the runtime's events, will subscribe again", error=error)
                await self._clock.sleep(wait)

    def _tell(self, event: RuntimeEvent) -> None:
        worker = self.workers.get(self._owners.get(event.id, ""))
        if worker is None:
            if isinstance(event, Exited):
                self._stray[event.id] = event
                if len(self._stray) > MAX_STRAY:
                    del self._stray[next(iter(self._stray))]
        elif isinstance(event, Exited):
            worker.note_exit(event.id, event.code, event.at)
        elif isinstance(event, OutOfMemory):
            worker.note_out_of_memory(event.id)
        else:
            worker.note_dirty()

    async def _relist_now_and_then(self) -> None:
        failing = False
        while True:
            self._look.clear()
            try:
                await self.relist()
                if failing:
                    _log.info("the runtime is back")
                failing = False
            except RuntimeFault as error:
                if not failing:
                    _log.warning("cannot list what the runtime holds, will try again", error=error)
                failing = True
            wait = RELIST if self.streaming and not failing else RELIST_WITHOUT_EVENTS
            try:
                async with deadline(self._clock, wait):
                    await self._look.wait()
            except TimeoutError:
                pass

    async def relist(self) -> None:
        """Compare everything in the runtime with what workers think, and begin to remove what is nobody's."""
        before = set(self._owners)  # what is made while we list may not be in the list
        began = self._clock.monotonic()
        sandboxes = await self._runtime.sandboxes()
        containers = await self._runtime.containers()
        self.looked = self._clock.monotonic()
        self._count_relist(began)
        found: dict[str, set[tuple[str, str]]] = {}
        refs: dict[str, PodRef] = {}
        for owned in sandboxes:
            refs[owned.pod.uid] = owned.pod
            state = "ready" if owned.thing.ready else "gone"
            found.setdefault(owned.pod.uid, set()).add((owned.thing.id, state))
        for container in containers:
            refs[container.pod.uid] = container.pod
            found.setdefault(container.pod.uid, set()).add((container.thing.id, container.thing.state.value))
        found.pop("", None)  # not a pod's: somebody made it by hand
        self._in_runtime = set(found)
        for uid, worker in list(self.workers.items()):
            if found.get(uid, set()) != _thought(worker):
                worker.note_dirty()
        if self._sources_known:
            for uid in found.keys() - self.workers.keys() - self._asking.keys():
                self._begin(_orphan(refs[uid]), orphan=True)
                self._tally.orphans.add()
            self._sweep()
        alive = {ident for things in found.values() for ident, _ in things}
        self._owners = {i: uid for i, uid in self._owners.items() if i in alive or i not in before}

    def _count_relist(self, began: float) -> None:
        tally, before, self._relisted = self._tally, self._relisted, began
        if before is not None:
            tally.relist_interval.add(began - before)
        tally.relist_seconds.add(self._clock.monotonic() - began)
        tally.relisted.set(self._clock.now())

    def _sweep(self) -> None:
        """Pods that left only files or groups, as after a crash of the agent."""
        assert self._doors is not None
        left = {uid: PodRef(uid, "", "") for uid in (*self._doors.volumes.known(), *self._doors.cgroups.known())}
        left |= {ref.uid: ref for ref in logged(self._doors.settings.pod_logs)}
        unknown = left.keys() - self.workers.keys() - self._asking.keys()
        self._tally.swept.set(len(unknown))
        gone = (worker.state.memory for worker in self.workers.values() if worker.state.memory.gone)
        self._tally.swept_errors.set(sum(bool(memory.stop_failures) for memory in gone))
        for uid in unknown:
            self._begin(_orphan(left[uid]), orphan=True)

    def _begin(self, pod: Pod, orphan: bool = False, asked: bool = False) -> None:
        assert self._doors is not None
        uid = pod.metadata.uid or ""
        fresh = not orphan and self._in_runtime is not None and uid not in self._in_runtime and not is_terminal(pod)
        worker = PodWorker(pod, self._doors, fresh=fresh, orphan=orphan)
        if not orphan and not self._admit(worker, fresh, asked):
            return
        if not orphan:
            self._tally.containers_per_pod.add(len(pod.spec.containers))
        worker.state.memory.network_ready = self._network_ready
        self.workers[uid] = worker
        task = asyncio.create_task(self._run(uid, worker), name=f"pod {pod.metadata.namespace}/{pod.metadata.name}")
        self._tasks[uid] = task

    def _admit(self, worker: PodWorker, fresh: bool, asked: bool) -> bool:
        """Whether it can be begun, be it only to fail; if not, it is begun once our node was asked for."""
        assert self._allocations is not None and self._doors is not None
        pod, memory = worker.state.pod, worker.state.memory
        uid = pod.metadata.uid or ""
        if is_ending(pod, memory):
            return True
        worker.state.pod = self._allocations.admit(pod, self._others(uid), memory, not fresh)
        verdict = memory.verdict
        if verdict is None:
            return True
        if verdict.reason == "NodeAffinity" and self._ask_node is not None and not asked:
            self._defer(pod, self._ask_node(), asked=True)  # the labels that we know of our node may be old
            return False
        if verdict.instead:
            self._defer(pod, self._make_room(verdict))
            return False
        self._doors.events.tell(pod, WARNING, verdict.reason, verdict.message)
        self._tally.rejected(verdict.reason)
        return True

    def _defer(self, pod: Pod, work: Coroutine[Any, Any, None], asked: bool = False) -> None:
        """Begin a pod after something else, as it is wished then."""
        uid = pod.metadata.uid or ""
        self._asking[uid] = pod
        task = asyncio.create_task(self._begin_after(uid, work, asked))
        self._asks.add(task)
        task.add_done_callback(self._asks.discard)

    async def _begin_after(self, uid: str, work: Coroutine[Any, Any, None], asked: bool) -> None:
        try:
            await work
        except Exception as error:  # the edge of one pod: it is judged by what is known
            _log.exception("cannot do what was to be done before a pod begins", pod=uid, error=error)
        pod = self._asking.pop(uid, None)
        if pod is not None and uid not in self.workers:
            self._begin(pod, asked=asked)
            self._others_came.set()

    async def _make_room(self, verdict: Verdict) -> None:
        """End those that go instead, and wait until nothing of them runs."""
        leaving = [worker for uid in verdict.instead if (worker := self.workers.get(uid)) is not None]
        for worker in leaving:
            if not is_ending(worker.state.pod, worker.state.memory):
                worker.end(PREEMPTED)
                self._tally.preemptions.add(verdict.reason.removeprefix("OutOf"))
        for worker in leaving:
            await worker.over.wait()

    async def _run(self, uid: str, worker: PodWorker) -> None:
        try:
            await worker.run()
        finally:
            self._tasks.pop(uid, None)
            if self.workers.get(uid) is worker:
                del self.workers[uid]
                assert self._allocations is not None
                self._allocations.forget(uid)
            if worker.forgotten:
                self.forgotten(uid)

    async def _weigh(self) -> None:
        """Whenever there are other pods, be it many at once."""
        assert self._doors is not None
        while True:
            await self._others_came.wait()
            self._others_came.clear()
            try:
                await self._doors.cgroups.weigh(_living(self.workers.values()))
            except CgroupError as error:
                _log.warning("cannot weigh Burstable pods; tried again with the next news of a pod", error=error)


def _is_over(memory: PodMemory) -> bool:
    """Whether nothing of a pod counts any more."""
    rejected = memory.verdict is not None and memory.verdict.rejected
    return memory.gone or memory.cleaned or rejected


def _is(worker: PodWorker, namespace: str, name: str) -> bool:
    meta = worker.state.pod.metadata
    return meta.name == name and meta.namespace == namespace and not worker.state.memory.gone


def _living(workers: Iterable[PodWorker]) -> list[Pod]:
    return [w.state.pod for w in workers if not w.state.memory.gone and not is_terminal(w.state.pod)]


def _thought(worker: PodWorker) -> set[tuple[str, str]]:
    """What a worker thinks the runtime holds, in the words of `relist`."""
    seen = worker.state.seen.overlay(worker.state.exits)
    things = {(s.id, "ready" if s.ready else "gone") for s in seen.sandboxes}
    states = {s: s.value for s in ContainerState}
    return things | {(c.id, states[c.state]) for c in seen.containers}


def _orphan(ref: PodRef) -> Pod:
    """A pod of which only the runtime knows; its containers get the least grace."""
    return Pod(metadata=ObjectMeta(name=ref.name, namespace=ref.namespace, uid=ref.uid))
