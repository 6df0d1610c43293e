"""Storage drivers over real gRPC: they register, make volumes, and everything is undone, whoever dies in between."""

import asyncio
import errno
import os
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from api import codec, kinds
from api.core_v1 import AttachedVolume, Node, ObjectReference, Pod, PodSecurityContext, Secret
from api.meta_v1 import ObjectMeta
from client.client import Client
from client.fake import FakeTransport
from kit.clock import Clock, FakeClock, SystemClock
from linux.mounts import FakeMounts, MountError
from nodeagent.csi import ledger
from nodeagent.csi.in_use import VolumesInUse, unique_name
from nodeagent.csi.limits import VolumeLimits
from nodeagent.csi.registry import Registry
from nodeagent.csi.report import NODE_ID, CsiNodeReporter
from nodeagent.csi.requests import attachment_name
from nodeagent.csi.volumes import Aids, CsiVolumes
from nodeagent.render.settings import Token, TokenWish
from nodeagent.volumes.problems import TooManyAttached, VolumeProblem
from nodeagent.volumes.resolved import Claimed, resolve
from tests.storage_driver import ABILITY, NAME, StorageDriver
from tests.unit.nodeagent.pods import NODE, pod


class Desk:
    """Gives tokens away."""

    async def fetch(self, pod: Pod, more: tuple[TokenWish, ...] = ()) -> dict[TokenWish, Token]:
        return {wish: Token(f"for-{wish.audience}", expires="2026-01-01T00:00:00Z") for wish in more}


class World:
    """A driver, an API server, and the agent's side."""

    def __init__(self, folder: Path) -> None:
        self.root = str(folder / "agent")
        self.api = FakeTransport()
        self.client = Client(self.api)
        self.mounts = FakeMounts()
        self.driver = StorageDriver(folder / "disks", self.mounts)
        self.told: list[tuple[str, str, str]] = []
        self.registry, self.volumes = self.agent()
        self.api.put(kinds.NODE, Node(metadata=ObjectMeta(name="n1")))
        self.tasks: list[asyncio.Task[None]] = []

    def agent(
        self, clock: Clock | None = None, changed: Callable[[str], object] = lambda uid: None
    ) -> tuple[Registry, CsiVolumes]:
        """The agent's part, as after a restart."""
        node = replace(NODE, root_dir=self.root)
        registry = Registry(self.root, SystemClock(), CsiNodeReporter(self.client, "n1").tell)
        clock = clock or SystemClock()
        self.in_use = VolumesInUse(self.root, clock)
        self.in_use.changed = lambda: self.in_use.told(self.in_use.names())
        aids = Aids(self.client, self.mounts, node, Desk(), clock, changed, self, self.in_use)
        return registry, CsiVolumes(registry, aids)

    def record(self, about: ObjectReference, type: str, reason: str, message: str) -> None:  # noqa: A002
        self.told.append((about.kind or "", reason, message))

    async def start(self) -> None:
        self.tasks.append(asyncio.create_task(self.registry.run()))
        await self.driver.start(f"{self.root}/plugins/d/csi.sock", f"{self.root}/plugins_registry/d-reg.sock")
        await self.until(lambda: self.registry.named(NAME) is not None)

    async def until(self, holds: Callable[[], Any]) -> None:
        async with asyncio.timeout(120):
            while not holds():
                await asyncio.sleep(0.01)

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.registry.close()
        await self.driver.stop()

    def terms(self, **spec: Any) -> None:
        body = {"metadata": {"name": NAME}, "spec": {"attachRequired": False, **spec}}
        self.api.put(kinds.CSI_DRIVER, codec.from_dict(kinds.CSI_DRIVER, body))

    def attach(self) -> None:
        """The node's object says that the volume is attached."""
        (node,) = self.api.objects(kinds.NODE)
        node.status.volumes_attached = [AttachedVolume(unique_name(NAME, "vol1"), "")]
        self.api.put(kinds.NODE, node)

    def csi_node(self) -> list[dict[str, Any]]:
        (found,) = self.api.objects(kinds.CSI_NODE)
        drivers: list[dict[str, Any]] = codec.to_dict(found)["spec"].get("drivers", [])
        return drivers


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.close()


