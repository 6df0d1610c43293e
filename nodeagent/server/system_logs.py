"""/logs/: the machine's own log files, where the configuration opens them. Nothing outside their folder, whatever links say."""

import asyncio
import os
import stat
from typing import BinaryIO
from urllib.parse import quote

from kit.http.errors import ClientError
from kit.http.model import HttpError, Request, Response
from linux.beneath import OutsideError, opened

TEXT = "text/plain; charset=utf-8"
BLOCK = 256 << 10
DISABLED = Response(405, b"logs endpoint is disabled.\n", TEXT)
ABSENT = Response(404, b"404 page not found\n", TEXT)


async def send_system_log(request: Request, root: str, path: str) -> Response | None:
    """Answer with a file or with the names in a folder; None when it was sent piece by piece."""
    found = await asyncio.to_thread(system_log, root, path)
    if isinstance(found, Response):
        return found
    stream = request.start_stream(200, [("Content-Type", TEXT)])
    left = os.fstat(found.fileno()).st_size  # what is written meanwhile would never end
    try:
        while left > 0 and (block := await asyncio.to_thread(found.read, min(BLOCK, left))):
            left -= len(block)
            stream.write(block)
            await stream.drain()
        stream.close()
    except (HttpError, ClientError, OSError):
        stream.abort()  # the reader has gone, or the disk has
    finally:
        found.close()
    return None


def system_log(root: str, path: str) -> Response | BinaryIO:
    """A small file, or the names in a folder, as the answer; a large file to be sent. May block."""
    if not root:
        return DISABLED
    if "\0" in path:
        return ABSENT
    place, inside = os.path.realpath(os.path.join(root, path.lstrip("/"))), os.path.realpath(root)
    if place != inside and not place.startswith(inside + "/"):
        return ABSENT
    try:
        with opened(inside, os.path.relpath(place, inside)) as found:  # whatever is exchanged on the way since
            status = os.fstat(found)
            if not (stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode)):
                return ABSENT
            descriptor = os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, OutsideError):
        return ABSENT
    file = open(descriptor, "rb") if stat.S_ISREG(status.st_mode) else None  # noqa: SIM115
    if file is None:
        try:
            return _listing(descriptor)
        finally:
            os.close(descriptor)
    if status.st_size > BLOCK:
        return file
    with file:
        return Response(200, file.read(BLOCK), TEXT)


def _listing(folder: int) -> Response:
    import html  # a large table of names, for a page that few look at

    with os.scandir(folder) as entries:
        names = sorted(entry.name + ("/" if entry.is_dir() else "") for entry in entries)
    lines = [f'<a href="{quote(os.fsencode(name))}">{html.escape(name)}</a>\n' for name in names]
    page = f"<!doctype html>\n<pre>\n{''.join(lines)}</pre>\n"
    return Response(200, page.encode(errors="replace"), "text/html; charset=utf-8")
