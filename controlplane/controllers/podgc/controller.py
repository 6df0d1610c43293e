"""Looks over all pods now and then, and as soon as a node disappears."""

from __future__ import annotations

import msgspec

from api import kinds, times
from client.errors import Conflict, NotFound
from controlplane.controllers.controller import Context
from controlplane.controllers.podgc.plan import QUARANTINE, Removal, plan_removals
from controlplane.controllers.seen import SeenNode, SeenPod
from controlplane.recorder import Recorder

PERIOD = 20.0
ALL = "all"


class PodCollector:
    """The controller."""

    name = "podgc"
    workers = 1

    def __init__(self, context: Context) -> None:
        self._clock = context.clock
        self._client = context.client
        self._settings = context.settings
        self._pods = context.informers.pods
        self._nodes = context.informers.nodes
        self._missing: dict[str, float] = {}
        self.queue = context.queue()
        self.recorder: Recorder | None = None
        self._pods.subscribe(self._pod_changed)
        self._nodes.subscribe(self._node_changed)
        self.queue.add(ALL)

    def _pod_changed(self, _: str, old: SeenPod | None, new: SeenPod | None) -> None:
        if new is not None and new.deleting and not new.node:
            self.queue.add(ALL)

    def _node_changed(self, _: str, old: SeenNode | None, new: SeenNode | None) -> None:
        if new is None:
            self.queue.add(ALL)

    async def reconcile(self, _: str) -> float | None:
        """One look over everything."""
        now = self._clock.monotonic()
        gone = {name for name, since in self._missing.items() if now - since >= QUARANTINE}
        gone = {name for name in gone if await self._is_gone(name)}
        pods, nodes = self._pods.store.values(), self._nodes.store
        plan = plan_removals(pods, nodes, gone, self._settings.terminated_pods)
        self._missing = {name: self._missing.get(name, now) for name in plan.missing}
        for removal in plan.remove:
            await self._remove(removal)
        return PERIOD

    async def _is_gone(self, name: str) -> bool:
        """The server's own word, not the cache's."""
        try:
            await self._client.get_raw(kinds.NODE, name)
        except NotFound:
            return True
        return False

    async def _remove(self, removal: Removal) -> None:
        pod = removal.pod
        try:
            if removal.reason and not pod.finished:
                await self._fail(pod, removal.reason)
            await self._client.delete(kinds.POD, pod.name, pod.namespace, uid=pod.uid, grace=0)
        except (NotFound, Conflict):
            return

    async def _fail(self, pod: SeenPod, reason: str) -> None:
        """Leave a trace of why it ended for whoever watches it."""
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "DeletionByPodGC",
            "message": reason,
            "lastTransitionTime": times.format_time(self._clock.now()),
        }
        body = {"metadata": {"uid": pod.uid}, "status": {"phase": "Failed", "conditions": [condition]}}
        data = msgspec.json.encode(body)
        await self._client.patch_raw(kinds.POD, pod.name, data, pod.namespace, subresource="status")
