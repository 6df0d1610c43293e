"""Resources of running pods that change: what is allocated, what is still to be done, how the status tells it.

The API server holds what is wished. What the pod is allowed here (`Allocations`) may lag behind it, and what its containers
have been given lags behind that; plans and statuses see the pod with what it is allowed.
"""

from collections.abc import Mapping

import msgspec

from api import quantity
from api.core_v1 import Container, Pod, ResourceRequirements
from nodeagent.model.memory import PodMemory
from nodeagent.model.seen import Limits, SeenContainer, SeenPod
from nodeagent.plan import qos
from nodeagent.plan.actions import ResizePod

Resources = dict[str, ResourceRequirements]  # by container; those of the pod as a whole have no name
WHOLE = ""
RESIZED = ("cpu", "memory")
LEAST_SHARES, LEAST_CPU = 2, 10  # what is below is shown as it was wished: the kernel knows no finer


def resources_of(pod: Pod) -> Resources:
    """What the pod's containers, and the pod as a whole, are to have."""
    found = {c.name: c.resources or ResourceRequirements() for c in (*pod.spec.init_containers, *pod.spec.containers)}
    if pod.spec.resources is not None:
        found[WHOLE] = pod.spec.resources
    return found


def with_resources(pod: Pod, resources: Mapping[str, ResourceRequirements]) -> Pod:
    """The same pod with these instead of its own."""

    def given(containers: list[Container]) -> list[Container]:
        return [
            msgspec.structs.replace(c, resources=resources[c.name]) if c.name in resources else c for c in containers
        ]

    spec = msgspec.structs.replace(
        pod.spec,
        containers=given(pod.spec.containers),
        init_containers=given(pod.spec.init_containers),
        resources=resources.get(WHOLE, pod.spec.resources),
    )
    return msgspec.structs.replace(pod, spec=spec)


def changed_resources(old: Resources, new: Resources) -> dict[str, set[str]]:
    """Which of CPU and memory differ, by container."""
    found = {name: _differing(old.get(name), need) for name, need in new.items()}
    return {name: kinds for name, kinds in found.items() if kinds}


def resize_steps(old: Resources, new: Resources) -> list[tuple[str, str, str]]:
    """What a wish changes of containers: how, of what, of which resource."""
    steps = []
    for name, need in new.items():
        before = old.get(name) or ResourceRequirements()
        pairs = (("requests", before.requests, need.requests), ("limits", before.limits, need.limits))
        for what, was, wish in pairs if name != WHOLE else ():
            for resource in RESIZED:
                a, b = (quantity.parse(side.get(resource, "0")) for side in (was, wish))
                if a != b:
                    steps.append((_step(bool(a), bool(b), a < b), what, resource))
    return steps


def _step(was: bool, wished: bool, more: bool) -> str:
    if was != wished:
        return "add" if wished else "remove"
    return "increase" if more else "decrease"


def _differing(old: ResourceRequirements | None, new: ResourceRequirements) -> set[str]:
    before = old or ResourceRequirements()
    pairs = ((before.requests, new.requests), (before.limits, new.limits))
    return {name for name in RESIZED for a, b in pairs if _exact(a.get(name)) != _exact(b.get(name))}


def _exact(text: str | None) -> object:
    return None if text is None else quantity.parse(text)


def replacements(pod: Pod, changed: Mapping[str, set[str]], seen: SeenPod) -> dict[str, int]:
    """The containers that must be made anew for this change, and up to which attempt."""
    found = {}
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        anew = {p.resource_name for p in container.resize_policy if p.restart_policy == "RestartContainer"}
        running = seen.current(container.name)
        if running is not None and running.running and anew & changed.get(container.name, set()):
            found[container.name] = running.attempt
    return found


def outdated(pod: Pod, seen: SeenPod, memory: PodMemory) -> tuple[SeenContainer, ...]:
    """The running containers that are to be given other limits; those that shrink first."""
    found = []
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        running = seen.current(container.name)
        if running is None or not running.running or memory.replace.get(container.name, -1) >= running.attempt:
            continue
        has = memory.applied.get(running.id, running.limits)
        wanted = qos.container_limits(pod, container)
        if has is not None and has != wanted:
            found.append((_grows(has, wanted), running))
    return tuple(running for _, running in sorted(found, key=lambda pair: pair[0]))


def _grows(has: Limits, wanted: Limits) -> bool:
    return _memory(wanted) > _memory(has) or (_memory(wanted) == _memory(has) and _quota(wanted) > _quota(has))


def _memory(limits: Limits) -> float:
    return limits.memory or float("inf")


def _quota(limits: Limits) -> float:
    return limits.quota if limits.quota > 0 else float("inf")


def widest(one: Limits, other: Limits) -> Limits:
    """Room enough for either."""
    quota = max(_quota(one), _quota(other))
    memory = max(_memory(one), _memory(other))
    return Limits(
        max(one.shares, other.shares),
        -1 if quota == float("inf") else int(quota),
        0 if memory == float("inf") else int(memory),
    )


def plan_resize(pod: Pod, seen: SeenPod, memory: PodMemory, now: float) -> ResizePod | None:
    """What to do so that what runs has what it is allowed."""
    if now < memory.resize_retry:
        return None
    containers = outdated(pod, seen, memory)
    pod_too = memory.pod_limits is not None and memory.pod_limits != qos.pod_limits(pod)
    return ResizePod(tuple((c.id, c.name) for c in containers)) if containers or pod_too else None


