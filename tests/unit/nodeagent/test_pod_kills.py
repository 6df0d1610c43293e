"""Containers that the kernel killed for memory are told as such, also when the runtime says so late or never."""

from pathlib import Path

import pytest

from api.core_v1 import Container, ContainerStateTerminated
from nodeagent.plan.kills import Kills, claim
from tests.simulation.nodeagent.world import World
from tests.unit.nodeagent.pods import pod


@pytest.mark.parametrize(
    ("accounted", "counted", "expected"),
    [
        (Kills(), Kills(), None),
        (Kills(3, 1), Kills(3, 1), None),
        (Kills(), Kills(3, 1), Kills(3, 1)),
        (Kills(3, 1), Kills(6, 2), Kills(6, 2)),
        (Kills(), Kills(6, 2), Kills(6, 1)),  # two at once
        (Kills(6, 1), Kills(6, 2), Kills(6, 2)),
        (Kills(), Kills(2), Kills(2)),  # an old kernel
        (Kills(2), Kills(2), None),
        (Kills(3, 1), Kills(4, 1), Kills(4, 1)),
        (Kills(3, 1), Kills(), None),  # the group was made again
    ],
)
def test_who_is_told_as_killed_for_memory(accounted: Kills, counted: Kills, expected: Kills | None) -> None:
    assert claim(accounted, counted) == expected


class Scene(World):
    """A pod whose containers end, and what the kernel counts."""

    @property
    def group(self) -> str:
        return self.doors.cgroups.parent(self.pod)

    async def end(self, name: str, code: int = 137) -> ContainerStateTerminated | None:
        """One of its containers ends by itself, which the runtime tells without a reason; how it is shown then."""
        (ident,) = [c.id for c in self.worker.seen().running() if c.name == name]
        self.runtime.exit(ident, code)
        await self.settle()
        return self.shown(name)

    def shown(self, name: str) -> ContainerStateTerminated | None:
        status = self.api.status
        assert status is not None
        (state,) = [c.state for c in status.container_statuses if c.name == name]
        return state.terminated if state else None

    async def reason(self, name: str, code: int = 137) -> str | None:
        ended = await self.end(name, code)
        return ended.reason if ended is not None else None


@pytest.fixture
async def scene(tmp_path: Path) -> Scene:
    wanted = pod(*"abc", restart_policy="Never")
    for container in wanted.spec.containers:
        container.image = "busybox:1"
    made = Scene(tmp_path, wanted)
    await made.settle()
    assert len(made.worker.seen().running()) == 3
    return made


async def test_a_kill_that_no_event_tells(scene: Scene) -> None:
    scene.cgroups.killed[scene.group] = (2, 1)
    assert await scene.reason("a") == "OOMKilled"
    assert await scene.reason("b") == "Error", "what was killed before was another"
    scene.cgroups.killed[scene.group] = (4, 2)
    assert await scene.reason("c", 1) == "Error", "it ended by itself"
    ended = scene.doors.tally.containers_ended.values
    assert {(code, reason): count for (_, code, reason), count in ended.items()} == {
        ("137", "OOMKilled"): 1,
        ("137", "Error"): 1,
        ("1", "Error"): 1,
    }


async def test_an_event_that_comes_before_or_after(scene: Scene) -> None:
    idents = {c.name: c.id for c in scene.worker.seen().running()}
    scene.cgroups.killed[scene.group] = (2, 1)
    scene.worker.note_out_of_memory(idents["a"])
    assert await scene.reason("a") == "OOMKilled"
    assert await scene.reason("b") == "Error", "that kill was told"
    scene.worker.note_out_of_memory(idents["b"])
    await scene.settle()
    ended = scene.shown("b")
    assert ended is not None and ended.reason == "OOMKilled", "told late"


async def test_an_agent_that_begins_counts_from_there(scene: Scene) -> None:
    scene.cgroups.killed[scene.group] = (2, 1)
    scene.begin()
    await scene.settle()
    assert await scene.reason("a") == "Error"
    scene.cgroups.killed[scene.group] = (4, 2)
    assert await scene.reason("b") == "OOMKilled"


async def test_a_container_that_is_started_again(tmp_path: Path) -> None:
    wanted = pod("a")
    wanted.spec.containers = [Container(name="a", image="busybox:1")]
    scene = Scene(tmp_path, wanted)
    await scene.settle()
    for kills, reason in ((1, "OOMKilled"), (2, "OOMKilled"), (2, "Error")):
        scene.cgroups.killed[scene.group] = (kills, kills)
        await scene.end("a")
        await scene.live(400)
        assert scene.api.status is not None
        last = scene.api.status.container_statuses[0].last_state
        assert last is not None and last.terminated is not None and last.terminated.reason == reason
