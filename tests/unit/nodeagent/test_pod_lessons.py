"""What a worker makes of how its actions went."""

import asyncio
from typing import Any

import pytest

from linux.cgroup import CgroupBusy
from nodeagent.cri.errors import Refused, RuntimeAway
from nodeagent.model.memory import Verdict, Waiting
from nodeagent.plan.actions import (
    Action,
    CleanUp,
    CreateSandbox,
    PrepareVolumes,
    RemoveContainer,
    StartContainer,
    StopContainer,
    StopSandbox,
)
from nodeagent.sync.lessons import ATTACH_PATIENCE, Effort, Lesson, lesson_of, remember
from nodeagent.sync.starting import StartProblem
from nodeagent.volumes.problems import TooManyAttached, VolumeProblem
from tests.unit.nodeagent.pods import NOW, memory

START, STOP = StartContainer("a"), StopContainer("a0", "a", 30, "why")
REFUSED = Refused("do it", "it", "no room", "Unknown")
AWAY = RuntimeAway("do it", "it", "nobody listens")
SPOKEN = "rpc error: code = Unknown desc = no room"
BEGINNING, SHOWING, ENDING = Effort.BEGINNING, Effort.SHOWING, Effort.ENDING
GOOD = Lesson(go_on=True, look=False)
FULL = TooManyAttached("pv", "v")
HOPELESS = Verdict("VolumeAttachmentLimitExceeded", FULL.verdict, rejected=True)


def failed(**fields: Any) -> Lesson:
    return Lesson(failed=True, **fields)


def problem(reason: str, retry_at: float = 0.0) -> StartProblem:
    return StartProblem(reason, "m", retry_at)


