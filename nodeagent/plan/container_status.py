"""The status of one container: what the runtime shows, what was reported before, and why it waits."""

from collections.abc import Sequence

from api import times
from api.core_v1 import (
    Container,
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
    ContainerUser,
    LinuxContainerUser,
    Pod,
    ResourceRequirements,
    VolumeMountStatus,
)
from nodeagent.model import seen as model
from nodeagent.model.memory import Health, PodMemory
from nodeagent.model.seen import SeenContainer, SeenPod
from nodeagent.model.spec import AnyContainer, is_sidecar, should_restart
from nodeagent.plan.pod import is_ending
from nodeagent.plan.resizing import container_resources
from nodeagent.plan.restarting import is_restarting, mark_removed

UNKNOWN = "ContainerStatusUnknown"
LOST = "The container could not be located when the pod was terminated"
LOST_RUNNING = "The container could not be located when the pod was deleted.  The container used to be Running"
INITIALIZED_WITHOUT = "Unable to get init container status from container runtime and pod has been initialized, treat it as exited normally"


def compute_container_statuses(
    pod: Pod,
    containers: Sequence[AnyContainer],
    old: Sequence[ContainerStatus],
    seen: SeenPod,
    memory: PodMemory,
    runtime: str,
) -> list[ContainerStatus]:
    """The statuses of one list of containers, in the order of the specification."""
    before = {status.name: status for status in old}
    return [_status(pod, c, before.get(c.name), seen, memory, runtime) for c in containers]


def _status(
    pod: Pod, container: AnyContainer, old: ContainerStatus | None, seen: SeenPod, memory: PodMemory, runtime: str
) -> ContainerStatus:
    history = [c for c in seen.containers if c.name == container.name][:2]
    status = _observed(container, history, old, runtime) if history else _unseen(pod, container, old, seen)
    if history and isinstance(container, Container):
        status.resources = container_resources(container, history[0], memory.applied.get(history[0].id))
    status.volume_mounts = _mounts(container, memory.recursive_read_only, old)
    waiting = memory.waiting.get(container.name)
    latest = history[0] if history else None
    ended = status.state is not None and status.state.terminated is not None
    if waiting is not None and _is_to_start(pod, container, latest) and not (ended and is_ending(pod, memory)):
        if ended:
            status.last_state = status.state
        status.state = ContainerState(waiting=ContainerStateWaiting(waiting.reason, waiting.message or None))
    if isinstance(container, Container):  # of the others nobody asks whether they are ready
        _judge(container, status, memory.health.get(latest.id) if latest else None, old)
    return status


def _observed(
    container: AnyContainer, history: list[SeenContainer], old: ContainerStatus | None, runtime: str
) -> ContainerStatus:
    """From what the runtime shows."""
    latest = history[0]
    needs = container.resources or ResourceRequirements()
    status = ContainerStatus(
        name=container.name,
        state=_state(latest, old, runtime),
        last_state=ContainerState(),
        restart_count=latest.attempt,
        image=latest.image or container.image or "",
        image_id=latest.image_ref,
        container_id=f"{runtime}://{latest.id}",
        allocated_resources=needs.requests,
        resources=needs,
        user=_user(latest),
    )
    if len(history) > 1:
        status.last_state = _state(history[1], None, runtime)
    elif old is not None:
        if old.container_id != status.container_id and old.state is not None and old.state.terminated is not None:
            status.last_state = ContainerState(terminated=old.state.terminated)
        elif old.last_state is not None:
            status.last_state = old.last_state
    return status


def _user(found: SeenContainer) -> ContainerUser | None:
    user = found.user
    return ContainerUser(LinuxContainerUser(user.uid, user.gid, list(user.groups))) if user is not None else None


