"""What cannot be asked for cheaply: control groups and disks, looked at in a thread and kept for a while.

Walking the files of pods takes long where they have many: that is done once a minute at most, whoever asks.
"""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from kit.clock import Clock
from nodeagent.cri.errors import RuntimeFault
from nodeagent.cri.port import Runtime
from nodeagent.report.facts import MachineFacts, read_machine
from nodeagent.server.disks import Filesystem, Usage, filesystem, usage, volumes
from nodeagent.server.interfaces import Interface, read_interfaces
from nodeagent.server.storage import StorageSurvey, StorageUse
from proto import cri_v1_pb2 as pb

if TYPE_CHECKING:
    from linux.cgroup_detail import GroupDetail
    from linux.cgroup_use import GroupUse

DISKS_EVERY = 60.0
RATE_SECONDS = 1.0  # over less than that a rate says nothing
LOCAL = frozenset(("empty-dir", "configmap", "config-map", "secret", "downward-api", "projected", "git-repo"))


@dataclass(frozen=True, slots=True)
class SurveyedContainer:
    """A container that runs, and where to look for it."""

    id: str
    name: str
    image: str
    group: str


@dataclass(frozen=True, slots=True)
class SurveyedPod:
    """A pod, and where to look for it."""

    uid: str
    namespace: str
    name: str
    sandbox: str
    group: str  # its control group, from the root of the hierarchy
    directory: str
    logs: str
    started: float
    containers: tuple[SurveyedContainer, ...]
    own_network: bool = True


@dataclass(frozen=True, slots=True)
class VolumeUse:
    """One volume of a pod, on this node's disk or in its memory."""

    name: str
    filesystem: Filesystem
    usage: Usage
    local: bool  # it counts as the pod's ephemeral storage


@dataclass(frozen=True, slots=True)
class PodDisks:
    """What a pod has on disks."""

    volumes: tuple[VolumeUse, ...]
    logs: Mapping[str, Usage]
    other: Usage


@dataclass(frozen=True, slots=True)
class Survey:
    """Everything at one moment; what is on disks may be a minute older."""

    at: float
    pods: Mapping[str, SurveyedPod]
    groups: "Mapping[str, GroupUse]"
    disks: Mapping[str, PodDisks]
    disks_at: float
    root: Filesystem | None = None
    images: Filesystem | None = None
    image_use: Usage = field(default_factory=Usage)
    network: Sequence[Interface] = ()
    networks: Mapping[str, Sequence[Interface]] = field(default_factory=dict)  # of pods that have their own, by uid
    details: "Mapping[str, GroupDetail]" = field(default_factory=dict)
    rates: Mapping[str, int] = field(default_factory=dict)  # nanoseconds of processor time a second, by group
    machine: MachineFacts | None = None
    processes: tuple[int, int] = (0, 0)  # how many there are, how many there may be
    pods_group: str = ""
    storage: Sequence[StorageUse] = ()


