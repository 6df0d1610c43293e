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
from nodeagent.server.disks import Filesystem, Usage, filesystem, usage, volumes
from nodeagent.server.storage import StorageSurvey, StorageUse
from proto import cri_v1_pb2 as pb

if TYPE_CHECKING:
    from linux.cgroup_use import GroupUse

DISKS_EVERY = 60.0
PODS = ("veth", "wv")  # the machine's ends of what pods are connected by
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
    network: Sequence[Mapping[str, int | str]] = ()
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
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._root_dir = root_dir
        self._pods_group = pods_group
        self._pods = pods
        self._storage = storage
        self._disks: dict[str, PodDisks] = {}
        self._disks_at: float | None = None
        self._disks_seen = 0.0  # the same by the wall clock
        self._turn = asyncio.Lock()

    async def look(self) -> Survey:
        """Look now. Raises RuntimeFault."""
        async with self._turn:
            images = await self._image_filesystem()
            pods = self._pods()
            now = self._clock.monotonic()
            fresh = self._disks_at is not None and now - self._disks_at < DISKS_EVERY
            if not fresh:
                self._disks, self._disks_seen = {}, self._clock.now()
            survey = await asyncio.to_thread(self._survey, pods, images, self._clock.now())
            self._disks = dict(survey.disks)
            if not fresh:
                self._disks_at = now
            return replace(survey, storage=await self._storage.look())

    async def _image_filesystem(self) -> pb.FilesystemUsage | None:
        try:
            found = await self._runtime.image_filesystems()
        except RuntimeFault:
            return None
        return found[0] if found else None

    def _survey(self, pods: list[SurveyedPod], images: pb.FilesystemUsage | None, at: float) -> Survey:
        from linux.cgroup_use import read_group  # when somebody asks

        paths = ["/", self._pods_group, *(p.group for p in pods), *(c.group for p in pods for c in p.containers)]
        groups = {path: use for path in paths if (use := read_group(path)) is not None}
        disks = {pod.uid: self._disks.get(pod.uid) or _pod_disks(pod) for pod in pods}
        root = filesystem(self._root_dir)
        place = images.fs_id.mountpoint if images is not None else ""
        return Survey(
            at=at,
            pods={pod.uid: pod for pod in pods},
            groups=groups,
            disks=disks,
            disks_at=self._disks_seen,
            root=root,
            images=(filesystem(place) if place else None) or root,
            image_use=Usage(images.used_bytes.value, images.inodes_used.value) if images is not None else Usage(),
            network=read_interfaces(),
            processes=read_processes(),
            pods_group=self._pods_group,
        )


def _pod_disks(pod: SurveyedPod) -> PodDisks:
    found = []
    for kind, name, path in volumes(pod.directory):
        if kind in LOCAL and (whole := filesystem(path)) is not None:
            mounted = os.path.ismount(path)
            used = Usage(whole.used, whole.inodes_used) if mounted else usage(path)
            found.append(VolumeUse(name, whole, used, not mounted))
    logs = {name: usage(f"{pod.logs}/{name}") for name in (c.name for c in pod.containers)}
    return PodDisks(tuple(found), logs, usage(f"{pod.directory}/etc-hosts"))


def read_interfaces(file: str = "/proc/net/dev") -> list[Mapping[str, int | str]]:
    """The network interfaces of the machine and what went over them; those of pods are not the machine's."""
    found: list[Mapping[str, int | str]] = []
    try:
        with open(file) as lines:
            text = lines.read()
    except OSError:
        return found
    for name, _, rest in (line.strip().partition(":") for line in text.splitlines()[2:]):
        numbers = [int(number) for number in rest.split()]
        if len(numbers) >= 12 and name != "lo" and not name.startswith(PODS):
            names = ("rxBytes", "rxErrors", "txBytes", "txErrors")
            chosen = (numbers[0], numbers[2], numbers[8], numbers[10])
            found.append({"name": name, **dict(zip(names, chosen, strict=True))})
    return found


def interface_counts(one: pb.NetworkInterfaceUsage) -> dict[str, int | str]:
    """A pod's interface under the same names."""
    return {
        "name": one.name,
        "rxBytes": one.rx_bytes.value,
        "rxErrors": one.rx_errors.value,
        "txBytes": one.tx_bytes.value,
        "txErrors": one.tx_errors.value,
    }


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
