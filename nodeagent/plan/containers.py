"""Which containers of a pod to start, restart or stop, once its sandbox is there."""

from dataclasses import dataclass, field

from api.core_v1 import Container, Pod
from nodeagent.model.memory import PodMemory, Waiting
from nodeagent.model.seen import ContainerState, SeenContainer, SeenPod
from nodeagent.model.spans import span
from nodeagent.model.spec import AnyContainer, is_sidecar, long_name, should_restart, spec_hash, status_named
from nodeagent.plan.actions import Action, Plan, RemoveContainer, StartContainer, StopContainer, earliest
from nodeagent.plan.resizing import plan_resize
from nodeagent.plan.restarting import causes, reset_actions

CRASH_LOOP = "CrashLoopBackOff"


@dataclass(slots=True)
class Draft:
    """A plan in the making."""

    pod: Pod
    seen: SeenPod
    memory: PodMemory
    now: float
    actions: list[Action] = field(default_factory=list)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    wake_at: float | None = None
    busy: bool = False  # something runs, or will

    def done(self, ended: bool = False) -> Plan:
        return Plan(tuple(self.actions), self.wake_at, self.waiting, ended=ended)


def plan_containers(pod: Pod, seen: SeenPod, memory: PodMemory, now: float) -> Plan:
    """Starts, restarts and stops, as far as they are possible now."""
    draft = Draft(pod, seen, memory, now)
    if cause := next(iter(causes(pod, seen)), None):
        return _plan_reset(draft, cause)
    for ephemeral in pod.spec.ephemeral_containers:
        if seen.container(ephemeral.name) is None:
            _start(draft, ephemeral, None)
    progress = _plan_init(draft)
    if progress == "failed":
        return Plan(ended=True)
    if progress == "waiting":
        return draft.done()
    for container in pod.spec.containers:
        _plan_app(draft, container)
    if not draft.busy:
        return Plan(ended=True)
    if (resize := plan_resize(pod, seen, memory, now)) is not None:
        draft.actions.append(resize)
    if now < memory.resize_retry:
        draft.wake_at = earliest(draft.wake_at, memory.resize_retry)
    return draft.done()


def _plan_reset(draft: Draft, cause: SeenContainer) -> Plan:
    """All begin anew, unless they did so a short while ago."""
    held = draft.memory.resets
    until = held.until(cause.finished_at, draft.memory.policy) if held and held.since < cause.finished_at else 0.0
    if held and draft.now < until:
        message = _backoff_message(draft.pod, cause.name, held.delay)
        draft.waiting[cause.name] = Waiting(CRASH_LOOP, message)
        draft.wake_at = until
        return draft.done()
    return Plan(reset_actions(draft.pod, draft.seen), waiting=draft.waiting, reset_for=cause.finished_at)


def _plan_init(draft: Draft) -> str:
    """Go through the init containers in order: "done", "waiting" at one of them, or "failed" for good."""
    inits = draft.pod.spec.init_containers
    begun = [draft.seen.current(c.name) is not None for c in (*inits, *draft.pod.spec.containers)]
    for position, container in enumerate(inits):
        later = any(begun[position + 1 :])  # what follows has begun, so this one was done with once
        if later and not is_sidecar(container):
            continue
        passed = _plan_sidecar(draft, container) if is_sidecar(container) else _plan_plain_init(draft, container)
        if passed is None:
            return "failed"
        if not passed and not later:
            return "waiting"
    return "done"


def _plan_sidecar(draft: Draft, container: Container) -> bool:
    """Keep it running; true once it has started."""
    found = draft.seen.current(container.name)
    if found is not None and found.exited and _is_to_be_replaced(draft, found):
        _start(draft, container, found)
        return False
    if found is None or not found.running:
        _restart(draft, container, found)
        return False
    if _is_to_be_replaced(draft, found):
        _stop(draft, found, container, f"Container {container.name} resize requires restart")
        return True
    health = draft.memory.health.get(found.id)
    if failure := _failing_probe(draft, container, found):
        _stop(draft, found, container, f"Init container {container.name} failed {failure} probe")
    return container.startup_probe is None or bool(health and health.started)


def _plan_plain_init(draft: Draft, container: Container) -> bool | None:
    """Run it once to success; None when it failed and may not be tried again."""
    found = draft.seen.current(container.name)
    if found is not None and found.exited:
        if found.exit_code == 0:
            return True
        if not should_restart(draft.pod, container, found.exit_code):
            return None
    if found is None or not found.running:
        _restart(draft, container, found)
    return False


