"""Volumes: contents, atomic writing, making and removing."""

import os
import stat
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from api.core_v1 import (
    CephFSVolumeSource,
    ConfigMap,
    ConfigMapProjection,
    ConfigMapVolumeSource,
    DownwardAPIProjection,
    DownwardAPIVolumeFile,
    EmptyDirVolumeSource,
    HostPathVolumeSource,
    KeyToPath,
    ObjectFieldSelector,
    PodSecurityContext,
    ProjectedVolumeSource,
    Secret,
    SecretVolumeSource,
    Volume,
    VolumeProjection,
)
from linux.mounts import FakeMounts, MountError, points_below, remove_tree
from nodeagent.render.settings import Sources
from nodeagent.volumes.contents import File
from nodeagent.volumes.pod import PodVolumes, VolumeProblem
from nodeagent.volumes.writer import write_files
from tests.unit.nodeagent.pods import NODE, pod

SOURCES = Sources({"cm": ConfigMap(data={"k": "v"}, binary_data={"b": b"\xff"})}, {"s": Secret(data={"p": b"hush"})})


def read(directory: Path) -> dict[str, bytes]:
    names = [p for p in directory.iterdir() if not p.name.startswith("..")]
    return {
        str(f.relative_to(directory)): f.read_bytes()
        for n in names
        for f in ([n] if n.is_file() else n.rglob("*"))
        if f.is_file()
    }


