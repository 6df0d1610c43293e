"""Which endpoints of a Service port can be used, from anywhere and from this node."""

from collections.abc import Iterable

import msgspec

from proxy.model import addresses
from proxy.model.endpointslice import LOCAL, NOWHERE, READY, SERVING, TERMINATING, Slice

_PLAIN = READY | SERVING


class Usable(msgspec.Struct, frozen=True, gc=False):
    """Packed endpoints: `every` for traffic that may go anywhere, `local` for what must stay on this node, `draining` for
    those that get nothing new but keep what they have. `here`: the addresses of endpoints that run, or may run, on this
    node (a packet from one may come back to it)."""

    every: bytes
    local: bytes
    draining: bytes
    here: bytes


def usable_endpoints(slices: Iterable[Slice], family: int, name: str, protocol: int) -> Usable:
    """Ready endpoints; if there are none, those that terminate but still serve: separately for every and for local."""
    ready: list[bytes] = []
    draining: list[bytes] = []
    local_ready: list[bytes] = []
    local_draining: list[bytes] = []
    here: set[bytes] = set()
    size = 4 if family == addresses.IPV4 else 16
    for one in slices:
        port = _port(one, name, protocol) if one.family == family else 0
        if not port:
            continue
        tail = port.to_bytes(2, "big") + b"\0\0"
        packed = [one.addresses[i : i + size] + tail for i in range(0, len(one.addresses), size)]
        if one.conditions.count(_PLAIN) == len(packed):  # all ready, all elsewhere: the common case, at scale
            ready += packed
            continue
        for endpoint, seen in zip(packed, one.conditions, strict=True):
            if seen & READY:
                ready.append(endpoint)
                if seen & LOCAL:
                    local_ready.append(endpoint)
            elif seen & SERVING and seen & TERMINATING:
                draining.append(endpoint)
                if seen & LOCAL:
                    local_draining.append(endpoint)
            if seen & (LOCAL | NOWHERE):
                here.add(endpoint[:-4])
    if not (draining or local_ready or here):
        return Usable(addresses.join(ready), b"", b"", b"")
    every = addresses.join(ready or draining)
    local = addresses.join(local_ready or local_draining)
    return Usable(every, local, addresses.join(draining if ready else ()), b"".join(sorted(here)))


def ready_here(slices: Iterable[Slice]) -> int:
    """How many pods on this node are ready. One that has an address of each family is one."""
    seen: dict[int, set[bytes]] = {addresses.IPV4: set(), addresses.IPV6: set()}
    for one in slices:
        size = 4 if one.family == addresses.IPV4 else 16
        for number, conditions in enumerate(one.conditions):
            if conditions & READY and conditions & LOCAL:
                seen[one.family].add(one.addresses[number * size : (number + 1) * size])
    return max(len(found) for found in seen.values())


def _port(one: Slice, name: str, protocol: int) -> int:
    for port in one.ports:
        if port.name == name and port.protocol == protocol:
            return port.port
    return 0
