"""Rules for what of a Pod may change. A Pod runs as it was made: only a few fields of its spec are open."""

from typing import Any

import msgspec

from api.core_v1 import Container, Pod, PodSpec, Toleration
from api.validation import metadata, pod_statuses, pods, scheduling
from api.validation.pod_resize import MIRROR
from api.validation.problems import Problems
from api.zeros import without_zeros

_OPEN_FIELDS = (
    "`spec.containers[*].image`",
    "`spec.initContainers[*].image`",
    "`spec.activeDeadlineSeconds`",
    "`spec.tolerations` (only additions to existing tolerations)",
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
)
_APP_ARMOR = "container.apparmor.security.beta.kubernetes.io/"


def update(found: Problems, new: Pod, old: Pod) -> None:
    """A changed Pod."""
    metadata.metadata_update(found, new.metadata, old.metadata)
    _annotations(found, new, old)
    pods.pod_spec(found, "spec", new.spec, is_pod=True, name=new.metadata.name or "")
    for path, fresh, known in (
        ("spec.containers", new.spec.containers, old.spec.containers),
        ("spec.initContainers", new.spec.init_containers, old.spec.init_containers),
    ):
        if len(fresh) != len(known):
            found.forbidden(path, "pod updates may not add or remove containers")
            return
    if not _deadline(found, new.spec.active_deadline_seconds, old.spec.active_deadline_seconds):
        return
    _tolerations(found, new.spec.tolerations, old.spec.tolerations)
    gates = {gate.name for gate in old.spec.scheduling_gates}
    for index, gate in enumerate(new.spec.scheduling_gates):
        if gate.name not in gates:
            detail = f"only deletion is allowed, but found new scheduling gate '{gate.name}'"
            found.forbidden(f"spec.schedulingGates[{index}].name", detail)
    changed = sorted(_closed_changes(new.spec, old.spec))
    if changed:
        detail = f"pod updates may not change fields other than {','.join(_OPEN_FIELDS)}\nchanged: {', '.join(changed)}"
        found.forbidden("spec", detail)


def update_status(found: Problems, new: Pod, old: Pod) -> None:
    """A changed status of a Pod."""
    metadata.metadata_update(found, new.metadata, old.metadata)
    _annotations(found, new, old)
    pod_statuses.status(found, new, old)
    found.immutable("status.qosClass", new.status.qos_class or "", old.status.qos_class or "")


def update_ephemeral_containers(found: Problems, new: Pod, old: Pod) -> None:
    """Containers added to a running Pod: none goes, none changes."""
    if MIRROR in old.metadata.annotations:
        found.forbidden("", "static pods do not support ephemeral containers")
        return
    metadata.metadata_update(found, new.metadata, old.metadata)
    pods.pod_spec(found, "spec", new.spec, is_pod=True, name=new.metadata.name or "")
    known = {container.name: container for container in new.spec.ephemeral_containers}
    where = "spec.ephemeralContainers"
    for container in old.spec.ephemeral_containers:
        if container.name not in known:
            found.forbidden(where, f'existing ephemeral containers "{container.name}" may not be removed\n')
        elif without_zeros(known[container.name]) != without_zeros(container):
            found.forbidden(where, f'existing ephemeral containers "{container.name}" may not be changed\n')


def _annotations(found: Problems, new: Pod, old: Pod) -> None:
    """Two sorts of annotations say what a pod is, so they stay as they are."""
    fresh, known = new.metadata.annotations, old.metadata.annotations
    for key in sorted(fresh.keys() | known.keys()):
        where, added = f"metadata.annotations[{key}]", key not in known
        if fresh.get(key) == known.get(key):
            continue
        if key.startswith(_APP_ARMOR):
            found.forbidden(where, f"may not {'add' if added else 'remove or update'} AppArmor annotations")
        elif key == MIRROR:
            found.forbidden(where, f"may not {'add' if added else 'remove or update'} mirror pod annotation")


def _deadline(found: Problems, new: int | None, old: int | None) -> bool:
    """Whether the deadline only came closer."""
    path = "spec.activeDeadlineSeconds"
    if new is None:
        if old is not None:
            found.invalid(path, None, "must not update from a positive integer to nil value")
        return True
    if old is not None and old < new:
        found.invalid(path, new, "must be less than or equal to previous value")
        return False
    return True


def _tolerations(found: Problems, new: list[Toleration], old: list[Toleration]) -> None:
    def without_seconds(item: Toleration) -> Toleration:
        return msgspec.structs.replace(item, toleration_seconds=None)

    kept = [without_seconds(item) for item in new]
    if any(without_seconds(item) not in kept for item in old):
        detail = "existing toleration can not be modified except its tolerationSeconds"
        found.forbidden("spec.tolerations", detail)
    scheduling.tolerations(found, "spec.tolerations", new)


def _closed_changes(new: PodSpec, old: PodSpec) -> list[str]:
    """The fields of the spec that changed though they may not."""
    if new == old:
        return []
    new, old = without_zeros(new), without_zeros(old)
    opened: dict[str, Any] = {
        "containers": _with_images(new.containers, old.containers),
        "init_containers": _with_images(new.init_containers, old.init_containers),
        "active_deadline_seconds": old.active_deadline_seconds,
        "tolerations": old.tolerations,
        "scheduling_gates": old.scheduling_gates,
    }
    if (old.termination_grace_period_seconds or 0) < 0 and new.termination_grace_period_seconds == 1:
        opened["termination_grace_period_seconds"] = old.termination_grace_period_seconds
    if old.scheduling_gates:
        # A pod that waits behind a gate may still be narrowed to fewer nodes.
        opened["affinity"] = old.affinity
        if old.node_selector.items() <= new.node_selector.items():
            opened["node_selector"] = old.node_selector
    closed = msgspec.structs.replace(new, **opened)
    names_ = zip(PodSpec.__struct_fields__, PodSpec.__struct_encode_fields__, strict=True)
    return [json for name, json in names_ if getattr(closed, name) != getattr(old, name)]


def _with_images(new: list[Container], old: list[Container]) -> list[Container]:
    pairs = zip(new, old, strict=True)
    return [msgspec.structs.replace(fresh, image=known.image) for fresh, known in pairs]
