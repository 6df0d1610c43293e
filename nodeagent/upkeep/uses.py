"""What is free, and what pods use of it: memory and processes as the runtime counts them, files as they lie on disk."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from api.core_v1 import Pod
from nodeagent.cri.port import CONTAINER_NAME, Runtime
from nodeagent.plan.eviction import ContainerUse, PodUse
from nodeagent.plan.pressure import Free
from nodeagent.render.container import pod_directory
from nodeagent.render.sandbox import log_directory
from nodeagent.render.settings import NodeSettings
from nodeagent.server.disks import Usage, usage, volumes
from nodeagent.upkeep.signals import read_signals, same_disk
from proto import cri_v1_pb2 as pb


@dataclass(slots=True)
class MachineSenses:
    """Looks at this machine and at its runtime; what may block does so in a thread."""

    runtime: Runtime
    settings: NodeSettings
    _image_dir: str = ""

    async def free(self) -> dict[str, Free]:
        """What is left, by signal."""
        if not self._image_dir:
            disks = await self.runtime.image_filesystems()
            self._image_dir = disks[0].fs_id.mountpoint if disks else self.settings.root_dir
        return await asyncio.to_thread(read_signals, self.settings.root_dir, self._image_dir)

    async def uses(self, pods: list[Pod], disks: bool) -> dict[str, PodUse]:
        """What pods use, by uid."""
        stats = await self.runtime.pod_stats()
        if not disks:
            return measure(pods, stats, self.settings, disks)
        return await asyncio.to_thread(measure, pods, stats, self.settings, disks)


def measure(
    pods: Iterable[Pod], stats: Iterable[pb.PodSandboxStats], settings: NodeSettings, disks: bool
) -> dict[str, PodUse]:
    """By uid; with `disks` it walks through the pods' files, so it may block for long."""
    known = {found.attributes.metadata.uid: found for found in stats}
    return {
        uid: _measure(pod, known.get(uid), settings, disks)
        for pod in pods
        if (uid := pod.metadata.uid or "") and uid in known
    }


def _measure(pod: Pod, stats: pb.PodSandboxStats | None, settings: NodeSettings, disks: bool) -> PodUse:
    linux = stats.linux if stats is not None else pb.LinuxPodSandboxStats()
    containers: dict[str, ContainerUse] = {}
    total = Usage()
    for found in linux.containers:
        name = found.attributes.labels.get(CONTAINER_NAME, "")
        layer = Usage(found.writable_layer.used_bytes.value, found.writable_layer.inodes_used.value)
        own = layer + usage(f"{log_directory(pod, settings)}/{name}") if disks else layer
        total += own
        containers[name] = ContainerUse(found.memory.working_set_bytes.value, own.used)
    sizes = {}
    for kind, name, path in volumes(pod_directory(pod.metadata.uid or "", settings)) if disks else ():
        if kind == "empty-dir":
            taken = usage(path)
            sizes[name] = taken.used
            if same_disk(path, settings.root_dir):  # what lies in memory counts there
                total += taken
    memory = linux.memory.working_set_bytes.value or sum(c.memory for c in containers.values())
    processes = linux.process.process_count.value
    return PodUse(memory, total.used, total.inodes, processes, containers, sizes)
