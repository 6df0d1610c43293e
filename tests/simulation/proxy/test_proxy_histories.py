"""Histories of a cluster, told to the loop as they come: refusals, damage, kills and restarts between; the kernel follows.

What is in the kernel at each rest is compared with what a proxy would make that has only ever seen the present, so an
endpoint that gets lost or stays behind on the way is found, whichever part lost it. Addresses are few and go from pod to
pod and from Service to Service. A kill comes between any two calls of the kernel, as SIGKILL does.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest

from kit.clock import FakeClock
from kit.metrics import Metrics
from linux.iptables import FakeIptables
from linux.ipvs_fake import FakeIpvs
from linux.links import Address, LinkChange
from linux.links_fake import FakeNetworks
from linux.nft import FakeKernel
from linux.nft.wire import INET4, INET6
from linux.sysctl import FakeSysctl
from proxy.backends.interface import Backend, Suspicion
from proxy.backends.iptables import IptablesBackend
from proxy.backends.ipvs import Doors, IpvsBackend
from proxy.backends.nftables import NftablesBackend
from proxy.model.cluster import Cluster
from proxy.model.endpointslice import Slice, extract_slice
from proxy.model.facts import Facts, parse_networks
from proxy.model.service import Service, extract_service
from proxy.plan.desired import Desired
from proxy.plan.diff import diff
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
KINDS = ("nftables", "iptables", "ipvs")
SETTINGS = {
    "net.ipv4.vs.conntrack": "0",
    "net.ipv4.vs.expire_nodest_conn": "0",
    "net.ipv4.vs.expire_quiescent_template": "0",
    "net.ipv4.vs.conn_reuse_mode": "1",
    "net.ipv6.conf.default.disable_ipv6": "0",
}


class Killed(BaseException):
    """SIGKILL: nothing in the process gets to do anything about it."""


class _Mortal:
    """A door that can be called only as often as the process has yet to live."""

    def __init__(self, door: Any, host: Host) -> None:
        self._door = door
        self._host = host

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._door, name)
        if not callable(found):
            return found

        def call(*arguments: Any) -> Any:
            self._host.spend()
            return found(*arguments)

        return call


class Host:
    """The kernel of one node as one kind of backend meets it."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._left: float = float("inf")  # calls until the process is killed
        self.nft, self.iptables, self.ipvs = FakeKernel(), FakeIptables(), FakeIpvs()
        self.links = FakeNetworks().namespace()
        self.links.change(1, LinkChange(up=True))
        for address in ("192.0.2.1", "2001:db8::1"):
            self.links.add_address(Address(1, address, 64 if ":" in address else 24))
        self.settings = FakeSysctl(SETTINGS)

    def spend(self) -> None:
        if self._left <= 0:
            raise Killed
        self._left -= 1

    def live(self, calls: float = float("inf")) -> None:
        """The process is killed after so many calls."""
        self._left = calls

    def backend(self) -> Backend:
        """A new process."""
        programs: Any = _Mortal(self.iptables, self)
        if self._kind == "nftables":
            kernel: Any = _Mortal(self.nft, self)
            return NftablesBackend(kernel)
        if self._kind == "iptables":
            return IptablesBackend(programs)
        ipvs: Any = _Mortal(self.ipvs, self)
        links: Any = _Mortal(self.links, self)
        settings: Any = _Mortal(self.settings, self)
        return IpvsBackend(Doors(ipvs, links, programs, settings))

    def refuse(self) -> None:
        """The next change fails."""
        self.nft.refuse, self.iptables.refuse, self.ipvs.refuse = [17], ["no"], [12]

    def obey(self) -> None:
        """No change fails."""
        self.nft.refuse, self.iptables.refuse, self.ipvs.refuse = [], [], []

    def flush(self) -> None:
        """Somebody removes all rules."""
        self.nft.flush()
        self.iptables.flush()
        self.ipvs.flush()

    def traces(self) -> list[object]:
        """All that there is, as far as it does not depend on the way there."""
        found: list[object] = []
        for family, number in ((INET4, 4), (INET6, 6)):
            for table in sorted(self.nft.tables(family)):
                seen = self.nft.table(family, table)
                assert seen is not None
                found.append((family, table, sorted(seen.chains.items())))
                found += [(name, len(self.nft.elements(family, table, name))) for name in sorted(seen.sets)]
            for table in ("nat", "filter"):
                found += [(number, table, line) for line in sorted(self.iptables.save(number, table))]
        for service, settings in sorted(self.ipvs.services().items(), key=str):
            weights = {one: seen.weight for one, seen in self.ipvs.destinations(service).items()}
            found.append((service, settings, sorted(weights.items())))
        return [*found, *sorted(self.links.addresses(), key=str), sorted(link.name for link in self.links.links())]


