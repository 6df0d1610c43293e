"""events.k8s.io/v1: the newer view of Events, which are kept as those of core/v1."""

from typing import Annotated

from api.core_v1 import EventSource, ObjectReference
from api.fields import F, Int32, MicroTime, Time, Type, constant, required
from api.meta_v1 import ObjectMeta


class EventSeries(Type):
    """How often the same happened, and when at last."""

    count: Annotated[Int32, F(1)] = required(int)
    last_observed_time: Annotated[MicroTime | None, F(2)] = None


class Event(Type):
    """Something that happened to an object, told by who saw it."""

    kind: str = constant("Event")
    api_version: str = constant("events.k8s.io/v1")
    metadata: Annotated[ObjectMeta, F(1)] = required(ObjectMeta)
    event_time: Annotated[MicroTime | None, F(2)] = None
    series: Annotated[EventSeries | None, F(3)] = None
    reporting_controller: Annotated[str | None, F(4)] = None
    reporting_instance: Annotated[str | None, F(5)] = None
    action: Annotated[str | None, F(6)] = None
    reason: Annotated[str | None, F(7)] = None
    regarding: Annotated[ObjectReference, F(8)] = required(ObjectReference)
    related: Annotated[ObjectReference | None, F(9)] = None
    note: Annotated[str | None, F(10)] = None
    type: Annotated[str | None, F(11)] = None
    deprecated_source: Annotated[EventSource | None, F(12)] = None
    deprecated_first_timestamp: Annotated[Time | None, F(13)] = None
    deprecated_last_timestamp: Annotated[Time | None, F(14)] = None
    deprecated_count: Annotated[Int32 | None, F(15)] = None
