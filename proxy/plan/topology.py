"""Which endpoints of a Service port can be used, from anywhere and from this node."""

from collections.abc import Iterable
from itertools import repeat

import msgspec

from proxy.model import addresses
from proxy.model.endpointslice import (
    FOR_HERE,
    FOR_NODES,
    LOCAL,
    NOWHERE,
    READY,
    SERVING,
    TERMINATING,
    Slice,
)

_PLAIN = READY | SERVING


class Usable(msgspec.Struct, frozen=True, gc=False):
    """Packed endpoints: `every` for traffic that may go anywhere, `local` for what must stay on this node, `draining` for
    those that get nothing new but keep what they have (they terminate, or are meant for other nodes). `here`: the addresses
    of endpoints that run, or may run, on this node (a packet from one may come back to it)."""

    every: bytes
    local: bytes
    draining: bytes
    here: bytes


def usable_endpoints(slices: Iterable[Slice], family: int, name: str, protocol: int, zone: str = "") -> Usable:
    """Ready endpoints, of those the ones meant for this node or zone if all say for whom they are; if there are none,
    those that terminate but still serve. Separately for every and for local, where who is meant does not matter."""
    ready: list[bytes] = []
    draining: list[bytes] = []
    local_ready: list[bytes] = []
    local_draining: list[bytes] = []
    here: set[bytes] = set()
    meant = _Meant(zone)
    size = 4 if family == addresses.IPV4 else 16
    for one in slices:
        port = _port(one, name, protocol) if one.family == family else 0
        if not port:
            continue
        tail = port.to_bytes(2, "big") + b"\0\0"
        packed = [one.addresses[i : i + size] + tail for i in range(0, len(one.addresses), size)]
        meant.look(one, packed)
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
    chosen = meant.chosen()
    if not (draining or local_ready or here or chosen):
        return Usable(addresses.join(ready), b"", b"", b"")
    every = addresses.join(chosen or ready or draining)
    local = addresses.join(local_ready or local_draining)
    keep = (draining if ready else []) + (list(set(ready).difference(chosen)) if chosen else [])
    return Usable(every, local, addresses.join(keep), b"".join(sorted(here)))


class _Meant:
    """Which ready endpoints the hints choose. One without a hint makes all hints of that kind void."""

    def __init__(self, zone: str) -> None:
        self._zone = zone
        self._ready = self._for_nodes = self._for_zones = 0
        self._here: list[bytes] = []
        self._near: list[bytes] = []

    def look(self, one: Slice, packed: list[bytes]) -> None:
        """Take account of one slice."""
        if not one.zones and one.conditions.count(_PLAIN):
            self._ready += 1  # at least one without any hint: that settles it
            return
        zones: Iterable[tuple[str, ...]] = one.zones or repeat(())
        for endpoint, seen, near in zip(packed, one.conditions, zones, strict=False):
            if not seen & READY:
                continue
            self._ready += 1
            self._for_nodes += 1 if seen & FOR_NODES else 0
            self._for_zones += 1 if near else 0
            if seen & FOR_HERE:
                self._here.append(endpoint)
            if self._zone in near:
                self._near.append(endpoint)

    def chosen(self) -> list[bytes]:
        """Those for this node, else those for its zone; none if any will do."""
        if self._ready and self._ready == self._for_nodes and self._here:
            return self._here
        return self._near if self._ready == self._for_zones else []


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
