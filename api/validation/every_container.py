"""All containers of a pod, of whichever sort, with the path of each."""

from collections.abc import Iterator

from api.core_v1 import Container, EphemeralContainer, PodSpec


def every_container(path: str, spec: PodSpec) -> Iterator[tuple[str, Container | EphemeralContainer]]:
    """Containers in the order in which upstream looks at them."""
    for index, first in enumerate(spec.init_containers):
        yield f"{path}.initContainers[{index}]", first
    for index, container in enumerate(spec.containers):
        yield f"{path}.containers[{index}]", container
    for index, added in enumerate(spec.ephemeral_containers):
        yield f"{path}.ephemeralContainers[{index}]", added
