"""Trees of files that others made, removed however deep they are: a pod may nest directories deeper than Python's own removal recurses,
and longer than a path may be."""

import os
import shutil
from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_all(root: str | Path) -> None:
    """Remove a directory and all that is in it. Raises OSError."""
    try:
        shutil.rmtree(root)
    except RecursionError:
        _remove_deep(root)


def _remove_deep(root: str | Path) -> None:
    """What lies deeper is lifted to the top, level by level; so two descriptors and short names are enough."""
    top = os.open(root, _FOLDER)
    try:
        while names := os.listdir(top):
            for name in names:
                if not _unlinked(name, top):
                    _lift_all(name, top)
                    os.rmdir(name, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(root)


def _lift_all(name: str, top: int) -> None:
    """Empty one directory; those in it become its neighbours."""
    folder = os.open(name, _FOLDER, dir_fd=top)
    try:
        for inner in os.listdir(folder):
            if not _unlinked(inner, folder):
                os.rename(inner, f"lifted-{os.urandom(8).hex()}", src_dir_fd=folder, dst_dir_fd=top)
    finally:
        os.close(folder)


def _unlinked(name: str, where: int) -> bool:
    """Remove it; False for a directory, which stays."""
    try:
        os.unlink(name, dir_fd=where)
    except IsADirectoryError:
        return False
    return True
