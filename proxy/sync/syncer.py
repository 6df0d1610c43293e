"""The loop: sees what changed, has it planned, has the backend act.

An event only marks its Service and wakes the loop; the loop takes all marked Services at once. So a change is programmed
as soon as the loop gets to run, and what arrives while it is busy makes the next batch: bursts coalesce by themselves,
with no delay to choose.

The ledger knows what is wanted, the backend what it has put into the kernel. Whenever the two may differ (a refusal,
damage by others, a full map) everything is replaced, which is one transaction and fast; failures are retried with
back-off. Others' damage is heard by the backend's watch, and looked for now and then.

Only this module's `run` catches everything: it is the loop's edge.
"""

from __future__ import annotations

import asyncio
import enum
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from kit import log
from kit.backoff import Backoff
from kit.clock import Alarm, Clock, Timer
from proxy.backends.interface import Backend, BackendError, RebuildNeeded, Suspicion, Watch
from proxy.model.addresses import IPV4, IPV6, show
from proxy.model.cluster import Cluster
from proxy.model.endpointslice import Slice
from proxy.model.facts import Facts
from proxy.model.node import Node
from proxy.model.service import Service
from proxy.plan.claims import Conflict
from proxy.plan.desired import Desired, Route
from proxy.plan.diff import Change
from proxy.plan.expected import Reading
from proxy.plan.ledger import Ledger
from proxy.sync.flows import FlowCleaner
from proxy.sync.health import Health
from proxy.sync.healthports import Complain
from proxy.sync.metrics import ProxyMetrics

POLL_SECONDS = 1.0
REPAIR_PAUSE = 1.0  # between repairs, if somebody keeps destroying our rules
BIG = 1000  # service ports in one batch: worth a thread and a moment without listening

_R = TypeVar("_R")
_log = log.get("proxy")


class Why(enum.Enum):
    """Why everything is replaced."""

    START = "start"
    DAMAGE = "damage"  # somebody else changed our rules
    FULL = "full"  # a change did not fit
    NODE = "node"  # the node has other addresses
    REFUSAL = "refusal"  # the kernel or a program said no


@dataclass
class _Pending:
    """What was seen and is not yet programmed."""

    services: set[str] = field(default_factory=set)
    since: float | None = None  # steady time of the first event
    service_events: int = 0
    slice_events: int = 0
    triggers: list[tuple[int, float]] = field(default_factory=list)  # family, wall time of the pod's change


