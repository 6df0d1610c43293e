"""A node that has the images already starts the pod sooner."""

from __future__ import annotations

from collections.abc import Sequence

from controlplane.scheduler.model import NodeState, Pod

TOP = 100.0
SMALLEST = 23 * 1024 * 1024
LARGEST = 1000 * 1024 * 1024


def wanted(pod: Pod, candidates: Sequence[NodeState]) -> bool:
    """Only where some candidate has an image of the pod and there is a choice."""
    return len(candidates) > 1 and any(image in state.node.images for state in candidates for image in pod.images)


def rate(pod: Pod, state: NodeState) -> float:
    """Bytes that need no pull, from 23 MB (not worth it) to 1000 MB a container."""
    images = state.node.images
    present = sum(images.get(image, 0) for image in pod.images)
    largest = LARGEST * max(1, len(pod.images))
    return TOP * (min(max(present, SMALLEST), largest) - SMALLEST) / (largest - SMALLEST)