def _plan_app(draft: Draft, container: Container) -> None:
    found = draft.seen.container(container.name)
    if found is None or found.state is ContainerState.CREATED:
        draft.busy = True
        _restart(draft, container, found)
    elif found.exited:
        if _is_to_be_replaced(draft, found):
            draft.busy = True
            _start(draft, container, found)
        elif should_restart(draft.pod, container, found.exit_code):
            draft.busy = True
            _restart(draft, container, found)
    elif found.state is ContainerState.UNKNOWN:
        draft.busy = True
        _stop(draft, found, container, 'Container is in "unknown" state, try killing it before restart')
    else:
        dies = _failing_probe(draft, container, found) and not should_restart(draft.pod, container, 137)
        draft.busy = draft.busy or not dies  # with the last one the pod is over, and all ends together
        if message := _reason_to_stop(draft, container, found):
            _stop(draft, found, container, message)


def _reason_to_stop(draft: Draft, container: Container, found: SeenContainer) -> str:
    """Why a running container must go; empty if it may stay."""
    if found.spec_hash and found.spec_hash != spec_hash(container):
        return f"Container {container.name} definition changed, will be restarted"
    if _is_to_be_replaced(draft, found):
        return f"Container {container.name} resize requires restart"
    failure = _failing_probe(draft, container, found)
    if not failure:
        return ""
    again = ", will be restarted" if should_restart(draft.pod, container, 137) else ""
    return f"Container {container.name} failed {failure} probe{again}"


def _is_to_be_replaced(draft: Draft, found: SeenContainer) -> bool:
    """Whether its resources changed in a way that wants it made anew."""
    return found.attempt <= draft.memory.replace.get(found.name, -1)


def _failing_probe(draft: Draft, container: Container, found: SeenContainer) -> str:
    health = draft.memory.health.get(found.id)
    if health is None:
        return ""
    if container.startup_probe is not None and health.started is False and health.alive is False:
        return "startup"
    return "liveness" if container.liveness_probe is not None and health.alive is False else ""


def _stop(draft: Draft, found: SeenContainer, container: Container, message: str) -> None:
    probe = container.startup_probe if "startup" in message else container.liveness_probe
    own = probe.termination_grace_period_seconds if probe else None
    pod_wide = draft.pod.spec.termination_grace_period_seconds
    grace = own if own is not None else pod_wide if pod_wide is not None else 2
    retry = draft.memory.retries.get(found.id, 0.0)
    if draft.now < retry:
        draft.wake_at = earliest(draft.wake_at, retry)
        return
    draft.actions.append(StopContainer(found.id, found.name, max(2, grace), message))


def _restart(draft: Draft, container: Container, found: SeenContainer | None) -> None:
    """Start it, unless a back-off still holds it."""
    last_dead = next((c for c in draft.seen.containers if c.name == container.name and c.exited), None)
    held = draft.memory.restarts.get(container.name)
    until = held.until(last_dead.finished_at, draft.memory.policy) if held and last_dead else 0.0
    if held and draft.now < until:
        draft.waiting[container.name] = Waiting(CRASH_LOOP, _backoff_message(draft.pod, container.name, held.delay))
        draft.wake_at = earliest(draft.wake_at, until)
        return
    _start(draft, container, found)


def _backoff_message(pod: Pod, name: str, delay: float) -> str:
    return f"back-off {span(delay)} restarting failed container={name} pod={long_name(pod)}"


def _start(draft: Draft, container: AnyContainer, found: SeenContainer | None) -> None:
    retry = draft.memory.retries.get(container.name, 0.0)
    if draft.now < retry:
        draft.wake_at = earliest(draft.wake_at, retry)
        return
    attempt = _next_attempt(draft, container, found)
    if found is not None and found.state is ContainerState.CREATED:
        draft.actions.append(RemoveContainer(found.id, found.name))
        attempt = found.attempt
    draft.actions.append(StartContainer(container.name, attempt))


def _next_attempt(draft: Draft, container: AnyContainer, found: SeenContainer | None) -> int:
    """One more than any attempt known, by the runtime or by the API server."""
    last = found or draft.seen.container(container.name)
    if last is not None:
        return last.attempt + 1
    reported = status_named(draft.pod, container.name)
    if reported is None:
        return 0
    return reported.restart_count + bool(reported.container_id)
