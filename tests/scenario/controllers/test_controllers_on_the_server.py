"""The controllers and the scheduler on the real API server, in one process: what the fake does not do, such as ways of deletion."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from api import codec, kinds
from api.core_v1 import Pod
from api.kinds import Kind
from client import Client, Informer
from client.errors import ApiError, NotFound
from controlplane.apiserver.server import ApiServer, Settings
from controlplane.controllers import app as controllers
from controlplane.controllers.settings import Settings as ControllerSettings
from controlplane.scheduler import app as scheduler
from controlplane.store.sqlite import SqliteStore
from kit.clock import SystemClock
from kit.supervisor import Supervisor
from tests.scenario.controllers.cluster import NS, template

PATIENCE = 120.0


class Kubelet:
    """Reports that every pod of its node runs, and lets go those that are told to go."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._tasks: set[asyncio.Task[None]] = set()
        self.pods: Informer[Pod] = Informer(client, kinds.POD, lambda data: codec.decode(kinds.POD, data))
        self.pods.subscribe(self._changed)
        self._addresses = 0

    def _changed(self, _: str, __: Pod | None, pod: Pod | None) -> None:
        if pod is not None and pod.spec.node_name:
            task = asyncio.create_task(self._report(pod))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _report(self, pod: Pod) -> None:
        name, namespace = pod.metadata.name or "", pod.metadata.namespace or ""
        try:
            if pod.metadata.deletion_timestamp:
                await self._client.delete(kinds.POD, name, namespace, grace=0, uid=pod.metadata.uid or "")
            elif pod.status.phase == "Pending":
                self._addresses += 1
                ip = f"10.244.0.{self._addresses}"
                ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
                status = {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}], "conditions": [ready]}
                await self._client.patch(kinds.POD, name, {"status": status}, namespace, subresource="status")
        except ApiError:
            return  # gone or changed meanwhile


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with Supervisor(signals=False, grace=1) as supervisor:
        clock = SystemClock()
        store = await SqliteStore.open(tmp_path / "store.db", clock)
        supervisor.defer("store", store.close)
        server = ApiServer(store, Settings("192.0.2.10"), clock)
        await server.start(supervisor)
        found = server.client("admin", "system:masters")
        kubelet = Kubelet(found)
        supervisor.spawn("kubelet", kubelet.pods.run)
        node = {"metadata": {"name": "n1"}}
        await found.create(kinds.NODE, codec.from_dict(kinds.NODE, node))
        room = {"cpu": "8", "memory": "16Gi", "pods": "110"}
        status = {"allocatable": room, "conditions": [{"type": "Ready", "status": "True"}]}
        await found.patch(kinds.NODE, "n1", {"status": status}, subresource="status")
        await scheduler.run(found, clock, supervisor)
        await controllers.run(found, clock, supervisor, ControllerSettings(ca_pem="PEM"))
        yield found
        supervisor.stop()


