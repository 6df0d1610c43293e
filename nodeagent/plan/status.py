"""The status of a pod as the API server is to show it: one pure function, `compute_status`."""

from dataclasses import dataclass

from api import times
from api.core_v1 import (
    ContainerState,
    ContainerStateTerminated,
    ContainerStatus,
    HostIP,
    Pod,
    PodIP,
    PodStatus,
)
from nodeagent.model.memory import PodMemory, Verdict
from nodeagent.model.seen import ContainerState as Seen
from nodeagent.model.seen import SeenPod
from nodeagent.model.spec import is_host_network, is_sidecar, is_terminal
from nodeagent.plan.conditions import OWNED, compute_conditions, disrupted
from nodeagent.plan.container_status import LOST, UNKNOWN, compute_container_statuses
from nodeagent.plan.phase import compute_phase
from nodeagent.plan.pod import is_ending, needs_sandbox
from nodeagent.plan.qos import qos_class
from nodeagent.plan.resizing import pod_requests, pod_resources, to_be_replaced
from nodeagent.plan.restarting import restarting_condition

MESSAGES = 12 << 10  # bytes in one pod's status
OVER = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What statuses say of the node."""

    host_ips: tuple[str, ...]
    runtime: str = "containerd"


def compute_status(pod: Pod, seen: SeenPod, memory: PodMemory, node: NodeFacts, now: float) -> PodStatus:
    """The whole status, from what is wanted, seen, remembered and was reported before (`pod.status`)."""
    old = pod.status
    if was_rejected(pod, seen, memory):
        return _rejected(pod, memory)
    lists = (
        (pod.spec.init_containers, old.init_container_statuses),
        (pod.spec.containers, old.container_statuses),
        (pod.spec.ephemeral_containers, old.ephemeral_container_statuses),
    )
    init, apps, ephemeral = (
        compute_container_statuses(pod, containers, before, seen, memory, node.runtime) for containers, before in lists
    )
    _settle_init(pod, init)
    _shorten([*init, *apps, *ephemeral])
    final = is_ending(pod, memory) and not seen.running() and not any(s.ready for s in seen.sandboxes)
    judged = compute_phase(pod, apps + init, final, _has_active_app(pod, seen), to_be_replaced(seen, memory))
    if memory.verdict is not None:
        judged = "Failed"
    if is_terminal(pod):
        judged = old.phase or judged
    phase, reason, message = _told(judged, old, memory.verdict, final)
    ips = _pod_ips(pod, seen, node)
    conditions = old.conditions
    if not (final and _was_told(old)):
        conditions = compute_conditions(
            pod,
            init + apps,
            judged,
            not needs_sandbox(pod, seen),
            now,
            () if final else (memory.resize_pending, memory.resize_progress),
            restarting_condition(pod, seen, phase),
        )
    if final:
        conditions = disrupted(pod, memory.verdict, now) + conditions
        _terminate(pod, init, apps)
    return PodStatus(
        observed_generation=pod.metadata.generation,
        phase=phase,
        conditions=conditions,
        message=message,
        reason=reason,
        nominated_node_name=old.nominated_node_name,
        host_ip=node.host_ips[0] if node.host_ips else None,
        host_ips=[HostIP(ip) for ip in node.host_ips],
        pod_ip=ips[0] if ips else None,
        pod_ips=[PodIP(ip) for ip in ips],
        start_time=old.start_time or times.format_time(memory.accepted_at),
        init_container_statuses=init,
        container_statuses=apps,
        qos_class=qos_class(pod),
        ephemeral_container_statuses=ephemeral,
        resource_claim_statuses=old.resource_claim_statuses,
        allocated_resources=pod_requests(pod),
        resources=pod_resources(pod, old.phase == "Running", memory.pod_limits),
    )


def was_rejected(pod: Pod, seen: SeenPod, memory: PodMemory) -> bool:
    """Whether the node did not take it: nothing of it was ever begun."""
    if memory.verdict is not None:
        return memory.verdict.rejected
    return is_terminal(pod) and seen.empty and not pod.status.container_statuses


def _rejected(pod: Pod, memory: PodMemory) -> PodStatus:
    """What a pod that was not taken shows: why, and nothing of containers."""
    old, verdict = pod.status, memory.verdict
    return PodStatus(
        observed_generation=pod.metadata.generation,
        phase="Failed" if verdict is not None else old.phase,
        conditions=[c for c in old.conditions if c.type not in OWNED],
        message=f"Pod was rejected: {verdict.message}" if verdict is not None else old.message,
        reason=verdict.reason if verdict is not None else old.reason,
        nominated_node_name=old.nominated_node_name,
        start_time=old.start_time or times.format_time(memory.accepted_at),
        qos_class=qos_class(pod),
        resource_claim_statuses=old.resource_claim_statuses,
    )


def _shorten(statuses: list[ContainerStatus]) -> None:
    """Containers share the room there is for last words."""
    room = MESSAGES // max(1, len(statuses))
    for status in statuses:
        for state in (status.state, status.last_state):
            end = state.terminated if state is not None else None
            if end is not None and end.message is not None:
                end.message = end.message.encode()[:room].decode(errors="ignore")


def _settle_init(pod: Pod, statuses: list[ContainerStatus]) -> None:
    """An init container that is done is ready; probes have no say."""
    for container, status in zip(pod.spec.init_containers, statuses, strict=True):
        if not is_sidecar(container):
            end = status.state.terminated if status.state else None
            status.ready = end is not None and end.exit_code == 0


def _told(judged: str, old: PodStatus, verdict: Verdict | None, final: bool) -> tuple[str, str | None, str | None]:
    """Phase, reason and message. Others take what a pod held as soon as it is over, so that is told when nothing runs any more."""
    if final and judged not in OVER:
        judged = "Failed"
    if judged in OVER and not final and old.phase not in OVER:
        return old.phase or "Pending", old.reason, old.message
    if verdict is not None:
        return judged, verdict.reason, verdict.message
    return (judged, old.reason, old.message) if judged == old.phase else (judged, None, None)


def _was_told(old: PodStatus) -> bool:
    """Whether its end, with nothing left, has been told already: then what led there stands."""
    sandbox = next((c.status for c in old.conditions if c.type == "PodReadyToStartContainers"), None)
    return old.phase in OVER and sandbox == "False"


def _terminate(pod: Pod, init: list[ContainerStatus], apps: list[ContainerStatus]) -> None:
    """At the end every container that was begun has ended; of those we cannot find we say so.

    Apps count as begun when the last init container was done with, init containers up to the last that is known to have run.
    """
    begun = [n for n, status in enumerate(init) if _has_begun(status)]
    lost = [*init[: max(begun, default=0) + 1], *(apps if _is_initialized(pod, init, apps) else [])]
    for status in lost:
        if status.state is None or status.state.terminated is None:
            end = ContainerStateTerminated(exit_code=137, reason=UNKNOWN, message=LOST)
            status.state = ContainerState(terminated=end)
            status.ready, status.started = False, False


def _has_begun(status: ContainerStatus) -> bool:
    waits = status.state is None or status.state.waiting is not None
    return not waits or (status.last_state is not None and status.last_state.terminated is not None)


def _is_initialized(pod: Pod, init: list[ContainerStatus], apps: list[ContainerStatus]) -> bool:
    if not init or any(_has_begun(status) for status in apps):
        return True
    if is_sidecar(pod.spec.init_containers[-1]):
        return bool(init[-1].started)
    states = (init[-1].state, init[-1].last_state)
    return any(s is not None and s.terminated is not None and s.terminated.exit_code == 0 for s in states)


def _has_active_app(pod: Pod, seen: SeenPod) -> bool:
    """Whether an app container was started in the sandbox there is now."""
    states = (Seen.RUNNING, Seen.EXITED)
    return any((found := seen.current(c.name)) is not None and found.state in states for c in pod.spec.containers)


def _pod_ips(pod: Pod, seen: SeenPod, node: NodeFacts) -> list[str]:
    """One address a family, that of the node's own first."""
    sandbox = seen.sandbox
    if is_host_network(pod):
        return list(node.host_ips) if sandbox is not None or pod.status.pod_ip else []
    ips = sandbox.ips if sandbox is not None and sandbox.ready else ()
    if not ips:
        return [ip.ip for ip in pod.status.pod_ips] if sandbox is not None else []
    six_first = bool(node.host_ips) and ":" in node.host_ips[0]
    by_family = [next((ip for ip in ips if (":" in ip) == six), None) for six in (six_first, not six_first)]
    return [ip for ip in by_family if ip is not None]
