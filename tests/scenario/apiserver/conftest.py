"""A real API server over a real store: in this process for one test, on TLS for those who want it."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from client.client import Client
from client.http import HttpTransport
from client.kubeconfig import load
from controlplane.apiserver.identity.settings import IdentitySettings
from controlplane.apiserver.server import ApiServer, Settings
from controlplane.store.sqlite import SqliteStore
from kit import pki
from kit.clock import SystemClock
from kit.http.tls import ServerTls
from kit.supervisor import Supervisor


@dataclass
class Cluster:
    """A running API server, its address and how to reach it as different users."""

    server: ApiServer
    supervisor: Supervisor
    directory: Path
    ca: pki.Pair
    port: int = 0

    async def listen(self) -> None:
        """Serve TLS on a free port of 127.0.0.1."""
        serving = pki.issue(self.ca, "apiserver", dns=["localhost"], ips=["127.0.0.1"], server=True)
        serving.save(self.directory / "server.crt", self.directory / "server.key")
        (self.directory / "ca.crt").write_bytes(self.ca.cert)
        tls = ServerTls(self.directory / "server.crt", self.directory / "server.key", self.directory / "ca.crt")
        (listening,) = await self.server.listen([("127.0.0.1", 0)], tls, self.supervisor)
        self.port = listening.port

    def kubeconfig(self, user: str = "admin", *groups: str) -> Path:
        """A kubeconfig with a fresh client certificate."""
        pair = pki.issue(self.ca, user, groups or ["system:masters"], client=True)
        coded = {name: base64.b64encode(data).decode() for name, data in (("cert", pair.cert), ("key", pair.key))}
        authority = base64.b64encode(self.ca.cert).decode()
        cluster = {"server": f"https://127.0.0.1:{self.port}", "certificate-authority-data": authority}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [
                {
                    "name": user,
                    "user": {"client-certificate-data": coded["cert"], "client-key-data": coded["key"]},
                }
            ],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
        }
        path = self.directory / f"{user.replace(':', '-')}.kubeconfig"
        path.write_text(json.dumps(document))
        return path

    def http_client(self, user: str = "admin", *groups: str) -> Client:
        """A client over TLS."""
        return Client(HttpTransport(load(self.kubeconfig(user, *groups))))


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """An API server that only components of this process can reach, until `listen`."""
    async with Supervisor(signals=False) as supervisor:
        clock = SystemClock()
        store = await SqliteStore.open(tmp_path / "store.db", clock)
        supervisor.defer("store", store.close)
        server = ApiServer(store, Settings("192.0.2.10", identity=IdentitySettings(pki.make_key())), clock)
        await server.start(supervisor)
        yield Cluster(server, supervisor, tmp_path, pki.make_ca("test"))
        supervisor.stop()


@pytest.fixture
async def secure(cluster: Cluster) -> Cluster:
    """The same, listening."""
    await cluster.listen()
    return cluster


@pytest.fixture(params=["local", "http"])
async def client(request: pytest.FixtureRequest, cluster: Cluster) -> AsyncIterator[Client]:
    """An administrator's client, once in the process and once over TLS."""
    if request.param == "local":
        yield cluster.server.client("admin", "system:masters")
        return
    await cluster.listen()
    found = cluster.http_client()
    yield found
    await found.close()
