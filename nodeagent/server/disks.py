"""What is on disks: of filesystems as wholes, and of what pods have there. All of it may block."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Filesystem:
    """One filesystem, in bytes and inodes."""

    capacity: int = 0
    available: int = 0
    used: int = 0
    inodes: int = 0
    inodes_free: int = 0

    @property
    def inodes_used(self) -> int:
        return self.inodes - self.inodes_free


@dataclass(frozen=True, slots=True)
class Usage:
    """What some files take."""

    used: int = 0
    inodes: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.used + other.used, self.inodes + other.inodes)


def filesystem(path: str) -> Filesystem | None:
    """The filesystem that a path is on; None if there is no such path."""
    try:
        found = os.statvfs(path)
    except OSError:
        return None
    return Filesystem(
        capacity=found.f_blocks * found.f_frsize,
        available=found.f_bavail * found.f_frsize,
        used=(found.f_blocks - found.f_bfree) * found.f_frsize,
        inodes=found.f_files,
        inodes_free=found.f_ffree,
    )


def usage(path: str) -> Usage:
    """What the files at and below a path take, without what is mounted there; each file counts once, whatever its names.

    What is mounted shows in the devices of folders alone: on an overlay, files have those of the layers that they are in.
    """
    try:
        top = os.lstat(path)
    except OSError:
        return Usage()
    linked: set[tuple[int, int]] = set()  # only these may come again: there may be millions of others
    blocks, inodes = top.st_blocks, 1
    for status in _below(path, top.st_dev):
        if status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode):
            if (file := (status.st_dev, status.st_ino)) in linked:
                continue
            linked.add(file)
        blocks, inodes = blocks + status.st_blocks, inodes + 1
    return Usage(blocks * 512, inodes)


def _below(path: str, device: int) -> Iterator[os.stat_result]:
    folders = [path] if os.path.isdir(path) and not os.path.islink(path) else []
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue  # removed while we look; the others are still there
                    if stat.S_ISDIR(status.st_mode):
                        if status.st_dev != device:
                            continue
                        folders.append(entry.path)
                    yield status
        except OSError:
            continue  # removed while we look


def volumes(pod_directory: str) -> Iterator[tuple[str, str, str]]:
    """The volumes of a pod on disk: kind, name, path. Nothing is asked of what is mounted there: its server may be away."""
    for kind in _folders(f"{pod_directory}/volumes"):
        for volume in _folders(kind.path):
            yield kind.name.partition("~")[2], volume.name, volume.path


def _folders(path: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return sorted((e for e in entries if e.is_dir(follow_symlinks=False)), key=lambda e: e.name)
    except OSError:
        return []
