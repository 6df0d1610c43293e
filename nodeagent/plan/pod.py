"""The plan for a pod that lives or ends: one pure function, `plan_pod`.

A pod lives until it is deleted, has run to its end, or the agent gave a verdict; from then on it only ever ends. Both sides
plan one stage at a time and are asked again after each: what was done shows in what is seen.

living: volumes -> sandbox -> init containers one by one (sidecars stay) -> app containers; dead ones are restarted by
policy after a back-off. A lost sandbox is replaced and everything in it starts over.

ending: app containers together, then sidecars in reverse order, then the network, then volumes and cgroup, then the object
in the API server; when that is gone, what the runtime still holds.
"""

from dataclasses import replace

from api import times
from api.core_v1 import Pod
from nodeagent.model.memory import PodMemory, Verdict
from nodeagent.model.seen import SeenPod, SeenSandbox
from nodeagent.model.spec import has_usual_volumes, is_host_network, is_terminal, should_restart, sidecars
from nodeagent.plan.actions import (
    Action,
    CleanUp,
    CreateSandbox,
    DeleteObject,
    Forget,
    Plan,
    PrepareVolumes,
    RemoveContainer,
    RemoveSandbox,
    StopContainer,
    StopSandbox,
    earliest,
)
from nodeagent.plan.containers import plan_containers

MINIMUM_GRACE = 2  # what every container gets, however short of time we are
DEADLINE = Verdict("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")


def plan_pod(pod: Pod, seen: SeenPod, memory: PodMemory, now: float) -> Plan:
    """What to do next for this pod."""
    if is_ending(pod, memory):
        return _plan_end(pod, seen, memory, now)
    deadline = active_deadline(pod, memory)
    if deadline is not None and now >= deadline:
        return Plan(verdict=DEADLINE)
    plan = _plan_life(pod, seen, memory, now)
    return replace(plan, wake_at=earliest(plan.wake_at, deadline))


def is_ending(pod: Pod, memory: PodMemory) -> bool:
    """Whether nothing of this pod is to be started any more."""
    deleted = pod.metadata.deletion_timestamp is not None
    return deleted or memory.gone or memory.ended or memory.verdict is not None or is_terminal(pod)


def active_deadline(pod: Pod, memory: PodMemory) -> float | None:
    """When the pod's time is up."""
    seconds = pod.spec.active_deadline_seconds
    if seconds is None:
        return None
    start = pod.status.start_time
    return (times.parse_time(start) if start else memory.accepted_at) + seconds


def grace_seconds(pod: Pod, memory: PodMemory) -> int:
    """How long containers get to end. It never grows: a second, shorter wish counts, a longer one does not."""
    wishes = [memory.grace, pod.metadata.deletion_grace_period_seconds]
    known = [wish for wish in wishes if wish is not None]
    default = pod.spec.termination_grace_period_seconds
    if not known and default is not None:
        known = [default]
    return max(1, min(known)) if known else 1


def plan_removal(seen: SeenPod) -> tuple[Action, ...]:
    """Everything the runtime still holds, dead as it is."""
    containers = [RemoveContainer(c.id, c.name) for c in seen.containers]
    return (*containers, *(RemoveSandbox(s.id) for s in seen.sandboxes))


def _plan_end(pod: Pod, seen: SeenPod, memory: PodMemory, now: float) -> Plan:
    if now < memory.stop_retry:
        return Plan(wake_at=memory.stop_retry)
    if stops := _stops(pod, seen, memory, now):
        return Plan(stops)
    if alive := tuple(StopSandbox(s.id) for s in seen.sandboxes if s.ready):
        return Plan(alive)
    if not memory.cleaned:
        return Plan((CleanUp(),))
    if memory.gone:
        return Plan(plan_removal(seen) or (Forget(),))
    if pod.metadata.deletion_timestamp is not None and not memory.reported:
        return Plan((DeleteObject(),))
    return Plan(_garbage(seen))