def larger(world: World, **status: Any) -> tuple[Pod, list[Any]]:
    """A volume of 2Gi whose claim shows 1Gi."""
    body = {
        "metadata": {"name": "c", "namespace": "ns", "uid": "c1"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "2Gi"}}, "volumeName": "pv"},
        "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, **status},
    }
    wanted, (volume,) = claiming()
    wanted.spec.node_name = "n1"
    volume.persistent.spec.capacity = {"storage": "2Gi"}
    world.api.put(kinds.PERSISTENT_VOLUME_CLAIM, codec.from_dict(kinds.PERSISTENT_VOLUME_CLAIM, body))
    return wanted, [replace(volume, claim=claim_of(world))]


def claim_of(world: World) -> Any:
    return world.api.objects(kinds.PERSISTENT_VOLUME_CLAIM)[0]


def claiming(uid: str = "u", **csi: Any) -> tuple[Pod, list[Any]]:
    source = {"driver": NAME, "volumeHandle": "vol1", "fsType": "ext4", **csi}
    spec = {"csi": source, "accessModes": ["ReadWriteOnce"], "mountOptions": ["noatime"]}
    volume = codec.from_dict(kinds.PERSISTENT_VOLUME, {"metadata": {"name": "pv"}, "spec": spec})
    claim = {"name": "v", "persistentVolumeClaim": {"claimName": "c"}}
    wanted = pod("a", volumes=codec.from_dict(kinds.POD, {"spec": {"volumes": [claim]}}).spec.volumes)
    wanted.metadata.uid = uid
    return wanted, [resolve(wanted.spec.volumes[0], {"v": Claimed(None, volume)})]


async def test_drivers_come_and_go(world: World) -> None:
    await world.start()
    entry = {
        "name": NAME,
        "nodeID": "node-7",
        "topologyKeys": ["topology.wherry.local/rack"],
        "allocatable": {"count": 4},
    }
    await world.until(lambda: world.driver.told)
    assert world.driver.told[0].plugin_registered and world.csi_node() == [entry]
    (node,) = world.api.objects(kinds.NODE)
    assert node.metadata.annotations == {NODE_ID: f'{{"{NAME}":"node-7"}}'}
    assert node.metadata.labels == {"topology.wherry.local/rack": "r1"}
    await world.driver.stop()
    Path(f"{world.root}/plugins_registry/d-reg.sock").unlink(missing_ok=True)
    await world.until(lambda: world.registry.named(NAME) is None)
    await world.until(lambda: world.csi_node() == [])


async def test_a_driver_that_is_not_ready_is_asked_again(world: World) -> None:
    world.driver.broken["NodeGetInfo"] = "not yet"
    world.tasks.append(asyncio.create_task(world.registry.run()))
    await world.driver.start(f"{world.root}/plugins/d/csi.sock", f"{world.root}/plugins_registry/d-reg.sock")
    await world.until(lambda: world.driver.told)
    assert not world.driver.told[0].plugin_registered and "desc = not yet" in world.driver.told[0].error
    world.driver.broken.clear()
    await world.until(lambda: world.registry.named(NAME) is not None)


