"""Where a pod comes from: the API server, or a manifest on this node."""

from api.core_v1 import Pod

HASH, SOURCE = "kubernetes.io/config.hash", "kubernetes.io/config.source"
SEEN, MIRROR = "kubernetes.io/config.seen", "kubernetes.io/config.mirror"


def is_mirror(pod: Pod) -> bool:
    """Whether an object in the API server only shows a static pod."""
    return MIRROR in pod.metadata.annotations


def is_static(pod: Pod) -> bool:
    """Whether a pod comes from a manifest on this node; annotations alone prove nothing, as anybody can write them."""
    return not pod.metadata.resource_version and pod.metadata.annotations.get(SOURCE) == "file"
