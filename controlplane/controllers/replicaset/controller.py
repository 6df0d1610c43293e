"""Keeps every ReplicaSet at its number of pods.

Pods are counted in the shared cache, so no pass acts before the cache shows what the last one did (see freshness). Creation starts slowly
(1, 2, 4, ... at once) so that a template the server refuses costs one request, not hundreds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from api import kinds
from client.errors import ApiError, Conflict, NotFound, Unavailable
from controlplane.controllers.controller import Context, namespace_ends, subject
from controlplane.controllers.freshness import SOON, Freshness
from controlplane.controllers.index import NOBODY
from controlplane.controllers.names import child_name
from controlplane.controllers.replicaset import bodies, plan
from controlplane.controllers.seen import SeenPod, SeenReplicaSet, seen
from controlplane.recorder import EventType

T = TypeVar("T")
LARGEST_BATCH = 64


class ReplicaSets:
    """The controller."""

    name = "replicaset"
    workers = 5

    def __init__(self, context: Context) -> None:
        self._context = context
        self._client = context.client
        self._sets = context.informers.replica_sets
        self._pods = context.informers.pods_by_owner
        self._siblings = context.informers.replica_sets_by_owner
        self._seen_pods = Freshness(context.informers.pods)
        self._seen_sets = Freshness(context.informers.replica_sets)
        self.queue = context.queue()
        self.recorder = context.recorder("replicaset-controller")
        self._sets.subscribe(self._set_changed)
        context.informers.pods.subscribe(self._pod_changed)

    def _set_changed(self, key: str, old: SeenReplicaSet | None, new: SeenReplicaSet | None) -> None:
        if old is not None and (new is None or new.uid != old.uid):
            self._seen_pods.forget(old.uid)
            self._seen_sets.forget(old.uid)
        self.queue.add(key)

    def _pod_changed(self, _: str, old: SeenPod | None, new: SeenPod | None) -> None:
        for pod in (old, new):
            controller = pod.controller if pod else None
            if pod and controller and controller.kind == "ReplicaSet":
                self.queue.add(f"{pod.namespace}/{controller.name}")
        if new is not None and new.controller is None:
            for rs in self._siblings.inside(new.namespace):
                if rs.selector.matches(new.labels):
                    self.queue.add(rs.key)

    async def reconcile(self, key: str) -> float | None:
        """One look at one ReplicaSet."""
        rs = self._sets.store.get(key)
        if rs is None:
            return None
        await self._seen_pods.resolve(self._client, rs.uid)
        if self._seen_pods.behind(rs.uid) or self._seen_sets.behind(rs.uid):
            return SOON
        mine = self._pods.owned(rs.namespace, rs.uid)
        claims = plan.plan_claims(rs, [*mine, *self._pods.owned(rs.namespace, NOBODY)])
        if claims.adopt or claims.release:
            await self._claim(rs, claims)
            return SOON
        failure = None if rs.deleting else await self._act(rs, claims.owned)
        # What was just deleted no longer counts: a status says how things stand after the orders it acknowledges.
        left = [pod for pod in claims.owned if not self._seen_pods.is_deleted(rs.uid, pod)]
        wait = await self._report(rs, left, failure)
        if failure is not None:
            raise failure[1]
        return wait

    async def _claim(self, rs: SeenReplicaSet, claims: plan.Claims) -> None:
        if claims.adopt:
            live = seen(await self._client.get_raw(kinds.REPLICA_SET, rs.name, rs.namespace))
            if live.uid != rs.uid or live.deleting:
                return
        for pod in claims.adopt:
            await self._patch(rs, pod, bodies.adoption("apps/v1", "ReplicaSet", rs, pod))
        for pod in claims.release:
            await self._patch(rs, pod, bodies.release(rs, pod))

    async def _patch(self, rs: SeenReplicaSet, pod: SeenPod, patch: bytes) -> None:
        try:
            self._seen_pods.wrote(rs.uid, await self._client.patch_raw(kinds.POD, pod.name, patch, pod.namespace))
        except NotFound:
            self._seen_pods.deleted(rs.uid, pod)
        except Unavailable:
            self._seen_pods.unsure(rs.uid, pod.namespace, pod.name)
            raise

    async def _act(self, rs: SeenReplicaSet, owned: Sequence[SeenPod]) -> tuple[str, ApiError] | None:
        """Create or delete; answers reason and error of what failed."""
        steps = plan.plan_steps(rs, owned, self._context.clock.now(), self._related(rs))
        if steps.create:
            return await self._create(rs, steps.create)
        if steps.delete:
            return await _in_batches(steps.delete, LARGEST_BATCH, lambda pod: self._delete(rs, pod))
        return None

    def _related(self, rs: SeenReplicaSet) -> list[SeenPod]:
        owner = rs.controller
        if owner is None:
            return []
        sets = self._siblings.owned(rs.namespace, owner.uid)
        return [pod for one in sets if one.uid != rs.uid for pod in self._pods.owned(one.namespace, one.uid)]

    async def _create(self, rs: SeenReplicaSet, count: int) -> tuple[str, ApiError] | None:
        names = [child_name(rs.name, self._context.rng) for _ in range(count)]
        return await _in_batches(names, 1, lambda name: self._create_one(rs, name))

    async def _create_one(self, rs: SeenReplicaSet, name: str) -> tuple[str, ApiError] | None:
        try:
            answer = await self._client.create_raw(kinds.POD, bodies.pod_body(rs, name), rs.namespace)
        except ApiError as error:
            if isinstance(error, Unavailable):
                self._seen_pods.unsure(rs.uid, rs.namespace, name)
            if namespace_ends(error):
                return None
            self._tell(rs, "Warning", "FailedCreate", f"Error creating: {error}")
            return "FailedCreate", error
        self._seen_pods.wrote(rs.uid, answer)
        self._tell(rs, "Normal", "SuccessfulCreate", f"Created pod: {name}")
        return None

    async def _delete(self, rs: SeenReplicaSet, pod: SeenPod) -> tuple[str, ApiError] | None:
        try:
            await self._client.delete(kinds.POD, pod.name, pod.namespace, uid=pod.uid)
        except (NotFound, Conflict):  # gone, or another pod by now: the cache will tell
            self._seen_pods.deleted(rs.uid, pod)
            return None
        except ApiError as error:
            if isinstance(error, Unavailable):
                self._seen_pods.unsure(rs.uid, pod.namespace, pod.name, pod.uid)
            self._tell(rs, "Warning", "FailedDelete", f"Error deleting: {error}")
            return "FailedDelete", error
        self._seen_pods.deleted(rs.uid, pod)
        self._tell(rs, "Normal", "SuccessfulDelete", f"Deleted pod: {pod.name}")
        return None

    async def _report(
        self, rs: SeenReplicaSet, owned: Sequence[SeenPod], failure: tuple[str, ApiError] | None
    ) -> float | None:
        said = (failure[0], str(failure[1])) if failure else None
        status, wait = plan.plan_status(rs, owned, self._context.clock.now(), said)
        if not plan.same_status(status, rs.status):
            patch = bodies.status_patch(rs, status)
            try:
                answer = await self._client.patch_raw(
                    kinds.REPLICA_SET, rs.name, patch, rs.namespace, type="merge", subresource="status"
                )
            except NotFound:
                return None  # deleted meanwhile
            self._seen_sets.wrote(rs.uid, answer)
        return wait

    def _tell(self, rs: SeenReplicaSet, kind: EventType, reason: str, message: str) -> None:
        self.recorder.record(subject(kinds.REPLICA_SET, rs), kind, reason, message)


async def _in_batches(
    items: Sequence[T], first: int, act: Callable[[T], Awaitable[tuple[str, ApiError] | None]]
) -> tuple[str, ApiError] | None:
    """Act on all, `first` at once, then twice as many each time; stop after a batch in which something failed."""
    done, size = 0, first
    while done < len(items):
        batch = items[done : done + size]
        failures = [failure for failure in await asyncio.gather(*map(act, batch)) if failure]
        if failures:
            return failures[0]
        done += len(batch)
        size = min(size * 2, LARGEST_BATCH)
    return None
