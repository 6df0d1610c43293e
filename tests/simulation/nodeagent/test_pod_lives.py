"""Thousands of pod lives against the fake runtime, with faults at every call, lost events and killed agents.

Whatever happened, once it stops each pod is as its specification wants, and when it is deleted nothing of it is left.
"""

import random
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.core_v1 import Container, ContainerResizePolicy, Pod, PodSpec, ResourceRequirements
from api.meta_v1 import ObjectMeta
from nodeagent.cri.fake import Program
from nodeagent.model.seen import ContainerState
from nodeagent.model.spec import is_sidecar, should_restart
from nodeagent.plan import qos
from nodeagent.plan.resizing import changed_resources, resources_of
from tests.simulation.nodeagent.world import World

LIVES = 10_000
PARTS = 20


@pytest.fixture
def root() -> Iterator[Path]:
    """A place in memory: lives write many small files."""
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    yield folder
    shutil.rmtree(folder)


@dataclass
class Life:
    """One pod's life, told step by step."""

    world: World
    started: dict[str, int]

    def check(self) -> None:
        """What must hold at every moment."""
        runtime = self.world.runtime
        running = self.world.running()
        assert len(running) == len(set(running)), f"doubled container: {running}"
        assert sum(s.seen.ready for s in runtime.live_sandboxes.values()) <= 1, "doubled sandbox"
        for container in runtime.live_containers.values():
            if container.seen.running:
                assert runtime.live_sandboxes[container.seen.sandbox_id].seen.ready, "container outlived its sandbox"


def make_pod(rng: random.Random, number: int) -> tuple[Pod, dict[str, Program]]:
    """A random pod and what its containers do."""
    programs: dict[str, Program] = {}
    inits, apps = [], []
    sized = rng.random() < 0.5
    for i in range(rng.choice((0, 0, 1, 2))):
        name = f"init{i}"
        sidecar = rng.random() < 0.4
        code = 0 if rng.random() < 0.85 else 1
        programs[name] = Program(None if sidecar and rng.random() < 0.7 else rng.uniform(0, 5), 0 if sidecar else code)
        inits.append(Container(name=name, image="busybox:1", restart_policy="Always" if sidecar else None))
    for i in range(rng.choice((1, 1, 2, 3))):
        name = f"app{i}"
        runs = None if rng.random() < 0.5 else rng.uniform(0, 60)
        broken = "exec: not found" if rng.random() < 0.05 else ""
        programs[name] = Program(runs, rng.choice((0, 0, 1)), rng.random() < 0.2, broken)
        app = Container(name=name, image="busybox:1", termination_message_path="/dev/termination-log")
        if sized:
            app.resources = make_needs(rng)
            app.resize_policy = [
                ContainerResizePolicy(resource_name=what, restart_policy="RestartContainer")
                for what in ("cpu", "memory")
                if rng.random() < 0.3
            ]
        apps.append(app)
    spec = PodSpec(
        containers=apps,
        init_containers=inits,
        restart_policy=rng.choice(("Always", "OnFailure", "Never")),
        termination_grace_period_seconds=rng.choice((0, 1, 5, 30)),
    )
    meta = ObjectMeta(name=f"p{number}", namespace="default", uid=f"uid-{number}", generation=1, resource_version="1")
    return Pod(metadata=meta, spec=spec), programs


def make_needs(rng: random.Random) -> ResourceRequirements:
    """Some resources; now and then more than there are."""
    cpu, memory = rng.choice(("100m", "250m", "1", "1", "9")), rng.choice(("64Mi", "96Mi", "1Gi"))
    return ResourceRequirements(requests={"cpu": cpu, "memory": memory}, limits={"cpu": cpu, "memory": memory})


def resize(world: World, rng: random.Random) -> None:
    """A user changes what the containers of a pod are to have; one without resources stays so."""
    sized = [c.name for c in world.pod.spec.containers if c.resources is not None and c.resources.requests]
    if sized and world.pod.metadata.deletion_timestamp is None:
        world.resize({name: make_needs(rng) for name in sized if rng.random() < 0.7})


async def misfortune(life: Life, rng: random.Random) -> None:
    """Something that may happen to a node."""
    world = life.world
    what = rng.random()
    if what < 0.3:
        await world.crash(rng.randrange(12))
    elif what < 0.5 and (running := [c for c in world.runtime.live_containers.values() if c.seen.running]):
        rng.choice(running)
        world.runtime.exit(rng.choice(running).seen.id, 137)
    elif what < 0.6 and (ready := [s for s in world.runtime.live_sandboxes.values() if s.seen.ready]):
        victim = rng.choice(ready).seen.id
        for container in list(world.runtime.live_containers.values()):
            if container.seen.sandbox_id == victim:
                world.runtime.exit(container.seen.id, 137)
        world.runtime.kill_sandbox(victim)
    elif what < 0.8:
        resize(world, rng)
    else:
        await world.live(rng.uniform(0, 20))