TABLE: list[tuple[str, Action, BaseException | None, dict[str, Any], Lesson]] = [
    ("a start", START, None, {}, GOOD),
    ("a sandbox", CreateSandbox(0), None, {"sandbox_failures": 3}, GOOD),
    ("volumes", PrepareVolumes(), None, {}, Lesson(True, False, effort=SHOWING)),
    ("a stop", STOP, None, {"stop_failures": 3}, Lesson(True, False, effort=ENDING)),
    ("a sandbox that is stopped", StopSandbox("s0"), None, {}, Lesson(True, False, effort=ENDING)),
    ("a pod that is cleaned up", CleanUp(), None, {}, Lesson(True, False, effort=ENDING)),
    ("a container that is removed", RemoveContainer("a0", "a"), None, {"stop_failures": 3}, GOOD),
    ("given up for something urgent", STOP, asyncio.CancelledError(), {}, Lesson()),
    (
        "others start without this one, of which the runtime was not asked",
        START,
        problem("ErrImagePull", NOW + 9),
        {},
        Lesson(True, False, key="a", retry_at=NOW + 9, waiting=Waiting("ErrImagePull", "m")),
    ),
    (
        "others start without this one, with which the runtime failed",
        START,
        problem("RunContainerError"),
        {},
        Lesson(True, True, key="a", waiting=Waiting("RunContainerError", "m")),
    ),
    (
        "the runtime goes away in mid start",
        START,
        AWAY,
        {},
        failed(key="a", retry_at=NOW + 2, waiting=Waiting("RunContainerError", "nobody listens")),
    ),
    (
        "a disk that is full in mid start",
        START,
        OSError("no space"),
        {},
        failed(key="a", retry_at=NOW + 2, waiting=Waiting("CreateContainerConfigError", "no space")),
    ),
    (
        "a mistake of ours",
        START,
        ValueError("oh"),
        {},
        failed(surprising=True, key="a", retry_at=NOW + 2, waiting=Waiting("CreateContainerConfigError", "oh")),
    ),
    (
        "volumes of a pod that is to begin",
        PrepareVolumes(),
        VolumeProblem("v", "is away"),
        {"volumes_ready": False, "sandbox_failures": 2, "volumes_failures": 7},
        failed(
            effort=BEGINNING,
            failures=3,
            retry_at=NOW + 3,
            warning=("FailedMount", 'MountVolume.SetUp failed for volume "v" : is away'),
        ),
    ),
    (
        "volumes of a pod that lives",
        PrepareVolumes(),
        VolumeProblem("v", "is away"),
        {"sandbox_failures": 7, "volumes_failures": 1},
        failed(
            effort=SHOWING,
            failures=2,
            retry_at=NOW + 2,
            warning=("FailedMount", 'MountVolume.SetUp failed for volume "v" : is away'),
        ),
    ),
    (
        "a sandbox that is refused",
        CreateSandbox(0),
        REFUSED,
        {},
        failed(
            effort=BEGINNING,
            failures=1,
            retry_at=NOW + 1,
            warning=("FailedCreatePodSandBox", f"Failed to create pod sandbox: {SPOKEN}"),
        ),
    ),
    (
        "a runtime that is away is told of once, for the node",
        CreateSandbox(0),
        AWAY,
        {"sandbox_failures": 1},
        failed(effort=BEGINNING, failures=2, retry_at=NOW + 2),
    ),
    (
        "somebody may detach another volume",
        PrepareVolumes(),
        FULL,
        {"volumes_ready": False, "accepted_at": NOW - ATTACH_PATIENCE + 1},
        failed(effort=BEGINNING, failures=1, retry_at=NOW + 1, warning=("FailedMount", str(FULL))),
    ),
    (
        "nobody did",
        PrepareVolumes(),
        FULL,
        {"volumes_ready": False, "accepted_at": NOW - ATTACH_PATIENCE},
        failed(effort=BEGINNING, failures=1, retry_at=NOW + 1, verdict=HOPELESS),
    ),
    (
        "one container of several that will not stop",
        STOP,
        REFUSED,
        {},
        failed(
            effort=ENDING,
            failures=1,
            key="a0",
            retry_at=NOW + 1,
            warning=("FailedKillPod", f"error killing pod: {SPOKEN}"),
        ),
    ),
    (
        "processes that are about to end",
        CleanUp(),
        CgroupBusy("cannot remove cgroup /p: processes live in it"),
        {"stop_failures": 4},
        failed(effort=ENDING, failures=5, retry_at=NOW + 5),
    ),
    (
        "a mistake of ours in the end",
        CleanUp(),
        ValueError("oh"),
        {},
        failed(
            surprising=True,
            effort=ENDING,
            failures=1,
            retry_at=NOW + 1,
            warning=("FailedKillPod", "error killing pod: oh"),
        ),
    ),
]


@pytest.mark.parametrize(("action", "result", "known", "lesson"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE])
def test_lesson(action: Action, result: BaseException | None, known: dict[str, Any], lesson: Lesson) -> None:
    assert lesson_of(action, result, memory(**known), NOW, float) == lesson


@pytest.mark.parametrize(
    ("effort", "failures", "retry"),
    [
        (BEGINNING, "sandbox_failures", "sandbox_retry"),
        (SHOWING, "volumes_failures", "volumes_retry"),
        (ENDING, "stop_failures", "stop_retry"),
    ],
)
def test_efforts_are_counted_apart_and_a_success_ends_no_wait(effort: Effort, failures: str, retry: str) -> None:
    known = memory()
    remember(Lesson(effort=effort, failures=2, retry_at=NOW + 2), known)
    assert known == memory(**{failures: 2, retry: NOW + 2})
    remember(Lesson(effort=effort), known)
    assert known == memory(**{failures: 0, retry: NOW + 2})


def test_why_a_container_waits_is_remembered_by_its_name() -> None:
    known, waiting = memory(retries={"a": NOW}), Waiting("RunContainerError")
    remember(Lesson(key="a", waiting=waiting), known)
    assert known == memory(waiting={"a": waiting}, retries={"a": NOW}), "not to be waited for is no time"
    remember(Lesson(key="a0", retry_at=NOW + 1), known)
    assert known == memory(waiting={"a": waiting}, retries={"a": NOW, "a0": NOW + 1})