class Surveyor:
    """See the module. `pods` tells where to look."""

    def __init__(
        self,
        runtime: Runtime,
        clock: Clock,
        root_dir: str,
        pods_group: str,
        pods: Callable[[], list[SurveyedPod]],
        storage: StorageSurvey,
        took: Callable[[float, str], object] | None = None,  # hears how long measuring a volume took, and how
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._root_dir = root_dir
        self._pods_group = pods_group
        self._pods = pods
        self._took = took
        self._storage = storage
        self._used: tuple[float, Mapping[str, int]] = (0.0, {})
        self._known_rates: Mapping[str, int] = {}
        self._disks: dict[str, PodDisks] = {}
        self._disks_at: float | None = None
        self._turn = asyncio.Lock()

    async def look(self) -> Survey:
        """Look now. Raises RuntimeFault."""
        async with self._turn:
            images = await self._image_filesystem()
            pods = self._pods()
            disks = await self._fresh_disks(pods)
            survey = await asyncio.to_thread(self._survey, pods, images, disks)
        return replace(survey, storage=await self._storage.look())

    async def disks(self) -> tuple[list[SurveyedPod], Mapping[str, PodDisks]]:
        """Only what pods have on disks; the runtime is not asked."""
        async with self._turn:
            pods = self._pods()
            return pods, await self._fresh_disks(pods)

    async def _fresh_disks(self, pods: list[SurveyedPod]) -> Mapping[str, PodDisks]:
        """What is on disks, as of a minute ago at most; pods that are new are looked at in any case."""
        now = self._clock.monotonic()
        if self._disks_at is None or now - self._disks_at >= DISKS_EVERY:
            self._disks, self._disks_at = {}, now
        missing = [pod for pod in pods if pod.uid not in self._disks]
        found = await asyncio.to_thread(self._look_at, missing) if missing else {}
        self._disks = {pod.uid: found.get(pod.uid) or self._disks[pod.uid] for pod in pods}
        return self._disks

    def _look_at(self, pods: list[SurveyedPod]) -> dict[str, PodDisks]:
        return {pod.uid: _pod_disks(pod, self._measured) for pod in pods}

    def _measured(self, path: str) -> tuple[Filesystem, Usage] | None:
        """The filesystem that a volume is on, and what the volume takes."""
        if (whole := filesystem(path)) is None:
            return None
        began, mounted = self._clock.monotonic(), os.path.ismount(path)
        used = Usage(whole.used, whole.inodes_used) if mounted else usage(path)
        if self._took is not None:
            self._took(self._clock.monotonic() - began, "statfs" if mounted else "du")
        return whole, used

    async def _image_filesystem(self) -> pb.FilesystemUsage | None:
        try:
            found = await self._runtime.image_filesystems()
        except RuntimeFault:
            return None
        return found[0] if found else None

    def _survey(
        self, pods: list[SurveyedPod], images: pb.FilesystemUsage | None, disks: Mapping[str, PodDisks]
    ) -> Survey:
        from linux.cgroup_detail import read_detail  # when somebody asks
        from linux.cgroup_use import read_group

        paths = ["/", self._pods_group, *(p.group for p in pods), *(c.group for p in pods for c in p.containers)]
        groups = {path: use for path in paths if (use := read_group(path)) is not None}
        details = {path: found for path in groups if (found := read_detail(path)) is not None}
        networks = {pod.uid: seen for pod in pods if (seen := _network(pod, details))}
        root = filesystem(self._root_dir)
        place = images.fs_id.mountpoint if images is not None else ""
        now, steady = self._clock.now(), self._clock.monotonic()
        return Survey(
            at=now,
            pods={pod.uid: pod for pod in pods},
            groups=groups,
            disks=disks,
            disks_at=now - (steady - self._disks_at if self._disks_at is not None else 0.0),
            root=root,
            images=(filesystem(place) if place else None) or root,
            image_use=Usage(images.used_bytes.value, images.inodes_used.value) if images is not None else Usage(),
            network=read_interfaces(),
            networks=networks,
            details=details,
            rates=self._rates(groups),
            machine=read_machine(self._root_dir),
            processes=read_processes(),
            pods_group=self._pods_group,
        )

    def _rates(self, groups: "Mapping[str, GroupUse]") -> Mapping[str, int]:
        """How fast the groups that are no pod's use processors: what was used since the last look."""
        now, (before, used) = self._clock.monotonic(), self._used
        latest = {path: groups[path].cpu for path in ("/", self._pods_group) if path in groups}
        if now - before < RATE_SECONDS and used:
            return self._known_rates
        self._used = now, latest
        if used:
            self._known_rates = {p: int((cpu - used[p]) / (now - before)) for p, cpu in latest.items() if p in used}
        return self._known_rates


def _network(pod: SurveyedPod, details: "Mapping[str, GroupDetail]") -> list[Interface]:
    """What the first process of a pod sees; a pod on the machine's own network has none of its own."""
    if not pod.own_network:
        return []
    processes = (pid for one in pod.containers if one.group in details for pid in details[one.group].processes)
    return next((found for pid in processes if (found := read_interfaces(f"/proc/{pid}/net/dev"))), [])


def _pod_disks(pod: SurveyedPod, measure: Callable[[str], tuple[Filesystem, Usage] | None]) -> PodDisks:
    found = []
    for kind, name, path in volumes(pod.directory):
        if kind in LOCAL and (measured := measure(path)) is not None:
            found.append(VolumeUse(name, *measured, not os.path.ismount(path)))
    logs = {name: usage(f"{pod.logs}/{name}") for name in (c.name for c in pod.containers)}
    return PodDisks(tuple(found), logs, usage(f"{pod.directory}/etc-hosts"))


def read_processes() -> tuple[int, int]:
    """How many processes there are (threads count), and how many there may be."""
    try:
        with open("/proc/loadavg") as file:
            count = int(file.read().split()[3].partition("/")[2])
        with open("/proc/sys/kernel/pid_max") as file:
            most = int(file.read())
        with open("/proc/sys/kernel/threads-max") as file:
            most = min(most, int(file.read()))
    except (OSError, ValueError, IndexError):
        return 0, 0
    return count, most
