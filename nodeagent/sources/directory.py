"""The directory of manifests: what is in it now, told again whenever the kernel says that it changed.

Files are read in the order of their names; those that begin with a dot, and directories, are left out. A file that cannot be used is
logged once, and until it is repaired the pods of its last good version stay: an editor's slip must not end what runs.
"""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass

from api.core_v1 import Pod
from kit import log
from kit.backoff import Backoff
from kit.clock import Clock
from linux.inotify import CLOSE_WRITE, CREATE, DELETE, DELETE_SELF, MOVE_SELF, MOVED_FROM, MOVED_TO, Watch
from nodeagent.sources.problems import BadManifest

EVENTS = CLOSE_WRITE | CREATE | DELETE | DELETE_SELF | MOVE_SELF | MOVED_FROM | MOVED_TO
CALM = 0.05  # seconds: several files are often written together
LARGEST = 10 << 20
_log = log.get("manifests")


@dataclass(slots=True)
class _File:
    stamp: tuple[int, ...]
    pods: list[Pod]


class ManifestDirectory:
    """See the module. `tell` gets all pods of the directory, first the ones there were at the start."""

    def __init__(self, path: str, node: str, clock: Clock, tell: Callable[[list[Pod]], object]) -> None:
        self._path = os.path.abspath(path)
        self._node = node
        self._clock = clock
        self._tell = tell
        self._files: dict[str, _File] = {}
        self._told: set[str] = set()  # what was wrong at the last look, and was said
        self._wrong: set[str] = set()

    async def run(self) -> None:
        """Until cancelled."""
        retries = Backoff(base=0.5, cap=10.0).retries()
        while True:
            try:
                os.makedirs(self._path, mode=0o755, exist_ok=True)
                await self._follow(retries.reset)
                wait = CALM  # the directory itself was moved or removed
            except OSError as error:
                self._tell(self.read())
                self._complain(f"cannot watch the manifests in {self._path}: {error.strerror or error}")
                wait = retries.next()
            await self._clock.sleep(wait)

    async def _follow(self, begun: Callable[[], None]) -> None:
        async with Watch() as watch:
            watch.add(self._path, EVENTS)
            place = os.stat(self._path).st_ino
            begun()
            while True:
                self._tell(self.read())
                await watch.wait()
                await self._clock.sleep(CALM)
                try:
                    if os.stat(self._path).st_ino != place:
                        return
                except FileNotFoundError:
                    self._tell(self.read())
                    return

    def read(self) -> list[Pod]:
        """All pods of the directory as it is now; a name or a uid that two of them have belongs to the first."""
        self._told, self._wrong = self._wrong, set()
        try:
            names = sorted(entry.name for entry in os.scandir(self._path) if not entry.name.startswith("."))
        except FileNotFoundError:
            names = []
        except OSError as error:
            self._complain(f"cannot read the manifests in {self._path}: {error.strerror}")
            names = list(self._files)
        self._files = {name: file for name in names if (file := self._read(name)) is not None}
        found: dict[tuple[str, str], Pod] = {}
        uids: set[str | None] = set()
        for name, file in self._files.items():
            for pod in file.pods:
                key = (pod.metadata.namespace or "", pod.metadata.name or "")
                if key in found or pod.metadata.uid in uids:
                    same = "name" if key in found else "uid"
                    self._complain(
                        f"cannot run pod {key[0]}/{key[1]} of {name}: another manifest has one of that {same}"
                    )
                    continue
                found[key] = pod
                uids.add(pod.metadata.uid)
        return list(found.values())

    def _read(self, name: str) -> _File | None:
        from nodeagent.sources.manifests import read_manifest  # with the rules for pods: only where there are manifests

        path, before = os.path.join(self._path, name), self._files.get(name)
        try:
            status = os.stat(path)
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stat.S_ISDIR(status.st_mode):
                return None
            if before is not None and before.stamp == stamp:
                return before
            if not stat.S_ISREG(status.st_mode):
                raise BadManifest(f"cannot read {path}: it is no file")  # a pipe would keep us waiting
            with open(path, "rb") as file:
                data = file.read(LARGEST + 1)
            if len(data) > LARGEST:
                raise BadManifest(f"cannot read {path}: it is larger than {LARGEST >> 20} MiB")
            return _File(stamp, read_manifest(path, data, self._node))
        except FileNotFoundError:
            return None
        except (BadManifest, OSError) as error:
            kept = before.pods if before is not None else []
            _log.error(str(error), file=name, pods_kept=len(kept))
            return _File(stamp if isinstance(error, BadManifest) else (), kept)

    def _complain(self, problem: str) -> None:
        if problem not in self._told | self._wrong:
            _log.error(problem)
        self._wrong.add(problem)
