"""From the plan to virtual services and their destinations, and the steps from what the kernel has to what is wanted. Pure.

A frontend is a virtual service; one that listens on the node is one for each of the node's own addresses. Where traffic
from inside the cluster may go elsewhere than traffic from outside (EXTERNAL_LOCAL), the rules give it a mark, and a virtual
service for that mark takes it. The kernel does not translate ports for marks with persistence, so affinity is by a hash of
the client's address there.

Ours have flags of their own that mean nothing to the kernel: others' virtual services are left alone.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from linux.ipvs import PERSISTENT, Destination, Service, Settings
from proxy.backends.interface import RebuildNeeded
from proxy.model import addresses
from proxy.model.addresses import TCP
from proxy.plan.desired import NODE, Desired, Route

OURS, OURS_MASK = 0x57480000, 0xFFFF0000
INSIDE_MARK = 0x2000
HASHING = "sh"
FULL_WEIGHT, DRAINING = 1, 0


class Virtual(NamedTuple):
    """A virtual service as it is or shall be."""

    settings: Settings
    weights: dict[Destination, int]


class Marks:
    """A mark for each service port that needs one: bit 13, and 16 bits that stay the same from one process to the next."""

    def __init__(self) -> None:
        self._by_name: dict[str, int] = {}
        self._taken: set[int] = set()

    def clear(self) -> None:
        """Forget those of service ports that may be gone."""
        self._by_name.clear()
        self._taken.clear()

    def of(self, name: str) -> int:
        """The mark of a service port."""
        if name not in self._by_name:
            if len(self._taken) >= 0xFFFF:
                raise RebuildNeeded("cannot add a service port: all marks are in use")
            number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:2], "big")
            while number == 0 or number in self._taken:
                number = (number + 1) & 0xFFFF
            self._taken.add(number)
            self._by_name[name] = number
        return self._by_name[name] << 16 | INSIDE_MARK


def is_ours(settings: Settings) -> bool:
    """Whether a virtual service was made by this backend."""
    return settings.flags & OURS_MASK == OURS


def virtuals(one: Desired, listening: Collection[bytes], scheduler: str, marks: Marks) -> dict[Service, Virtual]:
    """The virtual services of one service port; those without destinations need not be there."""
    found: dict[Service, Virtual] = {}
    flags = OURS | PERSISTENT if one.affinity else OURS
    for frontend in one.frontends:
        virtual = Virtual(Settings(scheduler, flags, one.affinity), _weights(one, one.endpoints(frontend.route)))
        for address in _own(one, listening) if frontend.address == NODE else (frontend.address,):
            found[Service(one.family, one.protocol, address, frontend.port)] = virtual
    if one.every and any(frontend.route == Route.EXTERNAL_LOCAL for frontend in one.frontends):
        inside = Settings(HASHING if one.affinity else scheduler, OURS, one.affinity)
        found[Service(one.family, mark=marks.of(one.name))] = Virtual(inside, _weights(one, one.every))
    return found


def link_addresses(one: Desired, own: Collection[bytes]) -> set[bytes]:
    """The addresses that this host must take for its own, so that IPVS sees their packets."""
    return {frontend.address for frontend in one.frontends if frontend.address not in (NODE, *own)}


def _own(one: Desired, listening: Collection[bytes]) -> Iterator[bytes]:
    return (address for address in listening if addresses.family_of(address) == one.family)


def _weights(one: Desired, endpoints: bytes) -> dict[Destination, int]:
    packed = addresses.split(endpoints, one.family)
    return {Destination(*addresses.unpack(endpoint)): FULL_WEIGHT for endpoint in packed}


class Make(NamedTuple):
    """Make a virtual service."""

    service: Service
    settings: Settings


class Alter(NamedTuple):
    """Let a virtual service choose otherwise."""

    service: Service
    settings: Settings


class Place(NamedTuple):
    """Add a destination."""

    service: Service
    destination: Destination
    weight: int


class Weigh(NamedTuple):
    """Change a destination's weight: to zero, so that it drains, or back."""

    service: Service
    destination: Destination
    weight: int


class Take(NamedTuple):
    """Remove a destination."""

    service: Service
    destination: Destination


class Remove(NamedTuple):
    """Remove a virtual service."""

    service: Service


Step = Make | Alter | Place | Weigh | Take | Remove


def steps(before: Mapping[Service, Virtual], after: Mapping[Service, Virtual]) -> tuple[list[Step], list[Step]]:
    """What to do before the rules change, and what after that: nobody is sent to what is not there.

    TCP destinations that are no longer wanted get weight 0 and keep their connections; `swept` removes them one day.
    """
    first: list[Step] = []
    last: list[Step] = [Remove(service) for service in before if service not in after]
    for service, wanted in after.items():
        seen = before.get(service)
        if seen is None:
            if not wanted.weights:
                continue
            first.append(Make(service, wanted.settings))
        elif seen.settings != wanted.settings:
            first.append(Alter(service, wanted.settings))
        weights = seen.weights if seen is not None else {}
        for destination, weight in wanted.weights.items():
            if destination not in weights:
                first.append(Place(service, destination, weight))
            elif weights[destination] != weight:
                first.append(Weigh(service, destination, weight))
        gone = [destination for destination in weights if destination not in wanted.weights]
        if service.protocol in (TCP, 0):  # what has a mark may be TCP
            last += [Weigh(service, one, DRAINING) for one in gone if weights[one] != DRAINING]
        elif not wanted.weights:
            last.append(Remove(service))
        else:
            last += [Take(service, one) for one in gone]
    return first, last


def swept(service: Service, virtual: Virtual, connections: Mapping[Destination, int]) -> list[Step]:
    """Remove the destinations that have drained, and the virtual service if none is left."""
    done = [one for one, weight in virtual.weights.items() if weight == DRAINING and not connections.get(one)]
    if len(done) == len(virtual.weights):
        return [Remove(service)]
    return [Take(service, one) for one in done]
