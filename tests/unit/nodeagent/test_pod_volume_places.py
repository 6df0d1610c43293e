"""Volumes of all kinds: what is behind claims, how they are mounted, parts of them, whose their files are."""

import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api import codec, kinds
from api.core_v1 import (
    Container,
    EmptyDirVolumeSource,
    NFSVolumeSource,
    Pod,
    PodSecurityContext,
    ResourceRequirements,
    Volume,
    VolumeDevice,
    VolumeMount,
)
from client.client import Client
from client.fake import FakeTransport
from linux.mounts import FakeMounts
from nodeagent.cri.port import SeenImage
from nodeagent.render.container import ContainerInputs, build_mounts
from nodeagent.render.mounts import Place, build_devices, wanted_subpaths
from nodeagent.render.settings import ConfigProblem, Sources
from nodeagent.sources.claims import Claims, NoClaims
from nodeagent.volumes.contents import nested_directories
from nodeagent.volumes.empty_dir import memory_size, page_size
from nodeagent.volumes.ownership import give, granted, is_given
from nodeagent.volumes.pod import PodVolumes
from nodeagent.volumes.problems import ClaimProblem, VolumeProblem
from nodeagent.volumes.resolved import waits_for_others
from tests.unit.nodeagent.pods import NODE, pod


def claiming(**spec: Any) -> Pod:
    body = {"spec": {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "c", **spec}}]}}
    return pod("a", volumes=codec.from_dict(kinds.POD, body).spec.volumes)


def claim(**changes: Any) -> dict[str, Any]:
    body = {
        "metadata": {"name": "c", "namespace": "ns"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, "volumeName": "pv"},
        "status": {"phase": "Bound"},
    }
    return body | changes


def volume(uid: str | None, **source: Any) -> dict[str, Any]:
    ref = {} if uid is None else {"claimRef": {"name": "c", "namespace": "ns", "uid": uid}}
    spec = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], **ref, **source}
    return {"metadata": {"name": "pv"}, "spec": spec}


class World:
    """An API server with a claim and a volume, and the agent's doors."""

    def __init__(self, tmp_path: Path) -> None:
        self.server = FakeTransport()
        self.claims = Claims(Client(self.server))
        self.mounts = FakeMounts()
        self.volumes = PodVolumes(self.mounts, replace(NODE, root_dir=str(tmp_path)))

    def put_claim(self, body: dict[str, Any]) -> str:
        self.server.put(kinds.PERSISTENT_VOLUME_CLAIM, codec.from_dict(kinds.PERSISTENT_VOLUME_CLAIM, body))
        (made,) = self.server.objects(kinds.PERSISTENT_VOLUME_CLAIM)
        return made.metadata.uid or ""

    def bind(self, **source: Any) -> None:
        uid = self.put_claim(claim())
        self.server.put(kinds.PERSISTENT_VOLUME, codec.from_dict(kinds.PERSISTENT_VOLUME, volume(uid, **source)))

    async def prepare(self, wanted: Pod) -> Place:
        self.volumes.prepare(wanted, Sources(claims=await self.claims.fetch(wanted)), "2026_x")
        return self.volumes.places(wanted)["v"]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "agent")


async def test_a_claim_that_is_not_bound_is_waited_for(world: World) -> None:
    wanted = claiming()
    prefix = "Unable to attach or mount volumes: unmounted volumes=[v], unattached volumes=[], "
    prefix += "failed to process volumes=[v]: error processing PVC ns/c: "
    steps: list[tuple[dict[str, Any] | None, str]] = [
        (None, 'failed to fetch PVC from API server: persistentvolumeclaims "c" not found'),
        (claim(status={"phase": "Pending"}), "PVC is not bound"),
        (claim(), 'failed to fetch PV pv from API server: persistentvolumes "pv" not found'),
    ]
    for body, expected in steps:
        if body is not None:
            world.put_claim(body)
        with pytest.raises(ClaimProblem) as caught:
            await world.prepare(wanted)
        assert str(caught.value) == prefix + expected
    for uid, problem in ((None, "with nil pv.Spec.ClaimRef"), ("other", "UID other that does not point to claim UID")):
        put = codec.from_dict(kinds.PERSISTENT_VOLUME, volume(uid, hostPath={"path": "/x"}))
        world.server.put(kinds.PERSISTENT_VOLUME, put)
        with pytest.raises(ClaimProblem, match=problem):
            await world.prepare(wanted)
    (alone,) = (await NoClaims().fetch(wanted)).values()
    assert "no API server" in alone.problem


