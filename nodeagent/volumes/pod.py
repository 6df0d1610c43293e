"""The volumes of pods on disk: made before the sandbox, rewritten when their sources change, removed at the end.

Each pod has `<root>/pods/<uid>/volumes/<kind>/<name>`. Making is idempotent, so that it is also how contents are refreshed
and how an agent that was restarted takes over. Secrets and tokens live in memory (tmpfs) and never on disk.

Work of a pod that was given up may still go on in a thread, as a mount whose server is slow. What else is done with the pod's
files waits for it: a tree is never removed while something may be mounted in it.
"""

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from api import quantity
from api.core_v1 import EmptyDirVolumeSource, Pod, Volume
from kit.clock import SystemClock
from linux.mounts import MountError, Mounts, remove_tree
from nodeagent.csi.ledger import target_path
from nodeagent.plan.placement import any_matches
from nodeagent.render.container import pod_directory
from nodeagent.render.mounts import Place
from nodeagent.render.settings import ConfigProblem, NodeSettings, Sources
from nodeagent.volumes.contents import WRITTEN, nested_directories, volume_files
from nodeagent.volumes.empty_dir import make_empty_dir
from nodeagent.volumes.host_path import check_host_path
from nodeagent.volumes.ownership import change_policy, fs_group, give, half_given, marked
from nodeagent.volumes.persistent import mount_local, mount_nfs
from nodeagent.volumes.problems import ClaimProblem, VolumeProblem
from nodeagent.volumes.resolved import Claimed, Resolved, claim_names, resolve, spoken
from nodeagent.volumes.subpaths import SubPaths
from nodeagent.volumes.writer import write_files

MOUNTED = ("nfs", "local")
_ON_DISK = {"config_map": "configmap", "local": "local-volume"}
_NOT_HERE = "MountVolume.NodeAffinity check failed"

Stored = Callable[[str, str, float, bool], object]  # hears what was done by which plugin, how long, and if it went well


def _unheard(operation: str, plugin: str, seconds: float, good: bool) -> None:
    """Nobody wants to know."""


