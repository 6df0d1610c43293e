"""Which pod is next.

A pod is in one of three places: ready (a heap, by priority, then by age), failed (its back-off has not passed, or
nothing has changed since), or in the hands of the scheduler. What failed becomes ready again when its back-off is over
and something relevant has happened in the cluster since, at the latest after five minutes: no event is trusted to have
been the last word.

The queue holds keys only and knows no clock: `now` is an argument.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

from controlplane.scheduler.model import Pod

FIRST_BACKOFF = 1.0
LONGEST_BACKOFF = 10.0
LONGEST_WAIT = 300.0


@dataclass(slots=True)
class _Failed:
    until: float
    moved: bool
    latest: float


class PodQueue:
    """Keys of pods that want a node."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, float, str]] = []
        self._rank: dict[str, tuple[int, float, str]] = {}
        self._ready: set[str] = set()
        self._failed: dict[str, _Failed] = {}
        self._attempts: dict[str, int] = {}
        self._moves = 0

    def __len__(self) -> int:
        return len(self._ready) + len(self._failed)

    @property
    def moves(self) -> int:
        """Counts relevant events. One that comes while a pod is being placed must not be lost on it: see `fail`."""
        return self._moves

    def add(self, pod: Pod) -> None:
        """A new pod, or one whose spec changed: it is tried at once."""
        self._rank[pod.key] = (-pod.priority, pod.created, pod.key)
        self._failed.pop(pod.key, None)
        self._make_ready(pod.key)

    def remove(self, key: str) -> None:
        """The pod is bound, gone, or not ours."""
        self._ready.discard(key)
        self._rank.pop(key, None)
        self._failed.pop(key, None)
        self._attempts.pop(key, None)

    def fail(self, key: str, now: float, moves: int, retry: bool = False) -> None:
        """No node took the pod, as of `moves`. With `retry` time alone is reason enough to try again."""
        if key not in self._rank or key in self._ready:
            return
        attempts = self._attempts[key] = self._attempts.get(key, 0) + 1
        delay = min(FIRST_BACKOFF * 2 ** min(attempts - 1, 10), LONGEST_BACKOFF)
        self._failed[key] = _Failed(now + delay, retry or moves != self._moves, now + LONGEST_WAIT)

    def move(self) -> None:
        """Something happened that may let failed pods be placed."""
        self._moves += 1
        for failed in self._failed.values():
            failed.moved = True

    def pop(self, now: float) -> str | None:
        """The next key, or None. The caller then places the pod, and calls `fail` or `remove`."""
        for key in [k for k, f in self._failed.items() if f.latest <= now or (f.moved and f.until <= now)]:
            del self._failed[key]
            self._make_ready(key)
        while self._heap:
            rank = heapq.heappop(self._heap)
            key = rank[2]
            if key in self._ready and self._rank.get(key) == rank:
                self._ready.discard(key)
                return key
        return None

    def next_wake(self) -> float | None:
        """When a waiting pod becomes ready by time alone."""
        times = [f.until if f.moved else f.latest for f in self._failed.values()]
        return min(times, default=None)

    def _make_ready(self, key: str) -> None:
        self._ready.add(key)
        heapq.heappush(self._heap, self._rank[key])
