"""Which of the node's resources run low. Pure: from what is free to the node's conditions and the threshold to act on.

A hard threshold counts as soon as less is free than it says; a soft one when that has lasted for its grace period. A condition stays true
for a while after the last crossing, so that pods that avoid the node do not come and go. Once a threshold counts it does until a little
more than its quantity is free (its reclaim), so that the next pod does not bring it back at once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from api import quantity

MEMORY, DISK, PIDS = "MemoryPressure", "DiskPressure", "PIDPressure"
STORAGE, INODES = "ephemeral-storage", "inodes"


@dataclass(frozen=True, slots=True)
class Signal:
    """What a signal is about: the resource as messages call it, and the condition it makes true."""

    resource: str
    condition: str


SIGNALS = {
    "memory.available": Signal("memory", MEMORY),
    "allocatableMemory.available": Signal("memory", MEMORY),
    "nodefs.available": Signal(STORAGE, DISK),
    "nodefs.inodesFree": Signal(INODES, DISK),
    "imagefs.available": Signal(STORAGE, DISK),
    "imagefs.inodesFree": Signal(INODES, DISK),
    "pid.available": Signal("pids", PIDS),
}
_ORDER = list(SIGNALS)  # memory before all else: it cannot wait


class BadThreshold(ValueError):
    """A threshold in the configuration that cannot be read."""


@dataclass(frozen=True, slots=True)
class Amount:
    """So much, or such a part of all there is."""

    whole: int = 0
    part: Fraction = Fraction(0)

    def of(self, capacity: int) -> int:
        """In bytes, inodes or processes."""
        return int(capacity * self.part) if self.part else self.whole


@dataclass(frozen=True, slots=True)
class Threshold:
    """Less than `amount` free is too little; None of `grace` makes it a hard one."""

    signal: str
    amount: Amount
    grace: float | None = None
    reclaim: Amount = Amount()


@dataclass(frozen=True, slots=True)
class Free:
    """What is left of a resource."""

    available: int
    capacity: int


@dataclass(frozen=True, slots=True)
class Pressure:
    """How things stand: what is remembered from look to look, and what follows from it."""

    since: Mapping[Threshold, float] = field(default_factory=dict)  # when a threshold that is crossed first was
    last: Mapping[str, float] = field(default_factory=dict)  # when a condition's threshold last was crossed
    met: tuple[Threshold, ...] = ()  # those that count, the one to act on first
    conditions: tuple[str, ...] = ()


def read_thresholds(
    hard: Mapping[str, str], soft: Mapping[str, str], grace: Mapping[str, float], reclaim: Mapping[str, str]
) -> list[Threshold]:
    """Thresholds as configured. One of "0%" is none. Raises BadThreshold."""
    found = []
    for name in (*hard, *soft, *grace, *reclaim):
        if name not in SIGNALS:
            raise BadThreshold(f"there is no eviction signal {name!r}; there are {', '.join(SIGNALS)}")
    for values, is_soft in ((hard, False), (soft, True)):
        for name, text in values.items():
            amount = _read(name, text)
            if is_soft and name not in grace:
                raise BadThreshold(f"the soft eviction threshold {name} needs a grace period in softGracePeriod")
            if amount.whole or amount.part:
                back = _read(name, reclaim[name]) if name in reclaim else Amount()
                found.append(Threshold(name, amount, grace[name] if is_soft else None, back))
    return found


def parse_amount(text: str) -> Amount:
    """A quantity, or a percentage. Raises ValueError."""
    if not text.endswith("%"):
        return Amount(quantity.ceil(text))
    try:
        return Amount(part=Fraction(text[:-1]) / 100)
    except ZeroDivisionError:
        raise ValueError(f"cannot read {text!r}") from None


def _read(name: str, text: str) -> Amount:
    try:
        amount = parse_amount(text)
        if amount.whole < 0 or not 0 <= amount.part <= 1:
            raise ValueError
    except ValueError:
        raise BadThreshold(
            f"the eviction threshold {name} is {text!r}: it must be a quantity or a percentage"
        ) from None
    return amount


def judge(
    thresholds: Iterable[Threshold], free: Mapping[str, Free], before: Pressure, now: float, transition: float
) -> Pressure:
    """How things stand now. A signal that could not be read crosses nothing."""
    crossed = [t for t in thresholds if _low(t, free, reclaiming=t in before.met)]
    since = {t: before.since.get(t, now) for t in crossed}
    last = dict(before.last) | {SIGNALS[t.signal].condition: now for t in crossed}
    last = {condition: at for condition, at in last.items() if at == now or now - at < transition}
    met = [t for t in crossed if t.grace is None or now - since[t] >= t.grace]
    met.sort(key=lambda t: (_ORDER.index(t.signal), t.grace is not None))
    return Pressure(since, last, tuple(met), tuple(sorted(last)))


def relieved(threshold: Threshold, free: Mapping[str, Free]) -> bool:
    """Whether enough is free again."""
    return not _low(threshold, free, reclaiming=True)


def _low(threshold: Threshold, free: Mapping[str, Free], *, reclaiming: bool) -> bool:
    found = free.get(threshold.signal)
    if found is None:
        return False
    wanted = threshold.amount.of(found.capacity)
    if reclaiming:
        wanted += threshold.reclaim.of(found.capacity)
    return found.available < wanted
