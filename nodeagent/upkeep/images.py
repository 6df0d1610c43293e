"""Removes images that nobody uses when their disk fills up, or when they are too old.

Images are looked at every few minutes, so that it is known when each was last used. The plan is pure (`plan/images.py`); what it cannot
get done is told as Events about the node: the second time in a row, as the first may be no more than a bad moment at the start.
"""

from collections.abc import Callable, Collection, Iterable

from kit import log
from kit.clock import Clock
from nodeagent.cri.errors import NotFound, RuntimeFault
from nodeagent.cri.port import Runtime
from nodeagent.plan.images import (
    SPACE,
    Disk,
    ImagePolicy,
    ImageRecord,
    RemoveImage,
    plan_images,
    record_images,
    shortage,
)
from nodeagent.report.events import NodeEventRecorder
from nodeagent.server.disks import Filesystem, filesystem

WARNING = "Warning"
_log = log.get("images")


class ImageProblem(Exception):
    """Images could not be collected."""


class ImageCollection:
    """See the module. `always` names images that are used though no container says so, such as the sandbox image; `soon` those of which
    a container is about to be made, by name or id."""

    def __init__(
        self,
        runtime: Runtime,
        events: NodeEventRecorder,
        clock: Clock,
        policy: ImagePolicy,
        always: tuple[str, ...] = (),
        removed: Callable[[str], object] = lambda reason: None,
        measure: Callable[[str], Filesystem | None] = filesystem,
        soon: Callable[[], Collection[str]] = tuple,
    ) -> None:
        self._runtime = runtime
        self._events = events
        self._clock = clock
        self._policy = policy
        self._always = frozenset(name for name in always if name)
        self._removed = removed
        self._measure = measure
        self._soon = soon
        self._began = clock.now()
        self._records: dict[str, ImageRecord] = {}

    async def run(self, every: float) -> None:
        """Until cancelled."""
        failed = False
        while True:
            await self._clock.sleep(every)
            try:
                await self.collect()
                failed = False
            except (ImageProblem, RuntimeFault) as error:
                _log.error("cannot collect unused images", error=error, again=failed)
                if failed:
                    self._events.tell(WARNING, "ImageGCFailed", str(error))
                failed = True

    async def look(self) -> float:
        """See which images there are and which are used; when that was. Raises RuntimeFault."""
        images = await self._runtime.images()
        used = {*self._always, *self._soon()}
        for owned in await self._runtime.containers():
            used |= {owned.thing.image, owned.thing.image_ref}
        used.update(self._soon())
        now = self._clock.now()
        self._records = record_images(self._records, images, used, now)
        return now

    async def collect(self) -> None:
        """One look, and what follows from it. Raises ImageProblem, RuntimeFault."""
        now = await self.look()
        disk = await self._disk()
        plan = plan_images(self._records.values(), disk, self._policy, self._began, now)
        if plan.missing:
            _log.info("the disk of images is full, removing unused ones", percent=plan.percent, bytes=plan.missing)
        freed, problems = await self._remove(plan.removals)
        if problems:
            raise ImageProblem(
                f"wanted to free {plan.missing} bytes, but freed {freed} bytes space with errors in image deletion: "
                f"[{', '.join(problems)}]"
            )
        if message := shortage(plan, freed, disk):
            self._events.tell(WARNING, "FreeDiskSpaceFailed", message)
            raise ImageProblem(message)

    async def clear(self) -> None:
        """Remove all that nobody uses at this moment: the disk cannot wait. Raises RuntimeFault."""
        now = await self.look()
        unused = [r for r in self._records.values() if not r.pinned and r.used < now]
        await self._remove(RemoveImage(record.id, record.size, SPACE) for record in unused)

    async def _remove(self, removals: Iterable[RemoveImage]) -> tuple[int, list[str]]:
        """How many bytes that freed, and what went wrong. It may take long, so it is looked again before each one goes."""
        freed, problems = 0, []
        for removal in removals:
            try:
                now = await self.look()
                record = self._records.get(removal.id)
                if record is not None and (record.pinned or record.used >= now):
                    continue  # somebody came to use it
                _log.info("removing an unused image", image=removal.id, size=removal.size, reason=removal.reason)
                await self._runtime.remove_image(removal.id)
            except NotFound:
                pass
            except RuntimeFault as error:
                problems.append(str(error))
                continue
            freed += removal.size
            self._records.pop(removal.id, None)
            self._removed(removal.reason)
        return freed, problems

    async def _disk(self) -> Disk:
        found = await self._runtime.image_filesystems()
        whole = self._measure(found[0].fs_id.mountpoint) if found else None
        if whole is None or not whole.capacity:
            message = "invalid capacity 0 on image filesystem"
            self._events.tell(WARNING, "InvalidDiskCapacity", message)
            raise ImageProblem(message)
        return Disk(whole.capacity, whole.available)
