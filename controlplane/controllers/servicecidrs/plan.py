"""What one ServiceCIDR needs next. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from controlplane.controllers.seen.ranges import SeenRange

FINALIZER = "networking.k8s.io/service-cidr-finalizer"
GRACE_SECONDS = 10.0  # until every API server knows that the range is on its way out
READY = ("True", "", "Kubernetes Service CIDR is ready")
TERMINATING = (
    "False",
    "Terminating",
    "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR",
)


@dataclass(frozen=True, slots=True)
class Hold:
    """Put the finalizer on it."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Say how it is: status, reason and message of Ready."""

    ready: tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again after some seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Release:
    """Take the finalizer off."""


Action = Hold | Condition | Wait | Release


def plan(range_: SeenRange, ranges: Iterable[SeenRange], addresses: Iterable[str], now: float) -> list[Action]:
    """`addresses` are those that Services have."""
    if not range_.deleting:
        actions: list[Action] = [] if FINALIZER in range_.finalizers else [Hold()]
        return actions if range_.ready == READY else [*actions, Condition(READY)]
    if FINALIZER not in range_.finalizers:
        return []
    if not _can_go(range_, list(ranges), addresses):
        return [] if range_.ready == TERMINATING else [Condition(TERMINATING)]
    left = range_.deleted + GRACE_SECONDS - now
    return [Wait(left)] if left > 0 else [Release()]


def touches(range_: SeenRange, address: str) -> bool:
    """Whether the address is of the range."""
    return any(_contains(network, address) for network in _networks(range_))


def _can_go(range_: SeenRange, ranges: list[SeenRange], addresses: Iterable[str]) -> bool:
    others = [network for other in ranges if other.name != range_.name for network in _networks(other)]
    own = _networks(range_)
    if all(any(_within(network, other) for other in others) for network in own):
        return True
    return not any(
        any(_contains(network, address) for network in own) and not any(_contains(other, address) for other in others)
        for address in addresses
    )


def _networks(range_: SeenRange) -> list[Any]:
    found = []
    for cidr in range_.cidrs:
        try:
            found.append(ipaddress.ip_network(cidr))
        except ValueError:
            continue  # nothing can have come out of it
    return found


def _within(network: Any, other: Any) -> bool:
    return bool(network.version == other.version and network.subnet_of(other))


def _contains(network: Any, address: str) -> bool:
    try:
        return ipaddress.ip_address(address) in network
    except ValueError:
        return False
