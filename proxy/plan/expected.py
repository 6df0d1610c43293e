"""The wanted state as any backend should give it back when it reads the kernel: how the two are compared."""

from collections.abc import Iterable

import msgspec

from proxy.model import addresses
from proxy.model.networks import digest
from proxy.plan.desired import NODE, Desired, Frontend, Route


class Target(msgspec.Struct, frozen=True):
    """Where traffic goes; `empty` says what happens without endpoints: "reject", "drop" or, with endpoints, nothing."""

    endpoints: frozenset[bytes]
    affinity: int = 0
    empty: str = ""


class SeenFrontend(msgspec.Struct, frozen=True):
    """What one frontend does with traffic from outside the cluster, and (EXTERNAL_LOCAL) from inside."""

    route: int
    outside: Target
    inside: Target | None = None
    sources: str = ""  # the digest of who may come, if not everybody


Slot = tuple[int, int, bytes, int]  # family, protocol, address, port


class Reading(msgspec.Struct, frozen=True):
    """All that a backend has in the kernel."""

    frontends: dict[Slot, SeenFrontend] = {}
    cluster_ips: frozenset[bytes] = frozenset()
    here: frozenset[bytes] = frozenset()

    def differences(self, other: "Reading", limit: int = 5) -> list[str]:
        """In words, what differs; empty if nothing does."""
        found = [f"cluster IP {addresses.show(ip)}" for ip in sorted(self.cluster_ips ^ other.cluster_ips)]
        found += [f"hairpin address {addresses.show(ip)}" for ip in sorted(self.here ^ other.here)]
        for slot in sorted(self.frontends.keys() | other.frontends.keys()):
            if self.frontends.get(slot) != other.frontends.get(slot):
                _, protocol, address, port = slot
                found.append(f"frontend {addresses.show(address) if address else 'node'}:{port}/{protocol}")
        return found[:limit]


def expected_reading(desired: Iterable[Desired]) -> Reading:
    """What the kernel holds if it holds all of this and nothing else."""
    frontends: dict[Slot, SeenFrontend] = {}
    cluster_ips: set[bytes] = set()
    here: set[bytes] = set()
    for one in desired:
        size = 4 if one.family == addresses.IPV4 else 16
        here.update(one.here[i : i + size] for i in range(0, len(one.here), size))
        for frontend in one.frontends:
            slot = (one.family, one.protocol, frontend.address, frontend.port)
            frontends[slot] = _frontend(one, frontend)
            if frontend.route == Route.INTERNAL and frontend.address != NODE:
                cluster_ips.add(frontend.address)
    return Reading(frontends, frozenset(cluster_ips), frozenset(here))


def _frontend(one: Desired, frontend: Frontend) -> SeenFrontend:
    route = frontend.route
    outside = _target(one, one.endpoints(route), one.dropped(route))
    inside = _target(one, one.every, False) if route == Route.EXTERNAL_LOCAL else None
    return SeenFrontend(route, outside, inside, digest(one.sources) if frontend.guarded else "")


def _target(one: Desired, endpoints: bytes, dropped: bool) -> Target:
    found = frozenset(addresses.split(endpoints, one.family))
    if not found:
        return Target(found, 0, "drop" if dropped else "reject")
    return Target(found, one.affinity)
