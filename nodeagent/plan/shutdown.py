"""In which order pods end when the machine goes down, and how long each gets."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from api.core_v1 import Pod
from nodeagent.model.memory import Verdict
from nodeagent.plan.qos import SYSTEM_CRITICAL_PRIORITY as CRITICAL

_GOING_DOWN = "Pod was terminated in response to imminent node shutdown."
WHY = Verdict("Terminated", _GOING_DOWN, disruption=_GOING_DOWN)
USUAL_GRACE = 30


@dataclass(frozen=True, slots=True)
class Share:
    """Pods of this priority and above, up to the next, have so many seconds."""

    priority: int
    seconds: int


@dataclass(frozen=True, slots=True)
class Turn:
    """Pods that end together: uid and seconds of grace; whoever is left after `seconds` is left behind."""

    seconds: int
    pods: tuple[tuple[str, int], ...]


def shares_of(whole: int, critical: int) -> tuple[Share, ...]:
    """The simple form of the setting: so long in all, and so much of it for critical pods."""
    return (Share(0, whole - critical), Share(CRITICAL, critical)) if whole else ()


def plan_turns(pods: Iterable[Pod], shares: Sequence[Share]) -> list[Turn]:
    """The less important go first. A pod below all shares counts to the lowest."""
    ordered = sorted(shares, key=lambda share: share.priority)
    groups: dict[int, list[tuple[str, int]]] = {}
    for pod in pods:
        priority = pod.spec.priority or 0
        place = max((i for i, share in enumerate(ordered) if share.priority <= priority), default=0)
        own = pod.spec.termination_grace_period_seconds
        grace = min(ordered[place].seconds, USUAL_GRACE if own is None else own)
        groups.setdefault(place, []).append((pod.metadata.uid or "", grace))
    return [Turn(ordered[place].seconds, tuple(sorted(groups[place]))) for place in sorted(groups)]
