"""Gives each new node its ranges of pod addresses.

What is taken stands on the nodes; only what was given a moment ago and is not in the cache yet is remembered here. One
worker, so that two nodes are never served from the same view. Whatever the answer to a write, its ranges stay taken and
the write is repeated with the same ones until the cache shows what the node has: even a conflict may only mean that an
earlier try whose answer was lost has worked.

A cluster that gets a second family gives a range of it to the nodes that it has. The API lets nobody add to `podCIDRs`
once they are set, so that range stands in an annotation, which the node's agent and the others read as well.
"""

from __future__ import annotations

import msgspec

from api import kinds
from client.errors import NotFound
from controlplane.controllers.controller import Context, subject
from controlplane.controllers.nodeipam.plan import Pool, plan_ranges, pools
from controlplane.controllers.seen import SeenNode
from controlplane.controllers.seen.node import ADDED_CIDRS

RETRY_WHEN_EXHAUSTED = 30.0


class NodeRanges:
    """The controller."""

    name = "nodeipam"
    workers = 1

    def __init__(self, context: Context) -> None:
        settings = context.settings
        self._client = context.client
        self._nodes = context.informers.nodes
        self._pools = pools(settings.pod_cidr, settings.node_cidr_size, settings.node_cidr_size_v6)
        self._given: dict[str, tuple[str, tuple[str, ...]]] = {}
        self.queue = context.queue()
        self.recorder = context.recorder("cidrAllocator")
        self._nodes.subscribe(self._node_changed)

    def _node_changed(self, key: str, old: SeenNode | None, new: SeenNode | None) -> None:
        missing = new is not None and self._missing(new)
        if not missing or (old is not None and new is not None and old.uid != new.uid):
            self._given.pop(key, None)
        if missing:
            self.queue.add(key)

    def _missing(self, node: SeenNode) -> tuple[Pool, ...]:
        """The pools that a node has no range of."""
        have = {6 if ":" in cidr else 4 for cidr in (*node.pod_cidrs, *node.added_cidrs)}
        return tuple(pool for pool in self._pools if pool.whole.version not in have)

    async def reconcile(self, key: str) -> float | None:
        """One look at one node."""
        node = self._nodes.store.get(key)
        missing = self._missing(node) if node is not None else ()
        if node is None or not missing or node.deleting:
            return None
        uid, ranges = self._given.get(key, ("", ()))
        if uid != node.uid:
            taken = [cidr for seen in self._nodes.store.values() for cidr in (*seen.pod_cidrs, *seen.added_cidrs)]
            taken += [cidr for _, given in self._given.values() for cidr in given]
            free = plan_ranges(missing, taken)
            if free is None:
                message = f"Node {node.name} status is now: CIDRNotAvailable"
                self.recorder.record(subject(kinds.NODE, node), "Normal", "CIDRNotAvailable", message)
                return RETRY_WHEN_EXHAUSTED
            ranges = free
        self._given[key] = (node.uid, ranges)
        await self._write(node, ranges)
        return None

    async def _write(self, node: SeenNode, ranges: tuple[str, ...]) -> None:
        meta: dict[str, object] = {"resourceVersion": str(node.version)}
        body: dict[str, object] = {"metadata": meta}
        if node.pod_cidrs:
            families = {":" in cidr for cidr in (*node.pod_cidrs, *node.added_cidrs)}
            added = (cidr for cidr in ranges if (":" in cidr) not in families)
            meta["annotations"] = {ADDED_CIDRS: ",".join((*node.added_cidrs, *added))}
        else:
            body["spec"] = {"podCIDR": ranges[0], "podCIDRs": list(ranges)}
        try:
            await self._client.patch_raw(kinds.NODE, node.name, msgspec.json.encode(body), type="merge")
        except NotFound:
            self._given.pop(node.name, None)
