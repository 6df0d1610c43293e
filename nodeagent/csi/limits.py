"""How many volumes a driver can have on this node may change while it runs: those whose CSIDriver says so are asked time and again.

Terms are read anew every minute as long as there are drivers, so nothing has to be watched for the few that want this.
"""

from typing import TYPE_CHECKING

from api import kinds
from client.client import Client
from client.errors import ApiError
from kit import log
from kit.clock import Clock
from nodeagent.csi.registry import Registry

if TYPE_CHECKING:
    from nodeagent.csi.driver import Driver

LOOK_EVERY = 60.0
_log = log.get("drivers")


class VolumeLimits:
    """See the module."""

    def __init__(self, client: Client, registry: Registry, clock: Clock) -> None:
        self._client = client
        self._registry = registry
        self._clock = clock
        self._asked: dict[str, float] = {}  # driver -> when

    async def run(self) -> None:
        """Ask until cancelled."""
        while True:
            await self._clock.sleep(await self.look())

    async def look(self) -> float:
        """Ask those whose turn it is; the seconds until the next turn."""
        from nodeagent.csi.driver import DriverFault

        now, wait = self._clock.monotonic(), LOOK_EVERY
        drivers = self._registry.drivers()
        self._asked = {driver.name: self._asked.get(driver.name, now) for driver in drivers}
        for driver in drivers:
            try:
                if not (period := await self._period(driver)):
                    continue
                if now >= self._asked[driver.name] + period:
                    self._asked[driver.name] = now
                    await self._registry.ask_again(driver)
                wait = min(wait, self._asked[driver.name] + period - now)
            except (ApiError, DriverFault) as error:
                _log.warning("cannot look how many volumes a driver can have", driver=driver.name, error=error)
        return wait

    async def _period(self, driver: "Driver") -> float:
        found = await self._client.get(kinds.CSI_DRIVER, driver.name)
        return float(found.spec.node_allocatable_update_period_seconds or 0)