class Syncer:
    """Keeps the kernel in step with the cluster."""

    def __init__(
        self, backend: Backend, facts: Facts, clock: Clock, metrics: ProxyMetrics, flows: FlowCleaner | None = None
    ) -> None:
        self.on_seen: Callable[[Collection[str]], object] = lambda _: (
            None
        )  # hears of Services that something happened to
        self.backend = backend
        self.cluster = Cluster()
        self.ledger = Ledger(facts)
        self.health = Health(clock, metrics)
        self.programmed = asyncio.Event()  # set when everything seen so far is in the kernel
        self.complain: Complain = lambda *_: None
        self._clock = clock
        self._metrics = metrics
        self._flows = flows
        self._pending = _Pending()
        self._wake = asyncio.Event()
        self._started = clock.now()
        self._watch: Watch | None = None
        self._redo: tuple[Why, str] | None = (Why.START, "start")  # why everything must be replaced
        self._busy = False
        self._gaps = Counter({(policy, family): 0 for policy in ("internal", "external") for family in (IPV4, IPV6)})
        self._look = False
        self._last_repair = -REPAIR_PAUSE
        self._retries = Backoff(base=0.05, cap=30.0, jitter=0.3).retries()
        self._conflicts: dict[str, list[Conflict]] = {}
        self._timer: Timer | None = None
        self._retry = Alarm(clock, self._wake.set)
        self._asked: list[asyncio.Future[Reading]] = []

    def on_service(self, key: str, old: Service | None, new: Service | None) -> None:
        """A Service was added, changed or removed."""
        if old is None and new is None:
            return
        if new is not None:
            for complaint in news(old, new):
                _log.warning("cannot use part of a Service", service=key, reason=complaint)
                self.complain(key, "UnusableAddress", complaint)
        self._metrics.service_changes.inc()
        self._pending.service_events += 1
        self._mark({self.cluster.set_service(key, new)})

    def on_slice(self, key: str, old: Slice | None, new: Slice | None) -> None:
        """An EndpointSlice was added, changed or removed."""
        if old is None and new is None:
            return
        if new is not None:
            for complaint in news(old, new):
                _log.warning("cannot use an endpoint", endpointslice=key, service=new.service, reason=complaint)
                self.complain(new.service, "UnusableEndpoint", f"EndpointSlice {key}: {complaint}")
            # A trigger from before our start says nothing about us, nor does one that we have seen.
            if new.triggered > self._started and (old is None or old.triggered != new.triggered):
                self._pending.triggers.append((new.family, new.triggered))
        self._metrics.endpoint_changes.inc()
        self._pending.slice_events += 1
        self._mark(self.cluster.set_slice(key, old, new))

    def on_node(self, node: Node | None) -> None:
        """This node was seen, or is gone."""
        self.health.eligible = node is None or node.eligible
        before = self.ledger.facts
        self.ledger.facts = facts = before.at(node) if node is not None else before
        if facts.zone != before.zone:
            self._mark(list(self.cluster.services))
        if facts.primary != before.primary:
            _log.info(
                "node ports are on the node's own addresses", addresses=[show(one) for one in facts.primary or ()]
            )
            self._replace_soon(Why.NODE, "the node has other addresses")

    def _mark(self, services: Collection[str]) -> None:
        pending = self._pending
        pending.services.update(services)
        if pending.since is None:
            pending.since = self._clock.monotonic()
            self._metrics.queued(self.backend.families(), self._clock.now())
            self.health.queued()
        self._metrics.service_pending.set(pending.service_events)
        self._metrics.endpoint_pending.set(pending.slice_events)
        self.programmed.clear()
        self._wake.set()

    def suspect(self, suspicion: Suspicion, reason: str) -> None:
        """Somebody may have damaged our rules."""
        if suspicion is Suspicion.DAMAGED:
            self._replace_soon(Why.DAMAGE, reason)
        elif suspicion is Suspicion.LOOK:
            self._look = True
            self._wake.set()

    def _replace_soon(self, why: Why, reason: str) -> None:
        self._redo = self._redo or (why, reason)
        self.programmed.clear()
        self.health.queued()
        self._wake.set()

    async def run(self, complete: Sequence[asyncio.Event] = ()) -> None:
        """Program everything once the caches are complete, then what changes, until cancelled."""
        for event in complete:
            await event.wait()
        self._watch = self.backend.watch()
        stop = self._listen()
        self._timer = self._clock.call_later(self.backend.check_seconds, self._check_due)
        self._wake.set()
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                try:
                    await self._step()
                except Exception as error:  # the loop's edge
                    self._failed(error)
                await self._answer()
        finally:
            stop()
            self._retry.cancel()
            if self._timer is not None:
                self._timer.cancel()
            if self._watch is not None:
                self._watch.close()

    async def reading(self) -> Reading:
        """What the kernel holds, read between two changes. Raises BackendError."""
        asked: asyncio.Future[Reading] = asyncio.get_running_loop().create_future()
        self._asked.append(asked)
        self._wake.set()
        return await asked

    async def _answer(self) -> None:
        asked, self._asked = self._asked, []
        if not asked:
            return
        try:
            reading = await self._in_thread(self.backend.read)
        except Exception as error:  # whoever asked is told
            for one in asked:
                if not one.done():
                    one.set_exception(BackendError(f"cannot read the rules: {error}"))
            return
        for one in asked:
            if not one.done():
                one.set_result(reading)

    def _listen(self) -> Callable[[], object]:
        """Wait on the watch, or ask it every second; answers how to stop."""
        watch = self._watch
        if watch is None:
            return lambda: None
        if watch.fileno() >= 0:
            loop, descriptor = asyncio.get_running_loop(), watch.fileno()
            loop.add_reader(descriptor, self._ask, watch)
            return lambda: loop.remove_reader(descriptor)
        poll = _Poll(self._clock, lambda: None if self._busy else self._ask(watch))
        return poll.stop

    def _ask(self, watch: Watch) -> None:
        try:
            self.suspect(watch.suspicion(), "somebody changed our rules")
        except Exception as error:  # a watch that fails is replaced by the check
            _log.exception("cannot listen for changes of rules", error=error)
            self.suspect(Suspicion.LOOK, "")

    def _check_due(self) -> None:
        self._timer = self._clock.call_later(self.backend.check_seconds, self._check_due)
        self.suspect(Suspicion.LOOK, "")

    async def _step(self) -> None:
        """One round: plan what is pending, act, account for it."""
        pending, self._pending = self._pending, _Pending()
        began = self._clock.monotonic()
        try:
            update = self.ledger.update(self.cluster, pending.services)
        except BaseException:
            self._pending.services |= pending.services  # seen but not understood: not forgotten
            raise
        self.on_seen(pending.services)
        self._report(pending.services, update.conflicts)
        self._count_gaps(update.changes)
        try:
            full = await self._act(update.changes)
        except BaseException:
            self._redo = self._redo or (Why.REFUSAL, "an earlier failure")
            self._pending.since = pending.since if self._pending.since is None else self._pending.since
            self._pending.triggers = pending.triggers + self._pending.triggers
            raise
        self._retries.reset()
        if full is not None:
            self._account(pending, began, full=full)
        if self._flows is not None:
            self._flows.changed(list(self.ledger.all()) if full else update.changes)
        if not self._pending.services and self._redo is None:
            self._metrics.service_pending.set(0)
            self._metrics.endpoint_pending.set(0)
            self.health.updated()
            self.programmed.set()

    async def _act(self, changes: Sequence[Change]) -> bool | None:
        """Bring the kernel up to date: True if everything was replaced, False if changed, None if nothing was to do."""
        if self._redo is None and self._look:
            self._look = False
            damage = await self._in_thread(self.backend.check)
            if damage:
                _log.warning("rules were damaged", what="; ".join(damage[:3]), count=len(damage))
                self._redo = (Why.DAMAGE, "the check found damage")
        if self._redo is None:
            if not changes:
                return None
            try:
                await self._apply(changes)
                return False
            except RebuildNeeded as error:
                self._redo = (Why.FULL, str(error))
            except BackendError as error:
                self._metrics.failed(self.backend.name, self.backend.families())
                self._redo = (Why.REFUSAL, str(error))
        await self._replace(*self._redo)
        return True

    async def _apply(self, changes: Sequence[Change]) -> None:
        if self.backend.quick and len(changes) < BIG:
            self.backend.apply(changes)
            return
        with self._quiet():
            await self._in_thread(lambda: self.backend.apply(changes))

    async def _replace(self, why: Why, reason: str) -> None:
        wait = self._last_repair + REPAIR_PAUSE - self._clock.monotonic()
        if why is Why.DAMAGE and wait > 0:
            await self._clock.sleep(wait)
        self._redo, self._look = None, False
        self._last_repair = self._clock.monotonic()
        desired = list(self.ledger.all())
        try:
            with self._quiet():
                await self._in_thread(lambda: self.backend.replace(desired, self.ledger.facts))
        except BaseException:
            self._redo = (why, reason)
            raise
        if why is not Why.START:
            self._metrics.repairs.labels(why.value).inc()
        took = round(self._clock.monotonic() - self._last_repair, 4)
        _log.info("programmed all rules", reason=reason, service_ports=len(desired), seconds=took)

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Around a big change of our own; then ask at once what others did meanwhile."""
        if self._watch is None:
            yield
            return
        with self._watch.quiet():
            yield
        self._ask(self._watch)

    async def _in_thread(self, work: Callable[[], _R]) -> _R:
        """Run something that takes its time, to its end even if we are cancelled: half a change is no state to leave."""
        self._busy = True
        task = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task})
            raise
        finally:
            self._busy = False

    def _failed(self, error: Exception) -> None:
        if isinstance(error, BackendError):
            self._metrics.failed(self.backend.name, self.backend.families())
            after = self._retries.next()
            _log.error("cannot program rules", error=error, after=round(after, 2))
        else:
            after = self._retries.next()
            _log.exception("cannot program rules", error=error, after=round(after, 2))
        self._redo = self._redo or (Why.REFUSAL, "an earlier failure")
        self._retry.set(after)

    def _report(self, services: Collection[str], conflicts: Sequence[Conflict]) -> None:
        for service in services:
            self._conflicts.pop(service, None)
        for conflict in conflicts:
            self._conflicts.setdefault(conflict.service, []).append(conflict)
            _log.warning(
                "two Services ask for the same frontend", service=conflict.service, owner=conflict.owner,
                frontend=conflict.frontend,
            )  # fmt: skip
            has = f"Service {conflict.owner}" if conflict.owner != conflict.service else "another port of this Service"
            self.complain(conflict.service, "FrontendTaken", f"cannot have {conflict.frontend}: {has} has it")
        self._metrics.conflicts.set(sum(len(found) for found in self._conflicts.values()))

    def _count_gaps(self, changes: Sequence[Change]) -> None:
        for change in changes:
            self._gaps.subtract(local_policy_gaps(change.old))
            self._gaps.update(local_policy_gaps(change.new))
        for (policy, family), count in self._gaps.items():
            self._metrics.no_local_endpoints(policy, family, count)

    def _account(self, pending: _Pending, began: float, *, full: bool) -> None:
        done, now = self._clock.monotonic(), self._clock.now()
        families = self.backend.families()
        self._metrics.synced(families, done - began, now, full=full)
        if pending.since is not None and not full:
            self._metrics.change.observe(done - pending.since)
        written = self.backend.written()
        for (table, family), count in self.backend.rule_counts().items():
            self._metrics.iptables_rules(table, family, count, written.get((table, family), 0))
        for family, triggered in pending.triggers:
            self._metrics.programmed(family, now - triggered)


class _Poll:
    """Calls again and again."""

    def __init__(self, clock: Clock, ask: Callable[[], None]) -> None:
        self._clock = clock
        self._ask = ask
        self._timer = clock.call_later(POLL_SECONDS, self._fire)

    def _fire(self) -> None:
        self._timer = self._clock.call_later(POLL_SECONDS, self._fire)
        self._ask()

    def stop(self) -> None:
        self._timer.cancel()


def news(old: Service | Slice | None, new: Service | Slice) -> list[str]:
    """What cannot be used of an object and was not yet said."""
    return [one for one in new.complaints if old is None or one not in old.complaints]


def local_policy_gaps(one: Desired | None) -> list[tuple[str, int]]:
    """The Local policies (and the family) for which a service port has no endpoint on this node."""
    if one is None or one.local or not one.every:
        return []
    found = ["internal"] if one.internal_local else []
    if any(frontend.route == Route.EXTERNAL_LOCAL for frontend in one.frontends):
        found.append("external")
    return [(policy, one.family) for policy in found]
