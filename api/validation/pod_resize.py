"""Rules for what `pods/resize` may change: CPU and memory of containers that are there, never what class of service the pod has."""

import msgspec

from api.core_v1 import Container, Pod, PodSpec, ResourceRequirements
from api.quantity import QuantityError
from api.resources import POD_LEVEL, qos_class
from api.validation import metadata, pods
from api.validation.problems import Problems
from api.zeros import without_zeros

MIRROR = "kubernetes.io/config.mirror"


def update_resize(found: Problems, new: Pod, old: Pod) -> None:
    """A resized Pod."""
    if MIRROR in old.metadata.annotations:
        found.forbidden("", "static pods cannot be resized")
        return
    if old.spec.os is not None and old.spec.os.name == "windows":
        found.forbidden("", "windows pods cannot be resized")
        return
    metadata.metadata_update(found, new.metadata, old.metadata)
    pods.pod_spec(found, "spec", new.spec, is_pod=True)
    if _class(new) != (old.status.qos_class or _class(old)):
        found.invalid("spec", new.status.qos_class or "", "Pod QOS Class may not change as a result of resizing")
    if not _supported(old):
        found.forbidden("spec", "Pod running on node without support for resize")
    _pod_level(found, new.spec, old.spec)
    if old.status.node_allocatable_resource_claim_statuses:
        found.forbidden("spec", "pods with node allocatable resource claims cannot be resized")
    if _same_containers(found, new.spec, old.spec):
        _containers(found, without_zeros(new.spec), without_zeros(old.spec))


def _class(pod: Pod) -> str:
    try:
        return qos_class(pod.spec)
    except QuantityError:
        return ""  # the amount itself is refused


def _supported(pod: Pod) -> bool:
    """Whether the node's agent resizes: one that does reports what its running containers have."""
    running = [s for s in pod.status.container_statuses if s.state is not None and s.state.running is not None]
    return not running or running[0].resources is not None


def _pod_level(found: Problems, new: PodSpec, old: PodSpec) -> None:
    if not any(
        spec.resources is not None and (spec.resources.requests or spec.resources.limits) for spec in (new, old)
    ):
        return
    before = old.resources or ResourceRequirements()
    if old.resources is not None and new.resources is None:
        found.forbidden("spec.resources", "pod-level resources cannot be removed")
        return
    after = new.resources or ResourceRequirements()
    for field in ("requests", "limits"):
        if getattr(before, field).keys() - getattr(after, field).keys():
            found.forbidden(f"spec.resources.{field}", f"pod-level resource {field} cannot be removed")
    if _masked(after, before) != before:
        found.forbidden("spec", "only cpu and memory resources are mutable at pod-level")


def _same_containers(found: Problems, new: PodSpec, old: PodSpec) -> bool:
    """Whether the containers are the same in the same order."""
    same = True
    for path, fresh, known in (
        ("containers", new.containers, old.containers),
        ("initContainers", new.init_containers, old.init_containers),
    ):
        if len(fresh) != len(known):
            found.forbidden(f"spec.{path}", f"{path} may not be added or removed on resize")
            same = False
            continue
        for index, (one, other) in enumerate(zip(fresh, known, strict=True)):
            if one.name != other.name:
                where = f"spec.{path}[{index}].name"
                found.forbidden(where, f"{path} may not be renamed or reordered on resize")
                same = False
    return same


def _containers(found: Problems, new: PodSpec, old: PodSpec) -> None:
    for index, (fresh, known) in enumerate(zip(new.init_containers, old.init_containers, strict=True)):
        where = f"spec.initContainers[{index}]"
        _removals(found, where, fresh, known)
        if _resized(fresh, known) != known:
            found.forbidden(where, "only cpu and memory resources for init or sidecar containers are mutable")
        restarts = any(policy.restart_policy == "RestartContainer" for policy in fresh.resize_policy)
        if fresh != known and fresh.restart_policy != "Always" and restarts:
            detail = "non-sidecar init containers with a resize policy of RestartContainer cannot be resized"
            found.forbidden(where, detail)
    for index, (fresh, known) in enumerate(zip(new.containers, old.containers, strict=True)):
        _removals(found, f"spec.containers[{index}]", fresh, known)
        if _resized(fresh, known) != known:
            found.forbidden("spec", "only cpu and memory resources are mutable")


def _removals(found: Problems, path: str, new: Container, old: Container) -> None:
    after, before = new.resources or ResourceRequirements(), old.resources or ResourceRequirements()
    for field in ("requests", "limits"):
        if getattr(before, field).keys() - getattr(after, field).keys():
            found.forbidden(f"{path}.resources.{field}", f"resource {field} cannot be removed")


def _resized(new: Container, old: Container) -> Container:
    """The new container with the old amounts of CPU and memory: all else must be as it was."""
    masked = _masked(new.resources or ResourceRequirements(), old.resources or ResourceRequirements())
    empty = masked == ResourceRequirements() and old.resources is None
    return msgspec.structs.replace(new, resources=None if empty else masked)


def _masked(new: ResourceRequirements, old: ResourceRequirements) -> ResourceRequirements:
    return msgspec.structs.replace(
        new, requests=_mask(new.requests, old.requests), limits=_mask(new.limits, old.limits)
    )


def _mask(new: dict[str, str], old: dict[str, str]) -> dict[str, str]:
    kept = {name: amount for name, amount in new.items() if name not in POD_LEVEL}
    return kept | {name: amount for name, amount in old.items() if name in POD_LEVEL}
