"""Several API servers on one etcd: each sees what the others do, and a client may go from one to the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from api import kinds
from api.core_v1 import ConfigMap, ServiceAccount
from api.meta_v1 import ObjectMeta
from api.rbac_v1 import RoleBinding, RoleRef, Subject
from client import errors
from client.client import Client
from client.http import HttpTransport
from client.kubeconfig import Access
from controlplane.apiserver.identity.settings import IdentitySettings
from controlplane.apiserver.server import ApiServer, Settings
from controlplane.store.etcd import EtcdStore
from kit import pki
from kit.clock import SystemClock
from kit.http.tls import ServerTls
from kit.supervisor import Supervisor
from testbed.etcd import EtcdCluster
from tests.scenario.apiserver.apiserver_requests import Sent
from tests.scenario.apiserver.test_apiserver_fuzz import ask

pytestmark = pytest.mark.etcd
KEY = pki.make_key()  # the servers of a cluster share it


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[EtcdCluster]:
    with EtcdCluster(tmp_path / "etcd") as cluster:
        yield cluster


@dataclass
class Peer:
    """One of several API servers, and an administrator's client of it over TLS."""

    supervisor: Supervisor
    server: ApiServer
    client: Client
    stack: AsyncExitStack

    async def kill(self) -> None:
        """End it with all its connections; its clients are not told."""
        self.supervisor.stop()
        await self.stack.aclose()


async def start(etcd: EtcdCluster, ca: pki.Pair, folder: Path) -> Peer:
    folder.mkdir()
    stack = AsyncExitStack()
    supervisor = await stack.enter_async_context(Supervisor(signals=False))
    store = await EtcdStore.open(etcd.place())
    supervisor.defer("store", store.close)
    server = ApiServer(store, Settings("192.0.2.10", identity=IdentitySettings(KEY)), SystemClock())
    await server.start(supervisor)
    pki.issue(ca, "apiserver", ips=["127.0.0.1"], server=True).save(folder / "server.crt", folder / "server.key")
    (folder / "ca.crt").write_bytes(ca.cert)
    tls = ServerTls(folder / "server.crt", folder / "server.key", folder / "ca.crt")
    (listening,) = await server.listen([("127.0.0.1", 0)], tls, supervisor)
    admin = pki.issue(ca, "admin", ["system:masters"], client=True)
    client = Client(HttpTransport(Access(f"https://127.0.0.1:{listening.port}", ca.cert, admin.cert, admin.key)))
    stack.push_async_callback(client.close)
    return Peer(supervisor, server, client, stack)


@pytest.fixture
async def peers(etcd: EtcdCluster, tmp_path: Path) -> AsyncIterator[list[Peer]]:
    ca = pki.make_ca("test")
    started = [await start(etcd, ca, tmp_path / str(n)) for n in range(2)]
    yield started
    for peer in started:
        await peer.kill()


def config_map(name: str, **data: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), data=data)


