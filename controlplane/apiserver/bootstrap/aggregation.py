"""Keeps the rules of aggregated ClusterRoles the union of the roles they select, whenever a ClusterRole changes."""

from __future__ import annotations

import asyncio

from api import kinds
from api.selectors import SelectorError
from client.errors import ApiError
from controlplane.apiserver.bootstrap.ensure import Ensurer
from controlplane.apiserver.bootstrap.rbac import aggregated
from controlplane.apiserver.cache import Event, Kept
from kit import log
from kit.clock import Clock

PAUSE_SECONDS = 1.0  # after an error

_log = log.get("apiserver.aggregation")


class Aggregation:
    """The task. It looks again after its own writes, so roles that aggregate aggregated roles come right in the end."""

    def __init__(self, ensurer: Ensurer, clock: Clock) -> None:
        self._ensurer, self._clock = ensurer, clock
        self._changed = asyncio.Event()
        ensurer.cache.observe(self._observe)

    def _observe(self, kept: Kept, event: Event) -> None:
        if kept.kind is kinds.CLUSTER_ROLE:
            self._changed.set()

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self.settle()
            except (ApiError, SelectorError) as error:
                _log.warning("cannot aggregate cluster roles, will try again", error=error)
                await self._clock.sleep(PAUSE_SECONDS)
                self._changed.set()

    async def settle(self) -> None:
        """One look at all roles."""
        for role, rules in aggregated(self._ensurer.all(kinds.CLUSTER_ROLE)):
            role.rules = rules
            await self._ensurer.client.update(kinds.CLUSTER_ROLE, role)
