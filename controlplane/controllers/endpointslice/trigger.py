"""When the change that a slice carries began, so that proxies can tell how long it took to the kernel. Pure.

It is written as an annotation that kube-proxy and ours turn into `kubeproxy_network_programming_duration_seconds`.
"""

from __future__ import annotations

from api import times
from controlplane.controllers.endpointslice.plan import Endpoints
from controlplane.controllers.seen import SeenService

ANNOTATION = "endpoints.kubernetes.io/last-change-trigger-time"


def trigger_time(service: SeenService, old: Endpoints, new: Endpoints) -> str | None:
    """The earliest moment at which a pod became what the slice now says of it; None if no pod's readiness changed.

    A Service that is younger than its pods began it all itself.
    """
    before = {(e.address, e.pod_uid): e.serving for e in old}
    began = [e.since for e in new if e.since and before.get((e.address, e.pod_uid)) is not e.serving]
    if not began:
        return None if old else times.format_time(service.created)
    return times.format_time(max(min(began), service.created))
