"""Keeps the condition of ServiceCIDRs, and holds those that are deleted until their last address is given back."""

from __future__ import annotations

from typing import Any

import msgspec

from api import kinds, times
from client.errors import NotFound
from controlplane.controllers.controller import Context
from controlplane.controllers.seen import Seen
from controlplane.controllers.seen.ranges import SeenRange
from controlplane.controllers.servicecidrs.plan import FINALIZER, Condition, Hold, Release, Wait, plan, touches
from controlplane.recorder import Recorder

MANAGED_BY, MANAGER = "ipaddress.kubernetes.io/managed-by", "ipallocator.k8s.io"


class ServiceRanges:
    """The controller. Its keys are ServiceCIDRs."""

    name = "servicecidrs"
    workers = 1

    def __init__(self, context: Context) -> None:
        self._client, self._clock = context.client, context.clock
        self._ranges = context.informers.service_ranges
        self._addresses = context.informers.of(kinds.IP_ADDRESS)
        self.queue = context.queue()
        self.recorder: Recorder | None = None
        self._ranges.subscribe(self._range_changed)
        self._addresses.subscribe(self._address_changed)

    def _range_changed(self, key: str, old: SeenRange | None, new: SeenRange | None) -> None:
        self.queue.add(key)
        if old is None or new is None:  # others may go now, or may not
            for other in self._ranges.store.values():
                if other.deleting:
                    self.queue.add(other.name)

    def _address_changed(self, key: str, old: Seen | None, new: Seen | None) -> None:
        for range_ in self._ranges.store.values():
            if range_.deleting and touches(range_, key):
                self.queue.add(range_.name)

    async def reconcile(self, key: str) -> float | None:
        """One look at one range."""
        range_ = self._ranges.store.get(key)
        if range_ is None:
            return None
        ours = (one.name for one in self._addresses.store.values() if one.labels.get(MANAGED_BY) == MANAGER)
        again = None
        for action in plan(range_, self._ranges.store.values(), ours, self._clock.now()):
            if isinstance(action, Wait):
                again = action.seconds
            elif isinstance(action, Condition):
                await self._say(key, action)
            elif isinstance(action, Hold | Release):
                await self._hold(key, isinstance(action, Hold))
        return again

    async def _hold(self, name: str, hold: bool) -> None:
        field = "finalizers" if hold else "$deleteFromPrimitiveList/finalizers"
        await self._patch(name, {"metadata": {field: [FINALIZER]}})

    async def _say(self, name: str, action: Condition) -> None:
        status, reason, message = action.ready
        condition = {"type": "Ready", "status": status, "reason": reason, "message": message}
        condition["lastTransitionTime"] = times.format_time(self._clock.now())
        await self._patch(name, {"status": {"conditions": [condition]}}, "status")

    async def _patch(self, name: str, body: dict[str, Any], subresource: str = "") -> None:
        try:
            await self._client.patch_raw(kinds.SERVICE_CIDR, name, msgspec.json.encode(body), subresource=subresource)
        except NotFound:
            return
