"""Removes network namespaces that the runtime has forgotten.

A containerd that is killed while it begins a sandbox may forget the namespace that it had just made. It keeps them in a directory
beside its socket, where nobody else makes any (`netns_mounts_under_state_dir`; where many runtimes share /run/netns we touch nothing).
A forgotten one is empty: no process lives in it, and it has no link but those that the kernel gives to each. What is found empty twice,
longer apart than the beginning of a sandbox may take, goes. Should somebody have begun to use it after all, his sandbox fails and is made
anew.
"""

import asyncio
import os
from dataclasses import dataclass, field
from pathlib import Path

from kit import log
from kit.clock import Clock
from linux import netns

LOOK_EVERY = 600.0
FOLDER = "io.containerd.grpc.v1.cri/netns"
PREFIX = "cni-"
_log = log.get("namespaces")


@dataclass(slots=True)
class ForgottenNamespaces:
    """See the module. `folder` is where the runtime keeps namespaces."""

    folder: Path
    clock: Clock
    _empty: dict[str, int] = field(default_factory=dict)  # by path, as of the last look

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
            except (OSError, netns.NetnsError) as error:
                _log.warning("cannot look for forgotten network namespaces", folder=self.folder, error=error)
            await self.clock.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Once: those go that were empty the last time as well."""
        empty = await asyncio.to_thread(find_empty, self.folder)
        for path in [path for path, number in empty.items() if self._empty.get(path) == number]:
            await asyncio.to_thread(netns.remove, path)
            _log.info("removed a network namespace that the runtime had forgotten", path=path)
            del empty[path]
        self._empty = empty


def find_empty(folder: Path) -> dict[str, int]:
    """The namespaces in which there is nobody and nothing: path -> number."""
    try:
        names = [name for name in os.listdir(folder) if name.startswith(PREFIX)]
    except FileNotFoundError:
        return {}
    lived_in = netns.lived_in() if names else set()
    found = {}
    for path in (f"{folder}/{name}" for name in names):
        try:
            with netns.opened(path) as descriptor:
                number = os.fstat(descriptor).st_ino
                if number not in lived_in and not netns.made_links(descriptor):
                    found[path] = number
        except netns.NotFound:
            continue  # removed meanwhile, or not there yet
    return found


def folder_of(endpoint: str) -> Path:
    """Where the runtime at this endpoint keeps namespaces, if it keeps them by itself."""
    return Path(endpoint.removeprefix("unix://")).parent / FOLDER
