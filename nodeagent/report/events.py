"""Events about pods and about the node."""

from api import kinds
from api.core_v1 import ObjectReference, Pod
from client.events import EventRecorder, reference


class PodEventRecorder:
    """Tells users what happened to a pod, or to one container of it."""

    def __init__(self, recorder: EventRecorder) -> None:
        self._recorder = recorder

    def tell(self, pod: Pod, kind: str, reason: str, message: str, container: str = "") -> None:
        """Record one Event; pods known only to the runtime get none."""
        if pod.metadata.resource_version:
            self._recorder.record(reference(kinds.POD, pod, _path(pod, container)), kind, reason, message)


class NodeEventRecorder:
    """Tells users what happened to the node."""

    def __init__(self, recorder: EventRecorder, node: str) -> None:
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
