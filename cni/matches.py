"""Matches of packets by their addresses, as all tables for IP are made of. Pure."""

from collections.abc import Iterable

from cni import ranges
from cni.ranges import Subnet
from linux.nft import expressions as ex
from linux.nft.expressions import R0
from linux.nft.wire import INET4, INET6

SIZES = {INET4: 4, INET6: 16}
"""The families of IP, and the bytes of an address."""


def source(family: int) -> bytes:
    """Load the address that a packet comes from."""
    return ex.payload(R0, ex.NETWORK_HEADER, 12 if family == INET4 else 8, SIZES[family])


def destination(family: int) -> bytes:
    """Load the address that a packet goes to."""
    return ex.payload(R0, ex.NETWORK_HEADER, 16 if family == INET4 else 24, SIZES[family])


def within(net: Subnet, operator: int = ex.EQUAL) -> bytes:
    """Go on only if the loaded address is in the network, or with NOT_EQUAL only if it is not."""
    bits = net.size * 8
    mask = ranges.data((1 << bits) - (1 << bits - net.prefix), net.size)
    return ex.bitwise(R0, mask, b"\0" * net.size) + ex.compare(R0, operator, ranges.data(net.first, net.size))


def beyond(family: int, nets: Iterable[Subnet]) -> bytes:
    """Go on only if a packet goes to none of these networks."""
    return b"".join(destination(family) + within(net, ex.NOT_EQUAL) for net in nets)
