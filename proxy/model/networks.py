"""Networks: where a packet may come from or go to."""

import hashlib
import ipaddress
from collections.abc import Iterable, Sequence

import msgspec

from proxy.model import addresses


class Network(msgspec.Struct, frozen=True):
    """A CIDR."""

    address: bytes
    prefix: int

    def __str__(self) -> str:
        return f"{addresses.show(self.address)}/{self.prefix}"

    @property
    def family(self) -> int:
        return addresses.family_of(self.address)

    def has(self, address: bytes) -> bool:
        """Whether an address of the same family lies in it."""
        unused = len(address) * 8 - self.prefix
        return int.from_bytes(address, "big") >> unused == int.from_bytes(self.address, "big") >> unused


NOBODY = (Network(b"\0" * 4, 32), Network(b"\0" * 16, 128))  # no packet comes from these


def of_family(networks: Iterable[Network], family: int) -> tuple[Network, ...]:
    """Those of one family; none if one of them is everything there is."""
    found = tuple(one for one in networks if one.family == family)
    return () if any(one.prefix == 0 for one in found) else found


def merge(networks: Iterable[Network]) -> tuple[Network, ...]:
    """The same addresses in the fewest networks, in order: equal permissions look alike."""
    wanted = list(networks)
    four = [ipaddress.IPv4Network((one.address, one.prefix)) for one in wanted if one.family == addresses.IPV4]
    six = [ipaddress.IPv6Network((one.address, one.prefix)) for one in wanted if one.family == addresses.IPV6]
    return (
        *(Network(one.network_address.packed, one.prefixlen) for one in ipaddress.collapse_addresses(four)),
        *(Network(one.network_address.packed, one.prefixlen) for one in ipaddress.collapse_addresses(six)),
    )


def digest(networks: Sequence[Network]) -> str:
    """A short name for a set of networks; empty for none."""
    return hashlib.sha256(",".join(map(str, networks)).encode()).hexdigest()[:16] if networks else ""
