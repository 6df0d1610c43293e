"""Which of the possible nodes is best: one pure function a file, the weights in one place. Must not do I/O.

A score looks at one node and returns a raw number. `scale` says how raw numbers become 0..100 across the candidates:
ABSOLUTE ones are already there, MORE makes the largest 100, LESS makes the smallest the best.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from controlplane.scheduler.model import NodeState, Pod
from controlplane.scheduler.scores import (
    affinity_preference,
    balanced,
    image_locality,
    least_allocated,
    owner_spread,
    taint_preference,
)

TOP = 100.0


class Scale(Enum):
    ABSOLUTE = 0
    MORE = 1
    LESS = 2


@dataclass(frozen=True, slots=True)
class Score:
    name: str
    rate: Callable[[Pod, NodeState], float]
    weight: float
    scale: Scale
    wanted: Callable[[Pod, Sequence[NodeState]], bool]


def _always(_: Pod, __: Sequence[NodeState]) -> bool:
    return True


SCORES = (
    Score("taint-preference", taint_preference.rate, 3, Scale.LESS, taint_preference.wanted),
    Score("affinity-preference", affinity_preference.rate, 2, Scale.MORE, lambda pod, _: bool(pod.preferred)),
    Score("owner-spread", owner_spread.rate, 2, Scale.LESS, lambda pod, _: bool(pod.owner)),
    Score("least-allocated", least_allocated.rate, 1, Scale.ABSOLUTE, _always),
    Score("balanced", balanced.rate, 1, Scale.ABSOLUTE, _always),
    Score("image-locality", image_locality.rate, 1, Scale.ABSOLUTE, image_locality.wanted),
)


def totals(pod: Pod, candidates: Sequence[NodeState]) -> list[float]:
    """The weighted sum of all scores for each candidate, in their order."""
    sums = [0.0] * len(candidates)
    for score in SCORES:
        if not score.wanted(pod, candidates):
            continue
        raw = [score.rate(pod, state) for state in candidates]
        for i, value in enumerate(_scaled(raw, score.scale)):
            sums[i] += value * score.weight
    return sums


def _scaled(raw: list[float], scale: Scale) -> list[float]:
    if scale is Scale.ABSOLUTE:
        return raw
    top = max(raw)
    if scale is Scale.MORE:
        return [value * TOP / top for value in raw] if top else raw
    return [TOP - value * TOP / top for value in raw] if top else [TOP] * len(raw)
