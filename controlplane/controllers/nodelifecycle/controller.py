"""Watches over the nodes' signs of life.

What is remembered per node is when (by our steady clock) its lease or Ready condition was last seen to change; a restart gives every node
a full grace again. A node is looked at when something about it changes and when its grace would be over.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from api import kinds, times
from client.errors import Conflict, NotFound
from controlplane.controllers.controller import Context, subject
from controlplane.controllers.nodelifecycle import plan
from controlplane.controllers.seen import SeenLease, SeenNode, SeenPod
from controlplane.controllers.seen.node import NodeCondition, Taint

NODE_LEASES = "kube-node-lease"


@dataclass(slots=True)
class _Pulse:
    at: float
    beat: str = ""


class NodeLifecycle:
    """The controller."""

    name = "nodelifecycle"
    workers = 2

    def __init__(self, context: Context) -> None:
        informers = context.informers
        self._clock = context.clock
        self._client = context.client
        self._settings = context.settings
        self._nodes = informers.nodes
        self._pods = informers.pods_by_node
        self._pulses: dict[str, _Pulse] = {}
        self._any_ready = True
        self.queue = context.queue()
        self.recorder = context.recorder("node-controller")
        informers.nodes.subscribe(self._node_changed)
        informers.leases.subscribe(self._lease_changed)
        informers.pods.subscribe(self._pod_changed)

    def _node_changed(self, key: str, old: SeenNode | None, new: SeenNode | None) -> None:
        if new is None:
            self._pulses.pop(key, None)
        else:
            ready = new.condition("Ready")
            before = old.condition("Ready") if old else None
            pulse = self._pulses.get(key)
            if pulse is None:
                self._pulses[key] = _Pulse(self._clock.monotonic())
            elif ready is not None and ready.status != "Unknown" and ready != before:
                pulse.at = self._clock.monotonic()
        self.queue.add(key)
        any_ready = any(plan.is_ready(node) for node in self._nodes.store.values())
        if any_ready != self._any_ready:
            self._any_ready = any_ready
            for name in self._nodes.store:
                self.queue.add(name)

    def _lease_changed(self, _: str, old: SeenLease | None, new: SeenLease | None) -> None:
        if new is None or new.namespace != NODE_LEASES:
            return
        pulse = self._pulses.setdefault(new.name, _Pulse(self._clock.monotonic()))
        if new.renewed != pulse.beat:
            pulse.at, pulse.beat = self._clock.monotonic(), new.renewed

    def _pod_changed(self, _: str, old: SeenPod | None, new: SeenPod | None) -> None:
        node = self._nodes.store.get(new.node) if new is not None and new.node else None
        if node is not None and any(taint.effect == "NoExecute" for taint in node.taints):
            self.queue.add(node.name)

    async def reconcile(self, key: str) -> float | None:
        """One look at one node."""
        node = self._nodes.store.get(key)
        if node is None:
            return None
        left = self._grace_left(node)
        if left <= 0:
            unknown = plan.plan_conditions(node, self._clock.now())
            if unknown:
                await self._write_conditions(node, unknown)
                return None  # the change itself brings us back
        taints = plan.plan_taints(node, self._clock.now(), evict=self._any_ready)
        if taints is not None:
            await self._write_taints(node, taints)
            return max(left, 0) or None
        if plan.is_lost(node):
            await self._mark_pods(node)
        evictions = plan.plan_evictions(node, self._pods.on(node.name), self._clock.now())
        for pod in evictions.now:
            await self._evict(pod)
        waits = [wait for wait in (left, evictions.wait) if wait is not None and wait > 0]
        return min(waits, default=None)

    def _grace_left(self, node: SeenNode) -> float:
        known = node.condition("Ready") is not None
        grace = self._settings.node_grace if known else self._settings.node_startup_grace
        now = self._clock.monotonic()
        return self._pulses.setdefault(node.name, _Pulse(now)).at + grace - now

    async def _write_conditions(self, node: SeenNode, conditions: tuple[NodeCondition, ...]) -> None:
        body = {
            "metadata": {"resourceVersion": str(node.version)},
            "status": {"conditions": [_condition(c) for c in conditions]},
        }
        await self._client.patch_raw(kinds.NODE, node.name, msgspec.json.encode(body), subresource="status")
        message = f"Node {node.name} status is now: NodeNotReady"
        self.recorder.record(subject(kinds.NODE, node), "Normal", "NodeNotReady", message)

    async def _write_taints(self, node: SeenNode, taints: tuple[Taint, ...]) -> None:
        body = {"metadata": {"resourceVersion": str(node.version)}, "spec": {"taints": [_taint(t) for t in taints]}}
        await self._client.patch_raw(kinds.NODE, node.name, msgspec.json.encode(body), type="merge")

    async def _mark_pods(self, node: SeenNode) -> None:
        """Nobody hears from these pods, so nobody should send them anything."""
        for pod in self._pods.on(node.name):
            if not pod.ready:
                continue
            now = times.format_time(self._clock.now())
            condition = {"type": "Ready", "status": "False", "lastTransitionTime": now}
            body = {"metadata": {"uid": pod.uid}, "status": {"conditions": [condition]}}
            try:
                data = msgspec.json.encode(body)
                await self._client.patch_raw(kinds.POD, pod.name, data, pod.namespace, subresource="status")
            except (NotFound, Conflict):
                continue
            self.recorder.record(subject(kinds.POD, pod), "Warning", "NodeNotReady", "Node is not ready")

    async def _evict(self, pod: SeenPod) -> None:
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "DeletionByTaintManager",
            "message": "Taint manager: deleting due to NoExecute taint",
            "lastTransitionTime": times.format_time(self._clock.now()),
        }
        body = {"metadata": {"uid": pod.uid}, "status": {"conditions": [condition]}}
        message = f"Marking for deletion Pod {pod.key}"
        self.recorder.record(subject(kinds.POD, pod), "Normal", "TaintManagerEviction", message)
        try:
            data = msgspec.json.encode(body)
            await self._client.patch_raw(kinds.POD, pod.name, data, pod.namespace, subresource="status")
            await self._client.delete(kinds.POD, pod.name, pod.namespace, uid=pod.uid)
        except (NotFound, Conflict):
            return


def _condition(c: NodeCondition) -> dict[str, str]:
    return {
        "type": c.type,
        "status": c.status,
        "reason": c.reason,
        "message": c.message,
        "lastHeartbeatTime": c.heartbeat,
        "lastTransitionTime": times.format_time(c.changed),
    }


def _taint(t: Taint) -> dict[str, str]:
    written = {"key": t.key, "effect": t.effect}
    if t.value:
        written["value"] = t.value
    if t.added:
        written["timeAdded"] = t.added
    return written
