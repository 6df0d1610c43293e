"""Where this server may be led. Nodes, pods and endpoints say themselves where they are, and some of them lie.

Refused are addresses that mean another machine to whoever wrote them than to us (loopback, link-local and the like), and the doors of
the API itself, ours and those of the other control planes: a request that came in there by our hand would be one of ours.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from api import codec, kinds
from controlplane.apiserver import status

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_BROADCAST = ipaddress.IPv4Address("255.255.255.255")
_API = "default/kubernetes"  # the Service that leads to all control planes


def allowed(address: Address) -> Address:
    """The address, if it is one that others may have us connect to. Raises StatusError."""
    real = _plain(address)
    if real.is_loopback or real.is_link_local or real.is_unspecified or real.is_multicast or real == _BROADCAST:
        raise refusal()
    return real


def refusal() -> status.StatusError:
    """What upstream says to such an address."""
    return status.bad_request("address not allowed")


class Doors:
    """Where this server listens."""

    def __init__(self) -> None:
        self._doors: set[tuple[Address, int]] = set()

    def add(self, addresses: Iterable[tuple[str, int]]) -> None:
        """Remember what a socket is bound to, or by what address others reach it."""
        self._doors.update((_plain(ipaddress.ip_address(host.partition("%")[0])), port) for host, port in addresses)

    def __contains__(self, place: tuple[str, int]) -> bool:
        """Whether a connection to this address and port ends here."""
        address, port = _plain(ipaddress.ip_address(place[0])), place[1]
        return any(
            port == own and (address == host or (host.is_unspecified and _is_local(address)))
            for host, own in self._doors
        )


def refuse_api(address: str, port: int, core: Core) -> None:
    """Raise StatusError if a server of the API listens there, or its Service does."""
    if (address, port) in core.doors or (address, port) in _published(core):
        raise refusal()


def _published(core: Core) -> Iterator[tuple[str, int]]:
    entry = core.cache.resources[kinds.ENDPOINTS].entries.get(_API)
    if entry is not None:
        endpoints: Any = codec.decode(kinds.ENDPOINTS, entry.data)
        for subset in endpoints.subsets:
            yield from ((one.ip, port.port) for one in subset.addresses for port in subset.ports)
    entry = core.cache.resources[kinds.SERVICE].entries.get(_API)
    if entry is not None:
        spec: Any = codec.decode(kinds.SERVICE, entry.data).spec
        addresses = spec.cluster_ips or [spec.cluster_ip]
        yield from ((address, port.port) for address in addresses for port in spec.ports)


def _is_local(address: Address) -> bool:
    """Whether the address is one of this host's: then a socket can be bound to it."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True


def _plain(address: Address) -> Address:
    """IPv4 that is written as IPv6 is IPv4."""
    return getattr(address, "ipv4_mapped", None) or address
