"""Storage drivers make themselves known by a socket in a directory; who is there is asked, and told to the API server.

A driver puts the socket of its registrar into `<root>/plugins_registry`. We ask it who it is, ask the driver itself for its name of this
node, write both into the CSINode object, and tell the registrar how it went. When the socket goes, so does the driver. What could
not be done is tried again after a while, for the API server or the driver may be away.
"""

import os
import stat
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from kit import log
from kit.backoff import Backoff
from kit.clock import Clock
from linux import inotify

if TYPE_CHECKING:
    from nodeagent.csi.driver import Driver

VERSION = "1."
DRIVER = "CSIPlugin"
_RETRY = Backoff(base=0.5, cap=30.0)
_log = log.get("drivers")

Tell = Callable[[dict[str, "Driver"], set[str]], Awaitable[None]]  # who is there, and who went


class Registry:
    """See the module. `tell` writes the registered drivers into the API server; `changed` hears when there are others."""

    def __init__(self, root: str, clock: Clock, tell: Tell, changed: Callable[[], object] = lambda: None) -> None:
        self.directory = f"{root}/plugins_registry"
        self._clock = clock
        self._tell = tell
        self._changed = changed
        self._drivers: dict[str, Driver] = {}
        self._sockets: dict[str, tuple[int, str]] = {}  # path -> inode, name of the driver
        self._gone: set[str] = set()
        self._said = False  # that the node has no other drivers, at least

    def named(self, name: str) -> "Driver | None":
        """The driver of that name, if it is registered."""
        return self._drivers.get(name)

    def drivers(self) -> "list[Driver]":
        """All that are registered."""
        return list(self._drivers.values())

    async def ask_again(self, driver: "Driver") -> None:
        """Have it say once more who it is on this node. Raises DriverFault, ApiError."""
        await driver.introduce()
        await self._tell(self._drivers, set())

    async def run(self) -> None:
        """Follow the directory until cancelled."""
        os.makedirs(self.directory, mode=0o750, exist_ok=True)
        retries = _RETRY.retries()
        async with inotify.Watch() as watch:
            watch.add(self.directory, inotify.CREATE | inotify.DELETE | inotify.MOVED_TO | inotify.MOVED_FROM)
            while True:
                if await self.look():
                    retries.reset()
                    await watch.wait()
                else:
                    timer = self._clock.call_later(retries.next(), watch.wake)
                    await watch.wait()
                    timer.cancel()

    async def look(self) -> bool:
        """Compare the directory with what is registered; false if something has to be tried again."""
        found = self._present()
        gone = [path for path, known in self._sockets.items() if found.get(path) != known[0]]
        for path in gone:
            _, name = self._sockets.pop(path)
            if any(name == other for _, other in self._sockets.values()):
                continue  # a newer one has taken its place
            if (driver := self._drivers.pop(name, None)) is not None:
                self._gone.add(name)
                await driver.close()
                _log.info("a driver is gone", driver=name)
        good = await self._told() if self._gone or not self._said else True
        for path, inode in found.items():
            if path not in self._sockets:
                good = await self._register(path, inode) and good
        if gone or found:
            self._changed()
        return good

    async def close(self) -> None:
        """Hang up on all of them."""
        for driver in self._drivers.values():
            await driver.close()

    def _present(self) -> dict[str, int]:
        """The sockets that are there."""
        found = {}
        with os.scandir(self.directory) as entries:
            for entry in entries:
                try:
                    about = entry.stat()
                except FileNotFoundError:
                    continue
                if stat.S_ISSOCK(about.st_mode) and not entry.name.startswith("."):
                    found[entry.path] = about.st_ino
        return found

    async def _register(self, path: str, inode: int) -> bool:
        """False if it is worth another try."""
        from nodeagent.csi.driver import Door, Driver, DriverFault  # not before there are drivers
        from proto import plugin_registration_v1_calls as calls
        from proto import plugin_registration_v1_pb2 as pb

        door = Door(path)
        try:
            about = await door.call(calls.GET_INFO, pb.InfoRequest(), 10.0)
            problem = _unfit(about)
            if problem:
                _log.warning("a plugin cannot be used", path=path, reason=problem)
                self._sockets[path] = inode, ""
            else:
                driver = Driver(about.name, about.endpoint or path)
                problem = await self._admit(driver, path, inode)
            answer = pb.RegistrationStatus(plugin_registered=not problem, error=problem)
            await door.call(calls.NOTIFY_REGISTRATION_STATUS, answer, 10.0)
        except DriverFault as error:
            _log.warning("cannot register a plugin, will try again", path=path, error=error)
            return path in self._sockets
        finally:
            await door.close()
        return path in self._sockets

    async def _admit(self, driver: "Driver", path: str, inode: int) -> str:
        """Take a driver in; why not, if not."""
        from nodeagent.csi.driver import DriverFault

        try:
            await driver.introduce()
        except DriverFault as error:
            await driver.close()
            return f"RegisterPlugin error -- plugin registration failed with err: {error}"
        before = self._drivers.pop(driver.name, None)
        if before is not None:
            await before.close()
        self._drivers[driver.name] = driver
        if not await self._told():
            self._drivers.pop(driver.name)
            await driver.close()
            return "RegisterPlugin error -- cannot update CSINode"
        self._sockets[path] = inode, driver.name
        _log.info("a driver is registered", driver=driver.name, node=driver.info.node_id)
        return ""

    async def _told(self) -> bool:
        from client.errors import ApiError

        gone = self._gone - self._drivers.keys()
        try:
            await self._tell(self._drivers, gone)
        except ApiError as error:
            _log.warning("cannot tell the API server of storage drivers, will try again", error=error)
            return False
        self._gone.clear()
        self._said = True
        return True


def _unfit(about: object) -> str:
    """Why a plugin is none of ours, "" if it is."""
    kind, versions = about.type, list(about.supported_versions)  # type: ignore[attr-defined]
    if kind != DRIVER:
        return f"no handler registered for plugin type: {kind}"
    if not any(version.lstrip("v").startswith(VERSION) for version in versions):
        return f"validation of {kind} failed: no supported version of CSI among {', '.join(versions) or 'none'}"
    return ""
