"""What a worker learns from how an action went: what counts as failed and how often, when to try again, what users are told.

`lesson_of` decides and changes nothing. The worker takes the lesson into the pod's memory and does what else it says.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from linux.cgroup import CgroupBusy, CgroupError
from linux.mounts import MountError
from nodeagent.cri.errors import RuntimeAway, RuntimeFault
from nodeagent.model.memory import PodMemory, Verdict, Waiting
from nodeagent.plan.actions import (
    Action,
    CleanUp,
    CreateSandbox,
    PrepareVolumes,
    StartContainer,
    StopContainer,
    StopSandbox,
)
from nodeagent.sync.starting import StartProblem
from nodeagent.volumes.problems import TooManyAttached, VolumeProblem

ATTACH_PATIENCE = 123.0  # seconds that a pod has until its volumes are attached
EXPECTED = (RuntimeFault, VolumeProblem, MountError, CgroupError, OSError)
Delay = Callable[[int], float]  # seconds to wait after so many failures in a row


class Effort(Enum):
    """What failures in a row are counted of."""

    BEGINNING = auto()  # volumes and sandbox, before anything runs
    SHOWING = auto()  # what volumes of a living pod show has changed
    ENDING = auto()


@dataclass(frozen=True, slots=True)
class Lesson:
    """What one action's result teaches."""

    go_on: bool = False  # with the actions after it
    look: bool = True  # the runtime may hold something else than we think
    failed: bool = False
    surprising: bool = False  # a failure that nobody thought of: ours, most likely
    effort: Effort | None = None
    failures: int = 0  # of that effort, in a row
    key: str = ""  # what is waited with: a container by name, or by id if it is to stop
    retry_at: float = 0.0
    waiting: Waiting | None = None
    warning: tuple[str, str] | None = None  # reason and message of an Event
    verdict: Verdict | None = None


def lesson_of(action: Action, result: BaseException | None, memory: PodMemory, now: float, delay: Delay) -> Lesson:
    """What to make of an action that went like this; None: it went well."""
    if result is None:
        return Lesson(go_on=True, look=False, effort=_renewed(action))
    if isinstance(result, asyncio.CancelledError):
        return Lesson()  # something more urgent came
    if isinstance(result, StartProblem):
        assert isinstance(action, StartContainer)
        again = result.retry_at
        return Lesson(go_on=True, look=not result.harmless, key=action.name, retry_at=again, waiting=result.waiting)
    surprising = not isinstance(result, EXPECTED)
    if isinstance(action, StartContainer):
        waiting, again = _waiting_for(result), now + delay(2)
        return Lesson(failed=True, surprising=surprising, key=action.name, retry_at=again, waiting=waiting)
    effort, before = _effort(action, memory)
    verdict = _given_up(result, now - memory.accepted_at) if effort is Effort.BEGINNING else None
    return Lesson(
        failed=True,
        surprising=surprising,
        effort=effort,
        failures=before + 1,
        key=action.id if isinstance(action, StopContainer) else "",
        retry_at=now + delay(before + 1),
        warning=_warning(action, result) if verdict is None else None,
        verdict=verdict,
    )


def remember(lesson: Lesson, memory: PodMemory) -> None:
    """Take a lesson into a pod's memory. What went well does not end a wait that something else asked for."""
    if lesson.waiting is not None:
        memory.waiting[lesson.key] = lesson.waiting
    if lesson.key and lesson.retry_at:
        memory.retries[lesson.key] = lesson.retry_at
    match lesson.effort:
        case Effort.BEGINNING:
            memory.sandbox_failures = lesson.failures
            memory.sandbox_retry = lesson.retry_at or memory.sandbox_retry
        case Effort.SHOWING:
            memory.volumes_failures = lesson.failures
            memory.volumes_retry = lesson.retry_at or memory.volumes_retry
        case Effort.ENDING:
            memory.stop_failures = lesson.failures
            memory.stop_retry = lesson.retry_at or memory.stop_retry


def _renewed(action: Action) -> Effort | None:
    """The effort whose failures are over when this went well. That of the beginning ends with its last action itself."""
    if isinstance(action, PrepareVolumes):
        return Effort.SHOWING
    return Effort.ENDING if isinstance(action, StopContainer | StopSandbox | CleanUp) else None


def _effort(action: Action, memory: PodMemory) -> tuple[Effort, int]:
    """What an action that failed belongs to, and how often that had failed before."""
    if isinstance(action, PrepareVolumes) and memory.volumes_ready:  # it lives on with what they showed before
        return Effort.SHOWING, memory.volumes_failures
    if isinstance(action, PrepareVolumes | CreateSandbox):
        return Effort.BEGINNING, memory.sandbox_failures
    return Effort.ENDING, memory.stop_failures


def _given_up(error: BaseException, waited: float) -> Verdict | None:
    if isinstance(error, TooManyAttached) and waited >= ATTACH_PATIENCE:
        return Verdict("VolumeAttachmentLimitExceeded", error.verdict, rejected=True)
    return None


def _warning(action: Action, error: BaseException) -> tuple[str, str] | None:
    if isinstance(error, RuntimeAway | CgroupBusy):
        return None  # told for the node as a whole; over in a moment
    spoken = error.spoken if isinstance(error, RuntimeFault) else str(error)
    if isinstance(action, PrepareVolumes):
        return "FailedMount", str(error)
    if isinstance(action, CreateSandbox):
        return "FailedCreatePodSandBox", f"Failed to create pod sandbox: {spoken}"
    return "FailedKillPod", f"error killing pod: {spoken}"


def _waiting_for(error: BaseException) -> Waiting:
    if isinstance(error, RuntimeFault):
        return Waiting("RunContainerError", error.reason)
    return Waiting("CreateContainerConfigError", str(error))
