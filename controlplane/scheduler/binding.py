"""What the scheduler tells the API server."""

from __future__ import annotations

import msgspec

from api import kinds, times
from client import Client
from controlplane.scheduler import extract
from controlplane.scheduler.model import Pod


async def bind(client: Client, pod: Pod, node: str) -> None:
    """Give the pod its node; refused if it is gone, another one, or has one already."""
    body = {
        "kind": "Binding",
        "apiVersion": "v1",
        "metadata": {"name": pod.name, "namespace": pod.namespace, "uid": pod.uid},
        "target": {"kind": "Node", "name": node},
    }
    data = msgspec.json.encode(body)
    await client.create_raw(kinds.POD, data, pod.namespace, name=pod.name, subresource="binding")


async def say_unschedulable(client: Client, pod: Pod, message: str, now: float) -> None:
    """Write on the pod why it waits."""
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": message,
        "lastTransitionTime": times.format_time(now),
        "lastProbeTime": None,
    }
    patch = msgspec.json.encode({"metadata": {"uid": pod.uid}, "status": {"conditions": [condition]}})
    await client.patch_raw(kinds.POD, pod.name, patch, pod.namespace, subresource="status")


async def look(client: Client, pod: Pod) -> Pod:
    """The pod as it is now."""
    return extract.pod(await client.get_raw(kinds.POD, pod.name, pod.namespace))
