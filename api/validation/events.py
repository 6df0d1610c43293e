"""Rules for Events, which are old and lenient."""

from api import names
from api.core_v1 import Event
from api.validation.problems import Problems

_MISMATCH = "does not match event.namespace"


def create(found: Problems, obj: Event) -> None:
    """A new Event, or one that happened again."""
    namespace, involved = obj.metadata.namespace or "", obj.involved_object.namespace or ""
    if obj.event_time is None:
        expected = ("", "default") if not involved else (involved,)
        if namespace not in expected:
            found.invalid("involvedObject.namespace", involved, _MISMATCH)
    else:
        if not involved and namespace not in ("default", "kube-system"):
            found.invalid("involvedObject.namespace", involved, _MISMATCH)
        _new_style(found, obj)
    found.invalid_all("namespace", namespace, names.dns_subdomain(namespace))


def update(found: Problems, new: Event, _: Event) -> None:
    """A changed Event."""
    create(found, new)


def _new_style(found: Problems, obj: Event) -> None:
    """What an Event with an eventTime must say in addition."""
    if not obj.reporting_component:
        found.required("reportingComponent")
    found.invalid_all("reportingComponent", obj.reporting_component, names.label_key(obj.reporting_component))
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
