"""Addresses and node ports of Services: what is handed out, refused, kept, and given back; and what a crash leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
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
from controlplane.apiserver.allocators import repair
from controlplane.apiserver.server import ApiServer, Settings
from controlplane.controllers import app as controllers
from controlplane.store.interface import Op, Unavailable
from controlplane.store.sqlite import SqliteStore
from kit.clock import FakeClock, SystemClock
from kit.supervisor import Supervisor

DUAL = Settings("192.0.2.10", service_cidrs=("10.96.0.0/24", "fd00::/112"), node_ports=(30000, 30099))
SINGLE = Settings("192.0.2.10", service_cidrs=("10.96.0.0/28",), node_ports=(30000, 30002))


def service(name: str, **spec: Any) -> Service:
    spec = {"selector": {"app": name}, "ports": [{"port": 80}]} | spec
    return codec.from_dict(kinds.SERVICE, {"metadata": {"name": name, "namespace": "default"}, "spec": spec})


class Place:
    """A server over a file; `again` starts another one over it."""

    def __init__(self, folder: Path, settings: Settings = DUAL) -> None:
        self.path, self.settings = folder / "store.db", settings
        self.clock = FakeClock(1_800_000_000.0)
        self.stack = AsyncExitStack()
        self.store: SqliteStore | None = None

    async def again(self, store_type: type[SqliteStore] = SqliteStore) -> Client:
        await self.stack.aclose()
        self.supervisor = await self.stack.enter_async_context(Supervisor(self.clock, signals=False))
        self.stack.callback(self.supervisor.stop)
        self.store = await store_type.open(self.path, SystemClock())
        self.supervisor.defer("store", self.store.close)
        self.server = ApiServer(self.store, self.settings, self.clock)
        await self.server.start(self.supervisor)
        return self.server.client("admin", "system:masters")

    async def ports(self) -> dict[int, str]:
        assert self.store is not None
        found = (await self.store.range(beside.PORTS)).records
        return {int(r.key.removeprefix(beside.PORTS)): msgspec.json.decode(r.value)["service"] for r in found}


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    found = Place(tmp_path)
    yield found
    await found.stack.aclose()


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Place]:
    found = Place(tmp_path, SINGLE)
    yield found
    await found.stack.aclose()


async def addresses(client: Client) -> dict[str, str]:
    """Who has which address, but for the API server's own."""
    found = {}
    for one in await client.list(kinds.IP_ADDRESS):
        ref = one.spec.parent_ref
        assert ref is not None
        found[one.metadata.name or ""] = f"{ref.namespace}/{ref.name}"
    return {address: owner for address, owner in found.items() if owner != "default/kubernetes"}


async def until(check: Callable[[], Awaitable[Any]]) -> Any:
    async with asyncio.timeout(120):
        while not (found := await check()):
            await asyncio.sleep(0.01)
        return found


async def test_numbers_come_and_go_with_the_service(place: Place) -> None:
    admin = await place.again()
    made = await admin.create(kinds.SERVICE, service("web", type="NodePort"))
    (address,), port = made.spec.cluster_ips, made.spec.ports[0].node_port
    assert port is not None
    assert port >= 30016, "the lower part of the range is for people"
    assert await addresses(admin) == {address: "default/web"}
    assert await place.ports() == {port: "default/web"}
    made.spec.type = "ClusterIP"
    made = await admin.update(kinds.SERVICE, made)
    assert made.spec.ports[0].node_port is None
    assert await place.ports() == {}
    await admin.delete(kinds.SERVICE, "web", "default")
    assert await addresses(admin) == {}


async def test_a_held_service_keeps_its_numbers_until_it_is_gone(place: Place) -> None:
    admin = await place.again()
    held = service("web", type="NodePort")
    held.metadata.finalizers = ["example.com/hold"]
    await admin.create(kinds.SERVICE, held)
    await admin.delete(kinds.SERVICE, "web", "default")
    assert len(await addresses(admin)) == len(await place.ports()) == 1
    await admin.patch(kinds.SERVICE, "web", {"metadata": {"finalizers": None}}, "default", type="merge")
    assert (await addresses(admin), await place.ports()) == ({}, {})


