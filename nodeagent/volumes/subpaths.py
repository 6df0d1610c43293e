"""Parts of volumes that containers see: found without following a link out of the volume, and bound to a place of our own.

What a path means can be changed at any time by who writes to the volume. So the path is walked once, the descriptor that was reached is
bound, and the runtime is given the place where it is bound. Each start of a container walks anew: a ConfigMap may have another version by
then. The places are unmounted with the pod's directory.
"""

import os
import stat
from dataclasses import dataclass

from kit import log
from linux.beneath import OutsideError, opened
from linux.mounts import MountError, Mounts
from nodeagent.render.settings import ConfigProblem

_log = log.get("volumes")


@dataclass(frozen=True, slots=True)
class SubPaths:
    """The places of one pod, below `root`."""

    mounts: Mounts
    root: str

    def bind(self, container: str, index: int, volume: str, directory: str, path: str) -> str:
        """Where the part of a volume is bound for one mount of a container. Raises ConfigProblem."""
        try:
            self._make(directory, path)
        except (OSError, OutsideError) as error:
            what = "prepare subPath" if isinstance(error, NotADirectoryError) else "create subPath directory"
            raise self._refused(what, volume, container, error) from error
        try:
            return self._bind(f"{self.root}/{volume}/{container}/{index}", directory, path)
        except (OSError, OutsideError, MountError) as error:
            raise self._refused("prepare subPath", volume, container, error) from error

    def _make(self, directory: str, path: str) -> None:
        """Missing directories get the mode of the volume."""
        mode = stat.S_IMODE(os.stat(directory).st_mode)
        with opened(directory, path, make=mode):
            pass

    def _bind(self, place: str, directory: str, path: str) -> str:
        with opened(directory, path) as descriptor:
            if place in self.mounts.below(place):
                self.mounts.unmount(place)  # of the container's last start, which has what it needs
            self._clear(place)
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                os.makedirs(place, mode=0o750)
            else:
                os.makedirs(os.path.dirname(place), mode=0o750, exist_ok=True)
                os.close(os.open(place, os.O_CREAT | os.O_WRONLY, 0o640))
            self.mounts.bind_alone(f"/proc/self/fd/{descriptor}", place)
        return place

    def _clear(self, place: str) -> None:
        if os.path.isdir(place):
            os.rmdir(place)
        elif os.path.lexists(place):
            os.unlink(place)

    def _refused(self, what: str, volume: str, container: str, error: Exception) -> ConfigProblem:
        """Users are not told what is on the host."""
        _log.warning(f"cannot {what}", volume=volume, container=container, error=error)
        return ConfigProblem(f'failed to {what} for volumeMount "{volume}" of container "{container}"')
