"""Quality of service and the numbers that follow from it: class, CPU shares and quota, OOM score."""

from collections.abc import Iterable

from api import quantity
from api.core_v1 import Container, EphemeralContainer, Pod, ResourceRequirements
from nodeagent.model.seen import Limits

GUARANTEED, BURSTABLE, BEST_EFFORT = "Guaranteed", "Burstable", "BestEffort"
MIN_SHARES, MAX_SHARES = 2, 262144
PERIOD = 100_000  # microseconds
MIN_QUOTA = 1000
SYSTEM_CRITICAL_PRIORITY = 2_000_000_000
NODE_CRITICAL_PRIORITY = 2_000_001_000


def qos_class(pod: Pod) -> str:
    """Guaranteed, Burstable or BestEffort, from the requests and limits for CPU and memory."""
    whole = pod.spec.resources
    found = [whole] if whole is not None else [c.resources for c in (*pod.spec.init_containers, *pod.spec.containers)]
    if not any(one is not None and (one.requests or one.limits) for one in found):
        return BEST_EFFORT  # most pods, and all pods are asked whenever one comes
    needs = [one or ResourceRequirements() for one in found]
    pairs = [(_amount(r.requests, name), _amount(r.limits, name)) for r in needs for name in ("cpu", "memory")]
    if not any(request or limit for request, limit in pairs):
        return BEST_EFFORT
    return GUARANTEED if all(limit and (request or limit) == limit for request, limit in pairs) else BURSTABLE


def _amount(resources: dict[str, str], name: str) -> int:
    """CPU in thousandths, memory in bytes; 0 when not given."""
    text = resources.get(name)
    return 0 if text is None else quantity.milli(text) if name == "cpu" else quantity.ceil(text)


def container_limits(pod: Pod, container: Container | EphemeralContainer) -> Limits:
    """The limits of one container's cgroup; what the pod as a whole may use bounds a container without its own."""
    needs = container.resources or ResourceRequirements()
    whole = pod.spec.resources or ResourceRequirements()
    cpu_limit = _amount(needs.limits, "cpu") or _amount(whole.limits, "cpu")
    memory = _amount(needs.limits, "memory") or _amount(whole.limits, "memory")
    request = _amount(needs.requests, "cpu") if "cpu" in needs.requests else _amount(needs.limits, "cpu")
    return Limits(shares_of(request), quota_of(cpu_limit), memory)


def pod_limits(pod: Pod) -> Limits:
    """The limits of the pod's own cgroup: those of its containers together, where all of them have one."""
    whole = pod.spec.resources
    cpu = pod_total(pod, "cpu", limits=True)
    memory = pod_total(pod, "memory", limits=True)
    containers = pod.spec.containers if whole is None else []
    unlimited = [c.resources or ResourceRequirements() for c in containers]
    all_cpu = all("cpu" in r.limits for r in unlimited)
    all_memory = all("memory" in r.limits for r in unlimited)
    if qos_class(pod) == BEST_EFFORT:
        return Limits(MIN_SHARES)
    shares = shares_of(pod_total(pod, "cpu", limits=False))
    return Limits(shares, quota_of(cpu) if all_cpu else -1, memory if all_memory else 0)


def pod_total(pod: Pod, name: str, limits: bool) -> int:
    """What a pod needs: its containers and sidecars together, or its hungriest init container, and its overhead."""
    whole = pod.spec.resources
    if whole is not None and (whole.limits if limits else whole.requests).get(name):
        return _amount(whole.limits if limits else whole.requests, name) + _amount(pod.spec.overhead, name)
    total = sum(_need(c, name, limits) for c in pod.spec.containers)
    beside = hungriest = 0
    for container in pod.spec.init_containers:
        need = _need(container, name, limits)
        if container.restart_policy == "Always":
            beside += need
            need = 0
        hungriest = max(hungriest, beside + need)
    return max(total + beside, hungriest) + _amount(pod.spec.overhead, name)


def milli_of_shares(shares: int) -> int:
    """The request in thousandths of a core that these shares stand for."""
    return -(-shares * 1000 // 1024)


def _need(container: Container, name: str, limits: bool) -> int:
    needs = container.resources or ResourceRequirements()
    if limits:
        return _amount(needs.limits, name)
    return _amount(needs.requests if name in needs.requests else needs.limits, name)


def shares_of(milli_cpu: int) -> int:
    """CPU shares of a request in thousandths of a core."""
    return max(MIN_SHARES, min(MAX_SHARES, milli_cpu * 1024 // 1000))


def quota_of(milli_cpu: int) -> int:
    """CPU quota in microseconds a period of a limit in thousandths of a core; -1 without a limit."""
    return max(MIN_QUOTA, milli_cpu * PERIOD // 1000) if milli_cpu else -1


def unified_files(swap: bool) -> dict[str, str]:
    """What every container's group has in version 2: memory runs out for all its processes at once, and none is swapped out."""
    return {"memory.oom.group": "1", **({"memory.swap.max": "0"} if swap else {})}


def burstable_shares(pods: Iterable[Pod]) -> int:
    """The shares of the cgroup that holds all Burstable pods."""
    return shares_of(sum(pod_total(pod, "cpu", limits=False) for pod in pods if qos_class(pod) == BURSTABLE))


def oom_score_adj(pod: Pod, container: Container | EphemeralContainer, memory_capacity: int) -> int:
    """Who dies first when memory runs out: the lower the later."""
    kind = qos_class(pod)
    if (pod.spec.priority or 0) >= NODE_CRITICAL_PRIORITY or kind == GUARANTEED:
        return -997
    if kind == BEST_EFFORT:
        return 1000
    request = _request_of(container)
    score = 1000 - 1000 * request // memory_capacity
    if container.restart_policy == "Always" and pod.spec.containers:
        score = min(score, 1000 - 1000 * min(_request_of(c) for c in pod.spec.containers) // memory_capacity)
    return min(999, max(3, score))


def _request_of(container: Container | EphemeralContainer) -> int:
    needs = container.resources or ResourceRequirements()
    return _amount(needs.requests, "memory") or _amount(needs.limits, "memory")
