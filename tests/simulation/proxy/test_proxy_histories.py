"""Histories of a cluster, told to the loop as they come: refusals, damage and restarts between; the kernel follows.

What is in the kernel at each rest is compared with what a proxy would make that has only ever seen the present, so an
endpoint that gets lost or stays behind on the way is found, whichever part lost it. Addresses are few and go from pod to
pod and from Service to Service.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

import msgspec
import pytest

from kit.clock import FakeClock
from kit.metrics import Metrics
from linux.iptables import FakeIptables
from linux.nft import FakeKernel
from proxy.backends.interface import Backend, Suspicion
from proxy.backends.iptables import IptablesBackend
from proxy.backends.nftables import NftablesBackend
from proxy.model.cluster import Cluster
from proxy.model.endpointslice import Slice, extract_slice
from proxy.model.facts import Facts, parse_networks
from proxy.model.service import Service, extract_service
from proxy.plan.expected import expected_reading
from proxy.plan.ledger import Ledger
from proxy.sync.metrics import ProxyMetrics
from proxy.sync.syncer import Syncer

FACTS = Facts("here", parse_networks("10.244.0.0/16,fd00:244::/48"), external_ips=True)
NAMES, ADDRESSES, PODS, STEPS = 5, 7, 8, 100
STATES = (
    {"ready": True, "serving": True},
    {"ready": True, "serving": True},
    {"ready": False, "serving": True, "terminating": True},
    {"ready": False},
)


class World:
    """The objects as the API server has them, and the loop that is told of each change."""

    def __init__(self, seed: int, kind: str) -> None:
        self.rng = random.Random(seed)
        self.kernel: Any = FakeKernel() if kind == "nftables" else FakeIptables()
        self._kind = kind
        self.services: dict[str, Service | None] = {}
        self.slices: dict[str, Slice | None] = {}
        self._addresses: dict[str, int] = {}  # of Services
        self.clock = FakeClock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """A new process: it knows the objects of now, and finds in the kernel what the old one left."""
        backend: Backend = NftablesBackend(self.kernel) if self._kind == "nftables" else IptablesBackend(self.kernel)
        assert backend.probe() == ""
        self.syncer = Syncer(backend, FACTS, self.clock, ProxyMetrics(Metrics(process=False)))
        for key, service in self.services.items():
            self.syncer.on_service(key, None, service)
        for key, one in self.slices.items():
            self.syncer.on_slice(key, None, one)
        self._task = asyncio.create_task(self.syncer.run())

    async def kill(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def step(self) -> None:
        """One thing happens."""
        name = f"s{self.rng.randrange(NAMES)}"
        what = self.rng.random()
        if what < 0.25:
            self._change_service(name)
        elif what < 0.9:
            self._change_slice(name, self.rng.randrange(2), self.rng.choice((4, 6)))
        else:
            self.kernel.refuse = [17] if self._kind == "nftables" else ["no"]

    def damage(self) -> None:
        """Somebody flushes our rules, and we hear of it."""
        self.kernel.flush()
        self.syncer.suspect(Suspicion.DAMAGED, "somebody changed our rules")

    def _change_service(self, name: str) -> None:
        key = f"ns/{name}"
        old = self.services.get(key)
        if old is not None and self.rng.random() < 0.3:
            self._addresses.pop(key, None)
            del self.services[key]
            self.syncer.on_service(key, old, None)
            return
        free = sorted(set(range(1, ADDRESSES + 1)) - set(self._addresses.values()))
        number = self.rng.choice([*free, *([self._addresses[key]] if key in self._addresses else [])])
        self._addresses[key] = number
        new = extract_service(msgspec.json.encode(self._service(name, number)))
        self.services[key] = new
        self.syncer.on_service(key, old, new)

    def _service(self, name: str, number: int) -> dict[str, Any]:
        chance = self.rng.random
        ips = [f"10.96.0.{number}", f"fd00:96::{number}"]
        ports: list[dict[str, Any]] = [{"name": "web", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"}]
        ports = ports[: self.rng.choice((1, 2))]
        spec: dict[str, Any] = {"type": "ClusterIP", "clusterIPs": ips if chance() < 0.8 else ips[:1], "ports": ports}
        if chance() < 0.5:
            spec["type"] = "LoadBalancer"
            for place, port in enumerate(ports):
                port["nodePort"] = 30000 + 10 * number + place
        if chance() < 0.3:
            spec["externalTrafficPolicy"] = "Local"
        if chance() < 0.2:
            spec["internalTrafficPolicy"] = "Local"
        if chance() < 0.3:
            spec["sessionAffinity"] = "ClientIP"
        ingress = [{"ip": f"203.0.113.{number}"}] if chance() < 0.5 else []
        return {
            "metadata": {"name": name, "namespace": "ns"}, "spec": spec, "status": {"loadBalancer": {"ingress": ingress}},
        }  # fmt: skip

    def _change_slice(self, name: str, number: int, family: int) -> None:
        key = f"ns/{name}-{number}-{family}"
        old = self.slices.get(key)
        if old is not None and self.rng.random() < 0.15:
            del self.slices[key]
            self.syncer.on_slice(key, old, None)
            return
        pods = self.rng.sample(range(1, PODS + 1), self.rng.choice((0, 1, 2, 2, 3, 5)))
        form = "10.244.1.{}" if family == 4 else "fd00:244::{}"
        new = extract_slice(
            msgspec.json.encode(
                {
                    "metadata": {"name": key, "namespace": "ns", "labels": {"kubernetes.io/service-name": name}},
                    "addressType": f"IPv{family}",
                    "ports": [
                        {"name": "web", "port": 8080},
                        {"name": "dns", "port": self.rng.choice((5353, 5354)), "protocol": "UDP"},
                    ],
                    "endpoints": [
                        {
                            "addresses": [form.format(pod)],
                            "conditions": self.rng.choice(STATES),
                            "nodeName": self.rng.choice(("here", "there", "there")),
                        }
                        for pod in pods
                    ],
                }
            ),
            "here",
        )
        self.slices[key] = new
        self.syncer.on_slice(key, old, new)

    def wrong(self) -> list[str]:
        """How the kernel differs from what a proxy would make that knows nothing but the present."""
        cluster, ledger = Cluster(), Ledger(FACTS)
        for key, service in self.services.items():
            cluster.set_service(key, service)
        for key, one in self.slices.items():
            cluster.set_slice(key, None, one)
        assert not ledger.update(cluster, list(cluster.services)).conflicts
        return expected_reading(ledger.all()).differences(self.syncer.backend.read())


async def rest(world: World) -> None:
    async with asyncio.timeout(120):
        while not world.syncer.programmed.is_set():
            await asyncio.sleep(0.001)
            await world.clock.advance(1)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["nftables", "iptables"])
async def test_whatever_happened_the_kernel_has_the_present(kind: str, seed: int) -> None:
    world = World(seed, kind)
    world.start()
    try:
        for number in range(STEPS):
            for _ in range(world.rng.choice((1, 1, 1, 2, 3, 8))):  # told in one go, or while the loop is at work
                world.step()
                if world.rng.random() < 0.3:
                    await asyncio.sleep(0)
            if world.rng.random() < 0.04:
                await world.kill()
                world.kernel.refuse = []
                world.start()
            if world.rng.random() < 0.5:
                await rest(world)
                assert world.wrong() == [], f"step {number}"
                if world.rng.random() < 0.1:
                    world.damage()
        await rest(world)
        assert world.wrong() == []
    finally:
        await world.kill()