async def test_a_volume_is_made_shown_and_taken_away(world: World) -> None:
    await world.start()
    world.terms(podInfoOnMount=True)
    refs = {"nodeStageSecretRef": {"name": "key", "namespace": "ns"}, "volumeAttributes": {"size": "big"}}
    world.api.put(kinds.SECRET, Secret(metadata=ObjectMeta(name="key", namespace="ns"), data={"k": b"hush"}))
    wanted, volumes = claiming(**refs)
    await world.volumes.publish(wanted, volumes)
    await world.volumes.publish(wanted, volumes)
    assert world.driver.names() == ["NodeStageVolume", "NodePublishVolume"], "each once"
    stage = next(r for name, r in world.driver.calls if name == "NodeStageVolume")
    publish = next(r for name, r in world.driver.calls if name == "NodePublishVolume")
    assert dict(stage.secrets) == {"k": "hush"} and list(stage.volume_capability.mount.mount_flags) == ["noatime"]
    assert publish.staging_target_path == stage.staging_target_path
    assert publish.target_path == ledger.target_path(world.root, "u", "pv")
    assert publish.volume_context["csi.storage.k8s.io/pod.name"] == "p" and publish.volume_context["size"] == "big"
    other, more = claiming("u2")
    await world.volumes.publish(other, more)
    world.driver.calls.clear()
    await world.volumes.unpublish("u")
    assert world.driver.names() == ["NodeUnpublishVolume"], "another pod has it still"
    await world.volumes.unpublish("u2")
    assert world.driver.names() == ["NodeUnpublishVolume", "NodeUnpublishVolume", "NodeUnstageVolume"]
    assert world.mounts.points == [] and not list(ledger.records(world.root))
    assert not list(Path(world.root).glob("plugins/kubernetes.io/csi/*/*"))
    assert (world.driver.folder / "vol1").is_dir(), "what is on the disk stays"


async def test_an_agent_that_knows_nothing_takes_volumes_away(world: World) -> None:
    await world.start()
    world.terms()
    world.driver.broken["NodePublishVolume"] = "no such disk"
    with pytest.raises(VolumeProblem) as caught:
        await world.volumes.publish(*claiming())
    expected = 'MountVolume.SetUp failed for volume "pv" : rpc error: code = Internal desc = no such disk'
    assert str(caught.value) == expected
    registry, volumes = world.agent()
    with pytest.raises(MountError, match=f"driver name {NAME} not found in the list of registered CSI drivers"):
        await volumes.unpublish("u")
    await registry.look()
    await volumes.unpublish("u")
    await registry.close()
    assert world.driver.names()[-2:] == ["NodeUnpublishVolume", "NodeUnstageVolume"]
    assert not list(ledger.records(world.root)) and world.mounts.points == []


async def test_volumes_that_have_to_be_attached(world: World) -> None:
    await world.start()
    name = attachment_name("vol1", NAME, "n1")
    body: dict[str, Any] = {
        "metadata": {"name": name},
        "spec": {"attacher": NAME, "nodeName": "n1", "source": {"persistentVolumeName": "pv"}},
    }
    with pytest.raises(VolumeProblem, match='^Volume not attached according to node status for volume "pv" $'):
        await world.volumes.publish(*claiming())
    assert world.in_use.names() == [f"kubernetes.io/csi/{NAME}^vol1"], "it is named before anybody looks for it"
    world.attach()
    with pytest.raises(
        VolumeProblem, match=f'WaitForAttach failed for volume "pv" : volumeattachments.*"{name}" not found'
    ):
        await world.volumes.publish(*claiming())
    for status, problem in (
        ({"attached": False}, "is not attached yet"),
        ({"attachError": {"message": "no"}}, ": no$"),
    ):
        attachment = codec.from_dict(kinds.VOLUME_ATTACHMENT, body | {"status": {"attached": False, **status}})
        world.api.put(kinds.VOLUME_ATTACHMENT, attachment)
        with pytest.raises(VolumeProblem, match=problem):
            await world.volumes.publish(*claiming())
    body["status"] = {"attached": True, "attachmentMetadata": {"device": "/dev/x"}}
    world.api.put(kinds.VOLUME_ATTACHMENT, codec.from_dict(kinds.VOLUME_ATTACHMENT, body))
    await world.volumes.publish(*claiming())
    asked = [r for name, r in world.driver.calls if name in ("NodeStageVolume", "NodePublishVolume")]
    assert [dict(r.publish_context) for r in asked] == [{"device": "/dev/x"}] * 2
    registry, volumes = world.agent()
    assert world.in_use.names() == [f"kubernetes.io/csi/{NAME}^vol1"], "the next agent knows of it"
    await registry.look()
    world.driver.broken["NodeUnstageVolume"] = "busy"
    with pytest.raises(MountError):
        await volumes.unpublish("u")
    assert world.in_use.names(), "something of it may be mounted still"
    world.driver.broken.clear()
    await volumes.unpublish("u")
    assert world.in_use.names() == []
    await registry.close()


