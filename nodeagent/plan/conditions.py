"""The conditions of a pod that the node agent owns."""

from api import times
from api.core_v1 import ContainerStatus, Pod, PodCondition
from nodeagent.model.memory import ResizeNote, Verdict
from nodeagent.model.spec import is_sidecar

DISRUPTED, BY_KUBELET = "DisruptionTarget", "TerminationByKubelet"
RESIZE = ("PodResizePending", "PodResizeInProgress")
OWNED = (
    *RESIZE,
    "PodReadyToStartContainers",
    "Initialized",
    "Ready",
    "ContainersReady",
    "PodScheduled",
    "AllContainersRestarting",
)


def compute_conditions(
    pod: Pod,
    statuses: list[ContainerStatus],
    phase: str,
    sandbox_ready: bool,
    now: float,
    resize: tuple[ResizeNote | None, ...] = (),
    restarting: PodCondition | None = None,
) -> list[PodCondition]:
    """All conditions in order; those of others are kept, transition times move only when a status does."""
    named = {status.name: status for status in statuses}
    foreign = [c for c in pod.status.conditions if c.type not in OWNED]
    containers_ready = _containers_ready(pod, named, phase)
    owned = [
        PodCondition(type="PodReadyToStartContainers", status="True" if sandbox_ready else "False"),
        _initialized(pod, named, phase),
        _ready(pod, foreign, containers_ready),
        containers_ready,
        PodCondition(type="PodScheduled", status="True"),
        *([restarting] if restarting is not None else []),
    ]
    before = {c.type: c for c in pod.status.conditions}
    for condition in (notes := _resizes(resize)):
        old = before.get(condition.type)
        stands = old is not None and old.reason == condition.reason
        known = stands and old is not None and old.message == condition.message
        condition.last_transition_time = old.last_transition_time if stands and old else times.format_time(now)
        condition.last_probe_time = old.last_probe_time if known and old else times.format_time(now)
    for condition in owned:
        old = before.get(condition.type)
        same = old is not None and old.status == condition.status
        condition.last_transition_time = old.last_transition_time if same and old else times.format_time(now)
        condition.observed_generation = pod.metadata.generation
    return foreign + notes + owned


def disrupted(pod: Pod, verdict: Verdict | None, now: float) -> list[PodCondition]:
    """Says of a pod that the node ended that it was no fault of its own, so that its owner may not count it as one."""
    if verdict is None or not verdict.disruption or any(c.type == DISRUPTED for c in pod.status.conditions):
        return []
    stamp, generation = times.format_time(now), pod.metadata.generation
    condition = PodCondition(type=DISRUPTED, status="True", reason=BY_KUBELET, message=verdict.disruption)
    condition.last_transition_time, condition.observed_generation = stamp, generation
    return [condition]


def _resizes(notes: tuple[ResizeNote | None, ...]) -> list[PodCondition]:
    """How changes of resources stand; what is none of them has no condition."""
    return [
        PodCondition(
            type=kind,
            status="True",
            reason=note.reason or None,
            message=note.message or None,
            observed_generation=note.generation or None,
        )
        for kind, note in zip(RESIZE, notes, strict=False)
        if note is not None
    ]


def _containers_ready(pod: Pod, named: dict[str, ContainerStatus], phase: str) -> PodCondition:
    watched = [c.name for c in pod.spec.init_containers if is_sidecar(c)] + [c.name for c in pod.spec.containers]
    unknown = [name for name in watched if name not in named]
    unready = [name for name in watched if name in named and not named[name].ready]
    if phase == "Succeeded" and not unknown:
        return PodCondition(type="ContainersReady", status="False", reason="PodCompleted")
    if phase == "Failed":
        return PodCondition(type="ContainersReady", status="False", reason="PodFailed")
    message = _sentence(("unknown", unknown), ("unready", unready))
    if message:
        return PodCondition(type="ContainersReady", status="False", reason="ContainersNotReady", message=message)
    return PodCondition(type="ContainersReady", status="True")


def _ready(pod: Pod, conditions: list[PodCondition], containers_ready: PodCondition) -> PodCondition:
    if containers_ready.status != "True":
        why = containers_ready
        return PodCondition(type="Ready", status=why.status, reason=why.reason, message=why.message)
    statuses = {c.type: c.status for c in conditions}
    wrong = [
        f'the status of pod readiness gate "{gate}" is not "True", but {statuses[gate]}'
        if gate in statuses
        else f'corresponding condition of pod readiness gate "{gate}" does not exist.'
        for gate in (g.condition_type for g in pod.spec.readiness_gates)
        if statuses.get(gate) != "True"
    ]
    if wrong:
        return PodCondition(type="Ready", status="False", reason="ReadinessGatesNotReady", message=", ".join(wrong))
    return PodCondition(type="Ready", status="True")


def _initialized(pod: Pod, named: dict[str, ContainerStatus], phase: str) -> PodCondition:
    names = [c.name for c in pod.spec.init_containers]
    unknown = [name for name in names if name not in named]
    incomplete = [
        c.name
        for c in pod.spec.init_containers
        if c.name in named and not (named[c.name].started if is_sidecar(c) else named[c.name].ready)
    ]
    if phase == "Succeeded" and not unknown:
        return PodCondition(type="Initialized", status="True", reason="PodCompleted")
    if any(_has_run(named.get(c.name)) for c in pod.spec.containers):
        return PodCondition(type="Initialized", status="True")
    message = _sentence(("unknown", unknown), ("incomplete", incomplete))
    if message:
        return PodCondition(type="Initialized", status="False", reason="ContainersNotInitialized", message=message)
    return PodCondition(type="Initialized", status="True")


def _has_run(status: ContainerStatus | None) -> bool:
    """Whether an app container was ever started, which needs init containers to be done."""
    if status is None or status.state is None:
        return False
    if status.state.running is not None or status.state.terminated is not None:
        return True
    return status.last_state is not None and status.last_state.terminated is not None


def _sentence(*groups: tuple[str, list[str]]) -> str:
    return ", ".join(f"containers with {what} status: [{' '.join(names)}]" for what, names in groups if names)