def _stops(pod: Pod, seen: SeenPod, memory: PodMemory, now: float) -> tuple[StopContainer, ...]:
    """Everything that runs: hooks at once, then all but the sidecars, then sidecars one by one from the last."""
    order = sidecars(pod)
    running = seen.running()
    spent = now - memory.stopping_since if memory.stopping_since is not None else 0.0
    grace = max(MINIMUM_GRACE, int(grace_seconds(pod, memory) - spent))
    first = [c for c in running if c.name not in order]
    last = sorted((c for c in running if c.name in order), key=lambda c: order.index(c.name), reverse=True)
    stops: list[StopContainer] = []
    for container in first + last:
        after = tuple(stop.id for stop in stops) if container.name in order else ()
        stops.append(StopContainer(container.id, container.name, grace, f"Stopping container {container.name}", after))
    return tuple(stops)


def _plan_life(pod: Pod, seen: SeenPod, memory: PodMemory, now: float) -> Plan:
    if now < memory.sandbox_retry:
        return Plan(wake_at=memory.sandbox_retry)
    stale = memory.volumes_stale and now >= memory.volumes_retry
    prepare: tuple[Action, ...] = (PrepareVolumes(),) if stale or not memory.volumes_ready else ()
    if needs_sandbox(pod, seen):
        if _has_run_to_its_end(pod, seen):
            return Plan(ended=True)
        if not (memory.network_ready or is_host_network(pod)):
            return Plan(lacks_network=True)  # woken when the network is
        return Plan((*prepare, *_replace_sandbox(seen, early=bool(prepare) and has_usual_volumes(pod))))
    if prepare:
        return Plan(prepare)
    plan = plan_containers(pod, seen, memory, now)
    if plan.actions or plan.ended:
        return plan
    again = memory.volumes_retry if memory.volumes_stale else None
    return Plan(_garbage(seen), earliest(plan.wake_at, again), plan.waiting)


def needs_sandbox(pod: Pod, seen: SeenPod) -> bool:
    """Whether there is no sandbox that containers could be started in."""
    sandbox = seen.sandbox
    if sandbox is None or not sandbox.ready or sum(s.ready for s in seen.sandboxes) > 1:
        return True
    if sandbox.host_network != is_host_network(pod):
        return True
    return not sandbox.ips and not sandbox.host_network


def _has_run_to_its_end(pod: Pod, seen: SeenPod) -> bool:
    """Whether a new sandbox would have nothing to run."""
    if seen.sandbox is None or not seen.containers:
        return False
    if (pod.spec.restart_policy or "Always") == "Never":
        return True
    latest = [(c, seen.container(c.name)) for c in pod.spec.containers]
    if all(found is None for _, found in latest):
        return False  # still initializing
    return all(f is not None and f.exited and not should_restart(pod, c, f.exit_code) for c, f in latest)


def _replace_sandbox(seen: SeenPod, early: bool) -> tuple[Action, ...]:
    """Stop what is left of older sandboxes, then make the next."""
    stops = [StopContainer(c.id, c.name, MINIMUM_GRACE, f"Stopping container {c.name}") for c in seen.running()]
    stale: list[SeenSandbox] = [s for s in seen.sandboxes if s.ready or s is seen.sandbox]
    attempt = seen.sandbox.attempt + 1 if seen.sandbox else 0
    return (*stops, *(StopSandbox(s.id) for s in stale), CreateSandbox(attempt, early))


def _garbage(seen: SeenPod) -> tuple[Action, ...]:
    """Dead containers but the newest of each name, and old sandboxes without containers."""
    actions: list[Action] = []
    kept: set[str] = set()
    for container in seen.containers:
        if not container.exited:
            continue
        if container.name in kept:
            actions.append(RemoveContainer(container.id, container.name))
        kept.add(container.name)
    used = {c.sandbox_id for c in seen.containers}
    actions += [RemoveSandbox(s.id) for s in seen.sandboxes[1:] if not s.ready and s.id not in used]
    return tuple(actions)
