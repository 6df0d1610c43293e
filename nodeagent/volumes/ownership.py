"""Whose the files of a volume are: the pod's fsGroup may do with them what their user may; tokens are their user's alone.

`give` walks through a volume that containers may be writing to: every file is opened by itself, below the directory that was opened before
it, and never through a link, so nothing outside the volume is ever changed. Before a volume is shown that is to be given, a mark is made,
and taken away when all of it was given: whoever comes after an agent that died on the way begins anew.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from api.core_v1 import Pod

READ_WRITE, READ, ENTER = 0o660, 0o440, 0o110
ON_ROOT_MISMATCH = "OnRootMismatch"
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


def fs_group(pod: Pod) -> int | None:
    """The group that volumes belong to."""
    context = pod.spec.security_context
    return context.fs_group if context is not None else None


def change_policy(pod: Pod) -> str:
    """When a volume is walked through: always, or only if its root does not look right."""
    context = pod.spec.security_context
    return (context.fs_group_change_policy if context is not None else None) or "Always"


def fs_user(pod: Pod) -> int | None:
    """The one user that all containers run as, if the pod says so."""
    whole = pod.spec.security_context
    users = set[int | None]()
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        own = container.security_context
        user = own.run_as_user if own is not None else None
        users.add(user if user is not None else whole.run_as_user if whole is not None else None)
    return users.pop() if len(users) == 1 else None


def granted(mode: int, *, directory: bool, read_only: bool = False) -> int:
    """The mode with what the group of a volume needs; what is made in a directory has the same group."""
    mode |= READ if read_only else READ_WRITE
    return mode | ENTER | stat.S_ISGID if directory else mode


def is_given(found: os.stat_result, group: int, *, read_only: bool = False) -> bool:
    """Whether the root of a volume looks as if the whole of it had been given to the group."""
    wanted = granted(0, directory=True, read_only=read_only)
    return stat.S_ISDIR(found.st_mode) and found.st_gid == group and found.st_mode & wanted == wanted


def half_given(pod_directory: str, label: str) -> Path:
    """The mark of a volume that is being given."""
    return Path(pod_directory, "half-given", label)


@contextmanager
def marked(mark: Path) -> Iterator[None]:
    """The mark is there until the work is done."""
    mark.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    mark.touch()
    yield
    mark.unlink()


def give(directory: str, group: int, policy: str = "", *, read_only: bool = False) -> bool:
    """Give a volume to a group; false if it is the group's and the policy trusts what its root shows."""
    root = os.open(directory, os.O_PATH | os.O_CLOEXEC)
    try:
        if policy == ON_ROOT_MISMATCH and is_given(os.stat(root), group, read_only=read_only):
            return False
        _give(root, group, read_only)
    except RecursionError:  # a path to what is so deep would be longer than any may be
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), directory) from None
    finally:
        os.close(root)
    return True


def _give(descriptor: int, group: int, read_only: bool) -> None:
    """What is in it first: a root that looks right says that all is."""
    found = os.fstat(descriptor)
    if stat.S_ISDIR(found.st_mode):
        for name in os.listdir(f"/proc/self/fd/{descriptor}"):
            try:
                inner = os.open(name, _LOOK, dir_fd=descriptor)
            except FileNotFoundError:
                continue  # removed meanwhile
            try:
                _give(inner, group, read_only)
            finally:
                os.close(inner)
    path = f"/proc/self/fd/{descriptor}"
    if stat.S_ISLNK(found.st_mode):
        return  # nobody asks whose a link is
    os.chown(path, -1, group)
    os.chmod(path, granted(stat.S_IMODE(found.st_mode), directory=stat.S_ISDIR(found.st_mode), read_only=read_only))
