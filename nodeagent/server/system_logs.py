"""/logs/: the machine's own log files, where the configuration opens them. Nothing outside their folder, whatever links say."""

import os
import stat
from urllib.parse import quote

from kit.http.model import Response

TEXT = "text/plain; charset=utf-8"
LARGEST = 64 << 20
DISABLED = Response(405, b"logs endpoint is disabled.\n", TEXT)


def system_log(root: str, path: str) -> Response:
    """A file, the end of it if it is huge, or the names in a folder. May block."""
    if not root:
        return DISABLED
    if "\0" in path:
        return Response(404, b"404 page not found\n", TEXT)
    place = os.path.realpath(os.path.join(root, path.lstrip("/")))
    inside = os.path.realpath(root)
    if place != inside and not place.startswith(inside + "/"):
        return Response(404, b"404 page not found\n", TEXT)
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return Response(404, b"404 page not found\n", TEXT)
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            return _listing(descriptor)
        if stat.S_ISREG(status.st_mode):
            return Response(200, os.pread(descriptor, LARGEST, max(0, status.st_size - LARGEST)), TEXT)
        return Response(404, b"404 page not found\n", TEXT)
    finally:
        os.close(descriptor)


def _listing(folder: int) -> Response:
    import html  # a large table of names, for a page that few look at

    with os.scandir(folder) as entries:
        names = sorted(entry.name + ("/" if entry.is_dir() else "") for entry in entries)
    lines = [f'<a href="{quote(os.fsencode(name))}">{html.escape(name)}</a>\n' for name in names]
    page = f"<!doctype html>\n<pre>\n{''.join(lines)}</pre>\n"
    return Response(200, page.encode(errors="replace"), "text/html; charset=utf-8")
