"""What a pod asks for and may use: sums over its containers, and its quality of service."""

from fractions import Fraction

from api import quantity
from api.core_v1 import Container, PodSpec, ResourceRequirements
from api.quantity import Family

# Resources that can be set for a pod as a whole.
POD_LEVEL = frozenset(("cpu", "memory"))

Amounts = dict[str, tuple[Fraction, Family]]


def container_requests(spec: PodSpec) -> Amounts:
    """What the containers together need at any time: the running ones' sum, or the greediest step of initialization."""
    running: Amounts = {}
    for container in spec.containers:
        _add(running, _requests(container))
    started: Amounts = {}
    peak: Amounts = {}
    for container in spec.init_containers:
        step = dict(_requests(container))
        if container.restart_policy == "Always":
            _add(running, step)
            _add(started, step)
            _raise(peak, started)
        else:
            _add(step, started)
            _raise(peak, step)
    _raise(running, peak)
    return running


def pod_requests(spec: PodSpec) -> Amounts:
    """What the scheduler sets aside for a pod."""
    total = container_requests(spec)
    if spec.resources is not None:
        total |= {name: quantity.read(text) for name, text in spec.resources.requests.items() if name in POD_LEVEL}
    _add(total, {name: quantity.read(text) for name, text in spec.overhead.items()})
    return total


def qos_class(spec: PodSpec) -> str:
    """Guaranteed, Burstable or BestEffort."""
    if spec.resources is not None:
        asked = [spec.resources]
    else:
        asked = [item.resources or ResourceRequirements() for item in (*spec.containers, *spec.init_containers)]
    if not any(_counted(item.requests) or _counted(item.limits) for item in asked):
        return "BestEffort"
    return "Guaranteed" if all(_guaranteed(item) for item in asked) else "Burstable"


def _guaranteed(resources: ResourceRequirements) -> bool:
    limits, requests = _counted(resources.limits), _counted(resources.requests)
    return limits.keys() == POD_LEVEL and all(requests.get(name, amount) == amount for name, amount in limits.items())


def _counted(amounts: dict[str, str]) -> dict[str, Fraction]:
    """The amounts that decide the quality of service: more than nothing of CPU or memory."""
    known = {name: quantity.parse(text) for name, text in amounts.items() if name in POD_LEVEL}
    return {name: amount for name, amount in known.items() if amount > 0}


def _requests(container: Container) -> Amounts:
    if container.resources is None:
        return {}
    return {name: quantity.read(text) for name, text in container.resources.requests.items()}


def _add(total: Amounts, more: Amounts) -> None:
    for name, (amount, family) in more.items():
        known = total.get(name)
        total[name] = (amount, family) if known is None else (known[0] + amount, known[1])


def _raise(total: Amounts, other: Amounts) -> None:
    """Raise each amount to the other's, where that is higher."""
    for name, (amount, family) in other.items():
        if name not in total or total[name][0] < amount:
            total[name] = (amount, family)
