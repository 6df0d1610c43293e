"""Node ports, out of one range."""

from __future__ import annotations

import random

from controlplane.apiserver.allocators.pool import Full, Pool, Taken, by_hand


class PortError(Exception):
    """A port cannot be had; the message is upstream's."""


class Ports:
    """Hands out ports from `first` to `last`."""

    def __init__(self, first: int, last: int, rng: random.Random) -> None:
        self.first, self.last = first, last
        middle = first + by_hand(last - first + 1, least=16, most=128, part=32)
        self._spans = ((middle, last + 1), (first, middle))
        self._pool = Pool(rng)

    def __contains__(self, port: int) -> bool:
        return self.first <= port <= self.last

    def owner(self, port: int) -> str:
        """The Service that has it, or ""."""
        return self._pool.owner(port)

    def reserve(self, port: int, owner: str) -> None:
        """Take this port. Raises PortError."""
        if port not in self:
            raise PortError(
                f"provided port is not in the valid range. The range of valid ports is {self.first}-{self.last}"
            )
        try:
            self._pool.reserve(port, owner)
        except Taken:
            raise PortError("provided port is already allocated") from None

    def reserve_any(self, owner: str) -> int:
        """Take a free port. Raises PortError."""
        try:
            return self._pool.reserve_any(owner, self._spans)
        except Full:
            raise PortError("range is full") from None

    def give_back(self, port: int) -> None:
        """A write has ended."""
        self._pool.give_back(port)

    def hold(self, port: int, owner: str) -> None:
        """A Service with this port is there."""
        self._pool.hold(port, owner)

    def let_go(self, port: int, owner: str) -> None:
        """A Service with this port is gone."""
        self._pool.let_go(port, owner)
