"""Numbers that are counted in plain fields and become text for Prometheus when somebody asks.

Counting must cost nothing worth speaking of, and nobody may ever ask, so no library is loaded for it and nothing is locked: two threads
that count at once may lose one.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

USUAL = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ALPHA, BETA, STABLE = "ALPHA", "BETA", "STABLE"

Labels = Mapping[str, str]
Sample = tuple[Labels, float]


class Measure(Protocol):
    """A family of numbers."""

    @property
    def name(self) -> str: ...

    def lines(self) -> Iterable[str]:
        """As Prometheus reads it."""


class Counter:
    """A number that only grows, for each combination of its labels; without labels it is told of before it has grown."""

    __slots__ = ("_kind", "_stage", "labels", "name", "text", "values")

    def __init__(self, name: str, text: str, *labels: str, stage: str = ALPHA, kind: str = "counter") -> None:
        self.name, self.text, self.labels = name, text, labels
        self.values: dict[tuple[str, ...], float] = {} if labels else {(): 0.0}
        self._stage, self._kind = stage, kind

    def add(self, *values: str, count: float = 1) -> None:
        """Count."""
        self.values[values] = self.values.get(values, 0.0) + count

    def set(self, value: float, *values: str) -> None:
        """It is so much now: for those that also go down."""
        self.values[values] = value

    def lines(self) -> Iterable[str]:
        """As Prometheus reads it."""
        samples = [(dict(zip(self.labels, key, strict=True)), count) for key, count in sorted(self.values.items())]
        return family(self.name, self._kind, self.text, samples, self._stage)


class Spread:
    """How many of some numbers are how large, and what they make together."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, number: float) -> None:
        """One more."""
        self.counts[bisect_left(self.bounds, number)] += 1
        self.total += number

    def lines(self, name: str, labels: Labels) -> Iterator[str]:
        """As Prometheus reads it."""
        count = 0
        for bound, more in zip((*self.bounds, None), self.counts, strict=True):
            count += more
            edge = "+Inf" if bound is None else repr(float(bound)).removesuffix(".0")
            yield line(f"{name}_bucket", {**labels, "le": edge}, count)
        yield line(f"{name}_sum", labels, self.total)
        yield line(f"{name}_count", labels, count)


class Histogram:
    """How a number is distributed, for each combination of its labels."""

    __slots__ = ("bounds", "labels", "name", "text", "values")

    def __init__(self, name: str, text: str, *labels: str, bounds: tuple[float, ...] = USUAL) -> None:
        self.name, self.text, self.labels, self.bounds = name, text, labels, bounds
        self.values: dict[tuple[str, ...], Spread] = {} if labels else {(): Spread(bounds)}

    def add(self, number: float, *values: str) -> None:
        """One more."""
        spread = self.values.get(values)
        if spread is None:
            spread = self.values[values] = Spread(self.bounds)
        spread.add(number)

    def lines(self) -> Iterable[str]:
        """As Prometheus reads it."""
        if self.values:
            yield from head(self.name, "histogram", self.text)
        for key, spread in sorted(self.values.items()):
            yield from spread.lines(self.name, dict(zip(self.labels, key, strict=True)))


@dataclass(frozen=True, slots=True)
class Shown:
    """Numbers as they are at this moment."""

    name: str
    text: str
    samples: Sequence[Sample]
    kind: str = "gauge"
    stage: str = ALPHA

    def lines(self) -> Iterable[str]:
        """As Prometheus reads it."""
        return family(self.name, self.kind, self.text, self.samples, self.stage)


def family(name: str, kind: str, text: str, samples: Iterable[Sample], stage: str = ALPHA) -> Iterable[str]:
    """A metric with all its samples; none at all is not told of."""
    found = list(samples)
    if found:
        yield from head(name, kind, text, stage)
        for labels, value in found:
            yield line(name, labels, value)


def head(name: str, kind: str, text: str, stage: str = ALPHA) -> Iterable[str]:
    """What comes before the samples; numbers that upstream gives no stage have an empty one."""
    yield f"# HELP {name} [{stage}] {text}" if stage else f"# HELP {name} {text}"
    yield f"# TYPE {name} {kind}"


def line(name: str, labels: Labels, value: float, at: int = 0) -> str:
    """One sample; `at` in milliseconds if it is not of now."""
    shown = ",".join(f'{key}="{escaped(text)}"' for key, text in sorted(labels.items(), key=_order))
    stamp = f" {at}" if at else ""
    return f"{name}{{{shown}}} {value:.16g}{stamp}" if shown else f"{name} {value:.16g}{stamp}"


def _order(label: tuple[str, str]) -> tuple[bool, str]:
    return label[0] == "le", label[0]


def escaped(text: str) -> str:
    """A label's value as the text form needs it."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
