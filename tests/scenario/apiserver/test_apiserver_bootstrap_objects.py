"""What a fresh cluster has, what is put right while a server runs, and what a server says of it in /readyz."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from api import codec, kinds
from api.meta_v1 import ObjectMeta
from api.rbac_v1 import ClusterRole, PolicyRule
from client import errors
from client.client import Client
from controlplane.apiserver.bootstrap.presence import LABEL
from controlplane.apiserver.server import ApiServer, Settings
from controlplane.store.sqlite import SqliteStore
from kit import pki
from kit.clock import FakeClock, SystemClock
from kit.supervisor import Supervisor

CA = pki.make_ca("test").cert.decode()
SETTINGS = Settings("192.0.2.10", service_cidrs=("10.96.0.0/12", "fd00::/112"), client_ca=CA)


@pytest.fixture
async def clock() -> FakeClock:
    return FakeClock(1_800_000_000.0)


@pytest.fixture
async def server(tmp_path: Path, clock: FakeClock) -> AsyncIterator[ApiServer]:
    async with Supervisor(clock, signals=False) as supervisor:
        store = await SqliteStore.open(tmp_path / "store.db", SystemClock())
        supervisor.defer("store", store.close)
        found = ApiServer(store, SETTINGS, clock)
        await found.start(supervisor)
        yield found
        supervisor.stop()


@pytest.fixture
def admin(server: ApiServer) -> Client:
    return server.client("admin", "system:masters")


async def until(check: Callable[[], Awaitable[Any]]) -> Any:
    async with asyncio.timeout(120):
        while not (found := await check()):
            await asyncio.sleep(0.01)
        return found


async def test_what_is_there_at_first(admin: Client) -> None:
    names = {one.metadata.name for one in await admin.list(kinds.NAMESPACE)}
    assert names == {"default", "kube-system", "kube-public", "kube-node-lease"}
    roles = [one.metadata.name or "" for one in await admin.list(kinds.CLUSTER_ROLE)]
    assert sum(not name.startswith("wherry:") for name in roles) == 70
    assert len(await admin.list(kinds.FLOW_SCHEMA)) == 11
    classes = {one.metadata.name: one.value for one in await admin.list(kinds.PRIORITY_CLASS)}
    assert classes == {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}


async def test_the_service_kubernetes_and_its_address(admin: Client) -> None:
    service = await admin.get(kinds.SERVICE, "kubernetes", "default")
    assert (service.spec.cluster_ips, service.spec.ip_family_policy) == (["10.96.0.1"], "SingleStack")
    address = await admin.get(kinds.IP_ADDRESS, "10.96.0.1")
    assert address.metadata.labels == {
        "ipaddress.kubernetes.io/ip-family": "IPv4",
        "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io",
    }
    ref = address.spec.parent_ref
    assert ref is not None
    assert (ref.group, ref.resource, ref.namespace, ref.name) == (None, "services", "default", "kubernetes")
    slice_ = await admin.get(kinds.ENDPOINT_SLICE, "kubernetes", "default")
    assert [endpoint.addresses for endpoint in slice_.endpoints] == [["192.0.2.10"]]


async def test_api_services_are_available(admin: Client) -> None:
    found = {one.metadata.name: one for one in await admin.list(kinds.API_SERVICE)}
    served = {f"{kind.version}.{kind.group}" for kind in kinds.SERVED} - {"v1.apiregistration.k8s.io"}
    assert found.keys() == served
    for one in found.values():
        (condition,) = one.status.conditions
        assert (condition.type, condition.status, condition.reason) == ("Available", "True", "Local")
        assert condition.message == "Local APIServices are always available"
    apps = found["v1.apps"]
    assert (apps.spec.group_priority_minimum, apps.spec.version_priority) == (17800, 15)
    assert apps.metadata.labels == {"kube-aggregator.kubernetes.io/automanaged": "onstart"}


async def test_the_range_says_that_it_is_ready(admin: Client) -> None:
    found = await admin.get(kinds.SERVICE_CIDR, "kubernetes")
    assert found.spec.cidrs == ["10.96.0.0/12", "fd00::/112"]
    assert [(c.type, c.status) for c in found.status.conditions] == [("Ready", "True")]


async def test_whom_extension_servers_shall_trust(admin: Client) -> None:
    found = await admin.get(kinds.CONFIG_MAP, "extension-apiserver-authentication", "kube-system")
    assert found.data == {"client-ca-file": CA}


async def test_the_servers_lease_is_renewed_and_those_of_the_dead_are_collected(
    admin: Client, clock: FakeClock
) -> None:
    (lease,) = await admin.list(kinds.LEASE, "kube-system", labels=f"{LABEL}=kube-apiserver")
    assert lease.spec.lease_duration_seconds == 3600
    dead = codec.from_dict(
        kinds.LEASE,
        {
            "metadata": {"name": "apiserver-dead", "namespace": "kube-system", "labels": {LABEL: "kube-apiserver"}},
            "spec": {"holderIdentity": "x", "leaseDurationSeconds": 3600, "renewTime": "2001-01-01T00:00:00.000000Z"},
        },
    )
    await admin.create(kinds.LEASE, dead)

    async def renewed() -> bool:
        await clock.advance(10)
        now = await admin.get(kinds.LEASE, lease.metadata.name or "", "kube-system")
        return now.spec.renew_time != lease.spec.renew_time

    async def collected() -> bool:
        await clock.advance(600)
        return len(await admin.list(kinds.LEASE, "kube-system", labels=f"{LABEL}=kube-apiserver")) == 1

    await until(renewed)
    await until(collected)


async def test_a_role_that_says_so_adds_to_the_aggregated_ones(admin: Client) -> None:
    rule = PolicyRule(verbs=["get"], api_groups=["example.com"], resources=["wheels"])
    label = {"rbac.authorization.k8s.io/aggregate-to-view": "true"}
    await admin.create(kinds.CLUSTER_ROLE, ClusterRole(metadata=ObjectMeta(name="wheels", labels=label), rules=[rule]))

    async def has(name: str, wanted: bool) -> bool:
        return (rule in (await admin.get(kinds.CLUSTER_ROLE, name)).rules) is wanted

    for name in ("view", "edit", "admin"):
        await until(lambda name=name: has(name, True))
    await admin.delete(kinds.CLUSTER_ROLE, "wheels")
    for name in ("view", "edit", "admin"):
        await until(lambda name=name: has(name, False))


async def test_a_deleted_address_comes_back_at_once_and_people_are_told(admin: Client) -> None:
    await admin.delete(kinds.IP_ADDRESS, "10.96.0.1")

    async def back() -> bool:
        return any(one.metadata.name == "10.96.0.1" for one in await admin.list(kinds.IP_ADDRESS))

    async def told() -> list[str | None]:
        return [event.message for event in await admin.list(kinds.EVENT, "default")]

    await until(back)
    assert await until(told) == ["Cluster IP [IPv4]: 10.96.0.1 is not allocated; repairing"]


async def test_what_somebody_deleted_is_back_after_a_while(admin: Client, clock: FakeClock) -> None:
    await admin.delete(kinds.FLOW_SCHEMA, "probes")
    await admin.delete(kinds.SERVICE, "kubernetes", "default")
    with pytest.raises(errors.NotFound):
        await admin.get(kinds.IP_ADDRESS, "10.96.0.1")

    async def back() -> bool:
        await clock.advance(10)
        schemas = {one.metadata.name for one in await admin.list(kinds.FLOW_SCHEMA)}
        services = {one.spec.cluster_ip for one in await admin.list(kinds.SERVICE, "default")}
        return "probes" in schemas and services == {"10.96.0.1"}

    await until(back)


async def test_a_schema_says_at_once_whether_its_level_is_there(admin: Client) -> None:
    level = await admin.get(kinds.PRIORITY_LEVEL_CONFIGURATION, "system")
    schema = await admin.get(kinds.FLOW_SCHEMA, "system-nodes")
    schema.metadata = ObjectMeta(name="mine")
    schema.spec.priority_level_configuration.name = "later"
    await admin.create(kinds.FLOW_SCHEMA, schema)

    async def told() -> str:
        said = (await admin.get(kinds.FLOW_SCHEMA, "mine")).status.conditions
        return f"{said[0].type} {said[0].status}" if said else ""

    assert await until(told) == "Dangling True"
    level.metadata = ObjectMeta(name="later")
    await admin.create(kinds.PRIORITY_LEVEL_CONFIGURATION, level)

    async def found() -> bool:
        return await told() == "Dangling False"

    await until(found)


async def test_system_classes_stay(admin: Client) -> None:
    with pytest.raises(errors.Forbidden, match="this is a system priority class and cannot be deleted"):
        await admin.delete(kinds.PRIORITY_CLASS, "system-node-critical")


async def test_checks_for_each_hook(server: ApiServer, admin: Client) -> None:
    report = (await admin.transport.request("GET", "/readyz", {"verbose": ""})).decode()
    for name in (
        "bootstrap-controller",
        "rbac/bootstrap-roles",
        "scheduling/bootstrap-system-priority-classes",
        "priority-and-fairness-config-producer",
        "start-service-ip-repair-controllers",
        "start-system-namespaces-controller",
    ):
        assert f"[+]poststarthook/{name} ok" in report
    assert await admin.transport.request("GET", "/readyz/poststarthook/rbac/bootstrap-roles", {}) == b"ok"


class Unhurried(SqliteStore):
    """Some roles that others are made of come last."""

    async def put(self, key: str, value: bytes, *, expected: int | None = None, ttl: float = 0) -> int:
        if "aggregate-to" in key:
            await asyncio.sleep(0.1)
        return await super().put(key, value, expected=expected, ttl=ttl)


async def test_no_role_is_less_than_it_shall_be_while_a_server_begins(tmp_path: Path) -> None:
    async with Supervisor(signals=False) as supervisor:
        store = await Unhurried.open(tmp_path / "store.db", SystemClock())
        supervisor.defer("store", store.close)
        server = ApiServer(store, SETTINGS, SystemClock())
        await server.start(supervisor)
        prefix = server.core.cache.resources[kinds.CLUSTER_ROLE].prefix
        written: list[str] = []
        async for changes in store.watch(prefix, 0):
            written += [change.key for change in changes]
            if len(written) >= len((await store.range(prefix)).records):
                break
        assert len(written) == len(set(written))
        supervisor.stop()


async def test_a_second_start_puts_right_what_was_changed_and_writes_nothing_else(tmp_path: Path) -> None:
    async def session(work: Callable[[ApiServer, Client], Awaitable[None]]) -> None:
        async with Supervisor(signals=False) as supervisor:
            store = await SqliteStore.open(tmp_path / "store.db", SystemClock())
            supervisor.defer("store", store.close)
            server = ApiServer(store, SETTINGS, SystemClock())
            await server.start(supervisor)
            await work(server, server.client("admin", "system:masters"))
            supervisor.stop()

    revisions = []

    async def spoil(server: ApiServer, admin: Client) -> None:
        role = await admin.get(kinds.CLUSTER_ROLE, "system:kube-dns")
        role.rules = []
        await admin.update(kinds.CLUSTER_ROLE, role)
        binding = await admin.get(kinds.CLUSTER_ROLE_BINDING, "system:kube-dns")
        binding.subjects = []
        await admin.update(kinds.CLUSTER_ROLE_BINDING, binding)
        service = await admin.get(kinds.API_SERVICE, "v1.apps")
        service.spec.version_priority = 1
        await admin.update(kinds.API_SERVICE, service)
        stale = codec.from_dict(
            kinds.API_SERVICE,
            {
                "metadata": {"name": "v9.apps", "labels": {"kube-aggregator.kubernetes.io/automanaged": "onstart"}},
                "spec": {"group": "apps", "version": "v9", "groupPriorityMinimum": 1, "versionPriority": 1},
            },
        )
        await admin.create(kinds.API_SERVICE, stale)
        revisions.append(server.core.store.revision)

    async def look(server: ApiServer, admin: Client) -> None:
        role = await admin.get(kinds.CLUSTER_ROLE, "system:kube-dns")
        assert {(rule.verbs[0], rule.resources[0]) for rule in role.rules} == {
            (verb, resource) for verb in ("list", "watch") for resource in ("endpoints", "services")
        }
        binding = await admin.get(kinds.CLUSTER_ROLE_BINDING, "system:kube-dns")
        assert [subject.name for subject in binding.subjects] == ["kube-dns"]
        assert (await admin.get(kinds.API_SERVICE, "v1.apps")).spec.version_priority == 15
        assert "v9.apps" not in {one.metadata.name for one in await admin.list(kinds.API_SERVICE)}
        lease = 2
        assert server.core.store.revision - revisions[0] == lease + 4

    await session(spoil)
    await session(look)
