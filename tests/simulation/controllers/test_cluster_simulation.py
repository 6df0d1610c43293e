"""All controllers and the scheduler under random users, dying nodes, bad networks and crashes.

At every step: no node holds more than it has room for, and no two nodes have the same range of addresses. In the end: what is wanted
runs on nodes that live, Services list exactly their pods, and nothing is left of what was deleted.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from api import codec, kinds
from client import Client
from controlplane.controllers.settings import Settings
from tests.scenario.controllers.cluster import NS, Cluster
from tests.simulation.controllers.flaky import FlakyTransport

SEEDS = range(32)
STEPS = 30
ROOM = 6
NAMES = ("web", "api", "db")


class World(Cluster):
    """One story."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed, settings=Settings(ca_pem="PEM", pod_cidr="10.244.0.0/20"))
        self.user = Client(self.server)
        self.line = FlakyTransport(self.server, self.clock, self.rng, self.rng.choice((0.0, 0.02, 0.06)))
        self.client = Client(self.line)
        self.told: list[str] = []
        self.serial = 0

    def new_node(self) -> None:
        self.serial += 1
        self.node(f"n{self.serial}")
        node = next(n for n in self.nodes() if n.metadata.name == f"n{self.serial}")
        node.status.allocatable["pods"] = str(ROOM)
        self.server.put(kinds.NODE, node)

    def names_of(self, kind: Any) -> list[str]:
        return [item.metadata.name for item in self.server.objects(kind, NS) if item.metadata.name in NAMES]

    async def step(self) -> None:
        rng = self.rng
        name = rng.choice(NAMES)
        there = name in self.names_of(kinds.DEPLOYMENT)
        what = rng.choice(("deploy", "scale", "image", "delete", "expose", "unexpose", "node", "break", "restart"))
        self.told.append(f"{what} {name}")
        match what:
            case "deploy" if not there:
                await self.make(name)
            case "scale" if there:
                await self.alter(name, {"replicas": rng.randrange(5)})
            case "image" if there:
                patch = {"spec": {"containers": [{"name": "c", "image": f"{name}:{rng.randrange(4)}"}]}}
                await self.alter(name, {"template": patch})
            case "delete" if there:
                await self.user.delete(kinds.DEPLOYMENT, name, NS)
            case "expose" if name not in self.names_of(kinds.SERVICE):
                await self.expose(name)
            case "unexpose" if name in self.names_of(kinds.SERVICE):
                await self.user.delete(kinds.SERVICE, name, NS)
            case "node":
                self.trouble_nodes()
            case "break":
                if rng.random() < 0.5:
                    self.server.compact()
                self.server.faults.drop_watches()
            case "restart":
                await self.stop()
                await self.start()

    def trouble_nodes(self) -> None:
        alive = [n.metadata.name or "" for n in self.nodes()]
        dice = self.rng.random()
        if dice < 0.3 and len(alive) < 8:
            self.new_node()
        elif dice < 0.5 and len(alive) > 3:
            gone = self.rng.choice(alive)
            self.silent.discard(gone)
            self.server.remove(kinds.NODE, gone)
        elif dice < 0.8:
            self.silent.add(self.rng.choice(alive))
        else:
            self.silent.clear()

    def report(self) -> None:
        """Kubelets that were thought lost say again that they are there, and what runs."""
        super().report()
        self.revive()
        for pod in self.pods():
            doubted = any(c.type == "Ready" and c.status == "False" for c in pod.status.conditions)
            if doubted and pod.spec.node_name not in self.silent:
                self.ready(pod)

    def revive(self) -> None:
        for node in self.nodes():
            lost = any(c.type == "Ready" and c.status != "True" for c in node.status.conditions)
            if lost and node.metadata.name not in self.silent:
                for condition in node.status.conditions:
                    condition.status = "True" if condition.type == "Ready" else "False"
                self.server.put(kinds.NODE, node)

    async def make(self, name: str) -> None:
        container = {"name": "c", "image": f"{name}:1"}
        tolerations = [
            {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5}
            for key in ("not-ready", "unreachable")
        ]
        template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
        spec = {
            "replicas": self.rng.randrange(5),
            "selector": {"matchLabels": {"app": name}},
            "strategy": {"type": self.rng.choice(("RollingUpdate", "RollingUpdate", "Recreate"))},
            "template": template,
        }
        template["spec"]["tolerations"] = tolerations
        body = {"metadata": {"name": name, "namespace": NS}, "spec": spec}
        await self.user.create(kinds.DEPLOYMENT, codec.from_dict(kinds.DEPLOYMENT, body))

    async def alter(self, name: str, spec: dict[str, Any]) -> None:
        await self.user.patch(kinds.DEPLOYMENT, name, {"spec": spec}, NS, type="merge")

    async def expose(self, name: str) -> None:
        spec = {"selector": {"app": name}, "clusterIP": "10.96.0.9", "ports": [{"port": 80}]}
        body = {"metadata": {"name": name, "namespace": NS}, "spec": spec}
        await self.user.create(kinds.SERVICE, codec.from_dict(kinds.SERVICE, body))

    def check(self) -> None:
        placed = Counter(p.spec.node_name for p in self.pods(alive=False) if p.spec.node_name)
        assert all(count <= ROOM for count in placed.values()), placed
        ranges = Counter(n.spec.pod_cidr for n in self.nodes() if n.spec.pod_cidr)
        assert all(count == 1 for count in ranges.values()), ranges

    def well(self) -> bool:
        names = self.names_of(kinds.DEPLOYMENT)
        return all(self.rolled_out(name) for name in names) and len(self.pods(alive=False)) == self.wanted()

    def wanted(self) -> int:
        return sum(d.spec.replicas or 0 for d in self.server.objects(kinds.DEPLOYMENT, NS))

    def check_end(self) -> None:
        nodes = {n.metadata.name for n in self.nodes()}
        assert {p.spec.node_name for p in self.pods()} <= nodes
        assert {n.metadata.name: n.spec.taints for n in self.nodes() if n.spec.taints} == {}
        uids = {item.metadata.uid for kind in kinds.ALL for item in self.server.objects(kind)}
        for kind in (kinds.POD, kinds.REPLICA_SET, kinds.ENDPOINT_SLICE):
            for item in self.server.objects(kind):
                assert {o.uid for o in item.metadata.owner_references} <= uids
        for name in self.names_of(kinds.SERVICE):
            pods = [p for p in self.pods() if p.metadata.labels.get("app") == name]
            listed = [
                e.addresses[0]
                for s in self.server.objects(kinds.ENDPOINT_SLICE)
                if s.metadata.labels["kubernetes.io/service-name"] == name
                for e in s.endpoints
            ]
            assert sorted(listed) == sorted(p.status.pod_ip or "" for p in pods), name
        assert {
            s.metadata.labels["kubernetes.io/service-name"] for s in self.server.objects(kinds.ENDPOINT_SLICE)
        } == set(self.names_of(kinds.SERVICE))
        assert sorted(e.metadata.name or "" for e in self.server.objects(kinds.ENDPOINTS)) == sorted(
            self.names_of(kinds.SERVICE)
        )


async def _live(world: World) -> None:
    for _ in range(4):
        world.new_node()
    await world.start()
    for _ in range(STEPS):
        await world.step()
        await world.run(world.rng.choice((0.25, 1.0, 1.0, 12.0)))
        world.check()
    world.line.trouble = 0.0
    world.silent.clear()
    await world.run(60)
    await world.until(world.well, 600)
    world.check()
    await world.run(5)
    world.check_end()


@pytest.mark.parametrize("block", range(4))
async def test_everything_converges(block: int) -> None:
    for seed in SEEDS:
        if seed % 4 != block:
            continue
        world = World(seed)
        try:
            await _live(world)
        except AssertionError as error:
            story = "\n".join(world.told[-15:])
            raise AssertionError(f"seed {seed}: {error}\n{story}") from error
        finally:
            await world.stop()
