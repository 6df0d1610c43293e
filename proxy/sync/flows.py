"""Deletes stale UDP flows after changes: in a thread, in batches, and never in the way of programming."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from kit import log
from kit.backoff import Backoff
from kit.clock import Clock
from linux.conntrack import Conntrack, ConntrackError
from proxy.model.addresses import IPV4, IPV6, UDP
from proxy.plan.desired import Desired
from proxy.plan.diff import Change
from proxy.plan.flows import Allowed, Frontend, allowed_after, stale_flows
from proxy.sync.metrics import FAMILY_NAMES, ProxyMetrics

_log = log.get("proxy.flows")


class FlowCleaner:
    """Collects what changed and looks through the flows once for all of it."""

    def __init__(self, door: Conntrack, clock: Clock, metrics: ProxyMetrics) -> None:
        self._door = door
        self._clock = clock
        self._metrics = metrics
        self._pending: dict[Frontend, frozenset[bytes]] = {}
        self._wake = asyncio.Event()

    def changed(self, changes: Sequence[Change | Desired]) -> None:
        """These service ports were programmed; a whole Desired stands for one nobody knew before."""
        allowed = allowed_after(one if isinstance(one, Change) else Change(None, one) for one in changes)
        if allowed:
            self._pending.update(allowed)
            self._wake.set()

    async def run(self) -> None:
        """Clean up after changes until cancelled."""
        retries = Backoff(base=0.2, cap=30.0, jitter=0.3).retries()
        while True:
            await self._wake.wait()
            self._wake.clear()
            pending, self._pending = self._pending, {}
            try:
                await self._clean(pending)
                retries.reset()
            except ConntrackError as error:
                self._pending = pending | self._pending
                after = retries.next()
                _log.warning("cannot delete stale flows", error=error, after=round(after, 2))
                self._clock.call_later(after, self._wake.set)

    async def _clean(self, allowed: Allowed) -> None:
        for family in (IPV4, IPV6):
            if not any(frontend[0] == family for frontend in allowed):
                continue
            began = self._clock.monotonic()
            deleted = await asyncio.to_thread(self._delete, family, allowed)
            self._metrics.flows_seconds.labels(FAMILY_NAMES[family]).observe(self._clock.monotonic() - began)
            self._metrics.flows_deleted.labels(FAMILY_NAMES[family]).inc(deleted)
            if deleted:
                _log.info("deleted stale UDP flows", family=FAMILY_NAMES[family], count=deleted)

    def _delete(self, family: int, allowed: Allowed) -> int:
        return self._door.delete(family, stale_flows(self._door.flows(family, UDP), family, allowed))