class Informed:
    """A client that watches one server after the other, going on from the last revision it has seen."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, str, str]] = []
        self.news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def follow(self, client: Client, after: str) -> None:
        async for type_, data in client.watch_raw(kinds.CONFIG_MAP, "default", revision=after):
            obj = msgspec.json.decode(data, type=ConfigMap)
            self.seen.append((int(obj.metadata.resource_version or 0), type_, obj.metadata.name or ""))
            self.news.set()

    def begin(self, client: Client, after: str) -> None:
        self._task = asyncio.create_task(self.follow(client, after))

    async def end(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def until(self, name: str) -> None:
        async with asyncio.timeout(180):
            while not any(seen == name for _, _, seen in self.seen):
                self.news.clear()
                await self.news.wait()


async def test_a_write_through_one_is_seen_by_a_watch_on_the_other(peers: list[Peer]) -> None:
    one, two = peers
    informed = Informed()
    informed.begin(two.client, (await two.client.list_raw(kinds.CONFIG_MAP, "default")).revision)
    made = await one.client.create(kinds.CONFIG_MAP, config_map("a"))
    await informed.until("a")
    assert informed.seen == [(int(made.metadata.resource_version or 0), "ADDED", "a")]
    await informed.end()


async def test_who_asks_one_sees_at_once_what_was_written_through_the_other(peers: list[Peer]) -> None:
    for n in range(50):
        writer, reader = peers[n % 2].client, peers[1 - n % 2].client
        made = await writer.create(kinds.CONFIG_MAP, config_map(f"c{n}"))
        found = await reader.get(kinds.CONFIG_MAP, f"c{n}", "default")
        assert found.metadata.resource_version == made.metadata.resource_version
        found.data["by"] = "reader"
        await reader.update(kinds.CONFIG_MAP, found)
        listed = await writer.list(kinds.CONFIG_MAP, "default", fields=f"metadata.name=c{n}")
        assert [item.data for item in listed] == [{"by": "reader"}]
        await writer.delete(kinds.CONFIG_MAP, f"c{n}", "default")
        with pytest.raises(errors.NotFound):
            await reader.get(kinds.CONFIG_MAP, f"c{n}", "default")


async def test_accounts_and_roles_of_one_count_at_once_at_the_other(peers: list[Peer]) -> None:
    """Who is refused by what the cache does not have yet is looked at again when it has."""
    for n in range(20):
        writer, other = peers[n % 2].client, peers[1 - n % 2].server
        account = ServiceAccount(metadata=ObjectMeta(name=f"robot{n}", namespace="default"))
        await writer.create(kinds.SERVICE_ACCOUNT, account)
        path = kinds.SERVICE_ACCOUNT.path("default", f"robot{n}", "token")
        answer = await writer.transport.request("POST", path, {}, b"{}")
        authorization = f"Bearer {msgspec.json.decode(answer)['status']['token']}"
        sent = Sent("GET", kinds.POD.path("default"), [("authorization", authorization)], b"")
        code, body, _ = await ask(other.handler, sent, None)
        assert (code, f"robot{n}" in body.decode()) == (403, True)
        meta = ObjectMeta(name=f"viewer{n}", namespace="default")
        binding = RoleBinding(
            metadata=meta,
            subjects=[Subject(kind="ServiceAccount", name=f"robot{n}", namespace="default")],
            role_ref=RoleRef(api_group="rbac.authorization.k8s.io", kind="ClusterRole", name="view"),
        )
        await writer.create(kinds.ROLE_BINDING, binding)
        assert (await ask(other.handler, sent, None))[0] == 200


async def test_a_revision_of_one_is_known_to_the_other(peers: list[Peer]) -> None:
    for n in range(20):
        made = await peers[n % 2].client.create(kinds.CONFIG_MAP, config_map(f"r{n}"))
        other = peers[1 - n % 2]
        listing = await other.server.client("admin", "system:masters").list_raw(kinds.CONFIG_MAP, "default")
        assert int(listing.revision) >= int(made.metadata.resource_version or 0)


async def test_writers_on_both_sides_lose_nothing(peers: list[Peer]) -> None:
    await peers[0].client.create(kinds.CONFIG_MAP, config_map("counter", n="0"))

    async def count(client: Client) -> None:
        for _ in range(25):
            while True:
                found = await client.get(kinds.CONFIG_MAP, "counter", "default")
                found.data["n"] = str(int(found.data["n"]) + 1)
                try:
                    await client.update(kinds.CONFIG_MAP, found)
                except errors.Conflict:
                    continue
                break

    async def label(client: Client, name: str) -> None:
        for n in range(25):
            patch = {"metadata": {"labels": {name: str(n)}}}
            await client.patch(kinds.CONFIG_MAP, "counter", patch, "default")

    clients = [peer.client for peer in peers]
    labels = (label(client, f"l{n}") for n, client in enumerate(clients))
    await asyncio.gather(*map(count, clients), *labels)
    found = await peers[1].client.get(kinds.CONFIG_MAP, "counter", "default")
    assert found.data == {"n": "50"}
    assert found.metadata.labels == {"l0": "24", "l1": "24"}


async def write_some(client: Client, name: str, count: int) -> list[int]:
    revisions = []
    for n in range(count):
        made = await client.create(kinds.CONFIG_MAP, config_map(f"{name}-{n}"))
        revisions.append(int(made.metadata.resource_version or 0))
    return revisions


async def test_a_client_of_a_killed_server_goes_on_at_the_other(peers: list[Peer]) -> None:
    one, two = peers
    informed = Informed()
    informed.begin(one.client, (await one.client.list_raw(kinds.CONFIG_MAP, "default")).revision)
    writing = asyncio.create_task(write_some(two.client, "w", 200))
    await informed.until("w-50")
    await one.kill()
    await informed.end()
    informed.begin(two.client, str(informed.seen[-1][0]))
    revisions = await writing
    await informed.until("w-199")
    assert [revision for revision, _, _ in informed.seen] == revisions
    await informed.end()


async def test_watches_outlive_a_kill_of_etcd(etcd: EtcdCluster, peers: list[Peer]) -> None:
    one, two = peers
    informed = [Informed() for _ in peers]
    for peer, follower in zip(peers, informed, strict=True):
        follower.begin(peer.client, (await peer.client.list_raw(kinds.CONFIG_MAP, "default")).revision)
    before = await write_some(one.client, "before", 20)
    etcd.kill(etcd.members[0])
    etcd.start(etcd.members[0])
    await asyncio.to_thread(etcd.wait_healthy, etcd.members[0])
    after = await write_some(two.client, "after", 20)
    for follower in informed:
        await follower.until("after-19")
        assert [revision for revision, _, _ in follower.seen] == [*before, *after]
        await follower.end()


async def test_without_etcd_requests_are_refused_and_may_be_tried_again(etcd: EtcdCluster, peers: list[Peer]) -> None:
    await peers[0].client.create(kinds.CONFIG_MAP, config_map("a"))
    etcd.kill(etcd.members[0])
    with pytest.raises(errors.Unavailable):
        await peers[0].client.get(kinds.CONFIG_MAP, "a", "default")
    etcd.start(etcd.members[0])
    await asyncio.to_thread(etcd.wait_healthy, etcd.members[0])
    assert (await peers[0].client.get(kinds.CONFIG_MAP, "a", "default")).metadata.name == "a"
