"""What is measured of requests, under upstream's names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.kinds import Kind
from controlplane.apiserver.call import Call
from kit.metrics import Metrics

if TYPE_CHECKING:
    from prometheus_client import Gauge

_DURATION = "How long requests took, by verb and resource; watches are left out."
_SERVED = "Requests answered, by verb, resource and code."


class Instruments:
    """Keeps the children of each metric: finding one by its labels costs more than counting."""

    def __init__(self, metrics: Metrics) -> None:
        labels = ("verb", "group", "version", "resource", "subresource")
        self._durations = metrics.histogram("apiserver_request_duration_seconds", _DURATION, labels)
        self._total = metrics.counter("apiserver_request", _SERVED, (*labels, "code"))
        self._watches: Gauge = metrics.gauge("apiserver_longrunning_requests", "Open watches.", ("verb", "resource"))
        self._children: dict[tuple[Any, str, str, int], tuple[Any, Any]] = {}

    def done(self, call: Call, code: int, seconds: float) -> None:
        """A request has been answered."""
        key = (call.target.kind, call.verb, call.target.subresource, code)
        children = self._children.get(key)
        if children is None:
            children = self._children[key] = self._new(call, code)
        children[0].observe(seconds)
        children[1].inc()

    def watching(self, kind: Kind[Any], change: int) -> None:
        """A watch has begun (+1) or ended (-1)."""
        self._watches.labels("WATCH", kind.plural).inc(change)

    def _new(self, call: Call, code: int) -> tuple[Any, Any]:
        kind = call.target.kind
        names = (kind.group, kind.version, kind.plural) if kind is not None else ("", "", "")
        labels = (call.verb.upper(), *names, call.target.subresource)
        return self._durations.labels(*labels), self._total.labels(*labels, str(code))