async def until(holds: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await holds():
            await asyncio.sleep(0.02)


async def names(client: Client, kind: Kind[Any], namespace: str = NS) -> list[str]:
    return sorted(item.metadata.name for item in await client.list(kind, namespace))


async def deploy(client: Client, name: str, replicas: int = 2, namespace: str = NS) -> None:
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": name}}, "template": template(name, "web:1")}
    body = {"metadata": {"name": name, "namespace": namespace}, "spec": spec}
    await client.create(kinds.DEPLOYMENT, codec.from_dict(kinds.DEPLOYMENT, body))

    async def runs() -> bool:
        d = await client.get(kinds.DEPLOYMENT, name, namespace)
        return (d.status.available_replicas or 0) == replicas

    await until(runs)


async def is_gone(client: Client, kind: Kind[Any], name: str, namespace: str = "") -> bool:
    try:
        await client.get(kind, name, namespace)
    except NotFound:
        return True
    return False


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
async def test_a_deployment_goes_with_all_it_owns(client: Client, policy: Any) -> None:
    await deploy(client, "web")
    await client.delete(kinds.DEPLOYMENT, "web", NS, propagation=policy)
    await until(lambda: is_gone(client, kinds.DEPLOYMENT, "web", NS))
    if policy == "Foreground":
        assert await names(client, kinds.REPLICA_SET) == await names(client, kinds.POD) == []

    async def empty() -> bool:
        return not await names(client, kinds.POD) and not await names(client, kinds.REPLICA_SET)

    await until(empty)


async def test_orphans_stay(client: Client) -> None:
    await deploy(client, "web")
    before = await names(client, kinds.POD)
    await client.delete(kinds.DEPLOYMENT, "web", NS, propagation="Orphan")
    await until(lambda: is_gone(client, kinds.DEPLOYMENT, "web", NS))
    (rs,) = await client.list(kinds.REPLICA_SET, NS)
    assert rs.metadata.owner_references == []
    await client.delete(kinds.REPLICA_SET, rs.metadata.name or "", NS, propagation="Orphan")
    await until(lambda: is_gone(client, kinds.REPLICA_SET, rs.metadata.name or "", NS))
    assert await names(client, kinds.POD) == before
    assert all(not p.metadata.owner_references for p in await client.list(kinds.POD, NS))


async def test_a_circle_of_owners_can_be_deleted(client: Client) -> None:
    made = []
    for name in "abc":
        body = {"metadata": {"name": name, "namespace": NS}}
        made.append(await client.create(kinds.CONFIG_MAP, codec.from_dict(kinds.CONFIG_MAP, body)))
    for i, one in enumerate(made):
        owner = made[i - 1].metadata
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": owner.name, "uid": owner.uid}
        patch = {"metadata": {"ownerReferences": [reference | {"controller": True, "blockOwnerDeletion": True}]}}
        await client.patch(kinds.CONFIG_MAP, one.metadata.name or "", patch, NS)
    await client.delete(kinds.CONFIG_MAP, "a", NS, propagation="Foreground")

    async def gone() -> bool:
        return not {"a", "b", "c"} & set(await names(client, kinds.CONFIG_MAP))

    await until(gone)


async def test_a_namespace_is_emptied_and_let_go(client: Client) -> None:
    await client.create(kinds.NAMESPACE, codec.from_dict(kinds.NAMESPACE, {"metadata": {"name": "team"}}))
    await deploy(client, "web", 3, "team")
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
    service = {"metadata": {"name": "web", "namespace": "team"}, "spec": spec}
    await client.create(kinds.SERVICE, codec.from_dict(kinds.SERVICE, service))
    held = {"metadata": {"name": "held", "namespace": "team", "finalizers": ["example.com/hold"]}}
    await client.create(kinds.CONFIG_MAP, codec.from_dict(kinds.CONFIG_MAP, held))
    await client.delete(kinds.NAMESPACE, "team")

    async def waits() -> bool:
        team = await client.get(kinds.NAMESPACE, "team")
        said = {c.type: c.message for c in team.status.conditions if c.status == "True"}
        return said.get("NamespaceContentRemaining") == (
            "Some resources are remaining: configmaps. has 1 resource instances"
        ) and "example.com/hold in 1" in (said.get("NamespaceFinalizersRemaining") or "")

    await until(waits)
    assert not await names(client, kinds.POD, "team")
    patch: dict[str, Any] = {"metadata": {"finalizers": None}}
    await client.patch(kinds.CONFIG_MAP, "held", patch, "team", type="merge")
    await until(lambda: is_gone(client, kinds.NAMESPACE, "team"))
    assert {"default", "kube-system"} <= set(await names(client, kinds.NAMESPACE, ""))


async def test_a_rollout_and_its_service(client: Client) -> None:
    await deploy(client, "web", 3)
    spec = {"selector": {"app": "web"}, "ports": [{"port": 80}]}
    service = {"metadata": {"name": "web", "namespace": NS}, "spec": spec}
    await client.create(kinds.SERVICE, codec.from_dict(kinds.SERVICE, service))
    patch = {"spec": {"template": template("web", "web:2")}}
    await client.patch(kinds.DEPLOYMENT, "web", patch, NS)

    async def settled() -> bool:
        pods = [p for p in await client.list(kinds.POD, NS) if not p.metadata.deletion_timestamp]
        slices = await client.list(kinds.ENDPOINT_SLICE, NS, labels="kubernetes.io/service-name=web")
        listed = sorted(e.addresses[0] for s in slices for e in s.endpoints if e.conditions and e.conditions.ready)
        return {p.spec.containers[0].image for p in pods} == {"web:2"} and listed == sorted(
            p.status.pod_ip or "" for p in pods
        )

    await until(settled)
    assert len(await names(client, kinds.REPLICA_SET)) == 2
