"""What a worker does at the edges: an end that comes between two actions, pods of which little is known, hostile files."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from api.core_v1 import (
    Container,
    CSIVolumeSource,
    EmptyDirVolumeSource,
    EnvVar,
    EnvVarSource,
    FileKeySelector,
    NFSVolumeSource,
    Pod,
    PodSpec,
    Volume,
    VolumeMount,
)
from api.meta_v1 import ObjectMeta
from linux.mounts import FakeMounts
from nodeagent.csi.volumes import NoCsi
from nodeagent.model.memory import Health
from nodeagent.model.seen import Exit
from nodeagent.plan.actions import RemoveSandbox
from nodeagent.sync.env_files import read_env_files
from nodeagent.sync.starting import _subpaths
from nodeagent.sync.state import PodState
from nodeagent.sync.stopping import clean_up, remove_sandbox
from nodeagent.volumes.pod import PodVolumes
from nodeagent.volumes.problems import TooManyAttached
from nodeagent.volumes.resolved import Resolved
from tests.simulation.nodeagent.world import EventLog, World
from tests.unit.nodeagent.pods import NOW, container, memory, sandbox, seen


def two() -> Pod:
    containers = [Container(name=name, image="busybox:1") for name in ("a", "b")]
    meta = ObjectMeta(name="p", namespace="ns", uid="u")
    return Pod(metadata=meta, spec=PodSpec(containers=containers, restart_policy="Always"))


class Deleter(EventLog):
    """A user who deletes the pod in the very moment in which its first container has started."""

    world: World

    def tell(self, pod: Pod, kind: str, reason: str, message: str, container: str = "") -> None:
        super().tell(pod, kind, reason, message, container)
        if reason == "Started" and self.told["Started"] == 1:
            self.world.delete(0)


async def test_an_end_between_two_actions_is_heard(tmp_path: Path) -> None:
    world = World(tmp_path, two())
    deleter = Deleter()
    deleter.world = world
    object.__setattr__(world.doors, "events", deleter)
    await world.settle()
    assert deleter.told["Started"] == 1, "the other is not begun any more"


class Newsman(EventLog):
    """The runtime shows something unexpected in the very moment in which an image is found missing."""

    world: World

    def tell(self, pod: Pod, kind: str, reason: str, message: str, container: str = "") -> None:
        super().tell(pod, kind, reason, message, container)
        if reason == "ErrImageNeverPull":
            self.world.worker.note_dirty()


async def test_a_container_that_cannot_start_hides_no_news_of_the_runtime(tmp_path: Path) -> None:
    pod = two()
    pod.spec.containers[1].image, pod.spec.containers[1].image_pull_policy = "missing:1", "Never"
    world = World(tmp_path, pod)
    newsman = Newsman()
    newsman.world = world
    object.__setattr__(world.doors, "events", newsman)
    while not newsman.told["ErrImageNeverPull"]:
        assert await world.step() is not None
    assert world.worker.state.dirty, "the next step looks"


async def test_a_pod_whose_volume_cannot_be_attached_here_is_given_up_in_the_end(tmp_path: Path) -> None:
    pod = two()
    pod.spec.volumes = [Volume(name="v", csi=CSIVolumeSource(driver="d"))]
    world = World(tmp_path, pod)

    class Full(NoCsi):
        async def publish(self, pod: Pod, volumes: list[Resolved]) -> None:
            raise TooManyAttached("pv", "v")

    object.__setattr__(world.doors, "drivers", Full())
    await world.live(100)
    assert world.api.status is not None and world.api.status.phase == "Pending", "somebody may detach another"
    await world.live(60)
    status = world.api.status
    assert (status.phase, status.reason) == ("Failed", "VolumeAttachmentLimitExceeded")
    assert (status.message or "").startswith("Pod was rejected: Node has reached its volume attachment limit")
    assert world.events.told["FailedMount"] and world.events.told["VolumeAttachmentLimitExceeded"] == 1


async def test_what_is_left_of_unknown_pods_is_removed_beside_the_loop(tmp_path: Path) -> None:
    world = World(tmp_path, two())
    threads = list[threading.Thread]()

    class Watching(FakeMounts):
        def below(self, path: str) -> list[str]:
            threads.append(threading.current_thread())
            return super().below(path)

    object.__setattr__(world.doors, "volumes", PodVolumes(Watching(), world.doors.settings))
    orphan = Pod(metadata=ObjectMeta(name="p", namespace="ns", uid="u"))
    await clean_up(world.doors, PodState(orphan, memory()))
    assert threads and threading.current_thread() not in threads


async def test_files_of_variables_are_plain_and_inside(tmp_path: Path) -> None:
    names = ("plain", "linked", "pipe", "outside", "none")
    wanted = two()
    wanted.spec.volumes = [Volume(name="v", empty_dir=EmptyDirVolumeSource())]
    wanted.spec.containers[0].env = [
        EnvVar(
            name=name,
            value_from=EnvVarSource(file_key_ref=FileKeySelector(volume_name="v", path=name, key="K")),
        )
        for name in names
    ]

    async def beside_the_loop(work: Callable[[], None]) -> None:
        (root / "plain").write_text("K='1'")  # whoever read it sooner has done so on the loop
        work()

    world = World(tmp_path, wanted, blocking=beside_the_loop)
    root = Path(world.doors.volumes.places(wanted)["v"].path)
    root.mkdir(parents=True)
    (root / "linked").symlink_to("plain")
    os.mkfifo(root / "pipe")
    (root / "outside").symlink_to("../../../../../../../../../../../../etc/passwd")
    found = await read_env_files(world.doors, wanted, wanted.spec.containers[0])
    assert found == {("v", "plain"): "K='1'", ("v", "linked"): "K='1'"}


async def test_nothing_is_remembered_of_containers_that_went_with_their_sandbox(tmp_path: Path) -> None:
    world = World(tmp_path, two())
    state = PodState(two(), memory(), seen=seen(sandbox(), sandbox(1), container("a", "exited")))
    gone, kept = (f"s{attempt}" for attempt in (0, 1))
    for ident in (gone, kept, "a0"):
        state.exits[ident] = Exit(0, NOW)
        state.words[ident] = "bye"
        state.killed.add(ident)
    state.memory.health["a0"] = Health()
    await remove_sandbox(world.doors, state, RemoveSandbox(gone))
    assert set(state.exits) == set(state.words) == state.killed == {kept} and not state.memory.health


@pytest.mark.parametrize("remote", [False, True])
async def test_parts_of_volumes_that_a_server_may_hold_up_are_found_where_others_do_not_wait(
    remote: bool, tmp_path: Path
) -> None:
    places = list[str]()

    async def own(work: Callable[[], None]) -> None:
        places.append("own")
        work()

    async def far(work: Callable[[], None]) -> None:
        places.append("far")
        work()

    class Volumes:
        def subpaths(self, pod: Pod, container: str, wanted: Any) -> dict[int, str]:
            return {0: "/place"}

    wanted = two()
    nfs = NFSVolumeSource(server="192.0.2.9", path="/")
    wanted.spec.volumes = [Volume(name="v", nfs=nfs) if remote else Volume(name="v", empty_dir=EmptyDirVolumeSource())]
    first = wanted.spec.containers[0]
    first.volume_mounts = [VolumeMount(name="v", mount_path="/v", sub_path="a")]
    world = World(tmp_path, wanted, blocking=own)
    object.__setattr__(world.doors, "patient", far)
    object.__setattr__(world.doors, "volumes", Volumes())
    assert await _subpaths(world.doors, wanted, first, {}) == {0: "/place"}
    assert places == (["far"] if remote else ["own"])