async def test_volumes_on_the_nodes_own_disk(world: World, tmp_path: Path) -> None:
    world.bind(hostPath={"path": str(tmp_path)})
    assert await world.prepare(claiming()) == Place(str(tmp_path))
    assert await world.prepare(claiming(readOnly=True)) == Place(str(tmp_path), read_only=True)
    assert world.mounts.points == []


async def test_local_volumes_are_bound(world: World, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    world.bind(local={"path": str(tmp_path / "disk")})
    place = await world.prepare(claiming())
    assert place.path == f"{tmp_path}/agent/pods/u/volumes/kubernetes.io~local-volume/pv"
    assert await world.prepare(claiming()) == place and world.mounts.points == [place.path]
    world.volumes.remove("u")
    assert world.mounts.points == [] and (tmp_path / "disk").exists()
    assert not waits_for_others(claiming(), await world.claims.fetch(claiming()))


async def test_volumes_of_other_nodes(world: World, tmp_path: Path) -> None:
    terms = [{"matchExpressions": [{"key": "rack", "operator": "In", "values": ["r1"]}]}]
    world.bind(local={"path": str(tmp_path)}, nodeAffinity={"required": {"nodeSelectorTerms": terms}})
    with pytest.raises(VolumeProblem) as caught:
        await world.prepare(claiming())
    expected = 'MountVolume.NodeAffinity check failed for volume "pv" : no matching NodeSelectorTerms'
    assert str(caught.value) == expected
    world.volumes = replace(world.volumes, labels=lambda: {"rack": "r1"})
    await world.prepare(claiming())


async def test_local_volumes_that_are_not_there(world: World, tmp_path: Path) -> None:
    world.bind(local={"path": str(tmp_path / "none")})
    with pytest.raises(VolumeProblem, match='failed for volume "pv" : path ".*none" does not exist'):
        await world.prepare(claiming())


async def test_local_devices(world: World) -> None:
    world.bind(local={"path": "/dev/null"}, volumeMode="Block")
    place = await world.prepare(claiming())
    assert place == Place("/dev/null", device=True)
    container = Container(name="a", volume_devices=[VolumeDevice(name="v", device_path="/dev/x")])
    (device,) = build_devices(container, {"v": place})
    assert (device.host_path, device.container_path, device.permissions) == ("/dev/null", "/dev/x", "mrw")
    with pytest.raises(ConfigProblem, match='cannot find volume "v" to mount'):
        mounted(VolumeMount(name="v", mount_path="/v"), {"v": place})
    with pytest.raises(ConfigProblem, match='cannot find volume "v" to pass into container "a"'):
        build_devices(container, {"v": Place("/x")})


@pytest.mark.parametrize(
    ("server", "options", "read_only", "made"),
    [
        ("192.0.2.7", ["vers=4.1", "soft"], False, ("nfs", "192.0.2.7:/exports", ("vers=4.1", "soft"))),
        ("2001:db8::7", [], True, ("nfs", "[2001:db8::7]:/exports", ("ro",))),
    ],
)
async def test_nfs(world: World, server: str, options: list[str], read_only: bool, made: object) -> None:
    world.bind(nfs={"server": server, "path": "/exports"}, mountOptions=options)
    wanted = claiming(readOnly=read_only)
    place = await world.prepare(wanted)
    assert place.path.endswith("/volumes/kubernetes.io~nfs/pv") and place.read_only is read_only
    assert world.mounts.made == {place.path: made}
    await world.prepare(wanted)
    assert world.mounts.points == [place.path]
    assert waits_for_others(wanted, await world.claims.fetch(wanted))


async def test_nfs_without_a_claim(world: World) -> None:
    wanted = pod("a", volumes=[Volume(name="v", nfs=NFSVolumeSource(server="s", path="/p", read_only=True))])
    place = await world.prepare(wanted)
    assert world.mounts.made == {place.path: ("nfs", "s:/p", ("ro",))}


async def test_ephemeral_claims_are_made_for_the_pod(world: World) -> None:
    body = {"spec": {"volumes": [{"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}]}}
    wanted = pod("a", volumes=codec.from_dict(kinds.POD, body).spec.volumes)
    meta = {"name": "p-v", "namespace": "ns"}
    world.put_claim(claim(metadata=meta))
    with pytest.raises(ClaimProblem, match=r"PVC ns/p-v was not created for pod ns/p \(pod is not owner\)"):
        await world.prepare(wanted)
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u", "controller": True}
    uid = world.put_claim(claim(metadata={**meta, "ownerReferences": [owner]}))
    body = volume(uid, hostPath={"path": "/x"})
    world.server.put(kinds.PERSISTENT_VOLUME, codec.from_dict(kinds.PERSISTENT_VOLUME, body))
    assert await world.prepare(wanted) == Place("/x")


async def test_volumes_of_other_kinds(world: World) -> None:
    world.bind(cinder={"volumeID": "x"})
    with pytest.raises(VolumeProblem, match='"pv" : volumes of type cinder are not supported'):
        await world.prepare(claiming())


def mounted(mount: VolumeMount, places: dict[str, Place], **inputs: Any) -> Any:
    wanted = pod("a")
    wanted.spec.containers[0].volume_mounts = [mount]
    given = ContainerInputs(0, SeenImage("i"), {}, places, **inputs)
    return build_mounts(wanted, wanted.spec.containers[0], given, NODE)[0]


def test_what_is_only_for_reading() -> None:
    plain = VolumeMount(name="v", mount_path="v")
    made = mounted(plain, {"v": Place("/x", read_only=True)})
    assert (made.container_path, made.readonly, made.recursive_read_only) == ("/v", True, False)
    strict = VolumeMount(name="v", mount_path="/v", read_only=True, recursive_read_only="IfPossible")
    assert not mounted(strict, {"v": Place("/x")}).recursive_read_only
    assert mounted(strict, {"v": Place("/x")}, recursive_read_only=True).recursive_read_only
    assert mounted(plain, {"v": Place("/x")}, subpaths={0: "/part"}).host_path == "/part"


@pytest.mark.parametrize(
    ("mount", "found"),
    [
        ({"sub_path": "a/b"}, "a/b"),
        ({"sub_path_expr": "$(NAME)/x"}, "web/x"),
        ({"sub_path_expr": "$$(NAME)"}, "$(NAME)"),
        ({"sub_path_expr": "$(EMPTY)/$(NONE)"}, "missing value for EMPTY, NONE"),
        ({"sub_path": "/etc"}, "error SubPath `/etc` must not be an absolute path"),
        ({"sub_path_expr": "$(UP)"}, r"unable to provision SubPath `a/../..`: must not contain '..'"),
        ({}, ""),
    ],
)
def test_parts_of_volumes(mount: dict[str, str], found: str) -> None:
    container = Container(name="a", volume_mounts=[VolumeMount(name="v", mount_path="/v", **mount)])
    environment = {"NAME": "web", "EMPTY": "", "UP": "a/../.."}
    if " " in found:
        with pytest.raises(ConfigProblem) as caught:
            wanted_subpaths(container, environment)
        assert str(caught.value) == found
    else:
        assert wanted_subpaths(container, environment) == ({0: ("v", found)} if found else {})


async def test_parts_of_volumes_are_made_and_bound(world: World) -> None:
    wanted = pod("a", volumes=[Volume(name="v", empty_dir=EmptyDirVolumeSource())])
    place = Path((await world.prepare(wanted)).path)
    (place / "file").touch()
    (place / "out").symlink_to("/etc")
    (place / "in").symlink_to("logs")
    bound = world.volumes.subpaths(wanted, "a", {0: ("v", "logs/web"), 1: ("v", "file"), 3: ("v", "in/x")})
    root = str(place.parent.parent.parent / "volume-subpaths/v/a")
    assert bound == {index: f"{root}/{index}" for index in (0, 1, 3)}
    assert stat.S_IMODE((place / "logs/web").stat().st_mode) == 0o777 and (place / "logs/x").is_dir()
    assert Path(bound[0]).is_dir() and Path(bound[1]).is_file()
    assert world.volumes.subpaths(wanted, "a", {0: ("v", "file")}) == {0: bound[0]}, (
        "the next start finds another thing"
    )
    assert Path(bound[0]).is_file() and world.mounts.points.count(bound[0]) == 1
    for path, what in (("out", "create"), ("out/passwd", "create"), ("file/x", "prepare")):
        with pytest.raises(ConfigProblem, match=f'failed to {what} subPath.* for volumeMount "v" of container "a"'):
            world.volumes.subpaths(wanted, "a", {0: ("v", path)})
    world.volumes.remove("u")
    assert world.mounts.points == [] and world.volumes.known() == []


def test_directories_for_volumes_in_volumes() -> None:
    wanted = pod("a", "b")
    first, second = wanted.spec.containers
    first.volume_mounts = [
        VolumeMount(name="v", mount_path="/etc/app"),
        VolumeMount(name="w", mount_path="/etc/app/certs/"),
        VolumeMount(name="x", mount_path="/etc/app/certs/deep"),
        VolumeMount(name="y", mount_path="/etc/application"),
        VolumeMount(name="z", mount_path="/etc/app/..bad"),
    ]
    second.volume_mounts = [
        VolumeMount(name="v", mount_path="/v", sub_path="key"),
        VolumeMount(name="w", mount_path="/v/inner"),
    ]
    assert nested_directories(wanted, "v") == ["certs"]
    assert nested_directories(wanted, "w") == ["deep"]


@pytest.mark.parametrize(
    ("limit", "memory", "expected"),
    [
        (None, None, 8 << 30),
        ("1Mi", None, 1 << 20),
        ("1Gi", "64Mi", 64 << 20),
        (None, "64Mi", 64 << 20),
        ("0", None, 8 << 30),
    ],
)
def test_how_much_memory_holds(limit: str | None, memory: str | None, expected: int) -> None:
    wanted = pod("a")
    if memory:
        wanted.spec.containers[0].resources = ResourceRequirements(limits={"memory": memory})
    assert memory_size(wanted, EmptyDirVolumeSource(medium="Memory", size_limit=limit), NODE) == expected


@pytest.mark.parametrize(
    ("medium", "resources", "expected"),
    [
        ("HugePages-2Mi", [], "2M"),
        ("HugePages-1Gi", [], "1024M"),
        ("HugePages", ["hugepages-2Mi"], "2M"),
        ("HugePages", [], "valid page size"),
        ("HugePages", ["hugepages-2Mi", "hugepages-1Gi"], "only if there is one size"),
    ],
)
def test_sizes_of_pages(medium: str, resources: list[str], expected: str) -> None:
    wanted = pod("a")
    wanted.spec.containers[0].resources = ResourceRequirements(limits=dict.fromkeys(resources, "1Gi"))
    if " " in expected:
        with pytest.raises(ConfigProblem, match=expected):
            page_size(wanted, medium)
    else:
        assert page_size(wanted, medium) == expected


@pytest.mark.parametrize(
    ("mode", "directory", "read_only", "expected"),
    [
        (0o600, False, False, 0o660),
        (0o755, False, False, 0o775),
        (0o600, False, True, 0o640),
        (0o755, True, False, 0o2775),
        (0o700, True, True, 0o2750),
    ],
)
def test_what_a_group_is_granted(mode: int, directory: bool, read_only: bool, expected: int) -> None:
    assert granted(mode, directory=directory, read_only=read_only) == expected


def test_a_volume_is_given_to_a_group_but_nothing_outside_of_it(tmp_path: Path) -> None:
    group = os.getgid()
    inside, outside = tmp_path / "volume", tmp_path / "outside"
    (inside / "d").mkdir(parents=True)
    inside.chmod(0o700)
    (inside / "d/file").touch(mode=0o600)
    outside.touch(mode=0o600)
    outside.chmod(0o600)
    (inside / "d/file").chmod(0o600)
    (inside / "link").symlink_to(outside)
    assert give(str(inside), group, "Always")
    assert stat.S_IMODE(outside.stat().st_mode) == 0o600
    assert stat.S_IMODE((inside / "d/file").stat().st_mode) == 0o660
    assert stat.S_IMODE((inside / "d").stat().st_mode) & 0o2770 == 0o2770
    assert is_given(inside.stat(), group)
    (inside / "d/file").chmod(0o600)
    assert not give(str(inside), group, "OnRootMismatch")
    assert stat.S_IMODE((inside / "d/file").stat().st_mode) == 0o600
    inside.chmod(0o755)
    assert give(str(inside), group, "OnRootMismatch")


async def test_local_volumes_belong_to_the_group(world: World, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir(mode=0o700)
    world.bind(local={"path": str(tmp_path / "disk")})
    wanted = claiming()
    wanted.spec.security_context = PodSecurityContext(fs_group=os.getgid())
    place = await world.prepare(wanted)
    assert stat.S_IMODE(Path(place.path).stat().st_mode) & 0o2770 == 0o2770


class Died(BaseException):
    """As a SIGKILL: nobody tidies up."""


async def test_a_volume_that_was_being_given_when_the_agent_died_is_given_by_the_next(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "disk").mkdir(mode=0o700)
    world.bind(local={"path": str(tmp_path / "disk")})
    wanted = claiming()
    wanted.spec.security_context = PodSecurityContext(fs_group=os.getgid())
    given = list[str]()

    def dies(path: str, group: int, policy: str) -> bool:
        given.append(path)
        if len(given) == 1:
            raise Died
        return True

    monkeypatch.setattr("nodeagent.volumes.pod.give", dies)
    with pytest.raises(Died):
        await world.prepare(wanted)
    for _ in range(2):
        await world.prepare(wanted)
    assert len(given) == 2, "once more after the death, and then it is done"
