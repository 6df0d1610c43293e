"""Deployments under random users, kubelets, networks and crashes: what must hold at every step, and that all ends well.

At every step: never more pods than maxSurge allows, and no controller ever takes the last pods that availability needs. In the end, when
the trouble is over: exactly the wanted pods, of the newest template, and EndpointSlices that list exactly them. Another seed is another
story; a failure names its seed.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from api import codec, kinds
from api.core_v1 import Pod
from client import Client
from client.fake import FakeTransport
from controlplane.controllers import app
from controlplane.controllers.deployment.controller import Deployments
from controlplane.controllers.deployment.limits import max_surge, max_unavailable
from controlplane.controllers.endpointslice.controller import EndpointSlices
from controlplane.controllers.replicaset.controller import ReplicaSets
from controlplane.controllers.seen import SeenDeployment
from controlplane.controllers.seen.workload import deployment
from kit.clock import FakeClock
from kit.supervisor import Supervisor
from tests.simulation.controllers.flaky import FlakyTransport

NS = "default"
SEEDS = range(240)
STEPS = 32
FACTORIES = (ReplicaSets, Deployments, EndpointSlices)


class World:
    """One story."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.clock = FakeClock()
        self.server = FakeTransport(self.clock, seed)
        self.line = FlakyTransport(self.server, self.clock, self.rng, trouble=self.rng.choice((0.0, 0.02, 0.1)))
        self.failures = self.rng.random() < 0.4
        self.images = 1
        self.addresses = 0
        self.ceiling = 0
        self.floor = 0
        self.available = 0
        self.supervisor: Supervisor | None = None
        self.story: list[str] = []

    # what is there

    def deployment(self) -> SeenDeployment:
        return deployment(codec.encode(self.server.objects(kinds.DEPLOYMENT)[0]))

    def active(self) -> list[Pod]:
        return [p for p in self.server.objects(kinds.POD) if not p.metadata.deletion_timestamp and not _finished(p)]

    def rolled_out(self) -> bool:
        d = self.deployment()
        s = d.status
        return s.observed_generation >= d.generation and s.updated == s.replicas == s.available == d.replicas

    # what happens

    async def begin(self) -> None:
        surge, unavailable = self.rng.choice(((1, 0), (0, 1), ("25%", "25%"), (2, 2), ("50%", 0), (0, "30%")))
        body = {
            "kind": "Deployment",
            "apiVersion": "apps/v1",
            "metadata": {"name": "web", "namespace": NS},
            "spec": {
                "replicas": self.rng.randrange(1, 8),
                "selector": {"matchLabels": {"app": "web"}},
                "strategy": {"rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}},
                "template": self.template(),
            },
        }
        service = {
            "kind": "Service",
            "apiVersion": "v1",
            "metadata": {"name": "web", "namespace": NS},
            "spec": {"selector": {"app": "web"}, "clusterIP": "10.96.0.9", "ports": [{"port": 80}]},
        }
        user = Client(self.server)
        await user.create(kinds.DEPLOYMENT, codec.from_dict(kinds.DEPLOYMENT, body))
        await user.create(kinds.SERVICE, codec.from_dict(kinds.SERVICE, service))
        self.expect()
        await self.start()

    def template(self) -> dict[str, Any]:
        containers = [{"name": "c", "image": f"web:{self.images}"}]
        return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": containers}}

    def expect(self) -> None:
        """Limits hold for every size that was wanted since all was last well."""
        d = self.deployment()
        most, least = d.replicas + max_surge(d), d.replicas - max_unavailable(d)
        settled = self.rolled_out() and len(self.active()) == d.replicas
        self.ceiling = most if settled else max(self.ceiling, most)
        self.floor = least if settled else min(self.floor, least)

    async def change(self, spec: dict[str, Any]) -> None:
        self.story.append(f"user: {spec}")
        shrinks = spec.get("replicas", 99) < self.deployment().replicas and not self.rolled_out()
        await Client(self.server).patch(kinds.DEPLOYMENT, "web", {"spec": spec}, NS, type="merge")
        self.expect()
        if shrinks:
            self.floor = 0  # scaled down in mid-rollout all shrink in proportion, whether available or not

    async def start(self) -> None:
        self.supervisor = Supervisor(self.clock, signals=False, grace=0)
        await self.supervisor.__aenter__()
        rng = random.Random(self.rng.random())
        await app.run(Client(self.line), self.clock, self.supervisor, factories=FACTORIES, rng=rng)

    async def stop(self) -> None:
        if self.supervisor is not None:
            self.supervisor.stop()
            await self.supervisor.__aexit__(None, None, None)
            self.supervisor = None

    async def user(self) -> None:
        self.expect()
        if self.rng.random() < 0.5:
            self.images += 1
            await self.change({"template": self.template()})
        elif self.rng.random() < 0.3:
            self.images = max(1, self.images - 1)
            await self.change({"template": self.template()})
        else:
            await self.change({"replicas": self.rng.randrange(0, 9)})

    async def trouble(self) -> None:
        what = self.rng.randrange(4)
        self.story.append(f"trouble {what}")
        if what == 0:
            self.server.faults.drop_watches()
        elif what == 1:
            self.server.compact()
            self.server.faults.drop_watches()
        else:
            await self.stop()
            await self.start()

    def kubelet(self, share: float) -> None:
        for pod in self.server.objects(kinds.POD):
            if self.rng.random() > share or (_finished(pod) and not pod.metadata.deletion_timestamp):
                continue
            if pod.metadata.deletion_timestamp:
                self.server.remove(kinds.POD, pod.metadata.name, NS)
            elif pod.status.phase == "Pending":
                self.addresses += 1
                self._report(pod, "Running", ready=True)
            elif self.failures and self.line.trouble and self.rng.random() < 0.1:
                self.story.append(f"{pod.metadata.name} fails")
                self._report(pod, self.rng.choice(("Failed", "Running")), ready=False)
            elif self.failures and pod.status.phase == "Running" and not _ready(pod):
                self._report(pod, "Running", ready=True)
        self.available = min(self.available, self.count()) if self.failures else self.available

    def _report(self, pod: Pod, phase: str, *, ready: bool) -> None:
        data = codec.to_dict(pod)
        ip = data.get("status", {}).get("podIP") or f"10.244.0.{self.addresses}"
        condition = {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": None}
        data["spec"]["nodeName"] = "n1"
        data["status"] = {"phase": phase, "podIP": ip, "podIPs": [{"ip": ip}], "conditions": [condition]}
        self.server.put(kinds.POD, codec.from_dict(kinds.POD, data))

    def count(self) -> int:
        return sum(_ready(pod) for pod in self.active())

    # what must hold

    def check(self) -> None:
        active, available = self.active(), self.count()
        assert len(active) <= self.ceiling, f"{len(active)} pods, {self.ceiling} allowed"
        if not self.failures:
            fell = available < self.floor <= self.available
            assert not fell, f"{available} available pods, {self.floor} needed, {self.available} before"
        self.available = available
        self.expect()

    def check_end(self) -> None:
        d = self.deployment()
        active = self.active()
        assert len(active) == d.replicas
        assert {p.spec.containers[0].image for p in active} <= {f"web:{self.images}"}
        listed = [
            e.addresses[0]
            for s in self.server.objects(kinds.ENDPOINT_SLICE)
            for e in s.endpoints
            if e.conditions and e.conditions.ready
        ]
        assert sorted(listed) == sorted(p.status.pod_ip or "" for p in active)


def _finished(pod: Pod) -> bool:
    return pod.status.phase in ("Succeeded", "Failed")


def _ready(pod: Pod) -> bool:
    return any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions)


async def _live(world: World) -> None:
    await world.begin()
    for _ in range(STEPS):
        dice = world.rng.random()
        if dice < 0.12:
            await world.user()
        elif dice < 0.22:
            await world.trouble()
        world.kubelet(world.rng.random())
        await world.clock.advance(world.rng.choice((0.01, 0.1, 0.5, 3.0)))
        world.check()
    world.line.trouble = 0.0
    end = world.clock.monotonic() + 900
    while not (world.rolled_out() and world.clock.monotonic() > end - 850):
        assert world.clock.monotonic() < end, "it never ends"
        world.kubelet(1.0)
        await world.clock.advance(5)
        world.check()
    world.check_end()


@pytest.mark.parametrize("block", range(12))
async def test_rollouts_keep_their_promises(block: int) -> None:
    for seed in SEEDS:
        if seed % 12 != block:
            continue
        world = World(seed)
        try:
            await _live(world)
        except AssertionError as error:
            story = "\n".join(world.story[-15:])
            raise AssertionError(f"seed {seed}: {error}\n{story}") from error
        finally:
            await world.stop()
