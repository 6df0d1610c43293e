"""Which container of a pod a client means."""

from __future__ import annotations

from typing import Any

from controlplane.apiserver import status


def container_names(pod: Any) -> list[str]:
    """All that the pod declares, in the order in which they start."""
    spec = pod.spec
    return [c.name for c in (*spec.init_containers, *spec.containers, *spec.ephemeral_containers)]


def named_container(pod: Any, asked: str) -> str:
    """The container that was asked for, or the pod's only one; "" if that leaves it open. Raises StatusError."""
    if asked:
        if asked not in container_names(pod):
            raise status.bad_request(f"container {asked} is not valid for pod {pod.metadata.name}")
        return asked
    only = pod.spec.containers
    return str(only[0].name) if len(only) == 1 else ""
