"""Events of the scheduler and the controllers: an allowance per object in front of the client's recorder.

A ReplicaSet that makes a thousand pods would say so a thousand times. As upstream does, an object is good for 25 events
at once, then for one in five minutes; the rest is not said. Nor is what comes while too many wait to be written.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

from api.core_v1 import ObjectReference
from client import Client
from client.events import QUEUED, EventRecorder
from kit import log
from kit.backoff import Backoff
from kit.clock import Clock

MOST_REMEMBERED = 4096
MOST_WAITING = QUEUED - 1
BURST = 25.0
REFILL_PER_SECOND = 1 / 300

EventType = Literal["Normal", "Warning"]


@dataclass(frozen=True, slots=True)
class Subject:
    """The object an event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(slots=True)
class _Allowance:
    left: float
    at: float


class Recorder:
    """Speaks for one component."""

    def __init__(self, client: Client, clock: Clock, component: str, rng: random.Random | None = None) -> None:
        self._clock = clock
        backoff = Backoff(base=0.2, cap=30.0, jitter=0.3, rng=rng or random.Random())
        self._events = EventRecorder(client, component, clock=clock, backoff=backoff)
        self._log = log.get("events", component=component)
        self._unsaid = 0
        self._allowances: OrderedDict[Subject, _Allowance] = OrderedDict()

    def record(self, subject: Subject, type_: EventType, reason: str, message: str) -> None:
        """Tell users that `reason` happened to `subject`."""
        if self._events.waiting >= MOST_WAITING:
            self._unsaid += 1
            return
        if self._unsaid:
            self._log.info("too many events at once", unsaid=self._unsaid)
            self._unsaid = 0
        if not self._allowed(subject):
            return
        about = ObjectReference(
            kind=subject.kind,
            namespace=subject.namespace or None,
            name=subject.name,
            uid=subject.uid,
            api_version=subject.api_version,
        )
        self._events.record(about, type_, reason, message)

    @property
    def waiting(self) -> int:
        """How many are still to be written."""
        return self._events.waiting

    async def run(self) -> None:
        """Write what was recorded, until cancelled."""
        await self._events.run()

    def _allowed(self, subject: Subject) -> bool:
        now = self._clock.monotonic()
        allowance = self._allowances.pop(subject, None) or _Allowance(BURST, now)
        allowance.left = min(BURST, allowance.left + (now - allowance.at) * REFILL_PER_SECOND)
        allowance.at = now
        self._allowances[subject] = allowance
        if len(self._allowances) > MOST_REMEMBERED:
            self._allowances.popitem(last=False)
        if allowance.left < 1:
            return False
        allowance.left -= 1
        return True
