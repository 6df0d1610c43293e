"""Pod statuses on their way to the API server.

Workers publish as often as they like; per pod at most one patch is under way, and what was published meanwhile is sent
afterwards as one. A status that only says that a pod is being started waits a moment for a better one, a few moments
where many are. A patch carries only what differs from what the server has, and the uid, so that it cannot hit a pod of
the same name made later.
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from api import codec, kinds
from api.core_v1 import Pod, PodStatus
from client.client import Client
from client.errors import ApiError, Conflict, NotFound, Retryable
from kit import log
from kit.backoff import Backoff
from kit.clock import Clock
from kit.queue import WorkQueue
from kit.supervisor import Supervisor
from kit.workers import run_workers
from nodeagent.model.seen import PodRef
from nodeagent.model.spec import ref_of
from nodeagent.plan.conditions import BY_KUBELET, OWNED
from nodeagent.report.patch import POD_KEYS, Status, diff_status

PATIENCE, LONGEST = 0.5, 3.0
PARALLEL = 8
_STARTING = ("ContainerCreating", "PodInitializing")
_log = log.get("status")


@dataclass(slots=True)
class _Report:
    ref: PodRef
    base: Status
    wanted: Status
    revision: int = 0  # of the object as of our last patch
    finish: bool = False
    done: bool = False
    minor: bool = False
    since: float = 0.0  # when it became another than the API server knows


class PodReporter:
    """See the module."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        sent: Callable[[PodRef, Status], None] | None = None,
        took: Callable[[float], object] | None = None,
        busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._client = client
        self._clock = clock
        self._queue: WorkQueue[str] = WorkQueue(clock, Backoff(base=0.1, cap=10.0, jitter=0.2))
        self._reports: dict[str, _Report] = {}
        self._sent = sent
        self._took = took  # hears how many seconds a change waited to be known
        self._busy = busy  # whether pods are being started

    def start(self, supervisor: Supervisor) -> None:
        """Begin to send."""
        run_workers(self._queue, self.send, PARALLEL, supervisor, name="pod-status", expected=(Retryable,))

    def publish(self, pod: Pod, status: PodStatus) -> None:
        """This is the status now."""
        uid = pod.metadata.uid or ""
        wanted = ours(status)
        report = self._reports.get(uid)
        if report is None:
            report = self._reports[uid] = _Report(ref_of(pod), ours(pod.status), {})
        if report.done or wanted == report.wanted:
            return
        if report.base == report.wanted or not report.wanted:
            report.since = self._clock.monotonic()
        report.wanted, report.minor = wanted, is_minor(status)
        if report.minor:
            self._queue.add_after(uid, PATIENCE)
        else:
            self._queue.add(uid)

    def observed(self, pod: Pod) -> None:
        """The API server shows the pod like this. What others changed in our part of the status is put right."""
        report = self._reports.get(pod.metadata.uid or "")
        if report is None or report.done or report.base != report.wanted:
            return
        if revision_of(pod.metadata.resource_version) < report.revision:
            return  # from before our last patch
        shown = ours(pod.status)
        if diff_status(shown, report.wanted, POD_KEYS):
            report.base = shown
            self._queue.add(pod.metadata.uid or "")

    def finish(self, pod: Pod, status: PodStatus) -> None:
        """The last status, and then the end of the object."""
        self.publish(pod, status)
        uid = pod.metadata.uid or ""
        self._reports[uid].finish = True
        self._queue.add(uid)

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        self._reports.pop(uid, None)

    @property
    def queue(self) -> WorkQueue[str]:
        """Pods of which there is something to tell."""
        return self._queue

    @property
    def idle(self) -> bool:
        """Whether everything has been sent."""
        return self._queue.idle

    async def send(self, uid: str) -> None:
        """Send what there is to tell of one pod. Raises `Retryable`."""
        report = self._reports.get(uid)
        if report is None or report.done:
            return
        waits = report.minor and not report.finish and self._busy()
        if waits and self._clock.monotonic() - report.since < LONGEST:
            self._queue.add_after(uid, PATIENCE)
            return
        wanted = report.wanted
        patch = diff_status(report.base, wanted, POD_KEYS)
        try:
            if patch:
                since = report.since
                report.revision = await self._patch(report.ref, patch)
                report.since = self._clock.monotonic()
                if self._took is not None:
                    self._took(report.since - since)
            report.base = wanted
            if report.finish:
                await self._delete(report.ref)
                report.done = True
        except (NotFound, Conflict):
            report.done = True  # it is another pod now, or none
        except Retryable:
            raise
        except ApiError as error:
            report.base = wanted  # the same again would fare no better
            _log.warning("the API server refused a status", pod=str(report.ref), error=error)

    async def _patch(self, ref: PodRef, patch: Status) -> int:
        body = msgspec.json.encode({"metadata": {"uid": ref.uid}, "status": patch})
        answer = await self._client.patch_raw(kinds.POD, ref.name, body, ref.namespace, subresource="status")
        if self._sent is not None:
            self._sent(ref, patch)
        return revision_of(_head.decode(answer).metadata.revision)

    async def _delete(self, ref: PodRef) -> None:
        try:
            await self._client.delete(kinds.POD, ref.name, ref.namespace, grace=0, uid=ref.uid)
        except NotFound:
            pass


class _Meta(msgspec.Struct):
    revision: str = msgspec.field(name="resourceVersion", default="")


class _Head(msgspec.Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)


_head = msgspec.json.Decoder(_Head)


def revision_of(text: str | None) -> int:
    """A revision as a number; 0 if it is none."""
    return int(text) if text and text.isdecimal() else 0


def ours(status: PodStatus) -> Status:
    """The status without the conditions of others: what we know of those may be old, and is not for us to write."""
    found: Status = codec.to_dict(status)
    if "conditions" in found:
        found["conditions"] = [c for c in found["conditions"] if c["type"] in OWNED or c.get("reason") == BY_KUBELET]
    return found


def is_minor(status: PodStatus) -> bool:
    """Whether a status only says that a pod is on its way."""
    if status.phase != "Pending":
        return False
    statuses = (*status.init_container_statuses, *status.container_statuses)
    waiting = [s.state.waiting for s in statuses if s.state is not None]
    return all(w is not None and w.reason in _STARTING for w in waiting)
