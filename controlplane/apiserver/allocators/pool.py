"""Numbers that are handed out once each: the plan under addresses and node ports.

There is no state on disk beside the objects themselves. A number is taken while an object in the cache has it (`held`, kept by watching
the cache), or while a write that wants it is on its way (`reserve`, given back when the write has ended, by which time the cache has the
object if the write went well). Both change within one turn of the event loop, so no two writes can get the same number.

Random picks come from the upper part of the range, so that the lower part stays free for people who choose numbers by hand.
"""

from __future__ import annotations

import random
from collections import Counter
from itertools import chain


class Full(Exception):
    """Every number is taken."""


class Taken(Exception):
    """The asked number belongs to somebody."""


class Pool:
    """The numbers 0 to `size` - 1; those below `by_hand` are only picked when nothing else is left."""

    def __init__(self, size: int, by_hand: int, rng: random.Random) -> None:
        self.size = size
        self._by_hand = min(by_hand, size)
        self._rng = rng
        self._held: dict[int, str] = {}
        self._reserved: dict[int, str] = {}
        self._writes: Counter[int] = Counter()

    @property
    def free(self) -> int:
        """How many numbers nobody has."""
        return self.size - len(self._held.keys() | self._reserved.keys())

    def owner(self, number: int) -> str:
        """The object that has it, or ""."""
        return self._held.get(number, "")

    def hold(self, number: int, owner: str) -> None:
        """An object with this number is there; the first one keeps it."""
        if 0 <= number < self.size:
            self._held.setdefault(number, owner)

    def let_go(self, number: int, owner: str) -> None:
        """The object is gone or has another number."""
        if self._held.get(number) == owner:
            del self._held[number]

    def reserve(self, number: int, owner: str) -> None:
        """Take this number for a write of `owner`, of which there may be several at a time. Raises Taken."""
        if self._reserved.get(number, owner) != owner or self._held.get(number, owner) != owner:
            raise Taken
        self._reserved[number] = owner
        self._writes[number] += 1

    def reserve_any(self, owner: str) -> int:
        """Take a free number. Raises Full."""
        for low, high in ((self._by_hand, self.size), (0, self._by_hand)):
            number = self._pick(low, high)
            if number >= 0:
                self.reserve(number, owner)
                return number
        raise Full

    def give_back(self, number: int) -> None:
        """A write has ended, well or not."""
        self._writes[number] -= 1
        if not self._writes[number]:
            del self._writes[number], self._reserved[number]

    def _pick(self, low: int, high: int) -> int:
        if low >= high:
            return -1
        start = self._rng.randrange(low, high)
        for number in chain(range(start, high), range(low, start)):
            if number not in self._held and number not in self._reserved:
                return number
        return -1