async def test_a_node_that_can_have_no_more_volumes(world: World) -> None:
    """The scheduler hears how many it can have, before the pod that waits for one more is given up."""
    await world.start()
    world.terms(attachRequired=True, nodeAllocatableUpdatePeriodSeconds=600)
    failed = {"attached": False, "attachError": {"message": "full", "errorCode": 3}}
    spec = {"attacher": NAME, "nodeName": "n1", "source": {"persistentVolumeName": "pv"}}
    body = {"metadata": {"name": attachment_name("vol1", NAME, "n1")}, "spec": spec, "status": failed}
    world.api.put(kinds.VOLUME_ATTACHMENT, codec.from_dict(kinds.VOLUME_ATTACHMENT, body))
    with pytest.raises(VolumeProblem) as caught:
        await world.volumes.publish(*claiming())
    assert not isinstance(caught.value, TooManyAttached), "it failed for something else"
    failed["attachError"] = {"message": "full", "errorCode": 8}
    world.api.put(kinds.VOLUME_ATTACHMENT, codec.from_dict(kinds.VOLUME_ATTACHMENT, body))
    world.driver.limit = 2
    with pytest.raises(TooManyAttached) as full:
        await world.volumes.publish(*claiming())
    assert str(full.value) == str(caught.value) and "unmounted volumes=[v]" in full.value.verdict
    assert world.csi_node()[0]["allocatable"] == {"count": 2}


async def test_a_volume_is_not_used_before_the_node_has_said_so(world: World) -> None:
    await world.start()
    clock = FakeClock()
    registry, volumes = world.agent(clock)
    await registry.look()
    asked = list[str]()
    world.in_use.changed = lambda: asked.extend(world.in_use.names())
    task = asyncio.create_task(volumes.publish(*claiming()))
    await world.until(lambda: asked)
    await clock.advance(11)
    with pytest.raises(VolumeProblem, match="has not been added to the list of VolumesInUse"):
        await task
    await volumes.unpublish("u")
    assert world.in_use.names() == []
    await registry.close()


async def test_a_volume_that_was_given_up_is_named_anew_before_it_is_used_again(world: World) -> None:
    in_use, name = world.in_use, unique_name(NAME, "h")
    in_use.told([name])
    assert await in_use.take("a", name)
    reports: list[list[str]] = []
    in_use.changed = lambda: reports.append(in_use.names())
    in_use.release("a")
    assert reports == [[]], "the report that it is not used any more is on its way"
    again = asyncio.create_task(in_use.take("b", name))
    await world.until(lambda: again.done() or reports == [[], [name]])
    assert not again.done(), "the API server may forget it at any moment"
    in_use.told(reports[0])
    await world.until(lambda: again.done() or len(reports) == 3)
    assert not again.done()
    in_use.told(reports[1])
    assert await again


async def test_a_driver_that_is_not_there(world: World) -> None:
    with pytest.raises(VolumeProblem) as caught:
        await world.volumes.publish(*claiming())
    assert str(caught.value) == (
        'MountVolume.MountDevice failed for volume "pv" : kubernetes.io/csi: attacher.MountDevice failed to create '
        f"newCsiDriverClient: driver name {NAME} not found in the list of registered CSI drivers"
    )


