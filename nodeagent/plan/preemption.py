"""Which pods make room for one that the node cannot do without: one pure function, `victims`.

As few as possible, and of the humblest class that will do: no Guaranteed pod goes where the others together are enough. Of
those that leave equally little to be found the smaller one goes.
"""

from collections.abc import Mapping, Sequence

from api.core_v1 import Pod
from nodeagent.model.memory import Verdict
from nodeagent.plan import qos
from nodeagent.plan.eviction import is_critical

WHY = Verdict(
    "Preempting",
    "Preempted in order to admit critical pod",
    disruption="Pod was preempted by Kubelet to accommodate a critical pod.",
)
Lack = Mapping[str, int]  # by resource; CPU in thousandths of a core


class NoRoom(Exception):
    """All pods that may go together leave too little."""


def victims(pod: Pod, others: Sequence[Pod], lack: Lack) -> list[Pod]:
    """The pods to end so that `pod` gets what is lacking. Raises `NoRoom`."""
    by_class: dict[str, list[Pod]] = {qos.BEST_EFFORT: [], qos.BURSTABLE: [], qos.GUARANTEED: []}
    for other in others:
        if _gives_way(other, pod):
            by_class[qos.qos_class(other)].append(other)
    humble, middle, noble = by_class.values()
    if missing := _left(lack, [*humble, *middle, *noble]):
        amounts = "".join(f"(res: {name}, q: {amount}), " for name, amount in missing.items())
        raise NoRoom(f"no set of running pods found to reclaim resources: [{amounts}]")
    noble = _fewest(noble, _left(lack, [*humble, *middle]))
    middle = _fewest(middle, _left(lack, [*humble, *noble]))
    humble = _fewest(humble, _left(lack, [*middle, *noble]))
    return [*humble, *middle, *noble]


def _gives_way(pod: Pod, wanted: Pod) -> bool:
    if is_critical(wanted) and not is_critical(pod):
        return True
    return None not in (own := (pod.spec.priority, wanted.spec.priority)) and (own[0] or 0) < (own[1] or 0)


def _asks(pod: Pod, name: str) -> int:
    return 1 if name == "pods" else qos.pod_total(pod, name, limits=False)


def _left(lack: Lack, gone: Sequence[Pod]) -> dict[str, int]:
    """What is lacking still when these have gone."""
    rest = {name: amount - sum(_asks(pod, name) for pod in gone) for name, amount in lack.items()}
    return {name: amount for name, amount in rest.items() if amount > 0}


def _fewest(pods: Sequence[Pod], lack: Lack) -> list[Pod]:
    """Of these pods, which are enough, always the one next that leaves least to be found."""
    chosen: list[Pod] = []
    while left := _left(lack, chosen):
        rest = [pod for pod in pods if pod not in chosen]
        chosen.append(min(rest, key=lambda pod: (_distance(pod, left), _asks(pod, "memory"), _asks(pod, "cpu"))))
    return chosen


def _distance(pod: Pod, lack: Lack) -> float:
    """How far from enough it would be: each resource counts alike, whatever its unit."""
    return sum((max(0, amount - _asks(pod, name)) / amount) ** 2 for name, amount in lack.items())
