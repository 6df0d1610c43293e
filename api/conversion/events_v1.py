"""Events of events.k8s.io/v1, kept as those of core/v1: the same facts under other names."""

from typing import Any

from api import core_v1, events_v1, kinds
from api.conversion import Conversion
from api.kinds import Kind


def to_stored(obj: events_v1.Event) -> core_v1.Event:
    """As core/v1 has it."""
    series = obj.series
    return core_v1.Event(
        metadata=obj.metadata,
        involved_object=obj.regarding,
        reason=obj.reason,
        message=obj.note,
        source=obj.deprecated_source,
        first_timestamp=obj.deprecated_first_timestamp,
        last_timestamp=obj.deprecated_last_timestamp,
        count=obj.deprecated_count,
        type=obj.type,
        event_time=obj.event_time,
        series=None if series is None else core_v1.EventSeries(series.count or None, series.last_observed_time),
        action=obj.action,
        related=obj.related,
        reporting_component=obj.reporting_controller or "",
        reporting_instance=obj.reporting_instance or "",
    )


def to_shown(obj: core_v1.Event) -> events_v1.Event:
    """As events.k8s.io/v1 has it."""
    series = obj.series
    return events_v1.Event(
        metadata=obj.metadata,
        event_time=obj.event_time,
        series=None if series is None else events_v1.EventSeries(series.count or 0, series.last_observed_time),
        reporting_controller=obj.reporting_component or None,
        reporting_instance=obj.reporting_instance or None,
        action=obj.action,
        reason=obj.reason,
        regarding=obj.involved_object,
        related=obj.related,
        note=obj.message,
        type=obj.type,
        deprecated_source=obj.source,
        deprecated_first_timestamp=obj.first_timestamp,
        deprecated_last_timestamp=obj.last_timestamp,
        deprecated_count=obj.count,
    )


CONVERSIONS: dict[Kind[Any], Conversion] = {kinds.EVENTS_EVENT: Conversion(to_stored, to_shown)}
