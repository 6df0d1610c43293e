"""Numbers about a running program, for Prometheus.

Each program has its own registry, so that several can share a process. prometheus_client is imported with the first registry. Rendering
many histograms takes tens of milliseconds: `exposition` does it in a thread, once for all who ask at the same time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import Counter, Gauge, Histogram, Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Seconds, from a cached read to a slow disk.
BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class _Collector:
    """A function as the library wants it."""

    def __init__(self, collect: Callable[[], Iterable[Metric]]) -> None:
        self.collect = collect


class Metrics:
    """The registry of one program."""

    def __init__(self, *, process: bool = True) -> None:
        from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics

        # Not when each number was first counted: twice as many lines, which nobody reads.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry(auto_describe=False)
        if process:
            ProcessCollector(registry=self._registry)
        self._rendering: asyncio.Future[bytes] | None = None

    def counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Counter:
        """A number that only grows; exposed as NAME_total. Keep the child that `.labels()` returns."""
        from prometheus_client import Counter

        return Counter(name, text, labels, registry=self._registry)

    def gauge(self, name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
        """A number that goes up and down."""
        from prometheus_client import Gauge

        return Gauge(name, text, labels, registry=self._registry)

    def gauge_of(self, name: str, text: str, read: Callable[[], float]) -> Gauge:
        """A number that is read when rendered; `read` must be safe in another thread."""
        gauge = self.gauge(name, text)
        gauge.set_function(read)
        return gauge

    def histogram(
        self, name: str, text: str, labels: Sequence[str] = (), buckets: Sequence[float] = BUCKETS
    ) -> Histogram:
        """How a number (seconds, mostly) is distributed."""
        from prometheus_client import Histogram

        return Histogram(name, text, labels, registry=self._registry, buckets=buckets)

    def collected(self, collect: Callable[[], Iterable[Metric]]) -> None:
        """Metrics that are made when rendered; `collect` must be safe in another thread."""
        self._registry.register(_Collector(collect))

    def render(self) -> bytes:
        """The exposition text, made here and now."""
        from prometheus_client import generate_latest

        return generate_latest(self._registry)

    async def exposition(self) -> bytes:
        """The exposition text, made in a thread; whoever asks meanwhile gets the same."""
        if self._rendering is None:
            self._rendering = asyncio.ensure_future(asyncio.to_thread(self.render))
            self._rendering.add_done_callback(self._rendered)
        return await asyncio.shield(self._rendering)

    def _rendered(self, _: asyncio.Future[bytes]) -> None:
        self._rendering = None
