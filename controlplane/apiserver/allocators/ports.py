"""Node ports, out of one range."""

from __future__ import annotations

import random

from controlplane.apiserver.allocators.pool import Full, Pool, Taken


class PortError(Exception):
    """A port cannot be had; the message is upstream's."""


class Ports:
    """Hands out ports from `first` to `last`."""

    def __init__(self, first: int, last: int, rng: random.Random) -> None:
        self.first, self.last = first, last
        size = last - first + 1
        self._pool = Pool(size, min(max(16, size // 32), 128), rng)

    def reserve(self, port: int, owner: str) -> None:
        """Take this port. Raises PortError."""
        if not self.first <= port <= self.last:
            raise PortError(
                f"provided port is not in the valid range. The range of valid ports is {self.first}-{self.last}"
            )
        try:
            self._pool.reserve(port - self.first, owner)
        except Taken:
            raise PortError("provided port is already allocated") from None

    def reserve_any(self, owner: str) -> int:
        """Take a free port. Raises PortError."""
        try:
            return self.first + self._pool.reserve_any(owner)
        except Full:
            raise PortError("range is full") from None

    def give_back(self, port: int) -> None:
        """A write has ended."""
        self._pool.give_back(port - self.first)

    def hold(self, port: int, owner: str) -> None:
        """A Service with this port is there."""
        self._pool.hold(port - self.first, owner)

    def let_go(self, port: int, owner: str) -> None:
        """A Service with this port is gone."""
        self._pool.let_go(port - self.first, owner)
