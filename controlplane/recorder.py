"""Events: what a component tells users about an object.

Fire and forget: `record` only notes, one task writes, and nothing waits for it. The same event again raises a count on the first one. A
component that goes on and on about one object is cut off (25 at once, then one in five minutes), and when the server is away the oldest
notes are dropped: events inform, nothing may depend on them.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import Literal

from api import kinds, times
from api.core_v1 import Event, EventSource, ObjectReference
from api.meta_v1 import ObjectMeta
from client import Client
from client.errors import ApiError, NotFound
from kit import log
from kit.clock import Clock

MOST_WAITING = 1000
MOST_REMEMBERED = 4096
BURST = 25.0
REFILL_PER_SECOND = 1 / 300

EventType = Literal["Normal", "Warning"]
_log = log.get("events")


@dataclass(frozen=True, slots=True)
class Subject:
    """The object an event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class _Note:
    subject: Subject
    type: EventType
    reason: str
    message: str


@dataclass(slots=True)
class _Written:
    name: str
    count: int


@dataclass(slots=True)
class _Allowance:
    left: float
    at: float


class Recorder:
    """Writes events of one component."""

    def __init__(self, client: Client, clock: Clock, component: str) -> None:
        self._client = client
        self._clock = clock
        self._component = component
        self._waiting: deque[tuple[_Note, float]] = deque(maxlen=MOST_WAITING)
        self._more = asyncio.Event()
        self._written: OrderedDict[_Note, _Written] = OrderedDict()
        self._allowances: OrderedDict[Subject, _Allowance] = OrderedDict()
        self._serial = 0

    def record(self, subject: Subject, type_: EventType, reason: str, message: str) -> None:
        """Tell users that `reason` happened to `subject`."""
        if self._allowed(subject):
            self._waiting.append((_Note(subject, type_, reason, message[:1024]), self._clock.now()))
            self._more.set()

    async def run(self) -> None:
        """Write what was recorded, until cancelled."""
        while True:
            await self._more.wait()
            self._more.clear()
            while self._waiting:
                note, now = self._waiting.popleft()
                try:
                    await self._write(note, now)
                except ApiError as error:
                    _log.info("cannot write event", reason=note.reason, name=note.subject.name, error=error)

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

    async def _write(self, note: _Note, now: float) -> None:
        namespace = note.subject.namespace or "default"
        known = self._written.get(note)
        if known is not None:
            patch = {"count": known.count + 1, "lastTimestamp": times.format_time(now)}
            try:
                await self._client.patch(kinds.EVENT, known.name, patch, namespace, type="merge")
                known.count += 1
                self._written.move_to_end(note)
                return
            except NotFound:  # it has expired
                del self._written[note]
        self._serial += 1
        name = f"{note.subject.name}.{int(now * 1e9) + self._serial % 1000:x}"
        await self._client.create(kinds.EVENT, self._event(note, name, namespace, now))
        self._written[note] = _Written(name, 1)
        if len(self._written) > MOST_REMEMBERED:
            self._written.popitem(last=False)

    def _event(self, note: _Note, name: str, namespace: str, now: float) -> Event:
        subject = note.subject
        return Event(
            metadata=ObjectMeta(name=name, namespace=namespace),
            involved_object=ObjectReference(
                kind=subject.kind,
                namespace=subject.namespace or None,
                name=subject.name,
                uid=subject.uid,
                api_version=subject.api_version,
            ),
            reason=note.reason,
            message=note.message,
            source=EventSource(component=self._component),
            first_timestamp=times.format_time(now),
            last_timestamp=times.format_time(now),
            count=1,
            type=note.type,
            reporting_component=self._component,
        )