def _state(found: SeenContainer, old: ContainerStatus | None, runtime: str) -> ContainerState:
    if found.running:
        return ContainerState(running=ContainerStateRunning(times.format_time(found.started_at)))
    if found.exited:
        return ContainerState(
            terminated=ContainerStateTerminated(
                exit_code=found.exit_code,
                reason=found.reason or None,
                message=found.message or None,
                started_at=times.format_time(found.started_at),
                finished_at=times.format_time(found.finished_at),
                container_id=f"{runtime}://{found.id}",
            )
        )
    if found.state is model.ContainerState.UNKNOWN and old is not None and old.state and old.state.running:
        return ContainerState(terminated=ContainerStateTerminated(exit_code=137, reason=UNKNOWN, message=LOST))
    return ContainerState(waiting=ContainerStateWaiting())


def _unseen(pod: Pod, container: AnyContainer, old: ContainerStatus | None, seen: SeenPod) -> ContainerStatus:
    """For a container that the runtime does not have: never started, or lost."""
    default = "PodInitializing" if pod.spec.init_containers else "ContainerCreating"
    status = ContainerStatus(
        name=container.name,
        state=ContainerState(waiting=ContainerStateWaiting(default)),
        last_state=ContainerState(),
        image=container.image or "",
    )
    if old is not None:
        if is_restarting(pod, seen) and (old.state is None or old.state.waiting is None):
            mark_removed(status, old)
            return status
        if old.state is not None and old.state.terminated is not None:
            return _copy(old)
        status.restart_count = old.restart_count
        status.last_state = old.last_state or ContainerState()
    if _is_plain_init(pod, container) and any(seen.container(c.name) for c in pod.spec.containers):
        done = ContainerStateTerminated(exit_code=0, reason="Completed", message=INITIALIZED_WITHOUT)
        status.state = ContainerState(terminated=done)
    elif _ran(old) and (status.last_state is None or status.last_state.terminated is None):
        lost = ContainerStateTerminated(exit_code=137, reason=UNKNOWN, message=LOST_RUNNING)
        status.last_state = ContainerState(terminated=lost)
        status.restart_count += pod.metadata.deletion_timestamp is None
    return status


def _ran(old: ContainerStatus | None) -> bool:
    return old is not None and old.state is not None and old.state.running is not None


def _copy(old: ContainerStatus) -> ContainerStatus:
    return ContainerStatus(**{name: getattr(old, name) for name in old.__struct_fields__})


def _is_plain_init(pod: Pod, container: AnyContainer) -> bool:
    return not is_sidecar(container) and any(c is container for c in pod.spec.init_containers)


def _is_to_start(pod: Pod, container: AnyContainer, latest: SeenContainer | None) -> bool:
    """Whether the plan wants this container started, so that a reason for waiting tells something."""
    if pod.metadata.deletion_timestamp is not None:
        return False
    if latest is None or latest.state is model.ContainerState.CREATED:
        return True
    restartable = (*pod.spec.init_containers, *pod.spec.containers)
    return latest.exited and any(c is container and should_restart(pod, c, latest.exit_code) for c in restartable)


def _judge(
    container: AnyContainer, status: ContainerStatus, health: Health | None, old: ContainerStatus | None
) -> None:
    """Started and ready, as far as probes have a say; until there is a result, what was told before of this very run stands."""
    found = health or Health()
    if old is not None and old.container_id == status.container_id:
        found = Health(
            started=old.started if found.started is None else found.started,
            ready=old.ready if found.ready is None else found.ready,
        )
    running = status.state is not None and status.state.running is not None
    started = running and (container.startup_probe is None or bool(found.started))
    status.started = started
    status.ready = started and (container.readiness_probe is None or bool(found.ready))


def _mounts(container: AnyContainer, able: bool | None, old: ContainerStatus | None) -> list[VolumeMountStatus]:
    """Its mounts; what the runtime can do was told before if nobody has asked it since."""
    told = {mount.mount_path: mount.recursive_read_only for mount in old.volume_mounts} if old is not None else {}
    found = []
    for mount in container.volume_mounts:
        mode = None
        if mount.read_only:
            wished = (mount.recursive_read_only or "Disabled") != "Disabled"
            mode = "Enabled" if wished and able else "Disabled"
            if wished and able is None:
                mode = told.get(mount.mount_path) or mode
        found.append(VolumeMountStatus(mount.name, mount.mount_path, mount.read_only or None, mode))
    return found
