"""Paths below a directory that somebody hostile may write to: found and made without ever leaving it.

Each part of a path is opened by itself, in the directory that the part before it led to, and never through a link: a link is read and its
parts are walked in the same way. So what is opened stays inside even while links and directories are exchanged under our
hands. The result is an open descriptor, as a path could lead elsewhere a moment later.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

MAX_LINKS = 40  # as the kernel has it
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class OutsideError(Exception):
    """The path leads out of its directory; reads "cannot X: reason"."""


@contextmanager
def opened(root: str, path: str, make: int | None = None) -> Iterator[int]:
    """A descriptor (O_PATH) of what is at `path` below `root`. With `make`, a mode, missing directories are made with it."""
    walk = _Walk(root, path)
    try:
        walk.go(make)
        yield walk.stack[-1]
    finally:
        for descriptor in walk.stack:
            os.close(descriptor)


class _Walk:
    """Where we are, as the descriptors from the root to here."""

    def __init__(self, root: str, path: str) -> None:
        self._said = f"{root}: {path}"
        self._parts = path.split("/")[::-1]
        if path.startswith("/"):
            raise OutsideError(f"cannot open {self._said}: the path is absolute")
        self.stack = [os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)]

    def go(self, make: int | None) -> None:
        """Walk to the end."""
        links = 0
        while self._parts:
            part = self._parts.pop()
            if part in ("", "."):
                continue
            if part == "..":
                self._up()
                continue
            found = self._open(part, make)
            if not stat.S_ISLNK(os.fstat(found).st_mode):
                self.stack.append(found)
                continue
            try:
                target = os.readlink("", dir_fd=found)
            finally:
                os.close(found)
            links += 1
            if links > MAX_LINKS:
                raise OutsideError(f"cannot open {self._said}: too many links")
            if target.startswith("/"):
                raise OutsideError(f"cannot open {self._said}: a link leads outside")
            self._parts += target.split("/")[::-1]

    def _up(self) -> None:
        if len(self.stack) == 1:
            raise OutsideError(f"cannot open {self._said}: it leads outside")
        os.close(self.stack.pop())

    def _open(self, part: str, make: int | None) -> int:
        here = self.stack[-1]
        try:
            return os.open(part, _LOOK, dir_fd=here)
        except FileNotFoundError:
            if make is None:
                raise
        try:
            os.mkdir(part, 0o700, dir_fd=here)
        except FileExistsError:
            return os.open(part, _LOOK, dir_fd=here)  # somebody was faster
        made = os.open(part, _LOOK | os.O_DIRECTORY, dir_fd=here)
        os.chmod(f"/proc/self/fd/{made}", make)  # by descriptor: what was made, whatever stands there by now
        return made
