"""Address arithmetic: subnets, the ranges that pods get addresses from, addresses as numbers. Pure.

The standard library's ipaddress would cost the stand-alone path 2.5 ms at start.
"""

import socket
from collections.abc import Iterator
from typing import NamedTuple

from cni.errors import CONFIG, CniError


class Subnet(NamedTuple):
    """A network: its first address as a number, the length of its prefix, 4 or 16 bytes."""

    first: int
    prefix: int
    size: int

    @property
    def last(self) -> int:
        """The last address of the network."""
        return self.first | (1 << (self.size * 8 - self.prefix)) - 1

    def holds(self, ip: bytes) -> bool:
        """Whether an address lies in the network."""
        return len(ip) == self.size and self.first <= number(ip) <= self.last

    def __str__(self) -> str:
        return f"{show(data(self.first, self.size))}/{self.prefix}"


class Range(NamedTuple):
    """Addresses of a subnet that pods may get, and the gateway that none may get."""

    subnet: Subnet
    first: int
    last: int
    gateway: bytes

    def holds(self, ip: bytes) -> bool:
        """Whether pods may get the address."""
        return self.subnet.holds(ip) and self.first <= number(ip) <= self.last and ip != self.gateway

    @property
    def room(self) -> int:
        """How many pods may have an address."""
        return self.last - self.first + 1 - (self.first <= number(self.gateway) <= self.last)

    def __str__(self) -> str:
        size = self.subnet.size
        return f"{show(data(self.first, size))}-{show(data(self.last, size))}"


RangeSet = tuple[Range, ...]
"""Ranges of one family; a pod gets one address of each set."""


def parse(text: str) -> bytes:
    """An address; ValueError if it is none."""
    try:
        return socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
    except OSError:
        raise ValueError(f"{text!r} is not an IP address") from None


def show(ip: bytes) -> str:
    """The text of an address."""
    return socket.inet_ntop(socket.AF_INET if len(ip) == 4 else socket.AF_INET6, ip)


def number(ip: bytes) -> int:
    """An address as a number."""
    return int.from_bytes(ip, "big")


def data(ip: int, size: int) -> bytes:
    """A number as an address."""
    return ip.to_bytes(size, "big")


def subnet(text: str) -> Subnet:
    """A network from its CIDR; bits after the prefix are dropped. ValueError if it is none."""
    address, slash, length = text.partition("/")
    ip = parse(address)
    if not slash or not length.isdecimal() or int(length) > len(ip) * 8:
        raise ValueError(f"{text!r} is not a network such as 10.244.0.0/24")
    host = (1 << (len(ip) * 8 - int(length))) - 1
    return Subnet(number(ip) & ~host, int(length), len(ip))


def overlap(one: Subnet, other: Subnet) -> bool:
    """Whether two networks share addresses."""
    return one.size == other.size and one.first <= other.last and other.first <= one.last


def span(text: str) -> tuple[bytes, bytes]:
    """First and last of one address, a network, or two addresses with "-" between. ValueError if it is none."""
    if "/" in text:
        net = subnet(text)
        return data(net.first, net.size), data(net.last, net.size)
    first, dash, last = text.partition("-")
    bounds = parse(first.strip()), parse(last.strip() if dash else first.strip())
    if len(bounds[0]) != len(bounds[1]) or bounds[0] > bounds[1]:
        raise ValueError(f"{text!r} does not go from one address up to another")
    return bounds


def make_range(cidr: str, first: str = "", last: str = "", gateway: str = "") -> Range:
    """A range of a subnet: without the network's and broadcast address, the gateway by default the first. ValueError."""
    net = subnet(cidr)
    if net.last - net.first < 3:
        raise ValueError(f"{cidr} is too small: it has no room for a gateway and a pod")
    lowest = net.first + 1
    highest = net.last - (1 if net.size == 4 else 0)
    chosen = parse(gateway) if gateway else data(lowest, net.size)
    start = number(parse(first)) if first else lowest
    end = number(parse(last)) if last else highest
    for name, ip in (("rangeStart", first), ("rangeEnd", last), ("gateway", gateway)):
        if ip and not net.holds(parse(ip)):
            raise ValueError(f"{name} {ip} is not in {cidr}")
    if start > end:
        raise ValueError(f"rangeStart {first} is after rangeEnd {last}")
    return Range(net, max(start, lowest), min(end, highest), chosen)


def check_sets(sets: tuple[RangeSet, ...]) -> None:
    """Ranges of a set have one family, and no two ranges overlap."""
    seen: list[Range] = []
    for one_set in sets:
        if len({one.subnet.size for one in one_set}) > 1:
            raise CniError(CONFIG, "cannot use ipam.ranges: a set mixes IPv4 and IPv6; make it two sets")
        for one in one_set:
            for other in seen:
                if one.subnet.size == other.subnet.size and one.first <= other.last and other.first <= one.last:
                    raise CniError(CONFIG, f"cannot use ipam.ranges: {one} and {other} overlap")
            seen.append(one)


def without(one_set: RangeSet, spans: tuple[tuple[bytes, bytes], ...]) -> RangeSet:
    """What is left of ranges when spans of addresses (first, last) are taken out."""
    left = list(one_set)
    for first, last in spans:
        left = [piece for one in left for piece in _cut(one, first, last)]
    return tuple(left)


def _cut(one: Range, first: bytes, last: bytes) -> list[Range]:
    if len(first) != one.subnet.size:
        return [one]
    pieces = one._replace(last=min(one.last, number(first) - 1)), one._replace(first=max(one.first, number(last) + 1))
    return [piece for piece in pieces if piece.first <= piece.last]


def candidates(one_set: RangeSet, after: bytes | None) -> Iterator[bytes]:
    """The addresses of a set in their order, those behind one of them, or all if it is none of them."""
    start = next((i for i, one in enumerate(one_set) if after is not None and _within(one, after)), None)
    for index, one in enumerate(one_set[start or 0 :]):
        first = number(after) + 1 if after is not None and start is not None and index == 0 else one.first
        gateway = number(one.gateway)
        for ip in range(first, one.last + 1):
            if ip != gateway:
                yield data(ip, one.subnet.size)


def _within(one: Range, ip: bytes) -> bool:
    return len(ip) == one.subnet.size and one.first <= number(ip) <= one.last


def link_local(mac: str) -> bytes:
    """The address that the kernel makes of a MAC address for IPv6."""
    hardware = bytes.fromhex(mac.replace(":", ""))
    return b"\xfe\x80" + b"\0" * 6 + bytes([hardware[0] ^ 2]) + hardware[1:3] + b"\xff\xfe" + hardware[3:]


def mac_of(ip: bytes) -> str:
    """A MAC address made of an IP address: a reused address means the same MAC, so that no neighbour is ever wrong."""
    return (b"\x0a\x58" + ip[-4:]).hex(":")
