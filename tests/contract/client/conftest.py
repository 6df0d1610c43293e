"""The doors that pass the contract: the fake, the real API server in this process, and the real one over TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from client import Client
from client.fake import FakeTransport
from client.http import HttpTransport
from client.kubeconfig import Access
from controlplane.apiserver.server import ApiServer, Settings
from controlplane.store.sqlite import SqliteStore
from kit import pki
from kit.clock import SystemClock
from kit.http.tls import ServerTls
from kit.supervisor import Supervisor


@dataclass
class Door:
    """A client, and how to have its server forget history."""

    client: Client
    compact: Callable[[], Awaitable[None]]


@pytest.fixture(params=["fake", "local", "http"])
async def door(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Door]:
    """Each door in turn, to an empty server."""
    if request.param == "fake":
        fake = FakeTransport()

        async def forget() -> None:
            fake.compact()

        yield Door(Client(fake), forget)
        return
    async with Supervisor(signals=False) as supervisor:
        clock = SystemClock()
        store = await SqliteStore.open(tmp_path / "store.db", clock)
        supervisor.defer("store", store.close)
        server = ApiServer(store, Settings("192.0.2.10"), clock)
        await server.start(supervisor)

        async def compact() -> None:
            server.core.cache.forget(store.revision)
            await store.compact(store.revision)

        if request.param == "local":
            client = server.client("admin", "system:masters")
        else:
            client = await _over_tls(server, supervisor, tmp_path)
        yield Door(client, compact)
        await client.close()
        supervisor.stop()


async def _over_tls(server: ApiServer, supervisor: Supervisor, directory: Path) -> Client:
    ca = pki.make_ca("test")
    pki.issue(ca, "apiserver", ips=["127.0.0.1"], server=True).save(directory / "s.crt", directory / "s.key")
    (directory / "ca.crt").write_bytes(ca.cert)
    tls = ServerTls(directory / "s.crt", directory / "s.key", directory / "ca.crt")
    (listening,) = await server.listen([("127.0.0.1", 0)], tls, supervisor)
    admin = pki.issue(ca, "admin", ["system:masters"], client=True)
    return Client(HttpTransport(Access(f"https://127.0.0.1:{listening.port}", ca.cert, admin.cert, admin.key)))


@pytest.fixture
def client(door: Door) -> Client:
    """The door's client."""
    return door.client
