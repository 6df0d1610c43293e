"""Two API servers on one etcd hand out the same ranges at once: nobody gets what somebody else has. And who lives is an endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api import codec, kinds
from api.core_v1 import Service
from client import errors
from client.client import Client
from controlplane.apiserver import beside
from controlplane.apiserver.bootstrap.kubernetes import LEASES
from controlplane.apiserver.server import ApiServer, Settings
from controlplane.store.etcd import EtcdStore
from kit.clock import SystemClock
from kit.supervisor import Supervisor
from testbed.etcd import EtcdCluster

pytestmark = pytest.mark.etcd


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[EtcdCluster]:
    with EtcdCluster(tmp_path / "etcd") as cluster:
        yield cluster


class Peer:
    """One of several API servers."""

    def __init__(self, number: int) -> None:
        self.address = f"192.0.2.{number}"
        self.stack = AsyncExitStack()

    async def start(self, etcd: EtcdCluster, cidrs: tuple[str, ...], ports: tuple[int, int]) -> None:
        self.supervisor = await self.stack.enter_async_context(Supervisor(signals=False))
        self.store = await EtcdStore.open(etcd.place())
        self.supervisor.defer("store", self.store.close)
        settings = Settings(self.address, service_cidrs=cidrs, node_ports=ports)
        self.server = ApiServer(self.store, settings, SystemClock())
        await self.server.start(self.supervisor)
        self.client = self.server.client("admin", "system:masters")

    async def stop(self) -> None:
        self.supervisor.stop()
        await self.stack.aclose()

    async def die(self) -> None:
        """Nobody is told."""
        await self.store.close()
        await self.stop()


Start = Callable[..., Awaitable[list[Peer]]]


@pytest.fixture
async def start(etcd: EtcdCluster) -> AsyncIterator[Start]:
    peers: list[Peer] = []

    async def begin(
        *numbers: int, cidrs: tuple[str, ...] = ("10.96.0.0/12",), ports: tuple[int, int] = (30000, 32767)
    ) -> list[Peer]:
        fresh = [Peer(number) for number in numbers]
        peers.extend(fresh)
        await asyncio.gather(*(peer.start(etcd, cidrs, ports) for peer in fresh))
        return fresh

    yield begin
    for peer in peers:
        await peer.stop()


def service(name: str, **spec: Any) -> Service:
    spec = {"selector": {"app": name}, "ports": [{"port": 80}], "type": "NodePort"} | spec
    return codec.from_dict(kinds.SERVICE, {"metadata": {"name": name, "namespace": "default"}, "spec": spec})


async def create_many(peers: list[Peer], count: int, **spec: Any) -> list[Service | errors.ApiError]:
    """Each of `count` Services through the one or the other, all at once."""
    tries = (peers[n % len(peers)].client.create(kinds.SERVICE, service(f"s{n}", **spec)) for n in range(count))
    found = await asyncio.gather(*tries, return_exceptions=True)
    for one in found:
        assert isinstance(one, Service | errors.ApiError), one
    return found  # type: ignore[return-value]


async def check_records(peer: Peer) -> None:
    """Every number belongs to one Service, and has a record that says so."""
    addresses: dict[str, str] = {}
    ports: dict[int, str] = {}
    for one in await peer.client.list(kinds.SERVICE):
        name = f"{one.metadata.namespace}/{one.metadata.name}"
        for address in one.spec.cluster_ips:
            assert address not in addresses, f"{name} and {addresses[address]} both have {address}"
            addresses[address] = name
        for port in {port.node_port for port in one.spec.ports if port.node_port}:
            assert port not in ports, f"{name} and {ports[port]} both have {port}"
            ports[port] = name
    found = {}
    for object_ in await peer.client.list(kinds.IP_ADDRESS):
        ref = object_.spec.parent_ref
        assert ref is not None
        found[object_.metadata.name] = f"{ref.namespace}/{ref.name}"
    assert found == addresses
    records = (await peer.store.range(beside.PORTS)).records
    assert {int(r.key.removeprefix(beside.PORTS)): msgspec.json.decode(r.value)["service"] for r in records} == ports


async def test_many_services_at_once(start: Start) -> None:
    peers = await start(1, 2)
    made = await create_many(peers, 200)
    assert all(isinstance(one, Service) for one in made)
    await check_records(peers[0])
    deletions = (peers[n % 2].client.delete(kinds.SERVICE, f"s{n}", "default") for n in range(200))
    await asyncio.gather(*deletions)
    await check_records(peers[1])
    assert [one.metadata.name for one in await peers[1].client.list(kinds.IP_ADDRESS)] == ["10.96.0.1"]


async def test_the_last_numbers_of_small_ranges(start: Start) -> None:
    peers = await start(1, 2, cidrs=("10.96.0.0/26", "fd00::/121"), ports=(30000, 30039))
    made = await create_many(peers, 60, ipFamilyPolicy="PreferDualStack")
    refused = [one for one in made if isinstance(one, errors.ApiError)]
    assert len(made) - len(refused) == 40, "as many as there are node ports"
    assert all("range is full" in str(one) for one in refused)
    await check_records(peers[0])


async def test_all_want_the_same_number(start: Start) -> None:
    peers = await start(1, 2)
    made = await create_many(peers, 20, clusterIP="10.96.7.7")
    (winner,) = (one for one in made if isinstance(one, Service))
    assert winner.spec.cluster_ip == "10.96.7.7"
    assert all("provided IP is already allocated" in str(one) for one in made if one is not winner)
    ports = [{"port": 80, "nodePort": 30777}]
    tries = (peers[n % 2].client.create(kinds.SERVICE, service(f"p{n}", ports=ports)) for n in range(20))
    found = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(one, Service) for one in found) == 1
    refusals = [str(one) for one in found if not isinstance(one, Service)]
    assert all("provided port is already allocated" in text for text in refusals)
    await check_records(peers[1])


async def test_changes_from_both_sides(start: Start) -> None:
    peers = await start(1, 2, cidrs=("10.96.0.0/24", "fd00::/120"))
    await create_many(peers, 20)

    async def churn(client: Client, n: int) -> None:
        for change in (
            {"ipFamilyPolicy": "RequireDualStack"},
            {"type": "ClusterIP"},
            {"ipFamilyPolicy": "SingleStack", "type": "NodePort"},
        ):
            await client.patch(kinds.SERVICE, f"s{n}", {"spec": change}, "default")

    await asyncio.gather(*(churn(peer.client, n) for peer in peers for n in range(20)))
    await check_records(peers[0])


async def are_endpoints(client: Client, *ips: str) -> bool:
    """Whether both objects list exactly these; a server that changes them writes one after the other."""
    (subset,) = (await client.get(kinds.ENDPOINTS, "kubernetes", "default")).subsets
    (slice_,) = await client.list(kinds.ENDPOINT_SLICE, "default", labels="kubernetes.io/service-name=kubernetes")
    found = [address.ip for address in subset.addresses], [endpoint.addresses[0] for endpoint in slice_.endpoints]
    return found == ([*ips], [*ips])


async def until_endpoints(client: Client, *ips: str) -> None:
    """Wait for just these; a server that looked a moment before may write what it saw, and looks again."""
    async with asyncio.timeout(120):
        while not await are_endpoints(client, *ips):
            await asyncio.sleep(0.1)


async def test_the_servers_that_live_are_the_endpoints(start: Start) -> None:
    one, two = await start(11, 2)
    (three,) = await start(3)
    await until_endpoints(one.client, "192.0.2.2", "192.0.2.3", "192.0.2.11")
    await two.stop()
    assert await one.store.get(LEASES + two.address) is None, "who ends takes its address away itself"
    await until_endpoints(one.client, "192.0.2.3", "192.0.2.11")
    await three.die()
    await until_endpoints(one.client, "192.0.2.11")
