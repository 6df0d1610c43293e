"""The volumes of pods on disk: made before the sandbox, rewritten when their sources change, removed at the end.

Each pod has `<root>/pods/<uid>/volumes/<kind>/<name>`. Making is idempotent, so that it is also how contents are refreshed
and how an agent that was restarted takes over. Secrets live in memory (tmpfs) and never on disk.
"""

import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from api import quantity
from api.core_v1 import EmptyDirVolumeSource, HostPathVolumeSource, Pod, Volume
from linux.mounts import MountError, Mounts, remove_tree
from nodeagent.render.container import pod_directory
from nodeagent.render.settings import ConfigProblem, NodeSettings, Sources
from nodeagent.volumes.contents import SUPPORTED, WRITTEN, kind_of, volume_files
from nodeagent.volumes.writer import write_files

_CHECKS: dict[str, tuple[Callable[[int], bool], str]] = {
    "Directory": (stat.S_ISDIR, "is not a directory"),
    "DirectoryOrCreate": (stat.S_ISDIR, "is not a directory"),
    "File": (stat.S_ISREG, "is not a file"),
    "FileOrCreate": (stat.S_ISREG, "is not a file"),
    "Socket": (stat.S_ISSOCK, "is not a socket file"),
    "CharDevice": (stat.S_ISCHR, "is not a character device"),
    "BlockDevice": (stat.S_ISBLK, "is not a block device"),
}


class VolumeProblem(Exception):
    """A volume cannot be made as things are; pods wait for it."""

    def __init__(self, volume: str, reason: str) -> None:
        super().__init__(f'MountVolume.SetUp failed for volume "{volume}" : {reason}')
        self.volume = volume


@dataclass(frozen=True, slots=True)
class PodVolumes:
    """Makes and removes what pods see as files. All methods may block on a disk."""

    mounts: Mounts
    node: NodeSettings

    def prepare(self, pod: Pod, sources: Sources, stamp: str) -> None:
        """Make the pod's directory and all its volumes, or bring them up to date."""
        Path(pod_directory(pod.metadata.uid or "", self.node)).mkdir(mode=0o750, parents=True, exist_ok=True)
        mounted = self.mounts.below(self._root(pod)) if pod.spec.volumes else []
        for volume in pod.spec.volumes:
            try:
                self._prepare(pod, volume, sources, stamp, mounted)
            except (ConfigProblem, MountError, quantity.QuantityError) as error:
                raise VolumeProblem(volume.name, str(error)) from error
            except OSError as error:
                raise VolumeProblem(volume.name, f"{error.filename}: {error.strerror}") from error

    def paths(self, pod: Pod) -> dict[str, str]:
        """Where each volume is on the host."""
        return {volume.name: self._path(pod, volume) for volume in pod.spec.volumes}

    def remove(self, uid: str) -> None:
        """Unmount and remove everything of a pod."""
        remove_tree(self.mounts, pod_directory(uid, self.node))

    def known(self) -> list[str]:
        """The uids of pods that something is left of."""
        try:
            return sorted(os.listdir(f"{self.node.root_dir}/pods"))
        except FileNotFoundError:
            return []

    def _prepare(self, pod: Pod, volume: Volume, sources: Sources, stamp: str, mounted: list[str]) -> None:
        kind = kind_of(volume)
        if kind not in SUPPORTED:
            raise ConfigProblem(f"volumes of type {_spoken(kind)} are not supported by this node agent")
        if volume.host_path is not None:
            _check_host_path(volume.host_path)
            return
        directory = Path(self._path(pod, volume))
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        group = pod.spec.security_context.fs_group if pod.spec.security_context is not None else None
        if kind == "empty_dir":
            self._prepare_empty(volume.empty_dir or EmptyDirVolumeSource(), directory, group, mounted)
        elif kind in WRITTEN:
            secret = volume.secret is not None or (
                volume.projected is not None and any(s.secret is not None for s in volume.projected.sources)
            )
            if secret and str(directory) not in mounted:
                self.mounts.tmpfs(str(directory))
            write_files(directory, volume_files(pod, volume, sources, (), self.node), stamp, group)

    def _prepare_empty(
        self, source: EmptyDirVolumeSource, directory: Path, group: int | None, mounted: list[str]
    ) -> None:
        if source.medium == "Memory":
            if str(directory) not in mounted:
                self.mounts.tmpfs(str(directory), quantity.ceil(source.size_limit) if source.size_limit else 0, 0o777)
        elif source.medium:
            raise ConfigProblem(f'emptyDir medium "{source.medium}" is not supported by this node agent')
        mode = directory.stat().st_mode & 0o7777
        wanted = 0o777 if group is None else 0o2777
        if mode != wanted:
            if group is not None:
                os.chown(directory, -1, group)
            directory.chmod(wanted)

    def _root(self, pod: Pod) -> str:
        return f"{pod_directory(pod.metadata.uid or '', self.node)}/volumes"

    def _path(self, pod: Pod, volume: Volume) -> str:
        if volume.host_path is not None:
            return volume.host_path.path
        return f"{self._root(pod)}/kubernetes.io~{kind_of(volume).replace('_', '-')}/{volume.name}"


def _check_host_path(source: HostPathVolumeSource) -> None:
    """What hostPath's type promises; the `...OrCreate` types make what is missing."""
    kind, path = source.type or "", source.path
    if ".." in path.split("/"):
        raise ConfigProblem(f"path {path} must not contain '..'")
    if not kind:
        return
    if kind not in _CHECKS:
        raise ConfigProblem(f"unknown hostPath type {kind}")
    if not os.path.lexists(path):
        if kind == "DirectoryOrCreate":
            os.makedirs(path, mode=0o755)
        elif kind == "FileOrCreate":
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
    check, complaint = _CHECKS[kind]
    try:
        fits = check(os.stat(path).st_mode)
    except FileNotFoundError:
        fits = False
    if not fits:
        raise ConfigProblem(f"hostPath type check failed: {path} {complaint}")


def _spoken(kind: str) -> str:
    """The name of a source as manifests write it."""
    return re.sub(r"_(\w)", lambda m: m[1].upper(), kind)
