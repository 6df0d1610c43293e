"""How long pods take to run, from the agent seeing them: heard from the statuses that workers publish."""

from collections.abc import Callable

from api.core_v1 import Pod, PodStatus
from kit.clock import Clock
from nodeagent.sync.doors import Reporter

RUNNING = ("Running", "Succeeded", "Failed")


class StartMeter:
    """A `Reporter` that passes everything on. A pod that ran before the agent did is not counted."""

    def __init__(self, inner: Reporter, clock: Clock, took: Callable[[float], object]) -> None:
        self._inner = inner
        self._clock = clock
        self._took = took
        self._seen: dict[str, float | None] = {}  # None: it has been counted, or is not to be

    def publish(self, pod: Pod, status: PodStatus) -> None:
        """The status now."""
        uid = pod.metadata.uid or ""
        if status.phase in RUNNING:
            since = self._seen.get(uid)
            if since is not None and status.phase == "Running":
                self._took(self._clock.monotonic() - since)
            self._seen[uid] = None
        elif uid not in self._seen:
            self._seen[uid] = self._clock.monotonic()
        self._inner.publish(pod, status)

    def observed(self, pod: Pod) -> None:
        """The API server shows the pod like this."""
        self._inner.observed(pod)

    def finish(self, pod: Pod, status: PodStatus) -> None:
        """The last status."""
        self._inner.finish(pod, status)

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        self._seen.pop(uid, None)
        self._inner.forget(uid)