async def test_what_is_refused_and_how(small: Place) -> None:
    admin = await small.again()
    await admin.create(
        kinds.SERVICE, service("a", clusterIP="10.96.0.5", type="NodePort", ports=[{"port": 80, "nodePort": 30001}])
    )
    cases: list[tuple[dict[str, Any], str]] = [
        (
            {"clusterIP": "10.96.0.5"},
            'spec.clusterIPs: Invalid value: ["10.96.0.5"]: failed to allocate IP 10.96.0.5: provided IP is already allocated',
        ),
        (
            {"clusterIP": "10.97.0.5"},
            "failed to allocate IP 10.97.0.5: the provided network does not match the current range",
        ),
        (
            {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30001}]},
            "spec.ports[0].nodePort: Invalid value: 30001: provided port is already allocated",
        ),
        (
            {"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]},
            "provided port is not in the valid range. The range of valid ports is 30000-30002",
        ),
        ({"ipFamilies": ["IPv6"]}, 'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'),
    ]
    for spec, message in cases:
        with pytest.raises(errors.Invalid) as refused:
            await admin.create(kinds.SERVICE, service("b", **spec))
        assert message in str(refused.value)
    assert len(await addresses(admin)) == len(await small.ports()) == 1, "a refused write leaves nothing behind"


async def test_full_ranges(small: Place) -> None:
    admin = await small.again()
    for n in range(3):
        await admin.create(kinds.SERVICE, service(f"p{n}", type="NodePort"))
    with pytest.raises(errors.ApiError, match="failed to allocate a nodePort: range is full"):
        await admin.create(kinds.SERVICE, service("p3", type="NodePort"))
    for n in range(10):
        await admin.create(kinds.SERVICE, service(f"a{n}"))
    with pytest.raises(errors.ApiError, match='failed to allocate a serviceIP for Service "a10": range is full'):
        await admin.create(kinds.SERVICE, service("a10"))
    await admin.delete(kinds.SERVICE, "a0", "default")
    await admin.create(kinds.SERVICE, service("a10"))


async def test_a_dry_run_takes_nothing(place: Place) -> None:
    admin = await place.again()
    body = codec.encode(service("web", type="NodePort"))
    await admin.transport.request("POST", kinds.SERVICE.path("default"), {"dryRun": "All"}, body)
    assert (await addresses(admin), await place.ports()) == ({}, {})


async def test_an_address_that_somebody_reserved_with_an_object_is_not_handed_out(place: Place) -> None:
    admin = await place.again()
    ref = {"group": "example.com", "resource": "balancers", "name": "x"}
    document = {"metadata": {"name": "10.96.0.9"}, "spec": {"parentRef": ref}}
    await admin.create(kinds.IP_ADDRESS, codec.from_dict(kinds.IP_ADDRESS, document))
    with pytest.raises(errors.Invalid, match="provided IP is already allocated"):
        await admin.create(kinds.SERVICE, service("web", clusterIP="10.96.0.9"))


async def test_a_second_family_comes_and_goes(place: Place) -> None:
    admin = await place.again()
    made = await admin.create(kinds.SERVICE, service("web"))
    (first,) = made.spec.cluster_ips
    made.spec.ip_family_policy = "RequireDualStack"
    made = await admin.update(kinds.SERVICE, made)
    assert made.spec.ip_families == ["IPv4", "IPv6"]
    assert await addresses(admin) == dict.fromkeys(made.spec.cluster_ips, "default/web")
    made.spec.ip_family_policy = "SingleStack"
    made = await admin.update(kinds.SERVICE, made)
    assert (made.spec.cluster_ips, made.spec.ip_families) == ([first], ["IPv4"])
    assert await addresses(admin) == {first: "default/web"}