async def test_inline_volumes_with_tokens(world: World) -> None:
    world.driver.abilities = (ABILITY.VOLUME_MOUNT_GROUP,)
    await world.start()
    source = {"name": "v", "csi": {"driver": NAME}}
    wanted = pod("a", volumes=codec.from_dict(kinds.POD, {"spec": {"volumes": [source]}}).spec.volumes)
    wanted.spec.security_context = PodSecurityContext(fs_group=2000)
    volumes = [resolve(wanted.spec.volumes[0], {})]
    with pytest.raises(VolumeProblem, match=r'"Ephemeral" not supported by driver .* \(no CSIDriver object\)'):
        await world.volumes.publish(wanted, volumes)
    world.terms(volumeLifecycleModes=["Ephemeral"], tokenRequests=[{"audience": "vault"}], requiresRepublish=True)
    await world.volumes.publish(wanted, volumes)
    await world.volumes.publish(wanted, volumes)
    assert world.driver.names() == ["NodePublishVolume", "NodePublishVolume"], "asked again, with fresh tokens"
    publish = world.driver.calls[-1][1]
    assert publish.volume_capability.mount.volume_mount_group == "2000" and not publish.staging_target_path
    assert '"vault":{"expirationTimestamp"' in publish.volume_context["csi.storage.k8s.io/serviceAccount.tokens"]
    await world.volumes.unpublish("u")
    assert world.mounts.points == []


async def test_what_was_made_ready_is_undone_whatever_fails_on_the_way(world: World) -> None:
    await world.start()
    world.terms()
    wanted, volumes = claiming(nodePublishSecretRef={"name": "none", "namespace": "ns"})
    with pytest.raises(VolumeProblem, match="fetching NodePublishSecretRef ns/none failed"):
        await world.volumes.publish(wanted, volumes)
    assert world.driver.names() == ["NodeStageVolume"]
    world.driver.broken["NodeUnstageVolume"] = "busy"
    with pytest.raises(MountError, match="busy"):
        await world.volumes.unpublish("u")
    world.driver.broken.clear()
    registry, volumes_after = world.agent()
    await registry.look()
    await volumes_after.unpublish("u")
    await registry.close()
    assert world.driver.names()[-1] == "NodeUnstageVolume" and world.mounts.points == []
    assert not list(Path(world.root).glob("plugins/kubernetes.io/csi/*/*")) and not list(ledger.records(world.root))


async def test_a_newer_socket_of_a_driver_counts(world: World) -> None:
    await world.start()
    newer = StorageDriver(world.driver.folder, world.mounts)
    await newer.start(f"{world.root}/plugins/d/new.sock", f"{world.root}/plugins_registry/new-reg.sock")
    try:
        await world.until(lambda: world.registry.named(NAME).socket.endswith("new.sock"))
        Path(f"{world.root}/plugins_registry/d-reg.sock").unlink()
        await world.until(lambda: list(world.registry._sockets) == [f"{world.root}/plugins_registry/new-reg.sock"])
        assert world.registry.named(NAME) is not None and world.csi_node() != []
    finally:
        await newer.stop()


async def test_a_pod_is_shown_its_volumes_again_once_a_minute_however_many_they_are(world: World) -> None:
    await world.start()
    world.terms(volumeLifecycleModes=["Ephemeral"], requiresRepublish=True)
    clock, asked = FakeClock(), list[str]()
    registry, volumes = world.agent(clock, asked.append)
    await registry.look()
    sources = [{"name": name, "csi": {"driver": NAME}} for name in ("v", "w")]
    wanted = pod("a", volumes=codec.from_dict(kinds.POD, {"spec": {"volumes": sources}}).spec.volumes)
    shown = [resolve(volume, {}) for volume in wanted.spec.volumes]
    for _ in range(3):
        await volumes.publish(wanted, shown)
    await clock.advance(61)
    assert asked == ["u"]
    await volumes.publish(wanted, shown)
    await volumes.unpublish("u")
    await clock.advance(61)
    assert asked == ["u"], "who is gone is not asked for"
    await registry.close()


