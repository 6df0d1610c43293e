"""The phase of a pod, from the states of its containers."""

from collections.abc import Collection
from dataclasses import dataclass

from api.core_v1 import Container, ContainerStateTerminated, ContainerStatus, Pod
from nodeagent.model.spec import is_sidecar, should_restart
from nodeagent.plan.restarting import REASON


@dataclass(slots=True)
class Tally:
    """How many containers are in which state."""

    pending_init: int = 0
    pending_sidecars: int = 0
    failed_init: bool = False
    unknown: int = 0
    running: int = 0
    waiting: int = 0
    stopped: int = 0
    stopped_for_good: int = 0
    succeeded: int = 0


def compute_phase(
    pod: Pod, statuses: list[ContainerStatus], ended: bool, initialized: bool, again: Collection[str] = ()
) -> str:
    """Pending, Running, Succeeded or Failed. `ended` pods restart nothing; `initialized` means apps have run before.

    Those in `again` will run again however they ended.
    """
    tally = _count(pod, {status.name: status for status in statuses}, again)
    if tally.failed_init:
        return "Failed"
    if tally.pending_init or (tally.pending_sidecars and not initialized) or tally.waiting:
        return "Pending"
    if tally.running and not tally.unknown:
        return "Running"
    if not tally.running and tally.stopped and not tally.unknown:
        if not ended and tally.stopped != tally.stopped_for_good:
            return "Running"
        return "Succeeded" if tally.stopped == tally.succeeded else "Failed"
    return "Pending"


def _count(pod: Pod, statuses: dict[str, ContainerStatus], again: Collection[str]) -> Tally:
    tally = Tally()
    for container in pod.spec.init_containers:
        status = statuses.get(container.name)
        if is_sidecar(container):
            _count_sidecar(tally, status)
        else:
            _count_init(tally, pod, container, status)
    for container in pod.spec.containers:
        _count_app(tally, pod, container, statuses.get(container.name), container.name in again)
    return tally


def _count_init(tally: Tally, pod: Pod, container: Container, status: ContainerStatus | None) -> None:
    end = _last_end(status) if status is not None and not _running(status) else None
    if end is None:
        tally.pending_init += 1
    elif end.exit_code != 0 and end.reason != REASON and not should_restart(pod, container, end.exit_code):
        tally.failed_init = True


def _count_sidecar(tally: Tally, status: ContainerStatus | None) -> None:
    if status is None or status.state is None:
        tally.unknown += 1
    elif _running(status):
        tally.pending_sidecars += not status.started
        tally.running += 1
    elif status.state.terminated is None and _last_end(status) is None:
        tally.pending_sidecars += 1
        tally.waiting += 1


def _count_app(tally: Tally, pod: Pod, container: Container, status: ContainerStatus | None, again: bool) -> None:
    if status is None or status.state is None:
        tally.unknown += 1
    elif _running(status):
        tally.running += 1
    elif (end := _last_end(status)) is not None:
        tally.stopped += 1
        tally.stopped_for_good += not (again or end.reason == REASON or should_restart(pod, container, end.exit_code))
        tally.succeeded += status.state.terminated is not None and end.exit_code == 0
    else:
        tally.waiting += 1


def _running(status: ContainerStatus) -> bool:
    return status.state is not None and status.state.running is not None


def _last_end(status: ContainerStatus | None) -> ContainerStateTerminated | None:
    """How it ended: now, or before it began to wait again."""
    if status is None:
        return None
    if status.state is not None and status.state.terminated is not None:
        return status.state.terminated
    return status.last_state.terminated if status.last_state is not None else None
