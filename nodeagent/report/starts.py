"""How long pods take to run: heard from the statuses that workers publish, and from what the API server shows of them.

Three numbers, as upstream has them: from the agent hearing of a pod to the pod running; from its creation to the API server showing all
its containers as running; and the latter without what the pod itself is to blame for, pulling images and running init containers, for
pods that have no lasting volumes and could be scheduled at once.
"""

from dataclasses import dataclass

from api import times
from api.core_v1 import ContainerStatus, Pod, PodStatus
from kit.clock import Clock
from nodeagent.report.tally import Tally
from nodeagent.sync.doors import Reporter

OVER = ("Succeeded", "Failed")
RUNNING = ("Running", *OVER)


@dataclass(slots=True)
class _Start:
    """A pod that is being started. What has been counted, or is not to be, is done."""

    since: float = 0.0
    pulling: float = 0.0
    running: bool = True
    shown: bool = True


class StartMeter:
    """A `Reporter` that passes everything on. A pod that ran before the agent did is not counted."""

    def __init__(self, inner: Reporter, clock: Clock, tally: Tally) -> None:
        self._inner = inner
        self._clock = clock
        self._tally = tally
        self._starts: dict[str, _Start] = {}

    def publish(self, pod: Pod, status: PodStatus) -> None:
        """The status now."""
        start = self._starts.get(pod.metadata.uid or "")
        if start is None:
            start = self._starts[pod.metadata.uid or ""] = _Start()
            if status.phase not in RUNNING:
                start.since, start.running, start.shown = self._clock.monotonic(), False, bool(_unscheduled(pod))
        if status.phase in RUNNING and not start.running:
            start.running = True
            start.shown = start.shown or status.phase in OVER
            if status.phase == "Running":
                self._tally.pod_start.add(self._clock.monotonic() - start.since)
        self._inner.publish(pod, status)

    def pulled(self, uid: str, seconds: float) -> None:
        """An image had to be pulled for the pod."""
        if (start := self._starts.get(uid)) is not None:
            start.pulling += seconds

    def observed(self, pod: Pod) -> None:
        """The API server shows the pod like this."""
        start = self._starts.get(pod.metadata.uid or "")
        if start is not None and start.running and not start.shown and all_run(pod):
            start.shown = True
            self._count(pod, start)
        self._inner.observed(pod)

    def finish(self, pod: Pod, status: PodStatus) -> None:
        """The last status."""
        self._inner.finish(pod, status)

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        self._starts.pop(uid, None)
        self._inner.forget(uid)

    def _count(self, pod: Pod, start: _Start) -> None:
        created = _at(pod.metadata.creation_timestamp)
        if created is None:
            return
        total = max(0.0, self._clock.now() - created)
        self._tally.pod_start_total.add(total)
        if not has_lasting_volumes(pod):
            own = start.pulling + sum(map(_ran, pod.status.init_container_statuses))
            self._tally.pod_start_sli.add(max(0.0, total - own))


def all_run(pod: Pod) -> bool:
    """Whether all containers are shown as running."""
    found = pod.status.container_statuses
    return bool(found) and all(c.state is not None and c.state.running is not None for c in found)


def has_lasting_volumes(pod: Pod) -> bool:
    """Whether a volume is more than what comes and goes with the pod."""
    return any(
        (v.secret or v.config_map or v.downward_api or v.empty_dir or v.projected) is None for v in pod.spec.volumes
    )


def _ran(status: ContainerStatus) -> float:
    """How long an init container ran."""
    ended = status.state.terminated if status.state is not None else None
    if ended is None:
        return 0.0
    began, end = _at(ended.started_at), _at(ended.finished_at)
    return max(0.0, end - began) if began is not None and end is not None else 0.0


def _at(text: str | None) -> float | None:
    try:
        return times.parse_time(text or "")
    except ValueError:
        return None


def _unscheduled(pod: Pod) -> bool:
    return any(c.type == "PodScheduled" and c.status == "False" for c in pod.status.conditions)
