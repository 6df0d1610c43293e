"""What a host changed on its root: read from the overlay's upper folder."""

import filecmp
import os
import stat
from pathlib import Path


def changed_files(upper: Path, lower: Path) -> list[str]:
    """Paths that differ between an overlay's upper folder and what lies under it.

    A folder that was only copied up, or a file written again with the same content, is no change.
    """
    found: list[str] = []
    _walk(upper, lower, "", found)
    return sorted(found)


def _walk(upper: Path, lower: Path, inside: str, found: list[str]) -> None:
    opaque = _is_opaque(upper)
    if opaque:
        hidden = {entry.name for entry in os.scandir(lower)} - {entry.name for entry in os.scandir(upper)}
        found += [f"{inside}/{name}" for name in hidden]
    for entry in os.scandir(upper):
        path, below = f"{inside}/{entry.name}", lower / entry.name
        status = entry.stat(follow_symlinks=False)
        if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
            if os.path.lexists(below):
                found.append(path)
        elif not os.path.lexists(below):
            found += [path, *_below(entry.path, path)]
        elif entry.is_dir(follow_symlinks=False) and below.is_dir() and not below.is_symlink():
            _walk(Path(entry.path), below, path, found)
        elif not _same(Path(entry.path), below, status):
            found.append(path)


def _below(folder: str, inside: str) -> list[str]:
    return [
        f"{inside}{parent[len(folder) :]}/{name}"
        for parent, folders, files in os.walk(folder)
        for name in (*folders, *files)
    ]


def _same(one: Path, other: Path, status: os.stat_result) -> bool:
    before = other.lstat()
    if (status.st_mode, status.st_uid, status.st_gid) != (before.st_mode, before.st_uid, before.st_gid):
        return False
    if stat.S_ISLNK(status.st_mode):
        return os.readlink(one) == os.readlink(other)
    return stat.S_ISREG(status.st_mode) and filecmp.cmp(one, other, shallow=False)


def _is_opaque(folder: Path) -> bool:
    try:
        return os.getxattr(folder, "trusted.overlay.opaque") == b"y"
    except OSError:
        return False
