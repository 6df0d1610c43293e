"""Empties namespaces that are being deleted.

Pods go first, so that nothing they use disappears under them; then everything else. What remains is reported in conditions, and the
disappearance of each remaining object brings us back. The last act is to take our finalizer off the namespace.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from api import kinds, times
from api.core_v1 import Namespace, NamespaceCondition
from api.kinds import Kind
from client.errors import ApiError, NotFound
from controlplane.controllers.controller import Context
from controlplane.controllers.namespace.plan import Condition, Rest, plan_conditions
from controlplane.controllers.seen import Seen, SeenNamespace, seen
from controlplane.recorder import Recorder

FINALIZER = "kubernetes"
AT_ONCE = 16
RECHECK = 5.0
CONTENT = tuple(kind for kind in kinds.ALL if kind.namespaced and kind is not kinds.POD)


class Namespaces:
    """The controller."""

    name = "namespace"
    workers = 2

    def __init__(self, context: Context) -> None:
        self._clock = context.clock
        self._client = context.client
        self._namespaces = context.informers.namespaces
        self.queue = context.queue()
        self.recorder: Recorder | None = None
        self._namespaces.subscribe(self._namespace_changed)
        for kind in kinds.ALL:
            if kind.namespaced:
                context.informers.of(kind).subscribe(self._content_changed)

    def _namespace_changed(self, key: str, _: SeenNamespace | None, new: SeenNamespace | None) -> None:
        if new is not None and new.deleting:
            self.queue.add(key)

    def _content_changed(self, _: str, old: Seen | None, new: Seen | None) -> None:
        if new is None and old is not None:
            namespace = self._namespaces.store.get(old.namespace)
            if namespace is not None and namespace.deleting:
                self.queue.add(namespace.name)

    async def reconcile(self, key: str) -> float | None:
        """One look at one namespace."""
        cached = self._namespaces.store.get(key)
        if cached is None or not cached.deleting:
            return None
        try:
            namespace = await self._client.get(kinds.NAMESPACE, key)
        except NotFound:
            return None
        if namespace.metadata.uid != cached.uid or not namespace.metadata.deletion_timestamp:
            return None
        if FINALIZER not in namespace.spec.finalizers:
            return None
        rest = await self._empty(key)
        if rest.empty:
            await self._let_go(namespace)
            return None
        await self._report(namespace, rest)
        return RECHECK

    async def _empty(self, namespace: str) -> Rest:
        """Tell everything to go; answers what is still there."""
        rest = await self._empty_kinds(namespace, (kinds.POD,))
        return rest if rest.objects else await self._empty_kinds(namespace, CONTENT)

    async def _empty_kinds(self, namespace: str, wanted: tuple[Kind[Any], ...]) -> Rest:
        objects: dict[str, int] = {}
        finalizers: Counter[str] = Counter()
        failures: list[str] = []
        for kind in wanted:
            listing = await self._client.list_raw(kind, namespace)
            if not listing.items:
                continue
            failures += await self._delete_all(kind, [seen(data) for data in listing.items])
            left = [seen(data) for data in (await self._client.list_raw(kind, namespace)).items]
            if left:
                objects[f"{kind.plural}.{kind.group}"] = len(left)
                finalizers.update(name for item in left for name in item.finalizers)
        return Rest(objects, finalizers, "; ".join(failures[:3]))

    async def _delete_all(self, kind: Kind[Any], items: list[Seen]) -> list[str]:
        going = [item for item in items if not item.deleting]
        failures: list[str] = []
        for start in range(0, len(going), AT_ONCE):
            batch = going[start : start + AT_ONCE]
            failures += [f for f in await asyncio.gather(*(self._delete(kind, item) for item in batch)) if f]
        return failures

    async def _delete(self, kind: Kind[Any], item: Seen) -> str:
        try:
            await self._client.delete(kind, item.name, item.namespace, uid=item.uid, propagation="Background")
        except NotFound:
            return ""
        except ApiError as error:
            return str(error)
        return ""

    async def _report(self, namespace: Namespace, rest: Rest) -> None:
        now = times.format_time(self._clock.now())
        there = {c.type: c for c in namespace.status.conditions}
        conditions = [_written(c, there.get(c.type), now) for c in plan_conditions(rest)]
        if conditions == namespace.status.conditions and namespace.status.phase == "Terminating":
            return
        namespace.status.conditions = conditions
        namespace.status.phase = "Terminating"
        await self._client.update(kinds.NAMESPACE, namespace, subresource="status")

    async def _let_go(self, namespace: Namespace) -> None:
        namespace.spec.finalizers = [name for name in namespace.spec.finalizers if name != FINALIZER]
        try:
            await self._client.update(kinds.NAMESPACE, namespace, subresource="finalize")
        except NotFound:
            return


def _written(condition: Condition, there: NamespaceCondition | None, now: str) -> NamespaceCondition:
    changed = there.last_transition_time if there is not None and there.status == condition.status else now
    return NamespaceCondition(
        type=condition.type,
        status=condition.status,
        last_transition_time=changed,
        reason=condition.reason,
        message=condition.message,
    )
