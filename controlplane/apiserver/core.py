"""What the steps work with: the store, the cache, the clock, and who hands out numbers. Made once, in the server's wiring."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from controlplane.apiserver.access.builtin import GIVEN
from controlplane.apiserver.access.policies import Policies
from controlplane.apiserver.allocators.services import ServiceNumbers
from controlplane.apiserver.cache import Cache
from controlplane.apiserver.connect.addresses import Doors
from controlplane.apiserver.connect.agents import Agents
from controlplane.apiserver.identity.front_proxies import FrontProxies
from controlplane.apiserver.identity.issuer import Issuer
from controlplane.apiserver.identity.verdicts import INVALID, Verdict
from controlplane.apiserver.representation import Representations
from controlplane.apiserver.usage import Usage
from controlplane.store.interface import Store
from kit.clock import Clock


class Tokens(Protocol):
    """Knows the users behind bearer tokens."""

    def review(self, token: str, audiences: tuple[str, ...] = ()) -> Verdict: ...


class NoTokens:
    """A cluster without tokens: none is valid."""

    def review(self, token: str, audiences: tuple[str, ...] = ()) -> Verdict:
        """Nobody's."""
        return Verdict(error=INVALID)


@dataclass(slots=True)
class Core:
    """The server's parts."""

    store: Store
    cache: Cache
    clock: Clock
    numbers: ServiceNumbers
    representations: Representations
    agents: Agents
    doors: Doors = field(default_factory=Doors)
    usage: Usage = field(default_factory=Usage)
    tokens: Tokens = field(default_factory=NoTokens)
    policies: Policies = field(default_factory=lambda: Policies(GIVEN))
    issuer: Issuer | None = None
    front: FrontProxies | None = None
    doubtful: int = 0  # calls that were refused and wait to be looked at again
    accounts: bool = False  # a controller makes them, so pods must have one
