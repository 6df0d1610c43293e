"""Reads a container's log from disk, to the end or as it grows.

Following waits for the kernel to say that the file or its directory changed. A log that was rotated away is read to its end
before the new one is opened, so that nothing is lost.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import BinaryIO

from linux.inotify import CREATE, MODIFY, MOVED_TO, Watch
from nodeagent.server.logs import BLOCK, Formatter, LogOptions, tail_offset

Ended = Callable[[], Awaitable[None]]  # returns when nothing more will be written


class NoLog(Exception):
    """There is no log to read."""


def open_log(path: str, options: LogOptions) -> BinaryIO:
    """The file, at the first line that is wanted."""
    try:
        file = open(path, "rb")  # noqa: SIM115 - the reader closes it
    except OSError as error:
        raise NoLog(f"cannot read the log {path}: {error.strerror}") from error
    if options.tail is not None:
        file.seek(tail_offset(file, options.tail))
    return file


def read_log(file: BinaryIO, formatter: Formatter, rest: bytes = b"") -> tuple[bytes, bytes]:
    """Some lines, ready to send, and what was read of a line that has not ended yet."""
    block = file.read(BLOCK)
    lines = (rest + block).split(b"\n")
    rest = lines.pop()
    return b"".join(formatter.format(line + b"\n") for line in lines), rest


async def stream_log(path: str, options: LogOptions, ended: Ended) -> AsyncGenerator[bytes, None]:
    """All pieces that are wanted; with `follow` until the container has ended and everything was sent."""
    formatter = Formatter(options)
    file = open_log(path, options)
    waiter: asyncio.Task[None] | None = None
    try:
        async with Watch() as watch:
            if options.follow:
                watch.add(os.path.dirname(path), CREATE | MOVED_TO)
                watch.add(path, MODIFY)
                waiter = asyncio.create_task(_wake_at_end(ended, watch))
            rest = b""
            while not formatter.full:
                over = waiter is None or waiter.done()
                position = file.tell()
                piece, rest = read_log(file, formatter, rest)
                if piece:
                    yield piece
                if file.tell() != position:
                    continue
                if _rotated(file, path):
                    file.close()
                    file = open_log(path, LogOptions())
                    watch.add(path, MODIFY)
                elif over:
                    break
                else:
                    await watch.wait()
            if rest and not formatter.full and (piece := formatter.format(rest + b"\n")):
                yield piece
    finally:
        if waiter is not None:
            waiter.cancel()
        file.close()


async def _wake_at_end(ended: Ended, watch: Watch) -> None:
    await ended()
    asyncio.get_running_loop().call_soon(watch.wake)  # when this task is done


def _rotated(file: BinaryIO, path: str) -> bool:
    """Whether the name belongs to another file now."""
    try:
        now = os.stat(path)
    except FileNotFoundError:
        return False
    mine = os.fstat(file.fileno())
    return (now.st_dev, now.st_ino) != (mine.st_dev, mine.st_ino)
