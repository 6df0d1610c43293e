"""Service addresses of one family, out of the ranges that ServiceCIDRs give."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Container, Iterable
from dataclasses import dataclass

from controlplane.apiserver.allocators.pool import Full, Pool, Taken, by_hand

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class AddressError(Exception):
    """An address cannot be had; the message is upstream's."""


class NoneLeft(AddressError):
    """All addresses are taken."""


@dataclass(frozen=True, slots=True)
class Range:
    """The numbers of a network's addresses, without its first (the network) and, for IPv4, its last (broadcast)."""

    network: Network
    first: int
    middle: int  # below it addresses are left to people
    end: int

    @property
    def family(self) -> str:
        """IPv4 or IPv6."""
        return f"IPv{self.network.version}"

    def __contains__(self, number: int) -> bool:
        return self.first <= number < self.end


def range_of(cidr: str) -> Range:
    """The range of a network. Raises ValueError."""
    network = ipaddress.ip_network(cidr)
    first = int(network.network_address) + 1
    end = first + max(0, network.num_addresses - (2 if network.version == 4 else 1))
    middle = min(first + by_hand(network.num_addresses, least=16, most=256, part=16), end)
    return Range(network, first, middle, end)


class Addresses:
    """Hands out addresses of one family. `known` has the names of IPAddress objects, whoever made them."""

    def __init__(self, family: str, rng: random.Random, known: Container[str] = ()) -> None:
        self.family = family
        self._ranges: tuple[Range, ...] = ()
        self._known = known
        self._type = ipaddress.IPv4Address if family == "IPv4" else ipaddress.IPv6Address
        self._pool = Pool(rng)

    def use(self, ranges: Iterable[Range]) -> None:
        """Hand out from these ranges from now on, the first ones first."""
        self._ranges = tuple(dict.fromkeys(found for found in ranges if found.family == self.family))

    def owner(self, address: str) -> str:
        """The Service that has it, or ""."""
        return self._pool.owner(self._number(address))

    def reserve(self, address: str, owner: str) -> int:
        """Take this address. Raises AddressError."""
        number = self._number(address)
        if not any(number in found for found in self._ranges):
            raise AddressError("the provided network does not match the current range")
        if self._is_known(number):
            raise AddressError("provided IP is already allocated")
        try:
            self._pool.reserve(number, owner)
        except Taken:
            raise AddressError("provided IP is already allocated") from None
        return number

    def reserve_any(self, owner: str) -> tuple[int, str]:
        """Take a free address. Raises NoneLeft."""
        spans = (span for r in self._ranges for span in ((r.middle, r.end), (r.first, r.middle)))
        try:
            number = self._pool.reserve_any(owner, spans, self._is_known)
        except Full:
            raise NoneLeft("range is full") from None
        return number, str(self._type(number))

    def give_back(self, number: int) -> None:
        """A write has ended."""
        self._pool.give_back(number)

    def hold(self, address: str, owner: str) -> None:
        """A Service with this address is there."""
        self._pool.hold(self._number(address), owner)

    def let_go(self, address: str, owner: str) -> None:
        """A Service with this address is gone."""
        self._pool.let_go(self._number(address), owner)

    def _number(self, address: str) -> int:
        try:
            return int(self._type(address))
        except ValueError:
            return -1

    def _is_known(self, number: int) -> bool:
        return str(self._type(number)) in self._known


def family_of(address: str) -> str:
    """IPv4 or IPv6."""
    return "IPv6" if ":" in address else "IPv4"


def number_of(address: str) -> int:
    """The address as a number; -1 for what is none."""
    try:
        return int(ipaddress.ip_address(address))
    except ValueError:
        return -1


def canonical(address: str) -> str:
    """The address as IPAddress objects are named."""
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address
