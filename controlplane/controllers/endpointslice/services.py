"""Which Services must be looked at when a Service or a pod changes. Shared with the Endpoints controller."""

from __future__ import annotations

from collections.abc import Callable

from controlplane.controllers.informers import Informers
from controlplane.controllers.seen import SeenPod, SeenService


class ServiceTriggers:
    """Calls `wake` with the keys of Services."""

    def __init__(self, informers: Informers, wake: Callable[[str], object]) -> None:
        self._services = informers.services_by_owner
        self._wake = wake
        informers.services.subscribe(self._service_changed)
        informers.pods.subscribe(self._pod_changed)

    def _service_changed(self, key: str, _: SeenService | None, __: SeenService | None) -> None:
        self._wake(key)

    def _pod_changed(self, _: str, old: SeenPod | None, new: SeenPod | None) -> None:
        if old is not None and new is not None and _face(old) == _face(new):
            return
        pods = [pod for pod in (old, new) if pod is not None]
        for service in self._services.inside(pods[0].namespace):
            if any(service.selector.matches(pod.labels) for pod in pods):
                self._wake(service.key)


def _face(pod: SeenPod) -> tuple[object, ...]:
    """What endpoints show of a pod."""
    return pod.uid, pod.ips, pod.ready, pod.deleting, pod.finished, pod.node, pod.labels, pod.hostname, pod.subdomain
