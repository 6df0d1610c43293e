"""What a worker remembers of its pod between two looks: back-offs, reasons for waiting, deadlines, probe results.

All of it may be lost with the process: a fresh memory makes the same decisions, only sooner.
"""

from dataclasses import dataclass, field

from api.core_v1 import Pod
from nodeagent.model.seen import Limits


@dataclass(frozen=True, slots=True)
class BackoffPolicy:
    """How long to wait between restarts: the first delay, doubled each time up to the last."""

    base: float = 10.0
    cap: float = 300.0

    @property
    def forgotten(self) -> float:
        """After so long between two attempts the next is as the first."""
        return 2 * self.cap


@dataclass(frozen=True, slots=True)
class Held:
    """A back-off: after the event at `since`, wait `delay` seconds."""

    delay: float
    since: float

    def until(self, event_at: float, policy: BackoffPolicy) -> float:
        """When waiting for that event ends; in the past if it is long forgotten."""
        return event_at + self.delay if event_at - self.since <= policy.forgotten else 0.0

    def after(self, event_at: float, policy: BackoffPolicy) -> "Held":
        """The back-off once another attempt has been made after that event."""
        if event_at - self.since > policy.forgotten:
            return Held(policy.base, event_at)
        return Held(min(self.delay * 2, policy.cap), event_at)


def next_hold(held: Held | None, event_at: float, policy: BackoffPolicy) -> Held:
    """The back-off after one more attempt."""
    return held.after(event_at, policy) if held else Held(policy.base, event_at)


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a container does not run yet."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """An end that the agent itself decided for a pod. `rejected`: it was never begun; `disruption`: why it is not the pod's fault.

    `instead`: the uids of pods that will be ended for it; then it is no end after all.
    """

    reason: str
    message: str
    rejected: bool = False
    disruption: str = ""
    instead: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ResizeNote:
    """How a change of a running pod's resources stands, as a condition tells it."""

    reason: str
    message: str
    generation: int


@dataclass(slots=True)
class Health:
    """What probes say of one container. None: no result yet."""

    started: bool | None = None
    ready: bool | None = None
    alive: bool | None = None


@dataclass(slots=True)
class PodMemory:
    """One pod's memory; only its worker writes it, plans and statuses read it."""

    accepted_at: float
    policy: BackoffPolicy = field(default_factory=BackoffPolicy)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    restarts: dict[str, Held] = field(default_factory=dict)
    resets: Held | None = None  # of all containers together
    retries: dict[str, float] = field(default_factory=dict)
    health: dict[str, Health] = field(default_factory=dict)
    sandbox_retry: float = 0.0
    sandbox_failures: int = 0
    stop_retry: float = 0.0
    stop_failures: int = 0
    network_ready: bool = True
    volumes_ready: bool = False  # they were made
    volumes_stale: bool = False  # and what they show has changed since
    volumes_retry: float = 0.0  # when to try again to show it
    volumes_failures: int = 0
    cleaned: bool = False
    resize_wish: Pod | None = None  # the pod with the resources that it cannot have yet
    resize_pending: ResizeNote | None = None
    resize_progress: ResizeNote | None = None
    resize_retry: float = 0.0
    replace: dict[str, int] = field(default_factory=dict)  # up to this attempt a container is to be made anew
    recursive_read_only: bool | None = None  # whether the runtime can, where somebody has asked
    applied: dict[str, Limits] = field(default_factory=dict)  # what containers were last given
    pod_limits: Limits | None = None  # what the pod's group was last given
    verdict: Verdict | None = None  # the agent's own reason to end the pod
    ended: bool = False  # it ran to its end
    gone: bool = False  # the API server no longer knows it
    grace: int | None = None  # the shortest grace period ever wished for
    stopping_since: float | None = None
    reported: bool = False  # the API server was told that nothing runs any more