class World:
    """The objects as the API server has them, and the loop that is told of each change."""

    def __init__(self, seed: int, kind: str) -> None:
        self.rng = random.Random(seed)
        self.host = Host(kind)
        self._kind = kind
        self.services: dict[str, Service | None] = {}
        self.slices: dict[str, Slice | None] = {}
        self._addresses: dict[str, int] = {}  # of Services
        self.clock = FakeClock()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """A new process: it knows the objects of now, and finds in the kernel what the old one left."""
        self.host.live()
        backend = self.host.backend()
        assert backend.probe() == ""
        self.syncer = Syncer(backend, FACTS, self.clock, ProxyMetrics(Metrics(process=False)))
        for key, service in self.services.items():
            self.syncer.on_service(key, None, service)
        for key, one in self.slices.items():
            self.syncer.on_slice(key, None, one)
        self._task = asyncio.create_task(self.syncer.run())

    async def kill(self) -> None:
        """At once, whatever it was doing."""
        self.host.live(0)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def dead(self) -> bool:
        return self._task is not None and self._task.done()

    def step(self) -> None:
        """One thing happens."""
        name = f"s{self.rng.randrange(NAMES)}"
        what = self.rng.random()
        if what < 0.25:
            self._change_service(name)
        elif what < 0.9:
            self._change_slice(name, self.rng.randrange(2), self.rng.choice((4, 6)))
        else:
            self.host.refuse()

    def damage(self) -> None:
        """Somebody flushes our rules, and we hear of it."""
        self.host.flush()
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

    def wanted(self) -> list[Desired]:
        """What a proxy would make that knows nothing but the present."""
        cluster, ledger = Cluster(), Ledger(FACTS)
        for key, service in self.services.items():
            cluster.set_service(key, service)
        for key, one in self.slices.items():
            cluster.set_slice(key, None, one)
        assert not ledger.update(cluster, list(cluster.services)).conflicts
        return list(ledger.all())

    def wrong(self) -> list[str]:
        """How the kernel differs from that."""
        return expected_reading(self.wanted()).differences(self.syncer.backend.read())


async def rest(world: World) -> None:
    async with asyncio.timeout(120):
        while world.dead() or not world.syncer.programmed.is_set():
            if world.dead():
                world.host.obey()
                world.start()
            await asyncio.sleep(0.001)
            try:
                await world.clock.advance(1)
            except Killed:  # while it looked around
                await world.kill()
    world.host.live()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", KINDS)
async def test_whatever_happened_the_kernel_has_the_present(kind: str, seed: int) -> None:
    world = World(seed, kind)
    world.start()
    try:
        for number in range(STEPS):
            for _ in range(world.rng.choice((1, 1, 1, 2, 3, 8))):  # told in one go, or while the loop is at work
                world.step()
                if world.rng.random() < 0.3:
                    await asyncio.sleep(0)
            if world.rng.random() < 0.15:
                world.host.live(world.rng.randrange(20))
            if world.rng.random() < 0.5:
                await rest(world)
                assert world.wrong() == [], f"step {number}"
                if world.rng.random() < 0.1:
                    world.damage()
        await rest(world)
        assert world.wrong() == []
    finally:
        await world.kill()


@contextmanager
def mortal(host: Host, calls: int) -> Iterator[list[bool]]:
    """A life of so many calls; tells whether it was long enough."""
    lived = [False]
    host.live(calls)
    try:
        yield lived
        lived[0] = True
    except Killed:
        pass
    host.live()


def at_every_step(work: Callable[[int], bool]) -> int:
    """Have it killed after 0, 1, 2, ... calls, until it lives to its end; after how many calls that was."""
    return next(calls for calls in itertools.count() if work(calls))


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("kind", KINDS)
async def test_killed_at_any_step_it_ends_at_the_same_rules(kind: str, seed: int) -> None:
    """A change, a start and a clean-up, each killed after every call of the kernel; then another process does it."""
    world = World(seed, kind)
    world.start()
    for _ in range(25):
        world.step()
    before = world.wanted()
    for _ in range(8):
        world.step()
    after = world.wanted()
    await world.kill()
    host = Host(kind)
    empty = host.traces()
    host.backend().replace(after, FACTS)
    clean = host.traces()

    def begun() -> tuple[Host, Backend]:
        host = Host(kind)
        backend = host.backend()
        backend.replace(before, FACTS)
        return host, backend

    def change(calls: int) -> bool:
        host, backend = begun()
        with mortal(host, calls) as lived:
            backend.apply(diff(before, after))
        host.backend().replace(after, FACTS)
        assert host.traces() == clean
        return lived[0]

    def begin(calls: int) -> bool:
        host, _ = begun()
        with mortal(host, calls) as lived:
            host.backend().replace(after, FACTS)
        host.backend().replace(after, FACTS)
        assert host.traces() == clean
        return lived[0]

    def clear(calls: int) -> bool:
        host, _ = begun()
        with mortal(host, calls) as lived:
            host.backend().cleanup()
        host.backend().cleanup()
        assert host.traces() == empty
        return lived[0]

    for work in (change, begin, clear):
        assert at_every_step(work) > 0
