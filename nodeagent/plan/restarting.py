"""All containers of a pod begin anew because one of them ended as its rules foresee: in the same sandbox, from the first on."""

from api.core_v1 import (
    ContainerState,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    Pod,
    PodCondition,
)
from nodeagent.model.seen import SeenContainer, SeenPod
from nodeagent.model.spec import matching_rule
from nodeagent.plan.actions import Action, RemoveContainer, StopContainer

CONDITION = "AllContainersRestarting"
REASON = "RestartingAllContainers"
REMOVED = "The container is removed because RestartAllContainers in place"
ALL = "RestartAllContainers"
GRACE = 2


def may_restart_all(pod: Pod) -> bool:
    """Whether any of its rules says so."""
    return any(
        r.action == ALL for c in (*pod.spec.init_containers, *pod.spec.containers) for r in c.restart_policy_rules
    )


def causes(pod: Pod, seen: SeenPod) -> list[SeenContainer]:
    """The containers that ended so that all begin anew."""
    if not may_restart_all(pod):
        return []
    specs = {c.name: c for c in (*pod.spec.init_containers, *pod.spec.containers)}
    return [
        found
        for found in seen.containers
        if found.exited and found.name in specs and matching_rule(specs[found.name], found.exit_code) == ALL
    ]


def is_restarting(pod: Pod, seen: SeenPod) -> bool:
    """Whether that is under way: a cause is there, or it was told and is not done."""
    told = any(c.type == CONDITION and c.status == "True" for c in pod.status.conditions)
    return bool(causes(pod, seen)) or (told and may_restart_all(pod))


def reset_actions(pod: Pod, seen: SeenPod) -> tuple[Action, ...]:
    """Everything goes, and the causes last: as long as one is there it is known what is to be done."""
    names = {c.name for c in (*pod.spec.init_containers, *pod.spec.containers)}
    own = [c for c in seen.containers if c.name in names]
    last = {c.id for c in causes(pod, seen)}
    stops = [StopContainer(c.id, c.name, GRACE, "killing") for c in own if not c.exited]
    ordered = sorted(own, key=lambda c: c.id in last)
    return (*stops, *(RemoveContainer(c.id, c.name) for c in ordered))


def mark_removed(status: ContainerStatus, old: ContainerStatus) -> None:
    """What is told of a container that was removed on the way."""
    end = ContainerStateTerminated(exit_code=137, reason=REASON, message=REMOVED)
    status.state = ContainerState(waiting=ContainerStateWaiting(REASON, REMOVED))
    status.last_state = ContainerState(terminated=end)
    status.restart_count = old.restart_count + 1


def restarting_condition(pod: Pod, seen: SeenPod, phase: str) -> PodCondition | None:
    """The condition of pods that have such a rule."""
    if not may_restart_all(pod):
        return None
    if phase in ("Succeeded", "Failed"):
        return PodCondition(
            type=CONDITION, status="False", reason="PodCompleted" if phase == "Succeeded" else "PodFailed"
        )
    names = {c.name for c in (*pod.spec.init_containers, *pod.spec.containers)}
    if not is_restarting(pod, seen) or not any(c.name in names for c in seen.containers):
        return PodCondition(type=CONDITION, status="False")
    why = "container exited with restart policy rule"
    return PodCondition(type=CONDITION, status="True", reason="RestartAllContainersStarted", message=why)
