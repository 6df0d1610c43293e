"""The files of volumes that variables are taken from. Containers write them, so they may be anything, and slow to read."""

import errno
import os
import stat
from collections.abc import Iterable, Mapping

from api.core_v1 import Pod
from linux.beneath import OutsideError, opened
from nodeagent.model.spec import AnyContainer
from nodeagent.render.mounts import Place
from nodeagent.render.settings import ConfigProblem
from nodeagent.sync.doors import Doors

MOST = 1 << 20
Key = tuple[str, str]  # the volume, and the path in it


async def read_env_files(doors: Doors, pod: Pod, container: AnyContainer) -> dict[Key, str]:
    """Their text; those that cannot be read are missing. Raises `ConfigProblem`."""
    chosen = [v.value_from.file_key_ref for v in container.env if v.value_from is not None]
    wanted = sorted({(ref.volume_name, ref.path) for ref in chosen if ref is not None})
    if not wanted:
        return {}
    places = doors.volumes.places(pod)
    for volume, _ in wanted:
        if volume not in places:
            raise ConfigProblem(f'cannot find the volume "{volume}" referenced by FileKeyRef')
    found: dict[Key, str] = {}
    await doors.blocking(lambda: found.update(_read(places, wanted)))
    return found


def _read(places: Mapping[str, Place], wanted: Iterable[Key]) -> dict[Key, str]:
    found = {}
    for volume, path in wanted:
        try:
            found[volume, path] = _regular_file(places[volume].path, path)
        except (OSError, OutsideError, ValueError):
            continue
    return found


def _regular_file(root: str, path: str) -> str:
    """What is in a file of a volume: links out of it lead nowhere, and a pipe would make us wait for ever."""
    with opened(root, path) as descriptor:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
        with open(f"/proc/self/fd/{descriptor}") as file:
            return file.read(MOST)
