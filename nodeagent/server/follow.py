"""Reads a container's log from disk, to the end or as it grows.

Following waits for the kernel to say that the file or its directory changed. A log that was rotated away is read to its end
before the next is opened, however many there are by then, so that nothing is lost and nothing comes twice.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import BinaryIO

from linux.inotify import CREATE, MODIFY, MOVED_TO, Watch
from nodeagent.server.logs import BLOCK, Formatter, LogOptions
from nodeagent.server.series import NoLog, following, open_at, rotated

Ended = Callable[[], Awaitable[None]]  # returns when nothing more will be written
Pause = Callable[[], Awaitable[None]]  # gives the runtime a moment


def read_log(file: BinaryIO, formatter: Formatter, rest: bytes = b"") -> tuple[bytes, bytes]:
    """Some lines, ready to send, and what was read of a line that has not ended yet."""
    block = file.read(BLOCK)
    lines = (rest + block).split(b"\n")
    rest = lines.pop()
    return b"".join(formatter.format(line + b"\n") for line in lines), rest


async def stream_log(
    path: str, options: LogOptions, ended: Ended, pause: Pause | None = None
) -> AsyncGenerator[bytes, None]:
    """All pieces that are wanted; with `follow` until the container has ended and everything was sent."""
    formatter = Formatter(options)
    part = await asyncio.to_thread(open_at, path, options.tail)
    waiter: asyncio.Task[None] | None = None
    try:
        async with AsyncExitStack() as stack:
            watch = await stack.enter_async_context(Watch()) if options.follow else None
            if watch is not None:
                watch.add(os.path.dirname(path), CREATE | MOVED_TO)
                watch.add(path, MODIFY)
                waiter = asyncio.create_task(_wake_at_end(ended, watch))
            rest, drained = b"", False
            while not formatter.full:
                over = waiter is None or waiter.done()
                position = part.file.tell()
                piece, rest = read_log(part.file, formatter, rest)
                if piece:
                    yield piece
                if part.file.tell() != position:
                    continue
                if not drained and rotated(path, part):  # the runtime may still be writing its last lines to it
                    drained = bool(part.stamp) or await _drained(pause)
                elif drained and (new := following(path, part)) is not None:
                    part.file.close()
                    part, drained = new, False
                    if watch is not None and not part.stamp:
                        watch.add(path, MODIFY)
                elif over or watch is None:
                    break
                else:
                    await watch.wait()
            if rest and not formatter.full and (piece := formatter.format(rest + b"\n")):
                yield piece
    finally:
        if waiter is not None:
            waiter.cancel()
        part.file.close()


async def _drained(pause: Pause | None) -> bool:
    if pause is not None:
        await pause()
    return True


async def _wake_at_end(ended: Ended, watch: Watch) -> None:
    await ended()
    asyncio.get_running_loop().call_soon(watch.wake)  # when this task is done


__all__ = ["NoLog", "read_log", "stream_log"]
