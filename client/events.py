"""Events: what a component tells people about an object.

`record` never waits: it queues, and `run` sends. A repetition (same object, type, reason and message) raises the count of the Event that is
there instead of making another; repetitions that wait in the queue are sent as one. While the server is away the queue is kept up to a
limit; then the oldest are dropped, for Events are help, not state.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple

from api import kinds, times
from api.core_v1 import Event, EventSource, ObjectReference
from api.fields import Type
from api.kinds import Kind
from api.meta_v1 import ObjectMeta
from client.client import Client
from client.errors import ApiError, NotFound, Retryable
from kit import log
from kit.backoff import Backoff
from kit.clock import Clock, SystemClock

NORMAL, WARNING = "Normal", "Warning"
REMEMBERED = 1024  # Events whose repetitions are counted
QUEUED = 1000
MESSAGE_LIMIT = 1024

_log = log.get("events")


class _Key(NamedTuple):
    uid: str
    namespace: str
    name: str
    field_path: str
    type: str
    reason: str
    message: str


@dataclass(slots=True)
class _Waiting:
    about: ObjectReference
    count: int
    first: float
    last: float


@dataclass(slots=True)
class _Sent:
    name: str
    count: int


def reference(kind: Kind[Any], obj: Type, field_path: str = "") -> ObjectReference:
    """The reference to an object that Events carry; `field_path` names a part, such as spec.containers{web}."""
    meta: ObjectMeta = obj.metadata  # type: ignore[attr-defined]
    return ObjectReference(
        kind=kind.name,
        api_version=kind.api_version,
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        resource_version=meta.resource_version,
        field_path=field_path or None,
    )


class EventRecorder:
    """Records Events in the name of one component."""

    def __init__(
        self,
        client: Client,
        component: str,
        host: str = "",
        *,
        clock: Clock | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self._client = client
        self._component, self._host = component, host
        self._clock = clock or SystemClock()
        self._backoff = backoff or Backoff(base=0.2, cap=30.0, jitter=0.3)
        self._waiting: OrderedDict[_Key, _Waiting] = OrderedDict()
        self._sent: OrderedDict[_Key, _Sent] = OrderedDict()
        self._work = asyncio.Event()
        self._serial = 0

    def record(self, about: ObjectReference, type: str, reason: str, message: str) -> None:  # noqa: A002 - the field's name
        """Tell something about an object; `type` is NORMAL or WARNING, `reason` one word, `message` a sentence."""
        message = message if len(message) <= MESSAGE_LIMIT else message[: MESSAGE_LIMIT - 3] + "..."
        key = _Key(
            about.uid or "", about.namespace or "", about.name or "", about.field_path or "", type, reason, message
        )
        now = self._clock.now()
        if (waiting := self._waiting.get(key)) is not None:
            waiting.count += 1
            waiting.last = now
            return
        if len(self._waiting) >= QUEUED:
            dropped, _ = self._waiting.popitem(last=False)
            _log.warning("dropped an event", object=f"{dropped.namespace}/{dropped.name}", reason=dropped.reason)
        self._waiting[key] = _Waiting(about, 1, now, now)
        self._work.set()

    @property
    def waiting(self) -> int:
        """How many are still to be sent."""
        return len(self._waiting)

    async def run(self) -> None:
        """Send until cancelled."""
        retries = self._backoff.retries()
        while True:
            if not self._waiting:
                self._work.clear()
                await self._work.wait()
            key, item = self._waiting.popitem(last=False)
            try:
                await self._send(key, item)
                retries.reset()
            except Retryable as error:
                self._put_back(key, item)
                await self._clock.sleep(max(retries.next(), error.retry_after))
            except ApiError as error:
                _log.info(
                    "cannot record an event", object=f"{key.namespace}/{key.name}", reason=key.reason, error=error
                )

    def _put_back(self, key: _Key, item: _Waiting) -> None:
        if (later := self._waiting.get(key)) is not None:
            item = _Waiting(item.about, item.count + later.count, item.first, later.last)
        self._waiting[key] = item
        self._waiting.move_to_end(key, last=False)

    async def _send(self, key: _Key, item: _Waiting) -> None:
        namespace = key.namespace or "default"
        if (sent := self._sent.get(key)) is not None:
            change = {"count": sent.count + item.count, "lastTimestamp": times.format_time(item.last)}
            try:
                await self._client.patch(kinds.EVENT, sent.name, change, namespace)
                sent.count += item.count
                self._sent.move_to_end(key)
                return
            except NotFound:
                del self._sent[key]  # its time to live is over: make another
        name = self._name(key, item)
        await self._client.create(kinds.EVENT, self._event(key, item, namespace, name))
        self._sent[key] = _Sent(name, item.count)
        if len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)

    def _name(self, key: _Key, item: _Waiting) -> str:
        self._serial += 1
        return f"{key.name[:200]}.{(int(item.first * 1e6) << 12) + (self._serial & 0xFFF):x}"

    def _event(self, key: _Key, item: _Waiting, namespace: str, name: str) -> Event:
        return Event(
            metadata=ObjectMeta(name=name, namespace=namespace),
            involved_object=item.about,
            type=key.type,
            reason=key.reason,
            message=key.message,
            count=item.count,
            first_timestamp=times.format_time(item.first),
            last_timestamp=times.format_time(item.last),
            source=EventSource(component=self._component, host=self._host or None),
            reporting_component=self._component,
            reporting_instance=self._host,
        )
