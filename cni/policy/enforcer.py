"""The loop of NetworkPolicies: what has changed is written in one transaction, at once.

Before everything is known (after a start) what is in the kernel stays as it is, for the pods that are there; new ones wait:
their addresses have no verdict, and that means drop. Then both tables are replaced in one transaction. From there on only
differences are written; when one fails, or somebody has damaged the tables, all is written again. Twice a second one number
tells whether anybody has written rules; if so, the tables are counted through, less often where somebody writes all the time,
as the service proxy and the plugin do while pods start.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from cni import ranges
from cni.matches import SIZES
from cni.pods import PodInterface
from cni.policy.flows import Flows
from cni.policy.ledger import Ledger
from cni.policy.objects import DIRECTIONS, PodFacts, PolicyFacts
from cni.policy.render import SELF, TABLE, Table
from kit import log
from kit.backoff import Backoff
from kit.clock import Clock, Timer, deadline
from linux import conntrack
from linux.conntrack import Conntrack, ConntrackError
from linux.nft import Kernel, NftError
from linux.nft.counters import counters
from linux.sysctl import NotFound, ProcSysctl, SysctlError

CHECK_EVERY = 0.5
BETWEEN_CHECKS = 1.0  # seconds after the tables were found whole; what is flushed then is to be back within two
PATIENCE = 5.0  # how long a pod's start waits for its policies; without them it starts and is not heard
_log = log.get("policy")


class Enforcer:
    """See the module."""

    def __init__(
        self,
        node: str,
        bridge: str,
        clock: Clock,
        open_door: Callable[[], Kernel] = Kernel,
        open_flows: Callable[[], Conntrack] = conntrack.Kernel,
    ) -> None:
        self.ledger = Ledger(node)
        self.repairs: Counter[str] = Counter()
        self.settled = asyncio.Event()  # set while the kernel has all that is known
        self._clock = clock
        self._open_door = open_door
        self._flows = Flows(open_flows)
        self._tables = {family: Table(family, bridge) for family in SIZES}
        self._wake = asyncio.Event()
        self._news = asyncio.Event()
        self._retries = Backoff(base=0.1, cap=5.0, jitter=0.3).retries()
        self._timer: Timer | None = None
        self._door: Kernel | None = None
        self._generation = 0
        self._next_check = 0.0
        self._rewrite = True

    # --- what happens

    def on_pod(self, key: str, _old: PodFacts | None, new: PodFacts | None) -> None:
        """A Pod was added, changed or removed."""
        self.ledger.on_pod(key, new)
        self._changed()

    def on_namespace(self, name: str, _old: object, new: Mapping[str, str] | None) -> None:
        """A Namespace was added, changed or removed."""
        self.ledger.on_namespace(name, new)
        self._changed()

    def on_policy(self, key: str, old: PolicyFacts | None, new: PolicyFacts | None) -> None:
        """A NetworkPolicy was added, changed or removed."""
        if new is not None and (old is None or old.complaints != new.complaints):
            for complaint in new.complaints:
                _log.warning("cannot use part of a policy, which allows nothing", policy=key, reason=complaint)
        self.ledger.on_policy(key, new)
        self._changed()

    async def attach(self, interface: PodInterface, ips: Iterable[str]) -> None:
        """An interface of a pod has got addresses; returns when its policies hold, or after a while without them."""
        self.ledger.attach(interface, tuple(map(_address, ips)))
        self._changed()
        try:
            async with deadline(self._clock, PATIENCE):
                while not (self.settled.is_set() and (self.ledger.speaks_for(interface) or not self.ledger.policies)):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            _log.warning("a pod starts without its policies and is not heard until they are known", pod=interface.pod)

    async def detach(self, interface: PodInterface, ips: Iterable[str]) -> None:
        """An interface loses its addresses; returns when nothing speaks for it any more."""
        gone = self.ledger.detach(interface, tuple(map(_address, ips)))
        self._changed()
        if gone and self.ledger.policies:
            with suppress(TimeoutError):  # forgotten before its verdicts are gone, a flow could begin anew
                async with deadline(self._clock, PATIENCE):
                    await self.settled.wait()
            try:
                await self._flows.forget(gone)
            except ConntrackError as error:
                _log.warning("cannot forget the flows of an address", pod=interface.pod, error=error)

    def _changed(self) -> None:
        if self.ledger.dirty:
            self.settled.clear()
            self._wake.set()
        self._news.set()

    # --- what is done

    async def run(self, complete: Iterable[asyncio.Event] = ()) -> None:
        """Enforce until cancelled; `complete` are set when Pods, Namespaces and NetworkPolicies are known."""
        self._door = self._open_door()
        try:
            _look_for_bridge_rules()
            self._close_to_strangers(self._door)
            for event in complete:
                await event.wait()
            self._rewrite = True
            self._tick(self._door)
            while True:
                try:
                    self._step(self._door)
                except NftError as error:
                    self._rewrite = True
                    wait = self._retries.next()
                    _log.warning("cannot write policies", error=error, after=round(wait, 1))
                    await self._clock.sleep(wait)
                    continue
                await self._wake.wait()
                self._wake.clear()
        finally:
            if self._timer is not None:
                self._timer.cancel()
            self._door.close()
            self._door = None

    def packets(self) -> dict[str, int]:
        """What the counters say, of both families together: "allowed/namespace/name", "refused/...", "unknown"."""
        found: Counter[str] = Counter()
        if self._door is not None:
            for family in SIZES:
                found.update(counters(self._door, family, TABLE))
        return dict(found)

    def _close_to_strangers(self, door: Kernel) -> None:
        """Until all is known only pods that were there before are heard."""
        for family, table in self._tables.items():
            seen = door.table(family, TABLE)
            known = seen is not None and {SELF, *DIRECTIONS} <= seen.sets.keys()
            try:
                door.commit([*([] if known else table.replace(Ledger(""))), *table.guard(True)])
            except NftError:  # a table of another version of ours
                door.commit([*table.replace(Ledger("")), *table.guard(True)])

    def _step(self, door: Kernel) -> None:
        dirty = self.ledger.take()
        rewrite, self._rewrite = self._rewrite, False
        messages = []
        for table in self._tables.values():
            messages += table.replace(self.ledger) if rewrite else table.change(self.ledger, dirty)
        if messages:
            before = door.generation()
            door.commit(messages)
            after = door.generation()
            if after == before + 1 and (rewrite or before == self._generation):
                self._generation = after  # nobody else has written meanwhile
        self._retries.reset()
        self.settled.set()
        self._news.set()

    def _tick(self, door: Kernel) -> None:
        self._timer = self._clock.call_later(CHECK_EVERY, lambda: self._tick(door))
        try:
            if self._clock.monotonic() < self._next_check:
                return
            now = door.generation()
            if now == self._generation or self._rewrite or self.ledger.dirty:
                return
            damaged = [family for family, table in self._tables.items() if not table.is_whole(door)]
            self._generation = now
            self._next_check = 0.0 if damaged else self._clock.monotonic() + BETWEEN_CHECKS
        except NftError as error:
            _log.warning("cannot look at the policies' tables", error=error)
            return
        if damaged:
            self.repairs["policies"] += 1
            _log.warning("put back what somebody took away", what="policies", table=TABLE)
            self._rewrite = True
            self.settled.clear()
            self._wake.set()


def _address(text: str) -> bytes:
    return ranges.parse(text.partition("/")[0])


def _look_for_bridge_rules() -> None:
    """Packets between two pods of a node stay on the bridge; only with this module do they pass any rules."""
    try:
        ProcSysctl().read("net.bridge.bridge-nf-call-iptables")
    except NotFound:
        _log.error(
            "policies between pods of this node do not hold",
            reason="packets on a bridge pass no rules",
            remedy="modprobe br_netfilter",
        )
    except SysctlError as error:
        _log.warning("cannot see whether packets on a bridge pass rules", error=error)
