"""Numbers that are handed out once each: the plan under addresses and node ports.

A number is taken while an object in the cache has it (`hold`, kept by watching the cache), or while a write of ours that wants it is on its
way (`reserve`, given back when the write has ended, by which time the cache has the object if the write went well). Both change within one
turn of the event loop, so no two writes of this server can get the same number. What other servers do at the same time is settled by the
store (`beside.py`).

Random picks come from the upper part of a range, so that the lower part stays free for people who choose numbers by hand.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import chain


class Full(Exception):
    """Every number is taken."""


class Taken(Exception):
    """The asked number belongs to somebody."""


class Pool:
    """Who has which number, of any range."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._held: dict[int, str] = {}
        self._also: dict[int, list[str]] = {}  # those who have it besides, which should not be
        self._reserved: dict[int, str] = {}
        self._writes: Counter[int] = Counter()

    def owner(self, number: int) -> str:
        """The object that has it, or ""."""
        return self._held.get(number, "")

    def hold(self, number: int, owner: str) -> None:
        """An object with this number is there; the first one keeps it."""
        if self._held.setdefault(number, owner) != owner:
            self._also.setdefault(number, []).append(owner)

    def let_go(self, number: int, owner: str) -> None:
        """The object is gone or has another number."""
        others = self._also.get(number, [])
        if owner in others:
            others.remove(owner)
        elif self._held.get(number) == owner:
            if others:
                self._held[number] = others.pop(0)
            else:
                del self._held[number]
        if not others:
            self._also.pop(number, None)

    def reserve(self, number: int, owner: str) -> None:
        """Take this number for a write of `owner`, of which there may be several at a time. Raises Taken."""
        if self._reserved.get(number, owner) != owner or self._held.get(number, owner) != owner:
            raise Taken
        self._reserved[number] = owner
        self._writes[number] += 1

    def reserve_any(
        self, owner: str, spans: Iterable[tuple[int, int]], taken: Callable[[int], bool] | None = None
    ) -> int:
        """Take a free number of the first of `spans` (from, up to) that has one; `taken` knows of more that are not free. Raises Full."""
        for low, high in spans:
            for number in self._candidates(low, high):
                if number not in self._held and number not in self._reserved and not (taken and taken(number)):
                    self.reserve(number, owner)
                    return number
        raise Full

    def give_back(self, number: int) -> None:
        """A write has ended, well or not."""
        self._writes[number] -= 1
        if not self._writes[number]:
            del self._writes[number], self._reserved[number]

    def _candidates(self, low: int, high: int) -> Iterable[int]:
        if low >= high:
            return ()
        start = self._rng.randrange(low, high)
        return chain(range(start, high), range(low, start))


def by_hand(size: int, least: int, most: int, part: int) -> int:
    """How many numbers at the lower end of a range are left to people: a part of it within bounds, none of a small one."""
    return 0 if size <= least else min(max(least, size // part), most)
