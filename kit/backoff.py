"""How long to wait before trying again."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential delays from `base` to `cap` seconds; `jitter` 0.5 means between half and all of the delay."""

    base: float = 0.01
    cap: float = 60.0
    factor: float = 2.0
    jitter: float = 0.0
    rng: random.Random = field(default_factory=random.Random, repr=False, compare=False)

    def delay(self, failures: int) -> float:
        """The wait after that many failures in a row; none after no failure."""
        if failures <= 0:
            return 0.0
        full = self.base
        for _ in range(failures - 1):
            full *= self.factor
            if full >= self.cap:
                break
        full = min(full, self.cap)
        return full * (1 - self.jitter * self.rng.random()) if self.jitter else full

    def retries(self) -> Retries:
        """A counter of failures that follows this policy."""
        return Retries(self)


@dataclass(slots=True)
class Retries:
    """Counts the failures in a row of one thing."""

    policy: Backoff
    failures: int = 0

    def next(self) -> float:
        """Note a failure; answer how long to wait."""
        self.failures += 1
        return self.policy.delay(self.failures)

    def reset(self) -> None:
        """It worked."""
        self.failures = 0
