"""How full the volumes are that pods do not have from this node's own disk: drivers are asked, file systems are looked at.

Either may take for ever when a server is away. So each volume is looked at by itself, nobody waits for it long, and it is not looked at
again before that look has come to an end; who asks while one takes long does not wait for it. What was found is kept for a minute.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from kit import log
from kit.clock import Clock, deadline
from kit.threads import OneEach
from nodeagent.csi import ledger
from nodeagent.report.measures import Shown
from nodeagent.server.disks import Filesystem, Usage, filesystem

LOOK_EVERY = 60.0
PATIENCE = 5.0
_NUMBERS: tuple[tuple[str, str, Callable[["StorageUse"], int]], ...] = (
    ("capacity_bytes", "Capacity in bytes of the volume", lambda one: one.filesystem.capacity),
    ("available_bytes", "Number of available bytes in the volume", lambda one: one.filesystem.available),
    ("used_bytes", "Number of used bytes in the volume", lambda one: one.usage.used),
    ("inodes", "Maximum number of inodes in the volume", lambda one: one.filesystem.inodes),
    ("inodes_free", "Number of free inodes in the volume", lambda one: one.filesystem.inodes_free),
    ("inodes_used", "Number of used inodes in the volume", lambda one: one.usage.inodes),
)
_log = log.get("volumes")


class Drivers(Protocol):
    """The storage drivers that are registered."""

    def named(self, name: str) -> Any | None: ...


class NoDrivers:
    """There are none."""

    def named(self, name: str) -> Any | None:
        """Nobody is."""
        return None


@dataclass(frozen=True, slots=True)
class Storage:
    """A volume of a pod, and where to look for it; `record` if a driver made it."""

    uid: str
    name: str
    path: str
    namespace: str = ""
    claim: str = ""
    record: ledger.Record | None = None


@dataclass(frozen=True, slots=True)
class StorageUse:
    """How full it is; `abnormal` only if its driver judges that."""

    storage: Storage
    filesystem: Filesystem
    usage: Usage
    abnormal: bool | None = None
    message: str = ""


class StorageSurvey:
    """See the module. `unwell` hears of volumes of which their driver says that they are."""

    def __init__(
        self,
        clock: Clock,
        drivers: Drivers,
        storage: Callable[[], list[Storage]],
        unwell: Callable[[StorageUse], object],
    ) -> None:
        self._clock = clock
        self._drivers = drivers
        self._storage = storage
        self._unwell = unwell
        self._looks: dict[Storage, asyncio.Task[StorageUse | None]] = {}
        self._looking = OneEach[Filesystem | None]("storage")
        self._known: dict[Storage, StorageUse] = {}
        self._at: dict[Storage, float] = {}

    async def look(self) -> list[StorageUse]:
        """What is known now, none of it much older than a minute."""
        wanted, now = self._storage(), self._clock.monotonic()
        for gone in self._at.keys() - set(wanted):
            self._at.pop(gone)
            self._known.pop(gone, None)
        for one in wanted:
            if one not in self._looks and now - self._at.get(one, -LOOK_EVERY) >= LOOK_EVERY:
                self._at[one] = now
                task = self._looks[one] = asyncio.create_task(self._look(one), name=f"use of volume {one.name}")
                task.add_done_callback(lambda done, one=one: self._seen(one, done))  # type: ignore[misc]
        if young := [task for one, task in self._looks.items() if now - self._at.get(one, -PATIENCE) < PATIENCE]:
            try:
                async with deadline(self._clock, PATIENCE):
                    await asyncio.wait(young)
            except TimeoutError:
                pass
        return [self._known[one] for one in wanted if one in self._known]

    def _seen(self, one: Storage, task: asyncio.Task[StorageUse | None]) -> None:
        self._looks.pop(one, None)
        if task.cancelled() or one not in self._at:
            return
        found, before = task.result(), self._known.pop(one, None)
        if found is not None:
            self._known[one] = found
            if found.abnormal and not (before is not None and before.abnormal):
                self._unwell(found)

    async def _look(self, one: Storage) -> StorageUse | None:
        if one.record is not None:
            return await self._ask(one, one.record)
        whole = await self._looking.run(one.path, lambda: filesystem(one.path))
        return StorageUse(one, whole, Usage(whole.used, whole.inodes_used)) if whole is not None else None

    async def _ask(self, one: Storage, record: ledger.Record) -> StorageUse | None:
        from nodeagent.csi.driver import DriverFault
        from proto import csi_v1_pb2 as pb

        driver, ability = self._drivers.named(record.driver), pb.NodeServiceCapability.RPC
        try:
            if driver is None or not await driver.can(ability.GET_VOLUME_STATS):
                return None
            answer = await driver.stats(record.handle, record.target)
            judges = await driver.can(ability.VOLUME_CONDITION)
        except DriverFault as error:
            _log.info("a driver does not say how full a volume is", volume=one.name, driver=record.driver, error=error)
            return None
        if not answer.usage and not judges:
            return None
        bytes_ = next((u for u in answer.usage if u.unit == pb.VolumeUsage.BYTES), pb.VolumeUsage())
        inodes = next((u for u in answer.usage if u.unit == pb.VolumeUsage.INODES), pb.VolumeUsage())
        whole = Filesystem(bytes_.total, bytes_.available, bytes_.used, inodes.total, inodes.available)
        condition = answer.volume_condition
        abnormal = condition.abnormal if judges else None
        return StorageUse(one, whole, Usage(bytes_.used, inodes.used), abnormal, condition.message)


def claim_metrics(found: list[StorageUse]) -> Iterator[Shown]:
    """The volumes behind claims as Prometheus reads them, each claim once."""
    claims = {(one.storage.namespace, one.storage.claim): one for one in reversed(found) if one.storage.claim}
    labelled = [
        ({"namespace": namespace, "persistentvolumeclaim": name}, one) for (namespace, name), one in claims.items()
    ]
    for name, text, number in _NUMBERS:
        yield Shown(f"kubelet_volume_stats_{name}", text, [(who, number(one)) for who, one in labelled])
    judged = [(who, float(one.abnormal)) for who, one in labelled if one.abnormal is not None]
    text = "Abnormal volume health status. The count is either 1 or 0. 1 indicates the volume is unhealthy, 0 indicates volume is healthy"
    yield Shown("kubelet_volume_stats_health_status_abnormal", text, judged)
