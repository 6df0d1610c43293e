"""The scheduler's shell: events in, bindings out.

One task takes pods from the queue, plans, and assumes the result at once; the binding itself is a request on its own, so that the next pod
is planned while the answer is on its way. Every way a binding can end leads back to a sound state: refused because the pod is gone or
bound, the cache will tell; refused otherwise, the assumption is taken back and the pod is tried again; no answer, the server is asked.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine

from api import kinds
from client import Client, Informer
from client.errors import ApiError, Conflict, NotFound, Unavailable
from controlplane.recorder import EventType, Recorder, Subject
from controlplane.scheduler import extract
from controlplane.scheduler.binding import bind, look, say_unschedulable
from controlplane.scheduler.cache import Cluster
from controlplane.scheduler.model import Node, Pod
from controlplane.scheduler.plan import Placement, plan_placement
from controlplane.scheduler.queue import PodQueue
from kit import log
from kit.backoff import Backoff
from kit.clock import Clock, Timer

NAME = "default-scheduler"
MOST_IN_FLIGHT = 32
_log = log.get("scheduler")


class Scheduler:
    """Everything between the caches and the API server."""

    def __init__(self, client: Client, clock: Clock, rng: random.Random) -> None:
        self._client = client
        self._clock = clock
        self._cluster = Cluster()
        self._queue = PodQueue()
        self._wake = asyncio.Event()
        self._timer: Timer | None = None
        self._in_flight: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(MOST_IN_FLIGHT)
        self._start = 0
        self.recorder = Recorder(client, clock, NAME, rng)
        backoff = Backoff(base=0.1, cap=10.0, jitter=0.3, rng=rng)
        self.pods: Informer[Pod] = Informer(client, kinds.POD, extract.pod, clock=clock, backoff=backoff)
        self.nodes: Informer[Node] = Informer(client, kinds.NODE, extract.node, clock=clock, backoff=backoff)
        self.pods.subscribe(self._pod_changed)
        self.nodes.subscribe(self._node_changed)

    def _pod_changed(self, key: str, old: Pod | None, new: Pod | None) -> None:
        replaced = old is not None and new is not None and old.uid != new.uid
        if new is None or replaced:
            self._cluster.remove_pod(key)
            self._queue.remove(key)
        if new is not None:
            self._cluster.see_pod(new)
            if self._ours(new) and not self._cluster.assumed(key, new.uid):
                if old is None or replaced or _wants_other(old, new):
                    self._queue.add(new)
            elif new.node or new.finished or new.deleting:
                self._queue.remove(key)
        if old is not None and old.node and (new is None or new.finished or replaced):
            self._queue.move()  # there is room again
        self._wake.set()

    def _node_changed(self, key: str, old: Node | None, new: Node | None) -> None:
        if new is None:
            self._cluster.drop_node(key)
        elif new != old:
            self._cluster.set_node(new)
            if old is None or _may_help(old, new):
                self._queue.move()
        self._wake.set()

    def _ours(self, pod: Pod) -> bool:
        return pod.scheduler == NAME and not (pod.node or pod.finished or pod.deleting or pod.gated)

    async def run(self) -> None:
        """Place pods until cancelled. Nothing is placed before both caches are complete."""
        await self.nodes.synced.wait()
        await self.pods.synced.wait()
        try:
            while True:
                self._wake.clear()
                key = self._queue.pop(self._clock.monotonic())
                if key is None:
                    self._sleep_until_next()
                    await self._wake.wait()
                else:
                    await self._room.acquire()
                    self._place(key)
                    await self._clock.sleep(0)  # let events in
        finally:
            for task in self._in_flight:
                task.cancel()

    def _sleep_until_next(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._queue.next_wake()
        if due is not None:
            self._timer = self._clock.call_later(max(0.001, due - self._clock.monotonic()), self._wake.set)

    def _place(self, key: str) -> None:
        pod = self.pods.store.get(key)
        if pod is None or not self._ours(pod) or self._cluster.assumed(key, pod.uid):
            self._room.release()
            return
        nodes = self._cluster.nodes
        moves = self._queue.moves
        found = plan_placement(pod, nodes, self._start)
        if isinstance(found, Placement):
            self._start = (self._start + found.looked_at) % len(nodes)
            self._cluster.assume(pod, found.node)
            self._spawn(self._bind(pod, found.node))
            return
        self._queue.fail(key, self._clock.monotonic(), moves)
        self._spawn(self._refuse(pod, found.message))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._in_flight.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self._room.release()
        if not task.cancelled() and task.exception() is not None:
            _log.exception("cannot place pod", error=task.exception())

    async def _bind(self, pod: Pod, node: str) -> None:
        try:
            await bind(self._client, pod, node)
        except asyncio.CancelledError:
            self._take_back(pod)
            raise
        except (NotFound, Conflict) as error:
            _log.info("pod is gone or bound", pod=pod.key, error=error)
            self._take_back(pod)
        except Unavailable as error:
            _log.info("binding unanswered", pod=pod.key, error=error)
            await self._clear_up(pod)
        except ApiError as error:
            self._tell(pod, "Warning", "FailedScheduling", f"Binding rejected: {error}")
            self._take_back(pod)
        else:
            self._queue.remove(pod.key)
            self._tell(pod, "Normal", "Scheduled", f"Successfully assigned {pod.key} to {node}")

    def _take_back(self, pod: Pod) -> None:
        """The assumption did not come true. If the pod still wants a node, it is tried again after its back-off."""
        self._cluster.forget(pod.key, pod.uid)
        current = self.pods.store.get(pod.key)
        if current is not None and self._ours(current):
            self._queue.fail(pod.key, self._clock.monotonic(), self._queue.moves, retry=True)
        self._queue.move()
        self._wake.set()

    async def _clear_up(self, pod: Pod) -> None:
        """The binding may have happened. Until the server says so or not, the room stays taken."""
        delay = 0.1
        while self._cluster.assumed(pod.key, pod.uid):
            try:
                live = await look(self._client, pod)
            except NotFound:
                self._take_back(pod)
                return
            except ApiError:
                await self._clock.sleep(delay)
                delay = min(delay * 2, 5.0)
                continue
            if live.uid != pod.uid or not live.node:
                self._take_back(pod)
            return  # bound: the cache will show it

    async def _refuse(self, pod: Pod, message: str) -> None:
        self._tell(pod, "Warning", "FailedScheduling", message)
        if pod.said == ("Unschedulable", message):
            return
        try:
            await say_unschedulable(self._client, pod, message, self._clock.now())
        except ApiError as error:
            _log.info("cannot say why a pod waits", pod=pod.key, error=error)

    def _tell(self, pod: Pod, kind: EventType, reason: str, message: str) -> None:
        self.recorder.record(Subject("v1", "Pod", pod.namespace, pod.name, pod.uid), kind, reason, message)


def _wants_other(old: Pod, new: Pod) -> bool:
    """Whether a pod that waits changed in a way that may let it be placed."""
    return (old.gated, old.requests, old.tolerations, old.selector, old.required, old.node) != (
        new.gated,
        new.requests,
        new.tolerations,
        new.selector,
        new.required,
        new.node,
    )


def _may_help(old: Node, new: Node) -> bool:
    """Whether a node changed in a way that may let pods onto it; images alone do not."""
    return (old.allocatable, old.taints, old.labels, old.unschedulable) != (
        new.allocatable,
        new.taints,
        new.labels,
        new.unschedulable,
    )