async def test_an_external_name_has_no_numbers(place: Place) -> None:
    admin = await place.again()
    made = await admin.create(kinds.SERVICE, service("web", type="NodePort", ipFamilyPolicy="PreferDualStack"))
    made.spec.type, made.spec.external_name = "ExternalName", "example.com"
    made = await admin.update(kinds.SERVICE, made)
    assert (made.spec.cluster_ip, made.spec.cluster_ips, made.spec.ip_families) == (None, [], [])
    assert (await addresses(admin), await place.ports()) == ({}, {})
    made.spec.type, made.spec.external_name = "ClusterIP", None
    made = await admin.update(kinds.SERVICE, made)
    assert await addresses(admin) == {made.spec.cluster_ips[0]: "default/web"}


async def test_the_address_does_not_change(place: Place) -> None:
    admin = await place.again()
    made = await admin.create(kinds.SERVICE, service("web", clusterIP="10.96.0.9"))
    made.spec.cluster_ip = "10.96.0.10"
    with pytest.raises(errors.Invalid, match="may not change once set"):
        await admin.update(kinds.SERVICE, made)
    assert await addresses(admin) == {"10.96.0.9": "default/web"}


async def test_load_balancers(place: Place) -> None:
    admin = await place.again()
    spec = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "allocateLoadBalancerNodePorts": False}
    made = await admin.create(kinds.SERVICE, service("web", **spec))
    check = made.spec.health_check_node_port
    assert made.spec.ports[0].node_port is None
    assert await place.ports() == {check: "default/web"}
    made.spec.external_traffic_policy = "Cluster"
    made = await admin.update(kinds.SERVICE, made)
    assert await place.ports() == {}
    made.spec.external_traffic_policy, made.spec.health_check_node_port = "Local", 30005
    made.spec.allocate_load_balancer_node_ports = True
    made = await admin.update(kinds.SERVICE, made)
    assert await place.ports() == {30005: "default/web", made.spec.ports[0].node_port: "default/web"}
    other = service("other", **spec, healthCheckNodePort=30005)
    with pytest.raises(
        errors.Invalid, match="spec.healthCheckNodePort: Invalid value: 30005: provided port is already"
    ):
        await admin.create(kinds.SERVICE, other)


async def test_tcp_and_udp_of_a_port_share_a_node_port(place: Place) -> None:
    admin = await place.again()
    ports = [{"name": "t", "port": 53}, {"name": "u", "port": 53, "protocol": "UDP"}]
    made = await admin.create(kinds.SERVICE, service("dns", type="NodePort", ports=ports))
    assert len({port.node_port for port in made.spec.ports}) == 1
    again = service("dns", type="NodePort", ports=ports)
    assert (await admin.update(kinds.SERVICE, again)).spec.ports == made.spec.ports, (
        "numbers are kept for who leaves them out"
    )


async def test_more_ranges_while_they_are_there(small: Place) -> None:
    admin = await small.again()
    await controllers.run(admin, small.clock, small.supervisor, factories=(controllers.ServiceRanges,))
    for n in range(13):
        await admin.create(kinds.SERVICE, service(f"a{n}"))
    document = {"metadata": {"name": "more"}, "spec": {"cidrs": ["10.97.0.0/24"]}}
    await admin.create(kinds.SERVICE_CIDR, codec.from_dict(kinds.SERVICE_CIDR, document))
    made = await admin.create(kinds.SERVICE, service("b"))
    assert (made.spec.cluster_ip or "").startswith("10.97.0.")

    async def state() -> tuple[list[str] | None, str | None, str | None]:
        try:
            found = await admin.get(kinds.SERVICE_CIDR, "more")
        except errors.NotFound:
            return None, None, None
        ready = next((c for c in found.status.conditions if c.type == "Ready"), None)
        return found.metadata.finalizers, ready.status if ready else None, ready.reason if ready else None

    async def is_(*wanted: Any) -> bool:
        await small.clock.advance(1)
        return await state() == wanted

    held = ["networking.k8s.io/service-cidr-finalizer"]
    await until(lambda: is_(held, "True", ""))
    await admin.delete(kinds.SERVICE_CIDR, "more")
    await until(lambda: is_(held, "False", "Terminating"))
    with pytest.raises(errors.ApiError, match="range is full"):
        await admin.create(kinds.SERVICE, service("c"))
    await admin.delete(kinds.SERVICE, "b", "default")
    await until(lambda: is_(None, None, None))


