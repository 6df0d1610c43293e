"""The table of Pods. STATUS is one word for where all the containers are; the first that is in trouble gives it."""

from typing import Any, NamedTuple

from api import kinds, times
from api.core_v1 import ContainerStateTerminated, ContainerStatus, Pod, PodCondition
from api.kinds import Kind
from api.meta_v1 import TableRowCondition
from controlplane.apiserver.tables.ages import age, human
from controlplane.apiserver.tables.columns import Cell, Layout, columns

_NONE = "<none>"


class _Seen(NamedTuple):
    """What some of a pod's containers add up to."""

    reason: str
    ready: int
    restarts: int
    last_restart: float
    stuck: bool = False


def _cells(pod: Pod, now: float) -> list[Cell]:
    status = pod.status
    sidecars = {item.name for item in pod.spec.init_containers if item.restart_policy == "Always"}
    seen = _initializing(pod, sidecars)
    if not seen.stuck or _is_true(status.conditions, "Initialized"):
        seen = _running(pod, sidecars, seen)
    restarts = str(seen.restarts)
    if seen.restarts and seen.last_restart:
        restarts = f"{seen.restarts} ({human(now - seen.last_restart)} ago)"
    return [
        pod.metadata.name,
        f"{seen.ready}/{len(pod.spec.containers) + len(sidecars)}",
        _deleted(pod) or seen.reason,
        restarts,
        age(pod.metadata.creation_timestamp, now),
        (status.pod_ips[0].ip if status.pod_ips else "") or _NONE,
        pod.spec.node_name or _NONE,
        status.nominated_node_name or _NONE,
        _gates(pod),
    ]


def _deleted(pod: Pod) -> str:
    """The word for a pod that is on its way out."""
    if pod.metadata.deletion_timestamp is None:
        return ""
    if pod.status.reason == "NodeLost":
        return "Unknown"
    return "" if pod.status.phase in ("Succeeded", "Failed") else "Terminating"


def _initializing(pod: Pod, sidecars: set[str]) -> _Seen:
    """What the init containers say, up to the first that is not done."""
    reason = pod.status.reason or pod.status.phase or ""
    if any(item.type == "PodScheduled" and item.reason == "SchedulingGated" for item in pod.status.conditions):
        reason = "SchedulingGated"
    ready = restarts = 0
    last = 0.0
    for index, container in enumerate(pod.status.init_container_statuses):
        restarts += container.restart_count
        last = max(last, _ended_before(container))
        ended = container.state.terminated if container.state is not None else None
        if ended is not None and ended.exit_code == 0:
            continue
        if container.name in sidecars and container.started:
            ready += container.ready
            continue
        reason = "Init:" + _init_reason(container, f"{index}/{len(pod.spec.init_containers)}")
        return _Seen(reason, ready, restarts, last, stuck=True)
    return _Seen(reason, ready, restarts, last)


def _init_reason(container: ContainerStatus, progress: str) -> str:
    state = container.state
    if state is not None and state.terminated is not None:
        return _end(state.terminated)
    if state is not None and state.waiting is not None and state.waiting.reason not in (None, "", "PodInitializing"):
        return state.waiting.reason or ""
    return progress


def _running(pod: Pod, sidecars: set[str], before: _Seen) -> _Seen:
    """What the ordinary containers say; of the init containers only the sidecars still count."""
    reason, ready = before.reason, before.ready
    restarts, last = 0, 0.0
    for container in pod.status.init_container_statuses:
        if container.name in sidecars:
            restarts += container.restart_count
            last = max(last, _ended_before(container))
    running, failed = False, ""
    for container in reversed(pod.status.container_statuses):
        restarts += container.restart_count
        last = max(last, _ended_before(container))
        state = container.state
        if state is None:
            continue
        if state.waiting is not None and state.waiting.reason:
            reason = state.waiting.reason
        elif state.terminated is not None:
            reason = _end(state.terminated)
            failed = reason if state.terminated.exit_code != 0 else failed
        elif container.ready and state.running is not None:
            running = True
            ready += 1
    if reason == "Completed":
        if running and any(item.type == "Ready" and item.status == "True" for item in pod.status.conditions):
            reason = "Running"
        elif failed or running:
            reason = failed or "NotReady"
    return _Seen(reason, ready, restarts, last)


def _end(ended: ContainerStateTerminated) -> str:
    if ended.reason:
        return ended.reason
    return f"Signal:{ended.signal}" if ended.signal else f"ExitCode:{ended.exit_code}"


def _ended_before(container: ContainerStatus) -> float:
    """When the container's previous run ended; 0 if there was none."""
    ended = container.last_state.terminated if container.last_state is not None else None
    if ended is None or not ended.finished_at:
        return 0.0
    try:
        return times.parse_time(ended.finished_at)
    except ValueError:
        return 0.0


def _gates(pod: Pod) -> str:
    gates = pod.spec.readiness_gates
    if not gates:
        return _NONE
    return f"{sum(_is_true(pod.status.conditions, gate.condition_type) for gate in gates)}/{len(gates)}"


def _is_true(conditions: list[PodCondition], type_: str) -> bool:
    return next((item.status == "True" for item in conditions if item.type == type_), False)


def _conditions(pod: Pod) -> list[TableRowCondition]:
    """What lets clients hide pods that are over."""
    messages = {"Succeeded": "The pod has completed successfully.", "Failed": "The pod failed."}
    message = messages.get(pod.status.phase or "")
    if message is None:
        return []
    return [TableRowCondition(type="Completed", status="True", reason=pod.status.phase, message=message)]


LAYOUTS: dict[Kind[Any], Layout] = {
    kinds.POD: Layout(
        columns(
            "Name",
            "Ready",
            "Status",
            "Restarts",
            "Age",
            wide=("IP", "Node", "Nominated Node", "Readiness Gates"),
        ),
        _cells,
        _conditions,
    ),
}