def test_readers_see_all_or_nothing(tmp_path: Path) -> None:
    assert write_files(tmp_path, {"a": File(b"1", 0o644), "d/b": File(b"2", 0o600)}, "2026_1")
    assert read(tmp_path) == {"a": b"1", "d/b": b"2"}
    assert os.readlink(tmp_path / "..data") == "..2026_1" and os.readlink(tmp_path / "a") == "..data/a"
    assert stat.S_IMODE((tmp_path / "d/b").stat().st_mode) == 0o600
    assert not write_files(tmp_path, {"a": File(b"1", 0o644), "d/b": File(b"2", 0o600)}, "2026_2")
    held = os.open(tmp_path / "a", os.O_RDONLY)
    assert write_files(tmp_path, {"a": File(b"3", 0o644), "c": File(b"4", 0o644)}, "2026_3")
    assert os.read(held, 9) == b"1"
    os.close(held)
    assert read(tmp_path) == {"a": b"3", "c": b"4"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["..2026_3", "..data", "a", "c"]


def test_a_killed_writer_leaves_no_trace(tmp_path: Path) -> None:
    write_files(tmp_path, {"a": File(b"1", 0o644)}, "2026_1")
    (tmp_path / "..data_tmp").symlink_to("..2026_9")
    (tmp_path / "..2026_9").mkdir()
    assert write_files(tmp_path, {"a": File(b"2", 0o644)}, "2026_2")
    assert read(tmp_path) == {"a": b"2"} and not (tmp_path / "..2026_9").exists()


def test_names_that_a_killed_writer_did_not_get_to_are_made(tmp_path: Path) -> None:
    write_files(tmp_path, {"a": File(b"1", 0o644)}, "2026_1")
    (tmp_path / "a").unlink()  # as if killed right after the exchange
    assert not write_files(tmp_path, {"a": File(b"1", 0o644)}, "2026_2")
    assert read(tmp_path) == {"a": b"1"}


class Made:
    """A pod whose volumes can be made."""

    def __init__(self, tmp_path: Path, *volumes: Volume, **spec: Any) -> None:
        self.mounts = FakeMounts()
        self.pod = pod("a", volumes=list(volumes), **spec)
        self.pod.metadata.labels = {"app": "x"}
        self.volumes = PodVolumes(self.mounts, replace(NODE, root_dir=str(tmp_path)))

    def prepare(self, sources: Sources = SOURCES) -> dict[str, Path]:
        self.volumes.prepare(self.pod, sources, "2026_x")
        return {name: Path(place.path) for name, place in self.volumes.places(self.pod).items()}


def test_config_maps_secrets_and_fields(tmp_path: Path) -> None:
    downward = DownwardAPIProjection(
        items=[DownwardAPIVolumeFile(path="labels", field_ref=ObjectFieldSelector(field_path="metadata.labels"))]
    )
    projected = ProjectedVolumeSource(
        sources=[VolumeProjection(config_map=ConfigMapProjection(name="cm")), VolumeProjection(downward_api=downward)],
        default_mode=0o440,
    )
    made = Made(
        tmp_path,
        Volume(name="c", config_map=ConfigMapVolumeSource(name="cm")),
        Volume(
            name="i", config_map=ConfigMapVolumeSource(name="cm", items=[KeyToPath(key="k", path="x/y", mode=0o400)])
        ),
        Volume(name="s", secret=SecretVolumeSource(secret_name="s")),
        Volume(name="p", projected=projected),
        Volume(name="o", config_map=ConfigMapVolumeSource(name="none", optional=True)),
    )
    paths = made.prepare()
    assert read(paths["c"]) == {"k": b"v", "b": b"\xff"} and read(paths["i"]) == {"x/y": b"v"}
    assert read(paths["s"]) == {"p": b"hush"} and read(paths["o"]) == {}
    assert read(paths["p"]) == {"k": b"v", "b": b"\xff", "labels": b'app="x"'}
    assert stat.S_IMODE((paths["i"] / "x/y").stat().st_mode) == 0o400
    assert made.mounts.points == [str(paths["s"]), str(paths["p"])], "secrets live in memory"
    made.prepare()
    assert made.mounts.points == [str(paths["s"]), str(paths["p"])], "and are mounted once"
    made.prepare(Sources({"cm": ConfigMap(data={"k": "new"})}, SOURCES.secrets))
    assert read(paths["c"]) == {"k": b"new"}
    made.volumes.remove("u")
    assert made.mounts.points == [] and made.volumes.known() == []


def test_empty_dirs(tmp_path: Path) -> None:
    made = Made(
        tmp_path,
        Volume(name="d", empty_dir=EmptyDirVolumeSource()),
        Volume(name="m", empty_dir=EmptyDirVolumeSource(medium="Memory", size_limit="1Mi")),
        security_context=PodSecurityContext(fs_group=os.getgid()),
    )
    paths = made.prepare()
    assert stat.S_IMODE(paths["d"].stat().st_mode) == 0o2777 and made.mounts.points == [str(paths["m"])]
    (paths["d"] / "kept").touch()
    made.prepare()
    assert (paths["d"] / "kept").exists()


HOST: list[tuple[str, str, str]] = [
    ("", "none", ""),
    ("Directory", "dir", ""),
    ("Directory", "none", "is not a directory"),
    ("Directory", "file", "is not a directory"),
    ("DirectoryOrCreate", "none", ""),
    ("File", "file", ""),
    ("File", "dir", "is not a file"),
    ("FileOrCreate", "none", ""),
    ("Socket", "file", "is not a socket file"),
    ("CharDevice", "file", "is not a character device"),
    ("BlockDevice", "none", "is not a block device"),
    ("Bogus", "file", "unknown hostPath type"),
    ("", "../x", "must not contain"),
]


@pytest.mark.parametrize(("kind", "name", "problem"), HOST)
def test_host_paths(tmp_path: Path, kind: str, name: str, problem: str) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").touch()
    made = Made(
        tmp_path / "root", Volume(name="h", host_path=HostPathVolumeSource(path=f"{tmp_path}/{name}", type=kind))
    )
    if problem:
        with pytest.raises(VolumeProblem, match=problem):
            made.prepare()
    else:
        assert made.prepare()["h"] == tmp_path / name
        made.volumes.remove("u")
        assert (tmp_path / "dir").exists() and (tmp_path / "file").exists(), "the host's own files stay"


@pytest.mark.parametrize(
    ("volume", "problem"),
    [
        (Volume(name="v", config_map=ConfigMapVolumeSource(name="none")), 'volume "v" : configmap "none" not found'),
        (Volume(name="v", secret=SecretVolumeSource(secret_name="none")), 'secret "none" not found'),
        (
            Volume(name="v", config_map=ConfigMapVolumeSource(name="cm", items=[KeyToPath("x", "y")])),
            "non-existent config key: x",
        ),
        (
            Volume(name="v", config_map=ConfigMapVolumeSource(name="cm", items=[KeyToPath("k", "../y")])),
            "must be relative",
        ),
        (Volume(name="v", cephfs=CephFSVolumeSource(monitors=["m"])), "type cephfs are not supported"),
        (Volume(name="v", empty_dir=EmptyDirVolumeSource(medium="Floppy")), 'unknown storage medium "Floppy"'),
        (Volume(name="v", empty_dir=EmptyDirVolumeSource(medium="HugePages")), "failed to get valid page size"),
        (Volume(name="v", secret=SecretVolumeSource(secret_name="s", items=[KeyToPath("x", "y")])), "secret key: x"),
    ],
)
def test_volumes_that_cannot_be(tmp_path: Path, volume: Volume, problem: str) -> None:
    with pytest.raises(VolumeProblem, match=problem):
        Made(tmp_path, volume).prepare()


def test_nothing_is_removed_while_something_is_mounted(tmp_path: Path) -> None:
    mounts = FakeMounts()
    (tmp_path / "t/m").mkdir(parents=True)
    (tmp_path / "t/m/precious").touch()
    mounts.tmpfs(str(tmp_path / "t/m"))
    mounts.stuck.add(str(tmp_path / "t/m"))
    with pytest.raises(MountError, match="busy"):
        remove_tree(mounts, tmp_path / "t")
    assert (tmp_path / "t/m/precious").exists()
    mounts.stuck.clear()
    remove_tree(mounts, tmp_path / "t")
    remove_tree(mounts, tmp_path / "t")
    assert not (tmp_path / "t").exists()


def test_the_kernels_table_of_mounts() -> None:
    points = ("/", "/a", "/a/b\\040c", "/ab")
    table = "".join(f"{i} 1 0:{i} / {point} rw - tmpfs t rw\n" for i, point in enumerate(points))
    assert points_below(table, "/a") == ["/a/b c", "/a"]
    assert points_below(table, "/") == ["/ab", "/a/b c", "/a", "/"]


def test_a_tree_is_not_removed_while_something_is_being_mounted_in_it(tmp_path: Path) -> None:
    class Slow(FakeMounts):
        def tmpfs(self, target: str, size: int = 0, mode: int = 0o755) -> None:
            remover.start()
            remover.join(0.3)  # the worker has given up and takes the pod away
            waited.append(remover.is_alive())
            super().tmpfs(target, size, mode)

    made = Made(tmp_path, Volume(name="e", empty_dir=EmptyDirVolumeSource(medium="Memory")))
    slow, waited = Slow(), list[bool]()
    made.volumes = PodVolumes(slow, replace(NODE, root_dir=str(tmp_path)))
    remover = threading.Thread(target=lambda: made.volumes.remove("u"))
    made.prepare()
    remover.join()
    assert waited == [True] and slow.points == [] and made.volumes.known() == []
