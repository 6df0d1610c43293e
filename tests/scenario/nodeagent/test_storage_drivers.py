"""Storage drivers over real gRPC: they register, make volumes, and everything is undone, whoever dies in between."""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api import codec, kinds
from api.core_v1 import Node, Pod, PodSecurityContext, Secret
from api.meta_v1 import ObjectMeta
from client.client import Client
from client.fake import FakeTransport
from kit.clock import Clock, FakeClock, SystemClock
from linux.mounts import FakeMounts, MountError
from nodeagent.csi import ledger
from nodeagent.csi.registry import Registry
from nodeagent.csi.report import NODE_ID, CsiNodeReporter
from nodeagent.csi.requests import attachment_name
from nodeagent.csi.volumes import Aids, CsiVolumes
from nodeagent.render.settings import Token, TokenWish
from nodeagent.volumes.problems import VolumeProblem
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
        self.registry, self.volumes = self.agent()
        self.api.put(kinds.NODE, Node(metadata=ObjectMeta(name="n1")))
        self.tasks: list[asyncio.Task[None]] = []

    def agent(
        self, clock: Clock | None = None, changed: Callable[[str], object] = lambda uid: None
    ) -> tuple[Registry, CsiVolumes]:
        """The agent's part, as after a restart."""
        node = replace(NODE, root_dir=self.root)
        registry = Registry(self.root, SystemClock(), CsiNodeReporter(self.client, "n1").tell)
        aids = Aids(self.client, self.mounts, node, Desk(), clock or SystemClock(), changed)
        return registry, CsiVolumes(registry, aids)

    async def start(self) -> None:
        self.tasks.append(asyncio.create_task(self.registry.run()))
        await self.driver.start(f"{self.root}/plugins/d/csi.sock", f"{self.root}/plugins_registry/d-reg.sock")
        await self.until(lambda: self.registry.named(NAME) is not None)

    async def until(self, holds: Callable[[], Any]) -> None:
        async with asyncio.timeout(30):
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

    def csi_node(self) -> list[dict[str, Any]]:
        (found,) = self.api.objects(kinds.CSI_NODE)
        drivers: list[dict[str, Any]] = codec.to_dict(found)["spec"].get("drivers", [])
        return drivers


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    await made.close()


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
    assert world.driver.names() == ["NodeStageVolume", "NodePublishVolume", "NodeStageVolume"], "published once"
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