def to_be_replaced(seen: SeenPod, memory: PodMemory) -> set[str]:
    """The containers that are, or were just, stopped in order to be made anew; none where nothing is begun any more."""
    if memory.ended or memory.gone or memory.verdict is not None:
        return set()
    latest = ((name, attempt, seen.container(name)) for name, attempt in memory.replace.items())
    return {name for name, attempt, found in latest if found is not None and found.attempt <= attempt}


def is_between(pod: Pod, seen: SeenPod, memory: PodMemory) -> bool:
    """Whether a container has just been stopped in order to be made anew: its end is no news, the next begin is.

    The API server would take its end for the last word where the pod's own policy restarts nothing.
    """
    if not memory.replace or pod.metadata.deletion_timestamp is not None:
        return False
    latest = (seen.current(name) for name in to_be_replaced(seen, memory))
    return any(found is not None and found.exited and found.name not in memory.waiting for found in latest)


def is_resizing(pod: Pod, seen: SeenPod, memory: PodMemory) -> bool:
    """Whether something of a change is still to be done."""
    waits = any(
        (found := seen.current(name)) is None or found.attempt <= attempt for name, attempt in memory.replace.items()
    )
    return waits or plan_resize(pod, seen, memory, memory.resize_retry) is not None


def container_resources(container: Container, found: SeenContainer, applied: Limits | None) -> ResourceRequirements:
    """What a container has: as the kernel has it where it runs, else what it is allowed."""
    needs = container.resources or ResourceRequirements()
    limits = found.limits if found.limits is not None else applied
    if not found.running or limits is None:
        return needs
    return ResourceRequirements(
        limits=_limits_of(needs.limits, limits), requests=_requests_of(needs.requests, limits), claims=needs.claims
    )


def _limits_of(asked: dict[str, str], has: Limits) -> dict[str, str]:
    if not asked:
        return asked
    cpu = has.quota * 1000 // qos.PERIOD if has.quota > 0 else None
    if cpu is not None and max(cpu, _milli(asked.get("cpu"))) <= LEAST_CPU:
        cpu = None
    return {**asked, **_amounts(asked, cpu, has.memory or None)}


def _requests_of(asked: dict[str, str], has: Limits) -> dict[str, str]:
    if not asked:
        return asked
    cpu = qos.milli_of_shares(has.shares)
    known = cpu if max(cpu, _milli(asked.get("cpu"))) > LEAST_SHARES else None
    return {**asked, **_amounts(asked, known, None)}


def _amounts(asked: dict[str, str], cpu: int | None, memory: int | None) -> dict[str, str]:
    """As text; written as it was asked for where it is the same."""
    found = {}
    if cpu is not None and cpu != _milli(asked.get("cpu")):
        found["cpu"] = quantity.canonical(f"{cpu}m")
    if memory is not None and ("memory" not in asked or memory != quantity.ceil(asked["memory"])):
        found["memory"] = quantity.format_quantity(memory, "binary")
    return found


def _milli(text: str | None) -> int:
    return quantity.milli(text) if text is not None else 0


def pod_requests(pod: Pod) -> dict[str, str]:
    """What the pod asks for altogether."""
    needs = [c.resources for c in (*pod.spec.containers, *pod.spec.init_containers)] + [pod.spec.resources]
    names = {name for need in needs if need is not None for name in need.requests} | set(pod.spec.overhead)
    return {name: _total(pod, name, limits=False) for name in sorted(names)}


def pod_resources(pod: Pod, running: bool, given: Limits | None = None) -> ResourceRequirements:
    """What the pod has altogether: while it runs as its group was given it, before that as it was asked for."""
    if not running:
        needs = [c.resources for c in (*pod.spec.containers, *pod.spec.init_containers)] + [pod.spec.resources]
        names = {name for need in needs if need is not None for name in need.limits}
        return ResourceRequirements(
            requests=pod_requests(pod), limits={name: _total(pod, name, limits=True) for name in sorted(names)}
        )
    own = pod.spec.resources or ResourceRequirements()
    has = given or qos.pod_limits(pod)
    requests, limits = dict(own.requests), dict(own.limits)
    cpu = qos.milli_of_shares(has.shares)
    if max(cpu, _milli(requests.get("cpu"))) > LEAST_SHARES:
        requests.update(_amounts(requests, cpu, None))
    asked = pod_requests(pod)
    if "memory" in asked:
        requests.setdefault("memory", asked["memory"])
    limits.update(_amounts(limits, has.quota * 1000 // qos.PERIOD if has.quota > 0 else None, has.memory or None))
    return ResourceRequirements(requests=requests, limits=limits)


def _total(pod: Pod, name: str, limits: bool) -> str:
    amount = qos.pod_total(pod, name, limits)
    if name == "cpu":
        return quantity.canonical(f"{amount}m")
    return quantity.format_quantity(amount, "binary" if _is_bytes(name) else "decimal")


def _is_bytes(name: str) -> bool:
    return name in ("memory", "ephemeral-storage") or name.startswith("hugepages-")
