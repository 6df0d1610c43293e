"""Events about pods and about the node.

Good news can wait: while pods are being started each Event would take its share of the machine from them. It is recorded
once nothing starts any more, a few seconds later at the latest; bad news is recorded at once, after what came before it.
"""

from collections.abc import Callable
from typing import Protocol

from api import kinds
from api.core_v1 import ObjectReference, Pod
from client.events import NORMAL, reference
from kit.clock import Clock
from nodeagent.model.origin import is_static

PAUSE = 0.25
PATIENCE = 5.0


class Recorder(Protocol):
    """Who makes Events: the API server's recorder, or the log where there is no API server."""

    def record(self, about: ObjectReference, type: str, reason: str, message: str) -> None: ...  # noqa: A002


class PodEventRecorder:
    """Tells users what happened to a pod, or to one container of it. `busy` says whether pods are being started."""

    def __init__(self, recorder: Recorder, clock: Clock, busy: Callable[[], bool]) -> None:
        self._recorder = recorder
        self._clock = clock
        self._busy = busy
        self._held: list[tuple[ObjectReference, str, str, str]] = []
        self._since = 0.0

    def tell(self, pod: Pod, kind: str, reason: str, message: str, container: str = "") -> None:
        """Record one Event; pods known only to the runtime get none."""
        if not pod.metadata.resource_version and not is_static(pod):
            return
        if not self._held:
            self._since = self._clock.monotonic()
            self._clock.call_later(PAUSE, self._look)
        self._held.append((reference(kinds.POD, pod, _path(pod, container)), kind, reason, message))
        if kind != NORMAL:
            self.flush()

    def flush(self) -> None:
        """Record what was held back."""
        held, self._held = self._held, []
        for event in held:
            self._recorder.record(*event)

    def _look(self) -> None:
        if self._held and self._busy() and self._clock.monotonic() - self._since < PATIENCE:
            self._clock.call_later(PAUSE, self._look)
        else:
            self.flush()


class NodeEventRecorder:
    """Tells users what happened to the node."""

    def __init__(self, recorder: Recorder, node: str) -> None:
        self._recorder = recorder
        self._about = ObjectReference(kind="Node", api_version="v1", name=node, uid=node)

    def tell(self, kind: str, reason: str, message: str) -> None:
        """Record one Event."""
        self._recorder.record(self._about, kind, reason, message)


def _path(pod: Pod, container: str) -> str:
    if not container:
        return ""
    if any(c.name == container for c in pod.spec.init_containers):
        return f"spec.initContainers{{{container}}}"
    if any(c.name == container for c in pod.spec.ephemeral_containers):
        return f"spec.ephemeralContainers{{{container}}}"
    return f"spec.containers{{{container}}}"