async def live_one(root: Path, number: int) -> Life:
    """A life from creation through trouble and calm to its removal."""
    rng = random.Random(number)
    pod, programs = make_pod(rng, number)
    world = World(root, pod, seed=number)
    world.runtime.programs = programs
    life = Life(world, {})
    world.faults.rate = rng.choice((0.0, 0.03, 0.1))
    world.lost_events = rng.choice((0.0, 0.3))
    for _ in range(rng.randrange(6)):
        await misfortune(life, rng)
        life.check()
    world.faults.rate, world.lost_events = 0.0, 0.0
    world.worker.note_dirty()
    await world.live(400)
    life.check()
    await check_calm(world)
    check_wanted(world, programs)
    check_resources(world)
    await end(life, rng)
    return life


async def check_calm(world: World) -> None:
    """A converged pod is left alone."""
    await world.settle()
    before = dict(world.runtime.calls)
    plan = await world.step()
    assert plan is not None and plan.converged
    assert world.runtime.calls == before, "a converged pod was touched"


def check_wanted(world: World, programs: dict[str, Program]) -> None:
    """The pod is as its specification and its programs demand."""
    pod, status = world.pod, world.api.status
    assert status is not None
    if status.phase in ("Succeeded", "Failed"):
        assert not world.running(), "a finished pod still runs"
        assert not [s for s in world.runtime.live_sandboxes.values() if s.seen.ready]
        for container in pod.spec.containers if status.phase == "Succeeded" else ():
            assert programs[container.name].code == 0 and pod.spec.restart_policy != "Always"
    elif status.phase == "Running":
        for container in pod.spec.containers:
            newest = world.worker.seen().container(container.name)
            assert newest is not None
            if programs[container.name].runs is None and not programs[container.name].fails_to_start:
                assert newest.running or not should_restart(pod, container, newest.exit_code)
        for container in pod.spec.init_containers:
            if is_sidecar(container) and programs[container.name].runs is None:
                assert container.name in world.running()
    terminal = [p for p in world.api.phases if p in ("Succeeded", "Failed")]
    if terminal:
        assert world.api.phases[-1] == terminal[0], f"left a terminal phase: {world.api.phases}"


def check_resources(world: World) -> None:
    """What runs has what the pod is allowed, and the pod's own group too; nothing says that more is to come."""
    pod, status, memory = world.worker.state.pod, world.api.status, world.worker.state.memory
    assert status is not None
    if status.phase != "Running":
        return
    for container in pod.spec.containers:
        found = world.worker.seen().container(container.name)
        if found is not None and found.running:
            assert found.limits == qos.container_limits(pod, container), "it has not what it is allowed"
    kinds = {c.type for c in status.conditions}
    assert "PodResizeInProgress" not in kinds, "it says that it is being resized"
    wished, allowed = resources_of(world.pod), resources_of(pod)
    assert ("PodResizePending" in kinds) == bool(changed_resources(allowed, wished)), "it does not say what waits"
    whole = qos.pod_limits(pod)
    group = next(g for path, g in world.cgroups.groups.items() if path.endswith(f"pod{pod.metadata.uid}"))
    assert (group.shares, group.quota, group.memory) == (whole.shares, whole.quota, whole.memory)
    assert memory.resize_progress is None


async def end(life: Life, rng: random.Random) -> None:
    """Deleted, with new trouble, until nothing is left."""
    world = life.world
    world.faults.rate = rng.choice((0.0, 0.05))
    world.delete(rng.choice((0, 1, 30)))
    for _ in range(rng.randrange(3)):
        await world.settle()
        if rng.random() < 0.5:
            await world.crash(rng.randrange(8))
        else:
            world.delete(0)
        life.check()
    world.faults.rate = 0.0
    world.worker.note_dirty()
    await world.live(120)
    assert world.api.finished, f"never finished: {world.worker.last_plan}"
    assert world.api.status is not None and world.api.status.phase in ("Succeeded", "Failed")
    assert not world.running()
    world.worker.remove()
    await world.live(60)
    assert world.worker.forgotten
    runtime = world.runtime
    assert not runtime.live_containers and not runtime.live_sandboxes, "left in the runtime"
    assert not [g for g in world.cgroups.groups if "uid-" in g], "left a cgroup"
    assert not world.mounts.points, "left a mount"
    assert not list((world.root / "agent/pods").glob("*")), "left files"
    assert not list((world.root / "logs").glob("*")), "left logs"


@pytest.mark.parametrize("part", range(PARTS))
async def test_every_life_converges(root: Path, part: int) -> None:
    for number in range(part, LIVES, PARTS):
        try:
            await live_one(root, number)
        except AssertionError as error:
            raise AssertionError(f"life {number}: {error}") from error


async def test_the_simulation_meets_trouble(root: Path) -> None:
    """Guards the simulation itself: faults, crashes and all phases do happen in it."""
    lives = [await live_one(root, number) for number in range(240)]
    phases = {phase for life in lives for phase in life.world.api.phases}
    assert phases == {"Pending", "Running", "Succeeded", "Failed"}
    assert sum(life.world.faults.injected for life in lives) > 100
    assert any(life.world.events.told["BackOff"] for life in lives)
    states = {c.seen.state for life in lives for c in life.world.runtime.live_containers.values()}
    assert states <= {ContainerState.EXITED}
