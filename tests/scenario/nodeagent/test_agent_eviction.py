"""Pods go when the node runs low: with a fake runtime, fake senses and a clock that moves when told."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api import kinds
from api.core_v1 import Container, EmptyDirVolumeSource, ResourceRequirements, Volume
from nodeagent.plan.eviction import PodUse
from nodeagent.plan.pressure import Amount, Free, Threshold
from nodeagent.report.events import NodeEventRecorder
from nodeagent.upkeep.eviction import Eviction, EvictionPolicy
from tests.scenario.nodeagent.test_agent_scenarios import Scene

MI = 1 << 20
HARD = Threshold("memory.available", Amount(100 * MI))
SOFT = Threshold("memory.available", Amount(200 * MI), grace=60.0)
DISK = Threshold("nodefs.available", Amount(10 * MI))


class EvictionScene(Scene):
    """An agent whose node runs low when a test says so."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.told: list[tuple[str, ...]] = []
        self.reclaimed = 0
        self.evicted: list[str] = []

    def eviction(self) -> Eviction:
        async def reclaim() -> None:
            self.reclaimed += 1

        return Eviction(
            workers=self.agent.pods.workers,
            clock=self.clock,
            policy=EvictionPolicy((HARD, SOFT, DISK), most_grace=20, transition=300.0),
            senses=self.senses,
            events=NodeEventRecorder(self.agent.recorder, "n1"),
            tell=self.told.append,
            reclaim=reclaim,
            count=lambda signal, age: self.evicted.append(signal),
        )

    async def two(self) -> None:
        await self.start()
        for name, asks in (("modest", "200Mi"), ("greedy", "10Mi")):
            await self.create(name, containers=[_container(asks)], termination_grace_period_seconds=30)
            self.senses.taken[name] = PodUse(memory=150 * MI)
        await self.until(lambda: self.running() == ["greedy", "modest"])


def _container(asks: str) -> Container:
    return Container(name="a", image="i:1", resources=ResourceRequirements(requests={"memory": asks}))


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[EvictionScene]:
    made = EvictionScene(tmp_path)
    yield made
    await made.stop()


def memory(available: int) -> dict[str, Free]:
    return {"memory.available": Free(available * MI, 1024 * MI)}


async def test_memory_does_not_wait_for_disks(scene: EvictionScene) -> None:
    await scene.start()
    full = Volume(name="v", empty_dir=EmptyDirVolumeSource(size_limit="1Mi"))
    await scene.create("many-files", containers=[_container("10Mi")], volumes=[full])
    await scene.until(lambda: scene.running() == ["many-files"])
    scene.senses.taken["many-files"] = PodUse(memory=150 * MI)
    scene.senses.endless, scene.senses.left = True, memory(50)
    look = asyncio.create_task(scene.eviction().look())
    await scene.until(lambda: scene.phase("many-files") == "Failed", 10)
    await look


async def test_one_pod_at_a_time_goes_at_once_and_its_owner_is_told_why(scene: EvictionScene) -> None:
    await scene.two()
    eviction = scene.eviction()
    scene.senses.left = memory(500)
    await eviction.look()
    assert (scene.evicted, scene.told) == ([], [])
    scene.senses.left = memory(50)
    await eviction.look()
    await scene.until(lambda: scene.phase("greedy") == "Failed", 10)
    gone = scene.pod("greedy")
    assert gone is not None
    assert gone.status.reason == "Evicted"
    assert (gone.status.message or "").startswith("The node was low on resource: memory. Threshold quantity: 100Mi, ")
    assert [c.reason for c in gone.status.conditions if c.type == "DisruptionTarget"] == ["TerminationByKubelet"]
    assert (scene.running(), scene.told, scene.evicted) == (["modest"], [("MemoryPressure",)], ["memory.available"])
    await scene.until(lambda: {e.reason for e in scene.api.objects(kinds.EVENT)} >= {"Evicted", "EvictionThresholdMet"})
    scene.senses.left = memory(500)
    await eviction.look()
    assert scene.told == [("MemoryPressure",)]  # the condition stays for a while
    await scene.clock.advance(300)
    await eviction.look()
    assert scene.told[-1] == ()
    assert scene.running() == ["modest"]


async def test_a_soft_threshold_is_patient(scene: EvictionScene) -> None:
    await scene.two()
    eviction = scene.eviction()
    scene.senses.left = memory(150)
    await eviction.look()
    await scene.clock.advance(59)
    await eviction.look()
    assert scene.evicted == []
    await scene.clock.advance(1)
    await eviction.look()
    assert scene.evicted == ["memory.available"]
    worker = next(w for w in scene.agent.pods.workers.values() if w.state.pod.metadata.name == "greedy")
    assert worker.state.memory.grace == 20


async def test_on_a_full_disk_what_nobody_uses_goes_first(scene: EvictionScene) -> None:
    await scene.two()
    eviction = scene.eviction()
    scene.senses.left = {"nodefs.available": Free(5 * MI, 100 * MI)}

    async def enough() -> None:
        scene.senses.left = {"nodefs.available": Free(50 * MI, 100 * MI)}

    eviction.reclaim = enough
    await eviction.look()
    assert (scene.told, scene.evicted) == ([("DiskPressure",)], [])


async def test_who_keeps_more_than_he_may_goes_without_any_pressure(scene: EvictionScene) -> None:
    await scene.start()
    volume = Volume(name="scratch", empty_dir=EmptyDirVolumeSource(size_limit="10Mi"))
    await scene.create("hoarder", volumes=[volume])
    await scene.until(lambda: scene.running() == ["hoarder"])
    eviction = scene.eviction()
    scene.senses.taken["hoarder"] = PodUse(volumes={"scratch": 10 * MI})
    await eviction.look()
    assert scene.evicted == []
    scene.senses.taken["hoarder"] = PodUse(volumes={"scratch": 11 * MI})
    await eviction.look()
    assert scene.evicted == []  # files are not walked through at every look
    await scene.clock.advance(30)
    await eviction.look()
    await scene.until(lambda: scene.phase("hoarder") == "Failed", 10)
    found = scene.pod("hoarder")
    assert found is not None
    assert found.status.message == 'Usage of EmptyDir volume "scratch" exceeds the limit "10Mi". '
    assert not [c for c in found.status.conditions if c.type == "DisruptionTarget"]


async def test_without_anybody_who_may_go_nobody_does(scene: EvictionScene) -> None:
    await scene.start()
    await scene.create("vital", priority=2_000_000_000)
    await scene.until(lambda: scene.running() == ["vital"])
    scene.senses.left = memory(1)
    await scene.eviction().look()
    assert (scene.evicted, scene.running()) == ([], ["vital"])
