"""hostPath: files of the node itself. Nothing is mounted and nothing is removed; only the promised type is looked at."""

import os
import stat
from collections.abc import Callable

from api.core_v1 import HostPathVolumeSource
from nodeagent.render.settings import ConfigProblem

_CHECKS: dict[str, tuple[Callable[[int], bool], str]] = {
    "Directory": (stat.S_ISDIR, "is not a directory"),
    "DirectoryOrCreate": (stat.S_ISDIR, "is not a directory"),
    "File": (stat.S_ISREG, "is not a file"),
    "FileOrCreate": (stat.S_ISREG, "is not a file"),
    "Socket": (stat.S_ISSOCK, "is not a socket file"),
    "CharDevice": (stat.S_ISCHR, "is not a character device"),
    "BlockDevice": (stat.S_ISBLK, "is not a block device"),
}


def check_host_path(source: HostPathVolumeSource) -> None:
    """What hostPath's type promises; the `...OrCreate` types make what is missing. Raises ConfigProblem."""
    kind, path = source.type or "", source.path
    if ".." in path.split("/"):
        raise ConfigProblem(f"path {path} must not contain '..'")
    if not kind:
        return
    if kind not in _CHECKS:
        raise ConfigProblem(f"unknown hostPath type {kind}")
    if not os.path.lexists(path):
        if kind == "DirectoryOrCreate":
            os.makedirs(path, mode=0o755)
        elif kind == "FileOrCreate":
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
    check, complaint = _CHECKS[kind]
    try:
        fits = check(os.stat(path).st_mode)
    except FileNotFoundError:
        fits = False
    if not fits:
        raise ConfigProblem(f"hostPath type check failed: {path} {complaint}")
