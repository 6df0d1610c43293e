"""Mounts, and trees of files that may have mounts in them: port, kernel and fake.

A tree is removed only when nothing is mounted in it: what was mounted there (a hostPath bound in by a pod, another's disk)
must never be emptied by us.
"""

import ctypes
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from linux import process
from linux.trees import remove_all

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_SLAVE = 32, 4096, 16384, 1 << 19
MOUNT_PATIENCE = 120.0  # seconds for a server to answer
_ESCAPE = re.compile(r"\\([0-7]{3})")


class MountError(Exception):
    """A mount could not be made or undone; reads "cannot X: reason"."""


class Mounts(Protocol):
    """What mounts there are, and making and undoing them."""

    def tmpfs(self, target: str, size: int = 0, mode: int = 0o755) -> None: ...

    def bind(self, source: str, target: str, readonly: bool = False) -> None: ...

    def bind_alone(self, source: str, target: str, readonly: bool = False) -> None:
        """Show `source` at `target` without what is mounted in it. What is unmounted there stays mounted at the source."""

    def filesystem(self, kind: str, source: str, target: str, options: Sequence[str] = ()) -> None:
        """Mount a file system of any kind, with the helper that it may have (mount.nfs, ...)."""

    def unmount(self, target: str) -> None: ...

    def below(self, path: str) -> list[str]:
        """Mount points at or below a path, the deepest (and latest) first."""


def remove_tree(mounts: Mounts, path: str | Path) -> None:
    """Unmount all that is mounted in a tree, then remove it. Nothing is removed while anything is still mounted."""
    root = os.path.abspath(path)
    for target in mounts.below(root):
        mounts.unmount(target)
    if left := mounts.below(root):
        raise MountError(f"cannot remove {root}: {left[0]} is still mounted")
    try:
        remove_all(root)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise MountError(f"cannot remove {root}: {error.strerror}") from error


class KernelMounts:
    """The mounts of the mount namespace we are in."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)

    def tmpfs(self, target: str, size: int = 0, mode: int = 0o755) -> None:
        """Mount a file system in memory, of `size` bytes at most (0: half of the memory)."""
        options = f"mode={mode:o}" + (f",size={size}" if size else "")
        self._mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NODEV, options)

    def bind(self, source: str, target: str, readonly: bool = False) -> None:
        """Show `source` at `target` too."""
        self._mount(source, target, "", MS_BIND | MS_REC, "")
        if readonly:
            self._mount("none", target, "", MS_BIND | MS_REMOUNT | MS_RDONLY, "")

    def bind_alone(self, source: str, target: str, readonly: bool = False) -> None:
        """Show `source` at `target` without what is mounted in it; unmounting there is not passed on to the source."""
        self._mount(source, target, "", MS_BIND, "")
        try:
            self._mount("none", target, "", MS_SLAVE, "")
            if readonly:
                self._mount("none", target, "", MS_BIND | MS_REMOUNT | MS_RDONLY, "")
        except MountError:
            self.unmount(target)
            raise

    def filesystem(self, kind: str, source: str, target: str, options: Sequence[str] = ()) -> None:
        """Mount a file system of any kind. The program finds the helper of the kind, and waits for servers no longer than we let it."""
        chosen = ["-o", ",".join(options)] if options else []
        try:
            # A source may be any pod's word: it must not be read as an option.
            process.run(["mount", "-t", kind, *chosen, "--", source, target], timeout=MOUNT_PATIENCE)
        except process.ProcessError as error:
            raise MountError(f"cannot mount {source} on {target}: {error}") from error

    def unmount(self, target: str) -> None:
        """Undo the latest mount there; fine if there is none."""
        if self._libc.umount2(os.fsencode(target), 0):
            number = ctypes.get_errno()
            if number not in (22, 2):  # EINVAL: no mount point, ENOENT
                raise MountError(f"cannot unmount {target}: {os.strerror(number)}")

    def below(self, path: str) -> list[str]:
        """Mount points at or below a path, the latest first."""
        return points_below(Path("/proc/self/mountinfo").read_text(), path)

    def _mount(self, source: str, target: str, kind: str, flags: int, options: str) -> None:
        words = [os.fsencode(word) if word else None for word in (source, target, kind)]
        if self._libc.mount(*words, ctypes.c_ulong(flags), options.encode() or None):
            reason = os.strerror(ctypes.get_errno())
            raise MountError(f"cannot mount {source} on {target}: {reason}")


def points_below(mountinfo: str, path: str) -> list[str]:
    """The mount points at or below a path in the kernel's table, the latest first."""
    points = [_ESCAPE.sub(lambda m: chr(int(m[1], 8)), line.split(" ", 5)[4]) for line in mountinfo.splitlines()]
    return [point for point in reversed(points) if point == path or point.startswith(path.rstrip("/") + "/")]


class FakeMounts:
    """Mounts as a list; the directories are real, their contents are not covered."""

    def __init__(self) -> None:
        self.points: list[str] = []
        self.stuck: set[str] = set()
        self.made: dict[str, tuple[str, str, tuple[str, ...]]] = {}  # file systems: kind, source, options

    def tmpfs(self, target: str, size: int = 0, mode: int = 0o755) -> None:
        self._mount("tmpfs", target)

    def bind(self, source: str, target: str, readonly: bool = False) -> None:
        if not os.path.exists(source):
            raise MountError(f"cannot mount {source} on {target}: No such file or directory")
        self._mount(source, target)

    def bind_alone(self, source: str, target: str, readonly: bool = False) -> None:
        self.bind(source, target, readonly)

    def filesystem(self, kind: str, source: str, target: str, options: Sequence[str] = ()) -> None:
        self.made[target] = (kind, source, tuple(options))
        self._mount(source, target)

    def unmount(self, target: str) -> None:
        if target in self.stuck:
            raise MountError(f"cannot unmount {target}: Device or resource busy")
        if target in self.points:
            self.points.reverse()
            self.points.remove(target)
            self.points.reverse()

    def below(self, path: str) -> list[str]:
        return [p for p in reversed(self.points) if p == path or p.startswith(path.rstrip("/") + "/")]

    def _mount(self, source: str, target: str) -> None:
        if not os.path.exists(target):
            raise MountError(f"cannot mount {source} on {target}: No such file or directory")
        self.points.append(target)
