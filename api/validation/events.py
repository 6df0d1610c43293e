"""Rules for Events: lenient for those of core/v1, strict for who writes by way of events.k8s.io/v1. Both run on what is kept."""

from api import names
from api.core_v1 import Event
from api.validation import metadata
from api.validation.problems import Problems
from api.zeros import without_zeros

_MISMATCH = "does not match event.namespace"
_FIXED = (
    ("involvedObject", "involved_object"),
    ("reason", "reason"),
    ("message", "message"),
    ("source", "source"),
    ("firstTimestamp", "first_timestamp"),
    ("lastTimestamp", "last_timestamp"),
    ("count", "count"),
    ("type", "type"),
    ("eventTime", "event_time"),
    ("action", "action"),
    ("related", "related"),
    ("reportingController", "reporting_component"),
    ("reportingInstance", "reporting_instance"),
)


def create(found: Problems, obj: Event, controller: str = "reportingComponent") -> None:
    """A new Event, or one that happened again; `controller` is what the client's version calls who reports."""
    namespace, involved = obj.metadata.namespace or "", obj.involved_object.namespace or ""
    if obj.event_time is None:
        expected = ("", "default") if not involved else (involved,)
        if namespace not in expected:
            found.invalid("involvedObject.namespace", involved, _MISMATCH)
    else:
        if not involved and namespace not in ("default", "kube-system"):
            found.invalid("involvedObject.namespace", involved, _MISMATCH)
        _new_style(found, obj, controller)
    found.invalid_all("namespace", namespace, names.dns_subdomain(namespace))


def create_leniently(found: Problems, obj: Event) -> None:
    """A new Event by way of core/v1."""
    create(found, obj)
    if not found.causes:
        metadata.metadata(found, obj.metadata, True, names.path_segment)


def update(found: Problems, new: Event, old: Event) -> None:
    """A changed Event by way of core/v1."""
    create(found, new)
    if not found.causes:
        metadata.metadata_update(found, new.metadata, old.metadata)


def create_strictly(found: Problems, obj: Event) -> None:
    """A new Event by way of events.k8s.io/v1."""
    create(found, obj, "reportingController")
    metadata.metadata(found, obj.metadata, True, names.dns_subdomain)
    _series(found, obj)
    if obj.event_time is None:
        found.required("eventTime")
    if obj.type not in ("Normal", "Warning"):
        found.invalid("type", "", f"has invalid value: {obj.type or ''}")
    source = obj.source
    for field, is_set in (
        ("firstTimestamp", obj.first_timestamp),
        ("lastTimestamp", obj.last_timestamp),
        ("count", obj.count),
        ("source", source is not None and (source.component or source.host)),
    ):
        if is_set:
            found.invalid(field, "", "needs to be unset")


def update_strictly(found: Problems, new: Event, old: Event) -> None:
    """A changed Event by way of events.k8s.io/v1: it may happen again, and nothing else."""
    create(found, new, "reportingController")
    metadata.metadata_update(found, new.metadata, old.metadata)
    if new.series != old.series:
        _series(found, new)
    fresh, known = without_zeros(new), without_zeros(old)
    for field, name in _FIXED:
        found.immutable(field, getattr(fresh, name), getattr(known, name))


def _series(found: Problems, obj: Event) -> None:
    if obj.series is None:
        return
    if (obj.series.count or 0) < 2:
        found.invalid("series.count", "", "should be at least 2")
    if obj.series.last_observed_time is None:
        found.required("series.lastObservedTime")


def _new_style(found: Problems, obj: Event, controller: str) -> None:
    """What an Event with an eventTime must say in addition."""
    if not obj.reporting_component:
        found.required(controller)
    found.invalid_all(controller, obj.reporting_component, names.label_key(obj.reporting_component))
    for field, value in (
        ("reportingInstance", obj.reporting_instance),
        ("action", obj.action or ""),
        ("reason", obj.reason or ""),
    ):
        if not value:
            found.required(field)
        if len(value) > 128:
            found.invalid(field, "", "can have at most 128 characters")
    if len(obj.message or "") > 1024:
        found.invalid("message", "", "can have at most 1024 characters")
