"""The API server, wired: store, cache, steps, doors. `start` makes it ready, `listen` opens it to the network."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field

from api import kinds
from client.client import Client
from controlplane.apiserver.allocators.services import ServiceNumbers
from controlplane.apiserver.bootstrap import Bootstrap
from controlplane.apiserver.bootstrap.trust import Trusted
from controlplane.apiserver.cache import Cache
from controlplane.apiserver.call import Answer
from controlplane.apiserver.compaction import compact_for_ever
from controlplane.apiserver.connect.agents import Agents
from controlplane.apiserver.connect.places import is_proxied
from controlplane.apiserver.core import Core
from controlplane.apiserver.discovery import Discovery
from controlplane.apiserver.identity import settings as identity
from controlplane.apiserver.identity.front_proxies import FrontProxies
from controlplane.apiserver.identity.issuer import CONFIGURATION, KEPT_SECONDS, KEYS, KEYS_TYPE
from controlplane.apiserver.identity.legacy_use import LegacyUse
from controlplane.apiserver.identity.settings import IdentitySettings
from controlplane.apiserver.identity.users import MASTERS
from controlplane.apiserver.instruments import Instruments, count_objects, tell_build
from controlplane.apiserver.load import Load
from controlplane.apiserver.local import LocalTransport
from controlplane.apiserver.network import NetworkDoor
from controlplane.apiserver.openapi.v2 import Swagger
from controlplane.apiserver.openapi.v3 import OpenApi
from controlplane.apiserver.pages import VERSION, Pages, about
from controlplane.apiserver.representation import Representations
from controlplane.apiserver.watching import tell_bookmarks
from controlplane.store.interface import Store
from kit.clock import Clock
from kit.http.server import Server
from kit.http.tls import ServerTls
from kit.metrics import Metrics
from kit.supervisor import Supervisor

BOOKMARK_SECONDS = 60.0
ITSELF = "system:apiserver"


@dataclass(frozen=True, slots=True)
class Settings:
    """Facts of the cluster that the API server needs."""

    address: str  # where nodes and pods reach it; not loopback
    port: int = 6443
    service_cidrs: Sequence[str] = ("10.96.0.0/12",)
    node_ports: tuple[int, int] = (30000, 32767)
    client_ca: str = ""  # PEM, by which clients prove who they are
    agent_tls: ssl.SSLContext | None = None  # how it proves itself to agents
    in_flight: tuple[int, int] = (400, 200)  # reads and writes in work at a time; 0 is no limit
    identity: IdentitySettings = field(default_factory=IdentitySettings)
    accounts: bool = False  # controllers make accounts in every namespace: pods need one, and get its token


class ApiServer:
    """One API server over one store."""

    def __init__(self, store: Store, settings: Settings, clock: Clock, metrics: Metrics | None = None) -> None:
        self._settings = settings
        self._clock = clock
        self._metrics = metrics or Metrics()
        cache = Cache(store, kinds.ALL, clock)
        addresses = cache.resources[kinds.IP_ADDRESS].entries
        numbers = ServiceNumbers(settings.service_cidrs, settings.node_ports, known=addresses)
        cache.observe(numbers.observe)
        self.core = Core(store, cache, clock, numbers, Representations(clock), Agents(settings.agent_tls))
        self.core.accounts = settings.accounts
        self._legacy_use = LegacyUse(clock)
        made = identity.make(settings.identity, cache, clock, self._legacy_use.used)
        self.core.tokens, self.core.issuer = made
        if (front := settings.identity.front) is not None:
            self.core.front = FrontProxies(front, settings.client_ca)
        cache.observe(self.core.policies.observe)
        self.pages = Pages(
            Discovery(kinds.SERVED, f"{settings.address}:{settings.port}"),
            OpenApi(kinds.SERVED, VERSION),
            Swagger(kinds.SERVED, VERSION),
            self._metrics,
            live={"log": lambda: "", "etcd": self._cache_problem, "cache": self._cache_problem},
            ready={},
        )
        count_objects(self._metrics, cache)
        tell_build(self._metrics, about())
        self._publish()
        itself = self.client(ITSELF, MASTERS)
        trusted = Trusted(settings.client_ca, settings.identity.front)
        self._bootstrap = Bootstrap(self.core, itself, settings.address, settings.port, trusted)
        for hook in self._bootstrap.hooks.all:
            self.pages.check(hook.check, hook.problem)
        load = Load(*settings.in_flight, self._metrics)
        self.handler = NetworkDoor(self.core, self.pages, Instruments(self._metrics), load)
        self._broken = ""

    def _publish(self) -> None:
        """The documents by which others check the tokens of service accounts."""
        if (issuer := self.core.issuer) is not None:
            kept = (("Cache-Control", f"public, max-age={KEPT_SECONDS}"),)
            address = f"{self._settings.address}:{self._settings.port}"
            self.pages.add(CONFIGURATION, Answer(issuer.configuration(address), headers=kept))
            self.pages.add(KEYS, Answer(issuer.keys(), content_type=KEYS_TYPE, headers=kept))

    def client(self, user: str, *groups: str) -> Client:
        """A client for a component in this process, which acts as `user`."""
        return Client(LocalTransport(self.core, self.pages, user, groups))

    async def start(self, supervisor: Supervisor) -> None:
        """Load the cache, follow the store, and make what every cluster has."""
        await self.begin(supervisor)
        await self.ready()

    async def begin(self, supervisor: Supervisor) -> None:
        """Load the cache and follow the store, so that requests can be answered; what every cluster has is made meanwhile."""
        store, cache = self.core.store, self.core.cache
        await cache.load()
        supervisor.spawn("apiserver-cache", self._follow)
        if not store.shared:  # else every request waits until the cache is fresh
            await cache.caught_up(store.revision)
        supervisor.spawn("apiserver-bookmarks", self._bookmark, restart=True)
        supervisor.spawn("apiserver-compaction", lambda: compact_for_ever(store, cache, self._clock), restart=True)
        supervisor.spawn("apiserver-tokens", lambda: self._legacy_use.run(self.client(ITSELF, MASTERS)), restart=True)
        self._bootstrap.begin(supervisor)

    async def ready(self) -> None:
        """Return when all that every cluster has is there."""
        await self._bootstrap.hooks.finished()

    async def listen(
        self, addresses: Sequence[tuple[str, int]], tls: ServerTls, supervisor: Supervisor
    ) -> list[Server]:
        """Serve the network. Raises kit.http.server.ListenError."""
        servers = []
        for host, port in addresses:
            server = Server(
                self.handler, host, port, tls, clock=self._clock, streamed=is_proxied, known=self.handler.knows
            )
            await server.start()
            self.core.doors.add(server.addresses)
            supervisor.spawn(f"apiserver-{host}:{server.port}", server.run)
            servers.append(server)
        return servers

    async def _follow(self) -> None:
        try:
            await self.core.cache.run()
        finally:
            self._broken = "the cache follows the store no longer"

    def _cache_problem(self) -> str:
        return self._broken

    async def _bookmark(self) -> None:
        while True:
            await self._clock.sleep(BOOKMARK_SECONDS)
            tell_bookmarks(self.core.cache.resources.values(), self.core.cache.revision)
