"""Which ranges a node gets. Pure: what is taken stands on the nodes themselves."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class BadRange(ValueError):
    """The cluster's range cannot be divided as asked."""


@dataclass(frozen=True, slots=True)
class Pool:
    """One range of the cluster, cut into equal parts."""

    whole: Network
    size: int

    @property
    def parts(self) -> int:
        return 1 << (self.size - self.whole.prefixlen)


def pools(cidrs: str, size: int, size_v6: int) -> tuple[Pool, ...]:
    """The pools in `10.244.0.0/16` or `10.244.0.0/16,fd00:10:244::/56`."""
    made: list[Pool] = []
    for text in cidrs.split(","):
        try:
            whole = ipaddress.ip_network(text.strip())
        except ValueError as error:
            raise BadRange(f"cannot read pod range {text!r}: {error}") from error
        part = size if whole.version == 4 else size_v6
        if not whole.prefixlen <= part <= whole.max_prefixlen:
            raise BadRange(f"cannot cut pod range {text.strip()} into ranges of /{part}: they are not smaller")
        made.append(Pool(whole, part))
    return tuple(made)


def plan_ranges(pools: Iterable[Pool], taken: Iterable[str]) -> tuple[str, ...] | None:
    """The first free part of each pool; None if one of them is exhausted."""
    busy = [network for text in taken if (network := _network(text)) is not None]
    found: list[str] = []
    for pool in pools:
        free = _first_free(pool, busy)
        if free is None:
            return None
        found.append(str(free))
    return tuple(found)


def _first_free(pool: Pool, busy: list[Network]) -> Network | None:
    base, step = int(pool.whole.network_address), 1 << (pool.whole.max_prefixlen - pool.size)
    used: set[int] = set()
    for network in busy:  # a range of another size, written by hand, takes every part that it touches
        if network.version == pool.whole.version and network.overlaps(pool.whole):
            first = max(0, (int(network.network_address) - base) // step)
            last = min(pool.parts - 1, (int(network.broadcast_address) - base) // step)
            used.update(range(first, last + 1))
    index = next((i for i in range(pool.parts) if i not in used), None)
    if index is None:
        return None
    address = type(pool.whole.network_address)(base + index * step)
    return ipaddress.ip_network(f"{address}/{pool.size}")


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
