"""systemd's logind: hold up a shutdown for a while, and hear of one."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

from linux.dbus import INTERFACE, MEMBER, SYSTEM_BUS, Bus, DbusError

MANAGER = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
PROPERTIES = (*MANAGER[:2], "org.freedesktop.DBus.Properties")
SYSTEMD = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
SETTINGS = Path("/etc/systemd/logind.conf.d/99-wherry.conf")
HANGUP = 1


class Logind:
    """A connection to logind and, while held, the lock that delays shutdowns. All calls may raise `DbusError`."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._lock: int | None = None

    @classmethod
    async def open(cls, path: str = SYSTEM_BUS) -> "Logind":
        """Connect, and hear of shutdowns from now on."""
        bus = Bus()
        await bus.open(path)
        try:
            await bus.listen(MANAGER[2], "PrepareForShutdown")
        except BaseException:
            bus.close()
            raise
        return cls(bus)

    async def hold(self) -> None:
        """Take the lock."""
        asked = ["shutdown", "wherry", "pods need time to end", "delay"]
        answer = await self._bus.call(MANAGER, "Inhibit", "ssss", asked)
        if not answer.descriptors:
            raise DbusError("cannot hold up shutdowns: logind gave no lock")
        self.release()
        self._lock = answer.descriptors[0]

    def release(self) -> None:
        """Let the machine go down."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def longest(self) -> float:
        """How many seconds logind lets anybody hold up a shutdown."""
        answer = await self._bus.call(PROPERTIES, "Get", "ss", [MANAGER[2], "InhibitDelayMaxUSec"])
        return float(answer.body[0]) / 1e6

    async def allow(self, seconds: float, settings: Path = SETTINGS) -> None:
        """Make logind wait so long, if it does not already."""
        if await self.longest() >= seconds:
            return
        settings.parent.mkdir(parents=True, exist_ok=True)
        settings.write_text(f"[Login]\nInhibitDelayMaxSec={seconds:.0f}\n")
        await self._bus.call(SYSTEMD, "KillUnit", "ssi", ["systemd-logind.service", "all", HANGUP])

    async def shutdowns(self) -> AsyncIterator[bool]:
        """True when the machine is about to go down, false when it stays after all; ends when logind is gone."""
        while (message := await self._bus.signals.get()) is not None:
            named = (message.fields.get(INTERFACE), message.fields.get(MEMBER))
            if named == (MANAGER[2], "PrepareForShutdown") and message.body:
                yield bool(message.body[0])

    def close(self) -> None:
        """Leave; the lock goes with us."""
        self.release()
        self._bus.close()