@dataclass(frozen=True, slots=True)
class PodVolumes:
    """Makes and removes what pods see as files. All methods may block on a disk."""

    mounts: Mounts
    node: NodeSettings
    labels: Callable[[], Mapping[str, str]] = dict  # of the node, as they are now
    monotonic: Callable[[], float] = SystemClock().monotonic
    _claims: dict[str, Mapping[str, Claimed]] = field(default_factory=dict)
    _locks: dict[str, threading.Lock] = field(default_factory=dict)  # by uid

    def prepare(self, pod: Pod, sources: Sources, stamp: str, stored: Stored = _unheard) -> None:
        """Make the pod's directory and all its volumes, or bring them up to date; `stored` hears how each went."""
        with self._lock(pod.metadata.uid or ""):
            self._prepare_all(pod, sources, stamp, stored)

    def _prepare_all(self, pod: Pod, sources: Sources, stamp: str, stored: Stored) -> None:
        Path(pod_directory(pod.metadata.uid or "", self.node)).mkdir(mode=0o750, parents=True, exist_ok=True)
        self.check(pod, sources.claims)
        self._claims[pod.metadata.uid or ""] = sources.claims
        root = self._root(pod)
        mounted = self.mounts.below(root) if os.path.isdir(root) else []  # the table of mounts is long on a full node
        for volume in pod.spec.volumes:
            resolved = resolve(volume, sources.claims)
            began, good = self.monotonic(), False
            try:
                self._prepare(pod, volume, resolved, sources, stamp, mounted)
                good = True
            except (ConfigProblem, MountError, quantity.QuantityError) as error:
                raise VolumeProblem(resolved.label, str(error)) from error
            except OSError as error:
                raise VolumeProblem(resolved.label, f"{error.filename}: {error.strerror}") from error
            finally:
                if resolved.kind not in ("csi", "image"):
                    stored("volume_mount", plugin_name(resolved.kind), self.monotonic() - began, good)

    def check(self, pod: Pod, claims: Mapping[str, Claimed]) -> None:
        """Raise VolumeProblem while claims are unclear, or if what is behind them is for other nodes."""
        if unclear := {name: one.problem for name, one in claims.items() if one.problem}:
            raise ClaimProblem(unclear)
        for volume in pod.spec.volumes:
            self._check_place(resolve(volume, claims))

    def places(self, pod: Pod) -> dict[str, Place]:
        """Where each volume is on the host, and what containers may do with it."""
        return {one.name: Place(self._path(pod, one), one.read_only, one.block) for one in self.resolved(pod)}

    def resolved(self, pod: Pod) -> list[Resolved]:
        """What each volume really is, of those of which that is known."""
        claims = self._claims.get(pod.metadata.uid or "", {})
        wanted = claim_names(pod)
        volumes = [volume for volume in pod.spec.volumes if volume.name not in wanted or volume.name in claims]
        return [resolve(volume, claims) for volume in volumes]

    def plugins(self, pod: Pod) -> list[str]:
        """Who makes each volume, as upstream names them; claims that are not resolved yet are left out."""
        claims = self._claims.get(pod.metadata.uid or "", {})
        wanted = claim_names(pod)
        known = (volume for volume in pod.spec.volumes if volume.name not in wanted or volume.name in claims)
        return [_plugin(resolve(volume, claims)) for volume in known]

    def subpaths(self, pod: Pod, container: str, wanted: Mapping[int, tuple[str, str]]) -> dict[int, str]:
        """Parts of volumes, made and bound so that no link leads out of them: index of a mount -> place on the host."""
        places = self.places(pod)
        shelf = SubPaths(self.mounts, f"{pod_directory(pod.metadata.uid or '', self.node)}/volume-subpaths")
        with self._lock(pod.metadata.uid or ""):
            return {
                index: shelf.bind(container, index, name, places[name].path, path)
                for index, (name, path) in wanted.items()
                if name in places
            }

    def remove(self, uid: str) -> None:
        """Unmount and remove everything of a pod."""
        with self._lock(uid):
            remove_tree(self.mounts, pod_directory(uid, self.node))
            self._claims.pop(uid, None)
        self._locks.pop(uid, None)

    def known(self) -> list[str]:
        """The uids of pods that something is left of."""
        try:
            return sorted(os.listdir(f"{self.node.root_dir}/pods"))
        except FileNotFoundError:
            return []

    def _prepare(
        self, pod: Pod, volume: Volume, resolved: Resolved, sources: Sources, stamp: str, mounted: list[str]
    ) -> None:
        kind = resolved.kind
        if kind == "host_path":
            return check_host_path(resolved.source)
        if kind in ("csi", "image"):
            return None  # made by its driver, or with the container that wants it
        if resolved.block:
            return _check_device(resolved)
        if kind not in (*WRITTEN, *MOUNTED, "empty_dir"):
            raise ConfigProblem(f"volumes of type {spoken(kind)} are not supported by this node agent")
        directory = Path(self._path(pod, resolved))
        there = str(directory) in mounted
        if not there:
            directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        if kind == "empty_dir":
            source = resolved.source or EmptyDirVolumeSource()
            return make_empty_dir(self.mounts, pod, source, directory, there, self.node)
        if kind in WRITTEN:
            return self._write(pod, volume, directory, there, sources, stamp)
        if kind == "local" and not resolved.read_only and fs_group(pod) is not None:
            return self._mount_and_give(pod, resolved, directory, there)
        if not there:
            self._mount(resolved, directory)
        return None

    def _check_place(self, resolved: Resolved) -> None:
        """A PersistentVolume may be for other nodes only, whatever a pod says that did not ask the scheduler."""
        affinity = resolved.persistent.spec.node_affinity if resolved.persistent is not None else None
        if affinity is None or affinity.required is None:
            return
        if not any_matches(affinity.required.node_selector_terms, self.node.name, self.labels()):
            raise VolumeProblem(resolved.label, "no matching NodeSelectorTerms", _NOT_HERE)

    def _write(self, pod: Pod, volume: Volume, directory: Path, mounted: bool, sources: Sources, stamp: str) -> None:
        files = volume_files(pod, volume, sources, (), self.node)
        if not mounted and volume.config_map is None:
            self.mounts.tmpfs(str(directory), 0, 0o1777)
        elif not mounted and directory.stat().st_mode & 0o777 != 0o777:
            directory.chmod(0o777)
        for inner in nested_directories(pod, volume.name):
            (directory / inner).mkdir(mode=0o755, parents=True, exist_ok=True)
        write_files(directory, files, stamp, fs_group(pod))

    def _mount(self, resolved: Resolved, directory: Path) -> None:
        (mount_nfs if resolved.kind == "nfs" else mount_local)(self.mounts, resolved, directory)

    def _mount_and_give(self, pod: Pod, resolved: Resolved, directory: Path, there: bool) -> None:
        """All of it is given to the pod's group, or this is done again."""
        mark = half_given(pod_directory(pod.metadata.uid or "", self.node), resolved.label)
        if there and not mark.exists():
            return
        with marked(mark):
            if not there:
                self._mount(resolved, directory)
            give(str(directory), fs_group(pod) or 0, change_policy(pod))

    def _lock(self, uid: str) -> threading.Lock:
        return self._locks.setdefault(uid, threading.Lock())

    def _root(self, pod: Pod) -> str:
        return f"{pod_directory(pod.metadata.uid or '', self.node)}/volumes"

    def _path(self, pod: Pod, resolved: Resolved) -> str:
        if resolved.kind == "csi":
            return target_path(self.node.root_dir, pod.metadata.uid or "", resolved.label, block=resolved.block)
        if resolved.kind == "host_path" or resolved.block:
            return str(resolved.source.path)
        return f"{self._root(pod)}/{plugin_name(resolved.kind).replace('/', '~')}/{resolved.label}"


def _plugin(volume: Resolved) -> str:
    name = plugin_name(volume.kind)
    return f"{name}:{volume.source.driver}" if volume.kind == "csi" else name


def plugin_name(kind: str) -> str:
    """What upstream calls the plugin of a kind of volumes."""
    return f"kubernetes.io/{_ON_DISK.get(kind, kind.replace('_', '-'))}"


def _check_device(resolved: Resolved) -> None:
    if resolved.kind != "local":
        raise ConfigProblem(
            f"volumes of type {spoken(resolved.kind)} cannot be used as block devices by this node agent"
        )
    os.stat(resolved.source.path)


__all__ = ["PodVolumes", "VolumeProblem"]
