"""Rules for what of a Pod may change. A Pod runs as it was made: only a few fields of its spec are open."""

from typing import Any

import msgspec

from api import names
from api.core_v1 import Container, ContainerStatus, Pod, PodSpec, Toleration
from api.validation import addresses, metadata, pods, scheduling
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
_SYSTEM_CONDITIONS = ("PodScheduled", "Ready", "Initialized")


def update(found: Problems, new: Pod, old: Pod) -> None:
    """A changed Pod."""
    metadata.metadata_update(found, new.metadata, old.metadata)
    pods.pod_spec(found, "spec", new.spec, is_pod=True)
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
    status = new.status
    for index, condition in enumerate(status.conditions):
        if condition.type not in _SYSTEM_CONDITIONS:
            where = f"status.conditions[{index}].Type"
            found.invalid_all(where, condition.type, names.label_key(condition.type))
    if new.spec.node_name != old.spec.node_name:
        found.forbidden("status.nodeName", "may not be changed directly")
    if status.nominated_node_name and status.nominated_node_name != old.status.nominated_node_name:
        problems = names.dns_subdomain(status.nominated_node_name)
        found.invalid_all("status.nominatedNodeName", status.nominated_node_name, problems)
    if status.observed_generation is not None and status.observed_generation < 0:
        found.invalid("status.observedGeneration", status.observed_generation, "must be a non-negative integer")
    if old.status.qos_class:
        found.immutable("status.qosClass", status.qos_class, old.status.qos_class)
    _transitions(found, "status.containerStatuses", status.container_statuses, old.status.container_statuses, old.spec)
    _addresses(found, "status.podIPs", [item.ip for item in status.pod_ips])
    _addresses(found, "status.hostIPs", [item.ip for item in status.host_ips])
    if status.host_ips and status.host_ip != status.host_ips[0].ip:
        found.invalid("status.hostIPs[0].ip", status.host_ips[0].ip, "must be equal to `hostIP`")


def update_ephemeral_containers(found: Problems, new: Pod, old: Pod) -> None:
    """Containers added to a running Pod: none goes, none changes."""
    if MIRROR in old.metadata.annotations:
        found.forbidden("", "static pods do not support ephemeral containers")
        return
    metadata.metadata_update(found, new.metadata, old.metadata)
    pods.pod_spec(found, "spec", new.spec, is_pod=True)
    known = {container.name: container for container in new.spec.ephemeral_containers}
    where = "spec.ephemeralContainers"
    for container in old.spec.ephemeral_containers:
        if container.name not in known:
            found.forbidden(where, f'existing ephemeral containers "{container.name}" may not be removed\n')
        elif without_zeros(known[container.name]) != without_zeros(container):
            found.forbidden(where, f'existing ephemeral containers "{container.name}" may not be changed\n')


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


def _transitions(
    found: Problems, path: str, new: list[ContainerStatus], old: list[ContainerStatus], spec: PodSpec
) -> None:
    """A container that ended for good stays ended."""
    policies = {item.name: item.restart_policy or spec.restart_policy for item in spec.containers}
    rules = {item.name for item in spec.containers if item.restart_policy_rules}
    fresh = {status.name: status for status in new}
    for index, status in enumerate(old):
        ended = status.state.terminated if status.state is not None else None
        now = fresh.get(status.name)
        if ended is None or now is None or status.name in rules:
            continue
        policy = policies.get(status.name)
        if policy == "Always" or (policy == "OnFailure" and ended.exit_code != 0):
            continue
        if now.state is None or now.state.terminated is None:
            found.forbidden(f"{path}[{index}].state", "may not be transitioned to non-terminated state")


def _addresses(found: Problems, path: str, values: list[str]) -> None:
    good = [addresses.ip(found, f"{path}[{index}]", value) for index, value in enumerate(values)]
    if len(values) > 1 and all(good) and not addresses.one_of_each_family(values):
        found.invalid(path, [{"ip": value} for value in values], "may specify no more than one IP for each IP family")
