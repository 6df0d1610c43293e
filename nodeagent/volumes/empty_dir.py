"""emptyDir: a directory on the node's disk, in memory, or of huge pages, that lives as long as the pod."""

import os
from pathlib import Path

from api import quantity
from api.core_v1 import EmptyDirVolumeSource, Pod
from linux.mounts import Mounts
from nodeagent.model.spec import all_containers
from nodeagent.plan import qos
from nodeagent.render.settings import ConfigProblem, NodeSettings
from nodeagent.volumes.ownership import fs_group, granted

OPEN, STICKY = 0o777, 0o1000
HUGE = "HugePages"
_RESOURCE = "hugepages-"


def make_empty_dir(
    mounts: Mounts, pod: Pod, source: EmptyDirVolumeSource, directory: Path, mounted: bool, node: NodeSettings
) -> None:
    """Make it, or look whether it is as it should be."""
    medium = source.medium or ""
    wanted = OPEN
    if medium == "Memory":
        wanted |= STICKY
        if not mounted:
            mounts.tmpfs(str(directory), memory_size(pod, source, node), wanted)
    elif medium.startswith(HUGE):
        if not mounted:
            size = page_size(pod, medium)
            mounts.filesystem("hugetlbfs", "nodev", str(directory), [f"pagesize={size}"])
    elif medium:
        raise ConfigProblem(f'unknown storage medium "{medium}"')
    group = fs_group(pod)
    if group is not None:
        wanted = granted(wanted, directory=True)
    found = directory.stat()
    if found.st_mode & 0o7777 != wanted or (group is not None and found.st_gid != group):
        if group is not None:
            os.chown(directory, -1, group)
        directory.chmod(wanted)


def memory_size(pod: Pod, source: EmptyDirVolumeSource, node: NodeSettings) -> int:
    """What fits in: no more than the pod may use, nor than the volume's own limit; 0 leaves it to the kernel."""
    limit = quantity.ceil(source.size_limit) if source.size_limit else 0
    whole = quantity.ceil(node.allocatable["memory"]) if "memory" in node.allocatable else 0
    return min((size for size in (limit, qos.pod_limits(pod).memory, whole) if size > 0), default=0)


def page_size(pod: Pod, medium: str) -> str:
    """The size of its pages as the kernel is told: what the medium says, else the one size that containers ask for."""
    _, _, named = medium.partition("-")
    if named:
        sizes = {named}
    else:
        needs = [container.resources for container in all_containers(pod) if container.resources is not None]
        resources = (name for need in needs for name in need.requests | need.limits)
        sizes = {name.removeprefix(_RESOURCE) for name in resources if name.startswith(_RESOURCE)}
    if not sizes:
        raise ConfigProblem("failed to get valid page size for volume: medium HugePages needs a request for huge pages")
    if len(sizes) > 1:
        raise ConfigProblem("medium HugePages can be used only if there is one size of huge pages in the pod")
    return f"{quantity.ceil(sizes.pop()) >> 20}M"