class Dies(SqliteStore):
    """A store whose server is cut off at one of its writes: before it, or after it without having heard of it."""

    left = -1
    after = False

    async def commit(self, *ops: Op) -> int:
        await self._count(False)
        revision = await super().commit(*ops)
        await self._count(True)
        return revision

    async def _count(self, after: bool) -> None:
        if Dies.left == 0 and Dies.after is after:
            raise Unavailable("cut off")
        if after:
            Dies.left -= 1


CHANGES: dict[str, Callable[[Client], Awaitable[Any]]] = {
    "create": lambda admin: admin.create(
        kinds.SERVICE, service("web", type="NodePort", ipFamilyPolicy="RequireDualStack")
    ),
    "widen": lambda admin: admin.patch(
        kinds.SERVICE, "one", {"spec": {"ipFamilyPolicy": "RequireDualStack", "type": "NodePort"}}, "default"
    ),
    "narrow": lambda admin: admin.patch(
        kinds.SERVICE, "two", {"spec": {"ipFamilyPolicy": "SingleStack", "type": "ClusterIP"}}, "default"
    ),
    "name": lambda admin: admin.patch(
        kinds.SERVICE, "two", {"spec": {"type": "ExternalName", "externalName": "x.example"}}, "default"
    ),
    "delete": lambda admin: admin.delete(kinds.SERVICE, "two", "default"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", range(3))
async def test_a_crash_at_any_write_leaves_nothing_that_the_repair_does_not_mend(
    tmp_path: Path, change: str, after: bool, step: int
) -> None:
    place = Place(tmp_path)
    Dies.left = -1
    admin = await place.again(Dies)
    await admin.create(kinds.SERVICE, service("one"))
    await admin.create(kinds.SERVICE, service("two", type="NodePort", ipFamilyPolicy="RequireDualStack"))
    Dies.left, Dies.after = step, after
    try:
        await CHANGES[change](admin)
    except errors.ApiError:
        pass
    else:
        assert Dies.left < 0 or step > 0, "the first write is never spared"
    Dies.left = -1
    await place.clock.advance(repair.GRACE_SECONDS + 1)
    admin = await place.again()
    wanted: dict[str, str] = {}
    ports: dict[int, str] = {}
    for one in await admin.list(kinds.SERVICE, "default"):
        name = f"default/{one.metadata.name}"
        if one.metadata.name != "kubernetes":
            wanted |= dict.fromkeys(one.spec.cluster_ips, name)
            ports |= {port.node_port: name for port in one.spec.ports if port.node_port}
    assert await addresses(admin) == wanted
    assert await place.ports() == ports
    await place.stack.aclose()


async def test_a_store_from_before_there_were_records_gets_them_at_start(place: Place) -> None:
    admin = await place.again()
    made = await admin.create(kinds.SERVICE, service("web", type="NodePort", ipFamilyPolicy="RequireDualStack"))
    assert place.store is not None
    records = [*(await place.store.range("/registry/networking.k8s.io/ipaddresses/")).records]
    records += (await place.store.range(beside.PORTS)).records
    await place.stack.aclose()
    store = await SqliteStore.open(place.path, SystemClock())
    for record in records:
        await store.delete(record.key)
    await store.close()
    admin = await place.again()
    assert await addresses(admin) == dict.fromkeys(made.spec.cluster_ips, "default/web")
    assert await place.ports() == {made.spec.ports[0].node_port: "default/web"}
    assert await admin.list(kinds.EVENT) == [], "nobody did anything wrong"
