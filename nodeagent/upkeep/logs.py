"""Rotates the logs of running containers.

Files are only looked at (one `stat` each), the sooner the faster they grow; the kernel's word for each line written would cost more
than all the lines. What fails is tried again at the next look and stops no other container's rotation.
"""

import asyncio
import glob
import os
import shutil
from collections.abc import Iterable

from api import times
from kit import log
from kit.clock import Clock
from nodeagent.cri.errors import NotFound, RuntimeFault
from nodeagent.cri.port import Runtime
from nodeagent.plan.rotation import (
    GZIP,
    TEMPORARY,
    CompressLog,
    LogAction,
    RemoveLog,
    RotateLog,
    RotationPolicy,
    plan_look,
    plan_rotation,
)
from nodeagent.render.sandbox import log_file
from nodeagent.render.settings import NodeSettings
from nodeagent.server.logs import open_log
from nodeagent.sync.worker import PodWorker

_log = log.get("logs")


class LogRotation:
    """See the module. `workers` are asked for anew at each look."""

    def __init__(
        self,
        workers: dict[str, PodWorker],
        runtime: Runtime,
        settings: NodeSettings,
        clock: Clock,
        policy: RotationPolicy,
    ) -> None:
        self._workers = workers
        self._runtime = runtime
        self._settings = settings
        self._clock = clock
        self._policy = policy
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Until cancelled."""
        before: dict[str, int] = {}
        at, wait = self._clock.monotonic(), 1.0
        while True:
            await self._clock.sleep(wait)
            sizes = await self.look()
            now = self._clock.monotonic()
            wait = plan_look(sizes, before, now - at, self._policy)
            before, at = sizes, now

    async def look(self) -> dict[str, int]:
        """Rotate what is full; the sizes of all logs."""
        async with self._turn:
            return await self._look()

    async def _look(self) -> dict[str, int]:
        sizes: dict[str, int] = {}
        for path, ident in self._logs():
            try:
                size = os.stat(path).st_size
                if size >= self._policy.size:
                    await self._rotate(path, ident)
                    size = 0
            except FileNotFoundError:
                size = 0
                await self._reopen(path, ident)
            except (OSError, RuntimeFault) as error:
                _log.warning("cannot rotate a log", path=path, error=error)
            sizes[path] = size
        return sizes

    def _logs(self) -> Iterable[tuple[str, str]]:
        """The logs of what runs, and whose they are."""
        for worker in list(self._workers.values()):
            pod = worker.state.pod
            for container in worker.state.seen.overlay(worker.state.exits).containers:
                if container.running:
                    yield log_file(pod, container, self._settings), container.id

    async def _rotate(self, path: str, ident: str) -> None:
        digits = times.format_time(self._clock.now())
        stamp = f"{digits[:10].replace('-', '')}-{digits[11:19].replace(':', '')}"
        names = glob.glob(glob.escape(path) + ".*")
        for action in plan_rotation(path, names, stamp, self._policy):
            await self._act(action, ident)

    async def _act(self, action: LogAction, ident: str) -> None:
        match action:
            case RemoveLog(path):
                os.unlink(path)
            case CompressLog(path):
                await asyncio.to_thread(compress, path)
            case RotateLog(path, rotated):
                os.rename(path, rotated)
                try:
                    await self._runtime.reopen_log(ident)
                except NotFound:
                    pass  # it has ended meanwhile: its log is whole
                except RuntimeFault:
                    if not os.path.exists(path):
                        os.rename(rotated, path)
                    raise

    async def _reopen(self, path: str, ident: str) -> None:
        """Somebody removed the file of a container that runs: it would write into nowhere."""
        if not os.path.isdir(os.path.dirname(path)):
            return  # the pod is going
        try:
            await self._runtime.reopen_log(ident)
        except RuntimeFault as error:
            _log.warning("a log is missing, and cannot be opened anew", path=path, error=error)


def compress(path: str) -> None:
    """Replace a rotated log by its compressed form; never through a link. Raises OSError."""
    import gzip  # few logs grow so large

    temporary = path + TEMPORARY
    with open_log(path) as source, open(temporary, "xb") as target:
        os.fchmod(target.fileno(), os.fstat(source.fileno()).st_mode & 0o7777)
        with gzip.GzipFile("", "wb", 6, target) as packed:
            shutil.copyfileobj(source, packed, 256 * 1024)
    os.rename(temporary, path + GZIP)
    os.unlink(path)
