"""Two whole control planes on one etcd: both serve, one leads, and the other takes over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from api import codec, kinds
from api.coordination_v1 import Lease
from client.client import Client
from client.errors import NotFound
from client.http import HttpTransport
from client.kubeconfig import Access
from controlplane import app, election
from controlplane.config import Config, Pki, Store
from kit import pki
from kit.clock import FakeClock
from kit.supervisor import Supervisor
from testbed.etcd import EtcdCluster
from testbed.ports import free_port

pytestmark = pytest.mark.etcd
WEB = {
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "app", "image": "app:1"}]},
        },
    },
}


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[EtcdCluster]:
    with EtcdCluster(tmp_path / "etcd") as cluster:
        yield cluster


@pytest.fixture
def certificates(tmp_path: Path) -> Pki:
    ca = pki.make_ca("test")
    pairs = {
        "ca": ca,
        "serving": pki.issue(ca, "apiserver", ips=["127.0.0.1"], server=True),
        "admin": pki.issue(ca, "admin", ["system:masters"], client=True),
    }
    for name, pair in pairs.items():
        pair.save(tmp_path / f"{name}.crt", tmp_path / f"{name}.key")
    (tmp_path / "sa.key").write_bytes(pki.make_key())
    found = {
        name: str(tmp_path / name)
        for name in ("ca.crt", "ca.key", "serving.crt", "serving.key", "admin.crt", "admin.key")
    }
    return Pki(
        ca_cert=found["ca.crt"],
        serving_cert=found["serving.crt"],
        serving_key=found["serving.key"],
        kubelet_client_cert=found["admin.crt"],
        kubelet_client_key=found["admin.key"],
        service_account_key=str(tmp_path / "sa.key"),
    )


async def start(stack: AsyncExitStack, etcd: EtcdCluster, certificates: Pki) -> tuple[Supervisor, Client]:
    """A control plane and an administrator's client of it."""
    listen = f"127.0.0.1:{free_port()}"
    config = Config(
        data_dir="/nonexistent",
        advertise_address="192.0.2.10",
        pki=certificates,
        listen=(listen,),
        store=Store(etcd=etcd.place()),
    )
    supervisor = await stack.enter_async_context(Supervisor(signals=False))
    await app.run(config, supervisor)
    files = (certificates.ca_cert, certificates.kubelet_client_cert, certificates.kubelet_client_key)
    return supervisor, Client(HttpTransport(Access(f"https://{listen}", *(Path(file).read_bytes() for file in files))))


async def until_led(client: Client) -> Lease:
    """The lease of whoever leads, as soon as somebody does."""
    async with asyncio.timeout(180):
        while True:
            try:
                return await client.get(kinds.LEASE, election.LEASE, election.NAMESPACE)
            except NotFound:
                await asyncio.sleep(0.05)


async def until_pods(client: Client, count: int) -> None:
    async with asyncio.timeout(180):
        while len(await client.list(kinds.POD, "default", labels="app=web")) != count:
            await asyncio.sleep(0.05)


async def test_one_leads_and_the_other_takes_over(etcd: EtcdCluster, certificates: Pki) -> None:
    async with AsyncExitStack() as second, AsyncExitStack() as first:
        leader, one = await start(first, etcd, certificates)
        lease = await until_led(one)
        other, two = await start(second, etcd, certificates)
        await two.create(kinds.DEPLOYMENT, codec.from_dict(kinds.DEPLOYMENT, WEB))
        await until_pods(two, 3)
        await one.close()
        leader.stop()
        await first.aclose()
        assert leader.exit_status == 0
        await two.patch(kinds.DEPLOYMENT, "web", {"spec": {"replicas": 5}}, "default")
        await until_pods(two, 5)
        taken = await two.get(kinds.LEASE, election.LEASE, election.NAMESPACE)
        assert taken.spec.holder_identity != lease.spec.holder_identity
        assert taken.spec.lease_transitions == 1
        await two.close()
        other.stop()


class Claimed:
    """A lease whose renewals answer what the test says."""

    def __init__(self, *answers: bool) -> None:
        self.answers = list(answers)
        self.released = False

    async def renew(self) -> bool:
        return self.answers.pop(0)

    async def release(self) -> None:
        self.released = True


async def test_who_loses_the_lease_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    claim, clock, started = Claimed(False, False, True, True, False), FakeClock(), []
    monkeypatch.setattr(election, "LeaseClaim", lambda *_, **__: claim)

    async def begin() -> None:
        started.append(clock.monotonic())

    leading = asyncio.ensure_future(election.lead(None, clock, begin))
    await clock.advance(20)
    with pytest.raises(election.LeadershipLost, match="the lease kube-system/wherry-control-plane is lost"):
        await leading
    assert started == [2 * election.RETRY_SECONDS]
    assert claim.released
