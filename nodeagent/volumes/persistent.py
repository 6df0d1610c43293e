"""Volumes that others hold and pods only visit: local disks and NFS. Mounted for the pod, unmounted with it."""

import os
import stat
from pathlib import Path

from linux.mounts import Mounts
from nodeagent.render.settings import ConfigProblem
from nodeagent.volumes.resolved import Resolved

DEFAULT_TYPE = "ext4"


def mount_nfs(mounts: Mounts, volume: Resolved, directory: Path) -> None:
    """Mount what a server exports."""
    server = volume.source.server
    source = f"[{server}]:{volume.source.path}" if ":" in server else f"{server}:{volume.source.path}"
    options = [*volume.options, *(["ro"] if volume.read_only and "ro" not in volume.options else [])]
    mounts.filesystem("nfs", source, str(directory), options)


def mount_local(mounts: Mounts, volume: Resolved, directory: Path) -> None:
    """Show a directory of the node, or the file system on one of its devices: the kernel shares it among all who mount it."""
    path = volume.source.path
    if ".." in path.split("/"):
        raise ConfigProblem(f"path {path} must not contain '..'")
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise ConfigProblem(f'path "{path}" does not exist') from None
    if stat.S_ISBLK(mode):
        options = [*volume.options, *(["ro"] if volume.read_only else [])]
        mounts.filesystem(volume.source.fs_type or DEFAULT_TYPE, path, str(directory), options)
    elif stat.S_ISDIR(mode):
        mounts.bind_alone(path, str(directory), readonly=volume.read_only)
    else:
        raise ConfigProblem(f"local volume {path} is neither a directory nor a block device")
