"""Waking up when a file or directory changes, without polling."""

import asyncio
import ctypes
import os
from types import TracebackType

MODIFY, MOVED_FROM, MOVED_TO, CREATE, DELETE, CLOSE_WRITE = 0x2, 0x40, 0x80, 0x100, 0x200, 0x8
DELETE_SELF, MOVE_SELF = 0x400, 0x800  # of the watched directory itself
_libc = ctypes.CDLL(None, use_errno=True)


class Watch:
    """An async context that wakes its user when something happens to the paths added to it."""

    def __init__(self) -> None:
        self._fd = _libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"cannot watch files: {os.strerror(number)} (see fs.inotify.max_user_instances)")
        self._changed = asyncio.Event()

    async def __aenter__(self) -> "Watch":
        asyncio.get_running_loop().add_reader(self._fd, self._drain)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.get_running_loop().remove_reader(self._fd)
        os.close(self._fd)

    def add(self, path: str, mask: int) -> None:
        """Watch one more path."""
        if _libc.inotify_add_watch(self._fd, os.fsencode(path), ctypes.c_uint32(mask)) < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"cannot watch {path}: {os.strerror(number)}")

    async def wait(self) -> None:
        """Return at the next change, at once if there was one since the last call."""
        await self._changed.wait()
        self._changed.clear()

    def wake(self) -> None:
        """Let `wait` return although nothing changed."""
        self._changed.set()

    def _drain(self) -> None:
        try:
            while os.read(self._fd, 65536):
                self._changed.set()
        except BlockingIOError:
            pass
