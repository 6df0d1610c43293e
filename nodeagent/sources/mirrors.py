"""Mirror pods: objects in the API server that show static pods, so that people see them. Deleting one stops nothing.

Observe -> plan -> act for each name: there should be a mirror of the static pod that runs, and no other. Statuses that workers publish
for a static pod are sent as its mirror's; the newest waits until there is a mirror.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from api import codec, kinds
from api.core_v1 import Pod, PodStatus
from api.meta_v1 import OwnerReference
from client.client import Client
from client.errors import AlreadyExists, ApiError, NotFound, Retryable
from kit import log
from kit.backoff import Backoff
from kit.clock import Clock
from kit.queue import WorkQueue
from kit.supervisor import Supervisor
from kit.workers import run_workers
from nodeagent.model.origin import HASH, MIRROR, is_static
from nodeagent.sync.doors import Reporter

REFUSED_AGAIN = 60.0  # seconds until something that the API server refused is tried again
_log = log.get("mirrors")


class Step(Enum):
    """What to do about one mirror."""

    NOTHING = 0
    CREATE = 1
    DELETE = 2


def plan_mirror(static: Pod | None, mirror: Pod | None) -> Step:
    """What there should be, and what there is."""
    if mirror is None:
        return Step.NOTHING if static is None else Step.CREATE
    if static is None or mirror.metadata.deletion_timestamp is not None or not mirrors(mirror, static):
        return Step.DELETE
    return Step.NOTHING


def mirrors(mirror: Pod, static: Pod) -> bool:
    """Whether the object shows this static pod, and not one of another version of its manifest."""
    return mirror.metadata.annotations.get(MIRROR) == static.metadata.annotations.get(HASH)


def make_mirror(static: Pod, node: str, node_uid: str) -> Pod:
    """The object to create."""
    pod = codec.decode(Pod, codec.encode(static))
    meta = pod.metadata
    meta.annotations = {**meta.annotations, MIRROR: meta.annotations[HASH]}
    meta.uid = None
    meta.owner_references = [
        OwnerReference(api_version="v1", kind="Node", name=node, uid=node_uid, controller=True),
    ]
    return pod


@dataclass(slots=True)
class _Entry:
    static: Pod | None = None
    mirror: Pod | None = None
    status: PodStatus | None = None


@dataclass(slots=True)
class Mirrors:
    """See the module. It is the `Reporter` of workers, and passes on what is no static pod's."""

    client: Client
    clock: Clock
    node: str
    inner: Reporter
    node_uid: Callable[[], str]
    _entries: dict[str, _Entry] = field(default_factory=dict)
    _queue: WorkQueue[str] = field(init=False)
    _ready: bool = False

    def __post_init__(self) -> None:
        self._queue = WorkQueue(self.clock, Backoff(base=0.1, cap=30.0, jitter=0.2))

    def start(self, supervisor: Supervisor) -> None:
        """All mirrors that there are have been told, and the node is registered: begin to act."""
        self._ready = True
        run_workers(self._queue, self.settle, 2, supervisor, name="mirrors", expected=(Retryable,))
        for key in self._entries:
            self._queue.add(key)

    def show(self, key: str, static: Pod | None) -> None:
        """The static pod of that name; None when nothing of it is left."""
        entry = self._entries.setdefault(key, _Entry())
        entry.static = static
        entry.status = None
        self._look(key)

    def observed_mirror(self, key: str, mirror: Pod | None) -> None:
        """The mirror of that name as the API server has it; None if it has none."""
        entry = self._entries.setdefault(key, _Entry())
        before, entry.mirror = entry.mirror, mirror
        if before is not None and (mirror is None or mirror.metadata.uid != before.metadata.uid):
            self.inner.forget(before.metadata.uid or "")
        if mirror is not None:
            self.inner.observed(mirror)
            self._send(entry)
        self._look(key)

    def count(self) -> int:
        """How many there are."""
        return sum(entry.mirror is not None for entry in self._entries.values())

    async def settle(self, key: str) -> float | None:
        """One look at one name. Raises Retryable."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        step = plan_mirror(entry.static, entry.mirror)
        try:
            if step is Step.CREATE and entry.static is not None:
                made = await self.client.create(kinds.POD, make_mirror(entry.static, self.node, self.node_uid()))
                _log.info("created a mirror pod", pod=key, uid=made.metadata.uid)
            elif step is Step.DELETE and entry.mirror is not None:
                namespace, _, name = key.partition("/")
                uid = entry.mirror.metadata.uid or ""
                _log.info("deleting a mirror pod", pod=key, uid=uid)
                await self.client.delete(kinds.POD, name, namespace, grace=0, uid=uid)
        except (AlreadyExists, NotFound):
            pass  # somebody was faster: the watch tells
        except Retryable:
            raise
        except ApiError as error:
            _log.warning("the API server refused a mirror pod", pod=key, error=error)
            return REFUSED_AGAIN
        return None

    # As the reporter of workers.

    def publish(self, pod: Pod, status: PodStatus) -> None:
        """Send it, or keep it until there is a mirror."""
        if not is_static(pod):
            self.inner.publish(pod, status)
        elif (entry := self._entry_of(pod)) is not None:
            entry.status = status
            self._send(entry)

    def observed(self, pod: Pod) -> None:
        """Static pods are not observed, only their mirrors."""
        if not is_static(pod):
            self.inner.observed(pod)

    def finish(self, pod: Pod, status: PodStatus) -> None:
        """As `publish`; a static pod's object is not the worker's to delete."""
        if is_static(pod):
            self.publish(pod, status)
        else:
            self.inner.finish(pod, status)

    def forget(self, uid: str) -> None:
        """Of static pods nothing is kept by their own uid."""
        self.inner.forget(uid)

    def _entry_of(self, pod: Pod) -> _Entry | None:
        entry = self._entries.get(f"{pod.metadata.namespace}/{pod.metadata.name}")
        static = entry.static if entry is not None else None
        return entry if static is not None and static.metadata.uid == pod.metadata.uid else None

    def _send(self, entry: _Entry) -> None:
        if entry.mirror is None or entry.static is None or entry.status is None:
            return
        if plan_mirror(entry.static, entry.mirror) is Step.NOTHING:
            self.inner.publish(entry.mirror, entry.status)

    def _look(self, key: str) -> None:
        entry = self._entries[key]
        if entry.static is None and entry.mirror is None:
            del self._entries[key]
        elif self._ready:
            self._queue.add(key)
