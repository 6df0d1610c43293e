"""Deletes stale flows after changes: in a thread, in batches, and never in the way of programming.

The kernel walks through all that it tracks each time it is asked, 0.2 s for a million flows; what it is not asked for costs no
more than that. So it is asked only when an endpoint that was sent to has gone, for the changed frontends alone if they are
few, and then left in peace for a while, so that a burst of changes takes a quarter of one processor at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from kit import log
from kit.backoff import Backoff
from kit.clock import Alarm, Clock
from linux.conntrack import ANY, Conntrack, ConntrackError, Ends
from proxy.model.addresses import IPV4, IPV6, UDP
from proxy.plan.desired import Desired
from proxy.plan.diff import Change
from proxy.plan.flows import Allowed, Frontend, allowed_after, stale_flows
from proxy.sync.metrics import FAMILY_NAMES, ProxyMetrics

FEW = 4  # frontends that are asked for one by one
REST, MOST_REST = 3, 0.5  # times as long as it took; seconds

_log = log.get("proxy.flows")


class FlowCleaner:
    """Collects what changed and looks through the flows once for all of it."""

    def __init__(self, door: Conntrack, clock: Clock, metrics: ProxyMetrics, protocols: Sequence[int] = (UDP,)) -> None:
        self._protocols = protocols
        self._door = door
        self._clock = clock
        self._metrics = metrics
        self._pending: dict[Frontend, frozenset[bytes]] = {}
        self._wake = asyncio.Event()

    def changed(self, changes: Sequence[Change | Desired]) -> None:
        """These service ports were programmed; a whole Desired stands for one nobody knew before."""
        news = (one if isinstance(one, Change) else Change(None, one) for one in changes)
        allowed = allowed_after(news, self._protocols)
        if allowed:
            self._pending.update(allowed)
            self._wake.set()

    async def run(self) -> None:
        """Clean up after changes until cancelled."""
        retries = Backoff(base=0.2, cap=30.0, jitter=0.3).retries()
        retry = Alarm(self._clock, self._wake.set)
        while True:
            await self._wake.wait()
            self._wake.clear()
            pending, self._pending = self._pending, {}
            began = self._clock.monotonic()
            try:
                await self._clean(pending)
                retries.reset()
                took = self._clock.monotonic() - began
                if took > 0:
                    await self._clock.sleep(min(took * REST, MOST_REST))
            except ConntrackError as error:
                self._pending = pending | self._pending
                after = retries.next()
                _log.warning("cannot delete stale flows", error=error, after=round(after, 2))
                retry.set(after)

    async def _clean(self, allowed: Allowed) -> None:
        for family in (IPV4, IPV6):
            if not any(frontend[0] == family for frontend in allowed):
                continue
            began = self._clock.monotonic()
            deleted = await asyncio.to_thread(self._delete, family, allowed)
            self._metrics.flows_seconds.labels(FAMILY_NAMES[family]).observe(self._clock.monotonic() - began)
            self._metrics.flows_deleted.labels(FAMILY_NAMES[family]).inc(deleted)
            if deleted:
                _log.info("deleted stale flows", family=FAMILY_NAMES[family], count=deleted)

    def _delete(self, family: int, allowed: Allowed) -> int:
        """Read and delete at once: however many there are, none is kept."""
        changed = [frontend for frontend in allowed if frontend[0] == family]
        if len(changed) <= FEW:
            asked = [
                (protocol, Ends(destination=address, destination_port=port)) for _, protocol, address, port in changed
            ]
        else:
            asked = [(protocol, ANY) for protocol in sorted({frontend[1] for frontend in changed})]
        found = (stale_flows(self._door.flows(family, protocol, ends), family, allowed) for protocol, ends in asked)
        return sum(self._door.delete(family, stale) for stale in found)
