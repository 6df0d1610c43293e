"""Tells load balancers whether this node has endpoints: a small server on each Service's health check node port.

A load balancer that sends traffic for a Service with externalTrafficPolicy Local asks every node on that port; where there
is nothing to send it to, or where the rules are behind, the answer is no. What is to be answered is known as soon as it is
seen; opening and closing ports is left to `run`. A port that cannot be had is asked for again, and its Service told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass

import msgspec

from kit import log
from kit.backoff import Backoff
from kit.clock import Alarm, Clock
from kit.http.model import Request, Response
from kit.http.server import ListenError, Server
from proxy.model.cluster import Cluster
from proxy.plan.topology import ready_here

Complain = Callable[[str, str, str], object]  # Service, reason in one word, message
_log = log.get("proxy.healthports")


@dataclass
class _Port:
    """What one Service wants answered, and who does it."""

    number: int
    endpoints: int
    server: Server | None = None


class HealthPorts:
    """The servers, by Service."""

    def __init__(self, cluster: Cluster, healthy: Callable[[], bool], clock: Clock, complain: Complain) -> None:
        self._cluster = cluster
        self._healthy = healthy
        self._clock = clock
        self._complain = complain
        self._wanted: dict[str, _Port] = {}
        self._leaving: list[Server] = []
        self._wake = asyncio.Event()

    def look(self, services: Collection[str]) -> None:
        """Something happened to these Services."""
        for key in services:
            service = self._cluster.services.get(key)
            number = service.health_port if service is not None else 0
            known = self._wanted.get(key)
            if known is not None and known.number != number:
                del self._wanted[key]
                if known.server is not None:
                    self._leaving.append(known.server)
                self._wake.set()
                known = None
            if number:
                count = ready_here(self._cluster.slices(key))
                if known is not None:
                    known.endpoints = count
                else:
                    self._wanted[key] = _Port(number, count)
                    self._wake.set()

    async def run(self) -> None:
        """Open and close ports until cancelled."""
        retries = Backoff(base=1.0, cap=30.0, jitter=0.3).retries()
        retry = Alarm(self._clock, self._wake.set)
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._leaving:
                await self._leaving.pop().close(grace=1.0)
            if await self._open():
                retries.reset()
            else:
                retry.set(retries.next())

    async def close(self) -> None:
        """Give all ports back."""
        servers = [*self._leaving, *(one.server for one in self._wanted.values() if one.server is not None)]
        self._leaving.clear()
        self._wanted.clear()
        for server in servers:
            await server.close(grace=1.0)

    async def _open(self) -> bool:
        """Open what is wanted and not open; whether all of it could be had."""
        complete = True
        for key, one in list(self._wanted.items()):
            if one.server is not None or self._wanted.get(key) is not one:
                continue
            server = Server(self._answers(key, one), "", one.number, clock=self._clock)
            try:
                await server.start()
            except ListenError as error:
                complete = False
                _log.warning("cannot answer health checks", service=key, port=one.number, error=error)
                self._complain(key, "FailedToStartServiceHealthcheck", f"cannot answer health checks: {error}")
                continue
            if self._wanted.get(key) is one:
                one.server = server
            else:  # no longer wanted since
                await server.close(grace=1.0)
        return complete

    def _answers(self, key: str, one: _Port) -> Callable[[Request], Response]:
        namespace, _, name = key.partition("/")

        def answer(_: Request) -> Response:
            well = self._healthy()
            body = {
                "service": {"namespace": namespace, "name": name},
                "localEndpoints": one.endpoints,
                "serviceProxyHealthy": well,
            }
            headers = [
                ("X-Content-Type-Options", "nosniff"),
                ("X-Load-Balancing-Endpoint-Weight", str(one.endpoints)),
            ]
            return Response(200 if well and one.endpoints else 503, msgspec.json.encode(body), headers=headers)

        return answer
