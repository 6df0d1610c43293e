"""What is measured of requests and of what is kept, under the names and labels that upstream's dashboards ask for."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from controlplane.apiserver.access.attributes import selected
from controlplane.apiserver.cache import Cache
from controlplane.apiserver.call import Call
from controlplane.apiserver.load import CONNECTIONS
from controlplane.apiserver.steps.patches import APPLY_YAML
from kit.metrics import Metrics

if TYPE_CHECKING:
    from prometheus_client import Gauge, Metric

COMPONENT = "apiserver"
_DURATION = "How long requests took, by verb and resource; for what lasts, until its end."
_SERVED = "Requests answered, by verb, resource and code; the code is 0 where the connection became another than HTTP."
_LASTING = "Requests that last and have not ended: watches, logs, connections into containers and proxies."
_OBJECTS = "Objects kept, by resource."
_LABELS = ("verb", "group", "version", "resource", "subresource", "scope", "component")
_SECONDS = (
    *(0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.25, 1.5),
    *(2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0),
)
_VERBS = {"create": "POST", "update": "PUT", "deletecollection": "DELETE"}
_BUILD = {
    "major": "major",
    "minor": "minor",
    "git_version": "gitVersion",
    "git_commit": "gitCommit",
    "git_tree_state": "gitTreeState",
    "build_date": "buildDate",
    "go_version": "goVersion",
    "compiler": "compiler",
    "platform": "platform",
}
_METHODS = frozenset({"CONNECT", "DELETE", "GET", "PATCH", "POST", "PUT"})
_HEALTH = frozenset({"/healthz", "/livez", "/readyz"})
_OPENAPI = "/openapi/v3"


class _Tally:
    """Requests that are alike: how many took how long."""

    __slots__ = ("code", "counts", "labels", "seconds")

    def __init__(self, labels: tuple[str, ...], code: str) -> None:
        self.labels, self.code = labels, code
        self.counts = [0] * (len(_SECONDS) + 1)
        self.seconds = 0.0


class Instruments:
    """Counts in plain lists, and makes metrics of them when somebody asks: with a thousand GETs a second a lock is a cost."""

    def __init__(self, metrics: Metrics) -> None:
        self._tallies: dict[tuple[Any, ...], _Tally] = {}
        metrics.collected(self._collect)
        self._lasting: Gauge = metrics.gauge("apiserver_longrunning_requests", _LASTING, _LABELS)

    def done(self, call: Call, code: int, seconds: float) -> None:
        """A request has ended. What no resource answers is not counted, save the checks of health and the schemas."""
        target = call.target
        kind = target.asked
        what: tuple[Any, ...]
        if kind is not None:
            what = (call.verb, target.subresource, bool(target.name), bool(target.namespace))
        elif page := _page(call.path):
            what = (_method(call), page)  # not the path, which strangers may write as they like
        else:
            return
        dry = _dry_run(call.query["dryRun"]) if call.query and "dryRun" in call.query else ""
        applied = call.verb == "patch" and call.content_type == APPLY_YAML
        key = (kind, what, code, dry, applied)
        tally = self._tallies.get(key)
        if tally is None:
            tally = self._tallies[key] = _Tally((*_labels(call, _scope(call)), dry), str(code))
        tally.counts[bisect_left(_SECONDS, seconds)] += 1
        tally.seconds += seconds

    def lasting(self, call: Call) -> Any:
        """The gauge that a request which lasts counts in while it does."""
        fields = call.query.get("fieldSelector", "") if call.query and not call.target.name else ""
        one = bool(fields) and bool(selected(fields, "metadata.name"))
        return self._lasting.labels(*_labels(call, "resource" if one else _scope(call)))

    def _collect(self) -> Iterator[Metric]:
        """In another thread than `done`, which goes on."""
        from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
        from prometheus_client.utils import floatToGoString

        labels = (*_LABELS, "dry_run")
        durations = HistogramMetricFamily("apiserver_request_duration_seconds", _DURATION, labels=labels)
        total = CounterMetricFamily("apiserver_request", _SERVED, labels=(*labels, "code"))
        spread: dict[tuple[str, ...], tuple[list[int], float]] = {}
        counted: dict[tuple[str, ...], int] = {}
        for tally in list(self._tallies.values()):
            counts, key = list(tally.counts), (*tally.labels, tally.code)
            counted[key] = counted.get(key, 0) + sum(counts)
            before, seconds = spread.get(tally.labels, ([0] * len(counts), 0.0))
            spread[tally.labels] = [a + b for a, b in zip(before, counts, strict=True)], seconds + tally.seconds
        bounds = [*map(floatToGoString, _SECONDS), "+Inf"]
        for values, (counts, seconds) in spread.items():
            durations.add_metric(values, list(zip(bounds, accumulate(counts), strict=True)), seconds)
        for values, count in counted.items():
            total.add_metric(values, count)
        yield durations
        yield total


def _labels(call: Call, scope: str) -> tuple[str, ...]:
    kind, subresource = call.target.asked, call.target.subresource
    if kind is None:
        return (_method(call), "", "", "", _page(call.path), "", "")
    verb = "CONNECT" if subresource in CONNECTIONS else _VERBS.get(call.verb) or call.verb.upper()
    if verb == "PATCH" and call.content_type == APPLY_YAML:
        verb = "APPLY"
    return (verb, kind.group, kind.version, kind.plural, subresource, scope, COMPONENT)


def _scope(call: Call) -> str:
    target = call.target
    if target.name or call.verb == "create":
        return "resource"
    return "namespace" if target.namespace else "cluster"


def _method(call: Call) -> str:
    """The method as a label: HTTP/2 lets clients make up their own."""
    return call.method if call.method in _METHODS else "other"


def _page(path: str) -> str:
    """What stands in the place of a subresource for a path that is no resource; "" if it is not counted."""
    if path in _HEALTH:
        return path
    if path.startswith(_OPENAPI):
        return "openapi/v3" if path == _OPENAPI else "openapi/v3/"
    return ""


def _dry_run(asked: str) -> str:
    return asked if asked == "All" else "invalid"


def count_objects(metrics: Metrics, cache: Cache) -> None:
    """How many objects of each resource there are; read when somebody asks."""
    old = metrics.gauge("apiserver_storage_objects", _OBJECTS, ("resource",))
    new = metrics.gauge("apiserver_resource_objects", _OBJECTS, ("group", "resource"))
    for kind, kept in cache.resources.items():
        old.labels(kind.resource).set_function(lambda kept=kept: len(kept.entries))  # type: ignore[misc]
        new.labels(kind.group, kind.plural).set_function(lambda kept=kept: len(kept.entries))  # type: ignore[misc]


def tell_build(metrics: Metrics, version: Mapping[str, str]) -> None:
    """Which version serves, from what /version says."""
    labels = {label: version[name] for label, name in _BUILD.items()}
    gauge = metrics.gauge("kubernetes_build_info", "Always 1; the labels tell the version.", tuple(labels))
    gauge.labels(**labels).set(1)
