"""Keeps the links to logs (`plan/log_links.py`): what containers there are is compared with what was last linked every few seconds."""

import os
from collections.abc import Mapping

from kit import log
from kit.clock import Clock
from nodeagent.model.spec import ref_of
from nodeagent.plan.log_links import link_name, plan_links
from nodeagent.render.sandbox import log_file
from nodeagent.render.settings import NodeSettings
from nodeagent.sync.worker import PodWorker

EVERY = 2.0
_log = log.get("logs")


class LogLinks:
    """See the module."""

    def __init__(self, workers: Mapping[str, PodWorker], settings: NodeSettings, clock: Clock, folder: str) -> None:
        self._workers = workers
        self._settings = settings
        self._clock = clock
        self._folder = folder
        self._linked: dict[str, str] | None = None

    async def run(self) -> None:
        """Until cancelled."""
        problem = ""
        while True:
            try:
                self.look()
                problem = ""
            except OSError as error:
                self._linked = None
                if str(error) != problem:
                    _log.warning("cannot link logs", folder=self._folder, error=error)
                problem = str(error)
            await self._clock.sleep(EVERY)

    def look(self) -> None:
        """Compare, and change what differs."""
        wanted = self._wanted()
        if wanted == self._linked:
            return
        there = self._there() if self._linked is None else self._linked
        plan = plan_links(wanted, there, self._settings.pod_logs)
        if plan.make:
            os.makedirs(self._folder, mode=0o755, exist_ok=True)
        for name in plan.remove:
            _unlink(f"{self._folder}/{name}")
        for name, target in plan.make.items():
            _unlink(f"{self._folder}/{name}")
            os.symlink(target, f"{self._folder}/{name}")
        self._linked = wanted

    def _wanted(self) -> dict[str, str]:
        found = {}
        for worker in self._workers.values():
            pod = worker.state.pod
            for one in worker.state.seen.containers:
                if one.started_at or one.running:
                    found[link_name(ref_of(pod), one.name, one.id)] = log_file(pod, one, self._settings)
        return found

    def _there(self) -> dict[str, str]:
        try:
            entries = list(os.scandir(self._folder))
        except FileNotFoundError:
            return {}
        return {entry.name: os.readlink(entry.path) for entry in entries if entry.is_symlink()}


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
