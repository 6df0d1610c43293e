"""What is measured of requests and of what is kept, under the names and labels that upstream's dashboards ask for."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any

from api.kinds import Kind
from controlplane.apiserver.cache import Cache
from controlplane.apiserver.call import Call
from kit.metrics import Metrics

if TYPE_CHECKING:
    from prometheus_client import Gauge

COMPONENT = "apiserver"
_DURATION = "How long requests took, by verb and resource; watches are left out."
_SERVED = "Requests answered, by verb, resource and code."
_OBJECTS = "Objects kept, by resource."
_LABELS = ("verb", "group", "version", "resource", "subresource", "scope", "component")
_METHODS = {"create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE"}


class Instruments:
    """Keeps the children of each metric: finding one by its labels costs more than counting."""

    def __init__(self, metrics: Metrics) -> None:
        labels = (*_LABELS, "dry_run")
        self._durations = metrics.histogram("apiserver_request_duration_seconds", _DURATION, labels)
        self._total = metrics.counter("apiserver_request", _SERVED, (*labels, "code"))
        self._watches: Gauge = metrics.gauge("apiserver_longrunning_requests", "Open watches.", _LABELS)
        self._children: dict[tuple[Any, ...], tuple[Any, Any]] = {}

    def done(self, call: Call, code: int, seconds: float) -> None:
        """A request has been answered."""
        target = call.target
        dry = "All" if call.query and call.query.get("dryRun") == "All" else ""
        key = (target.kind, call.verb, target.subresource, code, bool(target.name), bool(target.namespace), dry)
        children = self._children.get(key)
        if children is None:
            children = self._children[key] = self._new(call, code, dry)
        children[0].observe(seconds)
        children[1].inc()

    def watching(self, kind: Kind[Any], change: int) -> None:
        """A watch has begun (+1) or ended (-1)."""
        scope = "namespace" if kind.namespaced else "cluster"
        self._watches.labels("WATCH", kind.group, kind.version, kind.plural, "", scope, COMPONENT).inc(change)

    def _new(self, call: Call, code: int, dry: str) -> tuple[Any, Any]:
        kind = call.target.kind
        names = (kind.group, kind.version, kind.plural) if kind is not None else ("", "", "")
        verb = _METHODS.get(call.verb) or call.verb.upper()
        labels = (verb, *names, call.target.subresource, _scope(call), COMPONENT, dry)
        return self._durations.labels(*labels), self._total.labels(*labels, str(code))


def _scope(call: Call) -> str:
    target = call.target
    if target.kind is None:
        return ""
    if target.name:
        return "resource"
    return "namespace" if target.namespace else "cluster"


def count_objects(metrics: Metrics, cache: Cache) -> None:
    """How many objects of each resource there are; read when somebody asks."""
    old = metrics.gauge("apiserver_storage_objects", _OBJECTS, ("resource",))
    new = metrics.gauge("apiserver_resource_objects", _OBJECTS, ("group", "resource"))
    for kind, kept in cache.resources.items():
        old.labels(kind.resource).set_function(lambda kept=kept: len(kept.entries))  # type: ignore[misc]
        new.labels(kind.group, kind.plural).set_function(lambda kept=kept: len(kept.entries))  # type: ignore[misc]


def tell_build(metrics: Metrics, version: str) -> None:
    """Which version serves."""
    major, minor = version.removeprefix("v").split(".")[:2]
    labels = {"major": major, "minor": minor, "git_version": version, "platform": f"linux/{platform.machine()}"}
    gauge = metrics.gauge("kubernetes_build_info", "Always 1; the labels tell the version.", tuple(labels))
    gauge.labels(**labels).set(1)
