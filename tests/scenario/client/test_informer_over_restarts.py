"""An informer over HTTP lives through restarts of the API server, and knows what changed meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from api import codec, kinds
from api.core_v1 import ConfigMap
from api.meta_v1 import ObjectMeta
from client import Client, Informer
from client.http import HttpTransport
from client.kubeconfig import Access
from controlplane.apiserver.server import ApiServer, Settings
from controlplane.store.sqlite import SqliteStore
from kit import pki
from kit.backoff import Backoff
from kit.clock import SystemClock
from kit.http.tls import ServerTls
from kit.supervisor import Supervisor
from testbed.ports import free_port


class Place:
    """A port, certificates and a store that survive restarts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ca = pki.make_ca("test")
        pki.issue(self.ca, "apiserver", ips=["127.0.0.1"], server=True).save(path / "s.crt", path / "s.key")
        (path / "ca.crt").write_bytes(self.ca.cert)
        self.admin = pki.issue(self.ca, "admin", ["system:masters"], client=True)
        self.port = free_port()

    def client(self) -> Client:
        return Client(
            HttpTransport(Access(f"https://127.0.0.1:{self.port}", self.ca.cert, self.admin.cert, self.admin.key))
        )

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Client]:
        """An API server; yields a client inside it, for writes beside the network."""
        async with Supervisor(signals=False) as supervisor:
            store = await SqliteStore.open(self.path / "store.db", SystemClock())
            supervisor.defer("store", store.close)
            server = ApiServer(store, Settings("192.0.2.10"), SystemClock())
            await server.start(supervisor)
            tls = ServerTls(self.path / "s.crt", self.path / "s.key", self.path / "ca.crt")
            await server.listen([("127.0.0.1", self.port)], tls, supervisor)
            yield server.client("admin", "system:masters")
            supervisor.stop()


async def until(informer: Informer[str], wanted: dict[str, str]) -> None:
    changed = asyncio.Event()
    informer.subscribe(lambda *_: changed.set())
    while informer.store != wanted:
        changed.clear()
        await asyncio.wait_for(changed.wait(), 120)


async def write(client: Client, name: str, value: str) -> None:
    meta = ObjectMeta(name=name, namespace="default")
    await client.create(kinds.CONFIG_MAP, ConfigMap(metadata=meta, data={"v": value}))


async def test_restarts(tmp_path: Path) -> None:
    place = Place(tmp_path)
    client = place.client()
    informer = Informer(
        client,
        kinds.CONFIG_MAP,
        lambda data: codec.decode(kinds.CONFIG_MAP, data).data["v"],
        "default",
        backoff=Backoff(base=0.01, cap=0.05),
    )
    task = asyncio.create_task(informer.run())  # before there is a server
    async with place.serving() as inside:
        await write(inside, "a", "1")
        await write(inside, "b", "1")
        await until(informer, {"default/a": "1", "default/b": "1"})
        assert (await client.get(kinds.CONFIG_MAP, "a", "default")).data == {"v": "1"}
    for value in ("2", "3"):
        async with place.serving() as inside:
            await inside.patch(kinds.CONFIG_MAP, "a", {"data": {"v": value}}, "default")
            await inside.delete(kinds.CONFIG_MAP, "b", "default")
            await write(inside, "b", value)
            await until(informer, {"default/a": value, "default/b": value})
            await client.patch(kinds.CONFIG_MAP, "a", {"metadata": {"labels": {"seen": value}}}, "default")
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await client.close()
