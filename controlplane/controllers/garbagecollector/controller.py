"""The collector: follows all kinds, decides on its graph, and believes only the server before it deletes.

A key is the uid of an object. An object is looked at when an owner of it is gone from the graph or begins to wait for its dependents, when
it names an owner that the graph does not know, and when it is itself held by one of our two finalizers. Before anything is deleted the
object and each absent owner are read from the server, and the deletion names uid and version that were read.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import msgspec

from api import kinds
from api.kinds import Kind
from api.meta_v1 import DeleteOptions, Preconditions
from client.errors import Conflict, NotFound
from controlplane.controllers.controller import Context, subject
from controlplane.controllers.garbagecollector.graph import ORPHAN, Graph, Node
from controlplane.controllers.garbagecollector.plan import (
    Abandon,
    Await,
    Delete,
    Policy,
    Release,
    State,
    Unlink,
    plan_deleting,
    plan_owned,
)
from controlplane.controllers.seen import Owner, Seen, seen

IGNORED = (kinds.EVENT,)
MOST_ABSENT = 500


class GarbageCollector:
    """The controller."""

    name = "garbagecollector"
    workers = 8

    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._graph = Graph()
        self._absent: OrderedDict[tuple[str, str], None] = OrderedDict()
        self.queue = context.queue()
        self.recorder = context.recorder("garbage-collector-controller")
        for kind in kinds.ALL:
            if kind not in IGNORED:
                self._follow(context, kind)

    def _follow(self, context: Context, kind: Kind[Any]) -> None:
        def changed(_: str, old: Seen | None, new: Seen | None) -> None:
            if old is not None and (new is None or new.uid != old.uid):
                self._gone(old)
            if new is not None:
                self._there(kind, new)
                for owner in set(old.owners if old else ()) - set(new.owners):
                    self._wake_if_held(owner.uid)

        context.informers.of(kind).subscribe(changed)

    def _gone(self, item: Seen) -> None:
        self._graph.drop(item.uid)
        for dependent in self._graph.dependents(item.uid):
            self.queue.add(dependent.item.uid)
        for owner in item.owners:
            self._wake_if_held(owner.uid)

    def _there(self, kind: Kind[Any], item: Seen) -> None:
        before = self._graph.get(item.uid)
        self._graph.put(kind, item)
        node = self._graph[item.uid]
        if node.waits or node.orphans:
            self.queue.add(item.uid)
            if before is None or not before.waits:
                for dependent in self._graph.dependents(item.uid):
                    self.queue.add(dependent.item.uid)
        for owner in item.owners:
            known = self._graph.get(owner.uid)
            if known is None or known.waits or not _may_own(known, owner, item):
                self.queue.add(item.uid)
            self._wake_if_held(owner.uid)

    def _wake_if_held(self, uid: str) -> None:
        node = self._graph.get(uid)
        if node is not None and (node.waits or node.orphans):
            self.queue.add(uid)

    async def reconcile(self, uid: str) -> float | None:
        """One look at one object."""
        node = self._graph.get(uid)
        if node is None:
            return None
        if node.item.deleting:
            await self._release(node)
        elif node.item.owners:
            await self._judge(node)
        return None

    async def _judge(self, node: Node) -> None:
        states = {owner.uid: await self._state(node, owner) for owner in node.item.owners}
        dependents = any(True for _ in self._graph.dependents(node.item.uid))
        if not isinstance(plan_owned(node.item, states, dependents), Delete | Unlink):
            return
        live = await self._read(node)
        if live is None:
            return
        states = {owner.uid: await self._state(Node(node.kind, live), owner) for owner in live.owners}
        match plan_owned(live, states, dependents):
            case Unlink(uids):
                await self._unlink(node.kind, live, uids)
            case Delete(policy):
                if any(dependent.waits for dependent in self._graph.dependents(live.uid)):
                    live = await self._unblock(node.kind, live) or live
                await self._delete(node.kind, live, policy)

    async def _release(self, node: Node) -> None:
        """Our finalizers on an object that is being deleted."""
        step = plan_deleting(node, self._graph.dependents(node.item.uid))
        match step:
            case Await(dependents):
                for dependent in dependents:
                    if not dependent.item.deleting:
                        self.queue.add(dependent.item.uid)
            case Release(finalizer):
                await self._drop_finalizer(node, finalizer)
            case Abandon(dependents):
                for dependent in dependents:
                    await self._unlink(dependent.kind, dependent.item, (node.item.uid,))
                await self._drop_finalizer(node, ORPHAN)

    async def _state(self, node: Node, owner: Owner) -> State:
        known = self._graph.get(owner.uid)
        if known is not None and _may_own(known, owner, node.item):
            return State.WAITING if known.waits else State.SOLID
        kind = kinds.by_name(owner.api_version, owner.kind)
        if kind is None:
            return State.SOLID  # of a kind that nobody here can look up: nothing may be deleted on its account
        if kind.namespaced and not node.item.namespace:
            message = f'ownerRef [{owner.api_version}/{owner.kind}, uid: {owner.uid}] does not exist in namespace ""'
            self.recorder.record(subject(node.kind, node.item), "Warning", "OwnerRefInvalidNamespace", message)
            return State.SOLID  # an object of the cluster cannot be owned by one of a namespace: a mistake, not garbage
        return await self._ask(kind, node.item.namespace if kind.namespaced else "", owner)

    async def _ask(self, kind: Kind[Any], namespace: str, owner: Owner) -> State:
        asked = (namespace, owner.uid)
        if asked in self._absent:
            self._absent.move_to_end(asked)
            return State.ABSENT
        try:
            there = seen(await self._client.get_raw(kind, owner.name, namespace))
        except NotFound:
            there = None
        if there is not None and there.uid == owner.uid:
            return State.WAITING if Node(kind, there).waits else State.SOLID
        self._absent[asked] = None  # a uid never comes back
        if len(self._absent) > MOST_ABSENT:
            self._absent.popitem(last=False)
        return State.ABSENT

    async def _read(self, node: Node) -> Seen | None:
        try:
            live = seen(await self._client.get_raw(node.kind, node.item.name, node.item.namespace))
        except NotFound:
            return None
        return live if live.uid == node.item.uid else None

    async def _unlink(self, kind: Kind[Any], item: Seen, uids: tuple[str, ...]) -> None:
        gone = [{"$patch": "delete", "uid": uid} for uid in uids]
        body = {"metadata": {"uid": item.uid, "ownerReferences": gone}}
        try:
            await self._client.patch_raw(kind, item.name, msgspec.json.encode(body), item.namespace)
        except NotFound:
            return

    async def _unblock(self, kind: Kind[Any], item: Seen) -> Seen | None:
        """It is part of a circle in which each waits for the next: it no longer holds up its owners."""
        blocking = [{"uid": owner.uid, "blockOwnerDeletion": False} for owner in item.owners if owner.blocks]
        if not blocking:
            return None
        body = msgspec.json.encode({"metadata": {"uid": item.uid, "ownerReferences": blocking}})
        return seen(await self._client.patch_raw(kind, item.name, body, item.namespace))

    async def _delete(self, kind: Kind[Any], item: Seen, policy: Policy) -> None:
        options = DeleteOptions(
            preconditions=Preconditions(uid=item.uid, resource_version=str(item.version)), propagation_policy=policy
        )
        path = kind.path(item.namespace, item.name)
        try:
            await self._client.transport.request("DELETE", path, {}, msgspec.json.encode(options))
        except NotFound:
            return

    async def _drop_finalizer(self, node: Node, finalizer: str) -> None:
        item = node.item
        left = [name for name in item.finalizers if name != finalizer]
        body = {"metadata": {"resourceVersion": str(item.version), "finalizers": left or None}}
        try:
            await self._client.patch_raw(node.kind, item.name, msgspec.json.encode(body), item.namespace, type="merge")
        except NotFound:
            return
        except Conflict:
            live = await self._read(node)
            if live is None:
                return
            raise


def _may_own(known: Node, owner: Owner, item: Seen) -> bool:
    """A reference holds only for what it names, in the dependent's namespace or in none."""
    same = (known.kind.name, known.item.name) == (owner.kind, owner.name)
    return same and known.item.namespace in ("", item.namespace)
