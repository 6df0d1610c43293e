"""Service addresses of one family, out of one range."""

from __future__ import annotations

import ipaddress
import random

from controlplane.apiserver.allocators.pool import Full, Pool, Taken

KUBERNETES = "default/kubernetes"  # the first address is its own
_MOST = 1 << 24


class AddressError(Exception):
    """An address cannot be had; the message is upstream's."""


class Addresses:
    """Hands out addresses of `cidr`, without its first (the network) and, for IPv4, its last (broadcast)."""

    def __init__(self, cidr: str, rng: random.Random) -> None:
        self._network = ipaddress.ip_network(cidr)
        self.family = f"IPv{self._network.version}"
        self.cidr = cidr
        self._base = int(self._network.network_address) + 1
        usable = self._network.num_addresses - (2 if self._network.version == 4 else 1)
        size = max(0, min(usable, _MOST))
        by_hand = min(max(16, size // 16), 256)
        self._pool = Pool(size, by_hand, rng)
        if size:
            self._pool.hold(0, KUBERNETES)

    @property
    def first(self) -> str:
        """The address of Service default/kubernetes."""
        return self._text(0)

    def reserve(self, address: str, owner: str) -> int:
        """Take this address. Raises AddressError."""
        number = self._number(address)
        if number < 0:
            raise AddressError(
                f"the provided IP ({address}) is not in the valid range. The range of valid IPs is {self.cidr}"
            )
        try:
            self._pool.reserve(number, owner)
        except Taken:
            raise AddressError("provided IP is already allocated") from None
        return number

    def reserve_any(self, owner: str) -> tuple[int, str]:
        """Take a free address. Raises AddressError."""
        try:
            number = self._pool.reserve_any(owner)
        except Full:
            raise AddressError("range is full") from None
        return number, self._text(number)

    def give_back(self, number: int) -> None:
        """A write has ended."""
        self._pool.give_back(number)

    def hold(self, address: str, owner: str) -> None:
        """A Service with this address is there."""
        self._pool.hold(self._number(address), owner)

    def let_go(self, address: str, owner: str) -> None:
        """A Service with this address is gone."""
        number = self._number(address)
        if number != 0:
            self._pool.let_go(number, owner)

    def _number(self, address: str) -> int:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return -1
        number = int(parsed) - self._base if parsed.version == self._network.version else -1
        return number if 0 <= number < self._pool.size else -1

    def _text(self, number: int) -> str:
        return str(self._network[number + 1])
