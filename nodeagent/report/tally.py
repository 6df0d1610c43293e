"""The agent's own numbers: plain counts while it works, text for Prometheus when somebody asks.

Counting must cost nothing worth speaking of, and nobody may ever ask, so no library is loaded for it.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

USUAL = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# Upstream's buckets for calls to the runtime, and for starts of pods.
CALLS = tuple(0.005 * 2.5**n for n in range(14))
STARTS = (0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700, 3600)

Labels = Mapping[str, str]
Sample = tuple[Labels, float]


@dataclass(slots=True)
class _Spread:
    counts: list[int]
    total: float = 0.0


@dataclass(slots=True)
class Counter:
    """A number that only grows, for each value of its label."""

    name: str
    text: str
    label: str = ""
    values: dict[str, float] = field(default_factory=dict)

    def add(self, value: str = "", count: float = 1) -> None:
        """Count."""
        self.values[value] = self.values.get(value, 0) + count

    def lines(self) -> Iterable[str]:
        """As Prometheus reads it."""
        samples = [({self.label: v} if self.label else {}, count) for v, count in sorted(self.values.items())]
        return family(self.name, "counter", self.text, samples)


@dataclass(slots=True)
class Histogram:
    """How a time is distributed, for each value of its label."""

    name: str
    text: str
    label: str = ""
    bounds: tuple[float, ...] = USUAL
    values: dict[str, _Spread] = field(default_factory=dict)

    def add(self, seconds: float, value: str = "") -> None:
        """One more time."""
        spread = self.values.get(value)
        if spread is None:
            spread = self.values[value] = _Spread([0] * (len(self.bounds) + 1))
        spread.counts[bisect_left(self.bounds, seconds)] += 1
        spread.total += seconds

    def lines(self) -> Iterable[str]:
        """As Prometheus reads it."""
        if not self.values:
            return
        yield from _head(self.name, "histogram", self.text)
        for value, spread in sorted(self.values.items()):
            labels = {self.label: value} if self.label else {}
            count = 0
            for bound, more in zip((*self.bounds, None), spread.counts, strict=True):
                count += more
                edge = "+Inf" if bound is None else f"{bound:.12g}"
                yield line(f"{self.name}_bucket", {**labels, "le": edge}, count)
            yield line(f"{self.name}_sum", labels, spread.total)
            yield line(f"{self.name}_count", labels, count)


@dataclass(slots=True)
class Gauge:
    """Numbers that are read when asked for."""

    name: str
    text: str
    read: Callable[[], Iterable[Sample]]

    def lines(self) -> Iterable[str]:
        """As Prometheus reads it."""
        return family(self.name, "gauge", self.text, self.read())


class Tally:
    """All numbers of one agent."""

    def __init__(self) -> None:
        self._all: list[Counter | Histogram | Gauge] = []
        self.calls = self._counter("runtime_operations_total", "Calls to the runtime", "operation_type")
        self.call_errors = self._counter("runtime_operations_errors_total", "Failed calls", "operation_type")
        self.call_seconds = self._histogram(
            "runtime_operations_duration_seconds", "Time of calls to the runtime", "operation_type", CALLS
        )
        self.pod_start = self._histogram(
            "pod_start_duration_seconds", "From the agent seeing a pod to the pod running", "", STARTS
        )
        self.sandbox_seconds = self._histogram(
            "run_podsandbox_duration_seconds", "Time of making sandboxes", "runtime_handler", USUAL
        )
        self.pods_started = self._counter("started_pods_total", "Pods of which a sandbox was asked for")
        self.pods_not_started = self._counter("started_pods_errors_total", "Sandboxes that could not be started")
        self.containers_started = self._counter("started_containers_total", "Containers that were to be started")
        self.containers_not_started = self._counter(
            "started_containers_errors_total", "Containers that could not be started"
        )
        self.evictions = self._counter("evictions", "Pods evicted, by signal", "eviction_signal")
        self.images_removed = self._counter(
            "image_garbage_collected_total", "Images removed, because of their age or for space", "reason"
        )

    def gauge(self, name: str, text: str, read: Callable[[], Iterable[Sample]]) -> None:
        """Show what `read` tells."""
        self._all.append(Gauge(f"kubelet_{name}", text, read))

    def called(self, operation: str, seconds: float, failed: bool) -> None:
        """A call to the runtime has come back."""
        self.calls.add(operation)
        self.call_seconds.add(seconds, operation)
        if failed:
            self.call_errors.add(operation)
        if operation == "run_podsandbox":
            (self.pods_not_started if failed else self.pods_started).add()
            self.sandbox_seconds.add(seconds)
        elif operation == "start_container":
            (self.containers_not_started if failed else self.containers_started).add()

    def exposition(self) -> bytes:
        """Everything there is to tell."""
        lines = [line for one in self._all for line in one.lines()]
        return "".join(f"{line}\n" for line in lines).encode()

    def _counter(self, name: str, text: str, label: str = "") -> Counter:
        made = Counter(f"kubelet_{name}", text, label)
        self._all.append(made)
        return made

    def _histogram(self, name: str, text: str, label: str, bounds: tuple[float, ...]) -> Histogram:
        made = Histogram(f"kubelet_{name}", text, label, bounds)
        self._all.append(made)
        return made


def family(name: str, kind: str, text: str, samples: Iterable[Sample]) -> Iterable[str]:
    """A metric with all its samples; none at all is not told of."""
    found = list(samples)
    if found:
        yield from _head(name, kind, text)
        for labels, value in found:
            yield line(name, labels, value)


def line(name: str, labels: Labels, value: float, at: int = 0) -> str:
    """One sample; `at` in milliseconds if it is not of now."""
    shown = ",".join(f'{key}="{escaped(text)}"' for key, text in labels.items())
    stamp = f" {at}" if at else ""
    return f"{name}{{{shown}}} {value:.12g}{stamp}" if shown else f"{name} {value:.12g}{stamp}"


def escaped(text: str) -> str:
    """A label's value as the text form needs it."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _head(name: str, kind: str, text: str) -> Iterable[str]:
    yield f"# HELP {name} [ALPHA] {text}"
    yield f"# TYPE {name} {kind}"