async def test_a_volume_that_could_not_be_given_to_its_group_is_shown_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.start()
    world.terms()
    wanted, volumes = claiming()
    wanted.spec.security_context = PodSecurityContext(fs_group=os.getgid())
    given = list[str]()

    def give(path: str, group: int, policy: str) -> None:
        given.append(path)
        if len(given) == 1:
            raise OSError(errno.EROFS, "Read-only file system", path)

    monkeypatch.setattr("nodeagent.csi.volumes.give", give)
    with pytest.raises(VolumeProblem, match="applyFSGroup failed for vol vol1: .*Read-only file system"):
        await world.volumes.publish(wanted, volumes)
    await world.volumes.publish(wanted, volumes)
    assert len(given) == 2
    await world.volumes.unpublish("u")
    assert world.mounts.points == [] and not list(ledger.records(world.root))


async def test_a_volume_that_hangs_is_given_by_one_thread_however_often_it_is_tried(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.start()
    world.terms()
    wanted, volumes = claiming()
    wanted.spec.security_context = PodSecurityContext(fs_group=os.getgid())
    begun, asked, answers = list[str](), list[object](), threading.Event()
    run = world.volumes._giving.run

    def give(path: str, group: int, policy: str) -> bool:
        begun.append(path)
        answers.wait()
        return True

    async def ask(path: object, work: Callable[[], bool]) -> bool:
        asked.append(path)
        return await run(path, work)

    monkeypatch.setattr("nodeagent.csi.volumes.give", give)
    monkeypatch.setattr(world.volumes._giving, "run", ask)
    trying = asyncio.create_task(world.volumes.publish(wanted, volumes))
    for times in range(1, 4):
        await world.until(lambda times=times: len(asked) == times)
        trying.cancel()
        await asyncio.gather(trying, return_exceptions=True)
        trying = asyncio.create_task(world.volumes.publish(wanted, volumes))
    await world.until(lambda: len(asked) == 4)
    answers.set()
    await trying
    assert len(begun) == 1
    await world.volumes.unpublish("u")


async def test_what_a_driver_left_mounted_is_unmounted_beside_the_loop(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.start()
    world.terms()
    wanted, volumes = claiming()
    await world.volumes.publish(wanted, volumes)
    (record,) = ledger.records(world.root)
    world.mounts.points.append(record.target)
    unmount, beside = world.mounts.unmount, list[str]()

    def noted(target: str) -> None:
        if threading.current_thread() is not threading.main_thread():
            beside.append(target)
        unmount(target)

    monkeypatch.setattr(world.mounts, "unmount", noted)
    await world.volumes.unpublish("u")
    assert beside == [record.target] and world.mounts.points == []


class Died(BaseException):
    """As a SIGKILL: nobody tidies up."""


async def test_a_volume_that_was_being_given_when_the_agent_died_is_given_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.start()
    world.terms()
    wanted, volumes = claiming()
    wanted.spec.security_context = PodSecurityContext(fs_group=os.getgid())
    given = list[str]()

    def give(path: str, group: int, policy: str) -> None:
        world.mounts.points.append(path)  # the driver has mounted it
        given.append(path)
        if len(given) == 1:
            raise Died

    monkeypatch.setattr("nodeagent.csi.volumes.give", give)
    with pytest.raises(Died):
        await world.volumes.publish(wanted, volumes)
    for _ in range(2):
        await world.volumes.publish(wanted, volumes)
    assert len(given) == 2
    await world.volumes.unpublish("u")


PENDING = {
    "allocatedResources": {"storage": "2Gi"},
    "allocatedResourceStatuses": {"storage": "NodeResizePending"},
    "conditions": [{"type": "FileSystemResizePending", "status": "True"}, {"type": "Mine", "status": "True"}],
}


async def test_a_volume_that_has_become_larger_grows_while_it_is_used(world: World) -> None:
    world.driver.abilities = (ABILITY.STAGE_UNSTAGE_VOLUME, ABILITY.EXPAND_VOLUME)
    await world.start()
    world.terms()
    wanted, volumes = larger(world)
    volumes[0].persistent.spec.capacity["storage"] = "1Gi"
    await world.volumes.publish(wanted, volumes)
    assert world.driver.asked("NodeExpandVolume") == []
    wanted, volumes = larger(world, **PENDING)
    await world.volumes.publish(wanted, volumes)
    (request,) = world.driver.asked("NodeExpandVolume")
    assert request.capacity_range.required_bytes == 2 << 30 and request.volume_id == "vol1"
    assert request.volume_path == ledger.target_path(world.root, "u", "pv")
    assert request.staging_target_path == ledger.staging_path(world.root, NAME, "vol1")
    assert request.volume_capability.mount.fs_type == "ext4"
    status = claim_of(world).status
    assert status.capacity == {"storage": "2Gi"} and status.allocated_resource_statuses == {}
    assert [one.type for one in status.conditions] == ["Mine"], "conditions of others stay"
    text = 'MountVolume.NodeExpandVolume succeeded for volume "pv" n1'
    whom = ("Pod", "PersistentVolumeClaim")
    assert world.told == [(kind, "FileSystemResizeSuccessful", text) for kind in whom]
    await world.volumes.publish(wanted, [replace(volumes[0], claim=claim_of(world))])
    assert world.driver.names() == ["NodeStageVolume", "NodePublishVolume", "NodeExpandVolume"], "each once"


async def test_volumes_of_running_pods_are_looked_at_now_and_then(world: World) -> None:
    world.driver.abilities = (ABILITY.EXPAND_VOLUME,)
    await world.start()
    world.terms()
    clock = FakeClock()
    registry, volumes = world.agent(clock)
    await registry.look()
    wanted, [volume] = larger(world)
    volume.persistent.spec.capacity["storage"] = "1Gi"
    world.api.put(kinds.PERSISTENT_VOLUME, volume.persistent)
    await volumes.publish(wanted, [volume])
    await volumes.look()
    assert world.driver.asked("NodeExpandVolume") == []
    volume.persistent.spec.capacity["storage"] = "2Gi"
    world.api.put(kinds.PERSISTENT_VOLUME, volume.persistent)
    world.tasks.append(asyncio.create_task(volumes.run()))
    await world.until(lambda: clock.next_due() is not None)
    await clock.advance(61)
    await world.until(lambda: claim_of(world).status.capacity == {"storage": "2Gi"})
    await world.client.delete(kinds.PERSISTENT_VOLUME_CLAIM, "c", "ns")
    await volumes.look()
    await volumes.unpublish("u")
    await volumes.look()
    assert len(world.driver.asked("NodeExpandVolume")) == 1
    await registry.close()


async def test_a_driver_that_cannot_make_it_larger(world: World) -> None:
    """What the claim says then; a pod that runs lives on, and there is another try."""
    world.driver.abilities = (ABILITY.EXPAND_VOLUME,)
    await world.start()
    world.terms()
    wanted, volumes = larger(world)
    volumes[0].persistent.spec.capacity["storage"] = "1Gi"
    await world.volumes.publish(wanted, volumes)
    refusals = (
        (grpc.StatusCode.UNAVAILABLE, "Unavailable", "NodeResizeInProgress", False),
        (grpc.StatusCode.INTERNAL, "Internal", "NodeResizeInProgress", True),
        (grpc.StatusCode.OUT_OF_RANGE, "OutOfRange", "NodeResizeInfeasible", True),
    )
    for code, word, stage, final in refusals:
        world.told.clear()
        world.driver.broken["NodeExpandVolume"] = (code, "no")
        await world.volumes.publish(*larger(world, **PENDING))
        status = claim_of(world).status
        assert status.allocated_resource_statuses == {"storage": stage} and status.capacity == {"storage": "1Gi"}
        errors = [one.message for one in status.conditions if one.type == "NodeResizeError"]
        reason = f"Expander.NodeExpand failed to expand the volume : rpc error: code = {word} desc = no"
        assert errors == [f"failed to expand pvc with {reason}"] * final
        text = f'NodeExpandVolume.NodeExpandVolume failed for volume "pv" : {reason}'
        assert world.told == [("Pod", "VolumeResizeFailed", text)]
    world.driver.broken.clear()
    wanted, volumes = larger(world, **PENDING)
    await world.volumes.publish(wanted, volumes)
    assert claim_of(world).status.capacity == {"storage": "2Gi"}


async def test_a_volume_that_cannot_grow_while_it_is_used_is_left_alone(world: World) -> None:
    world.driver.abilities = (ABILITY.EXPAND_VOLUME,)
    world.driver.broken["NodeExpandVolume"] = (grpc.StatusCode.FAILED_PRECONDITION, "in use")
    await world.start()
    world.terms()
    for _ in range(3):
        await world.volumes.publish(*larger(world, **PENDING))
    assert len(world.driver.asked("NodeExpandVolume")) == 1 and world.told == []
    await world.volumes.unpublish("u")
    world.driver.broken.clear()
    await world.volumes.publish(*larger(world, **PENDING))
    assert claim_of(world).status.capacity == {"storage": "2Gi"}, "as soon as nobody uses it, it does"


async def test_a_pod_does_not_begin_with_a_volume_that_is_too_small(world: World) -> None:
    world.driver.abilities = (ABILITY.EXPAND_VOLUME,)
    world.driver.broken["NodeExpandVolume"] = "busy"
    await world.start()
    world.terms()
    for _ in range(2):
        with pytest.raises(VolumeProblem) as caught:
            await world.volumes.publish(*larger(world))
        assert str(caught.value) == (
            'MountVolume.Setup failed while expanding volume for volume "pv" : '
            "Expander.NodeExpand failed to expand the volume : rpc error: code = Internal desc = busy"
        )
    world.driver.broken.clear()
    await world.volumes.publish(*larger(world))
    assert claim_of(world).status.capacity == {"storage": "2Gi"}
    assert world.driver.names().count("NodePublishVolume") == 1


async def test_a_driver_is_asked_again_how_many_volumes_it_can_have(world: World) -> None:
    await world.start()
    clock = FakeClock()
    limits = VolumeLimits(world.client, world.registry, clock)
    assert await limits.look() == 60, "without an object nobody has asked for it"
    world.terms(nodeAllocatableUpdatePeriodSeconds=20)
    world.driver.limit = 9
    assert await limits.look() == 20 and world.csi_node()[0]["allocatable"] == {"count": 4}
    await clock.advance(20)
    assert await limits.look() == 20 and world.csi_node()[0]["allocatable"] == {"count": 9}


async def test_devices(world: World) -> None:
    await world.start()
    world.terms()
    wanted, (volume,) = claiming()
    volume.persistent.spec.volume_mode = "Block"
    device = Path(world.root).parent / "device"
    device.touch()
    world.driver.device = str(device)
    await world.volumes.publish(wanted, [volume])
    stage, publish = world.driver.asked("NodeStageVolume")[0], world.driver.asked("NodePublishVolume")[0]
    assert stage.volume_capability.HasField("block") and publish.volume_capability.HasField("block")
    assert publish.target_path.endswith("/pods/u/volumeDevices/kubernetes.io~csi/pv/dev")
    await world.volumes.unpublish("u")
    assert world.mounts.points == [] and not list(ledger.records(world.root))
    world.driver.broken["NodePublishVolume"] = "no"
    with pytest.raises(VolumeProblem, match='^MapVolume.MapPodDevice failed for volume "pv" : rpc error'):
        await world.volumes.publish(wanted, [volume])
