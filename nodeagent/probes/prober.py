"""Runs the probes of all containers that run here, and tells their pods when a result changes.

A probe is a timer and, while it runs, a task; thousands cost next to nothing, and a slow one delays no other. Results count
by thresholds: so many in a row. While a startup probe has not succeeded the other two do not run. A liveness probe that has failed for good
is held until there is a new container, and once a pod is deleted only readiness is asked for. Containers that ran before
the agent did begin with what was last told of them, each after a random part of its period. What a result means is for
the plan to decide.
"""

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from api.core_v1 import Pod, Probe
from kit import log
from kit.clock import Clock, Timer
from nodeagent.cri.port import Runtime
from nodeagent.model.memory import Health
from nodeagent.model.seen import SeenContainer, SeenPod
from nodeagent.model.spec import AnyContainer, container_named, is_sidecar, long_name, status_named
from nodeagent.probes.checks import check_exec, check_grpc, check_http, check_tcp
from nodeagent.probes.outcome import Outcome, Target
from nodeagent.render.environment import expand
from nodeagent.report.measures import USUAL, Spread
from nodeagent.sync.doors import WARNING, PodEvents

STARTUP, READINESS, LIVENESS = "Startup", "Readiness", "Liveness"
ATTEMPTS = 3  # a check that cannot be carried out is tried again at once
_log = log.get("probe")


@dataclass(slots=True, eq=False)
class _Running:
    """One probe of one container."""

    kind: str
    probe: Probe
    timer: Timer | None = None
    task: asyncio.Task[None] | None = None
    last: bool | None = None
    row: int = 0
    held: bool = False  # it has said all it can say of this container
    results: dict[str, int] = field(default_factory=dict)
    seconds: Spread = field(default_factory=lambda: Spread(USUAL))  # of every check


@dataclass(slots=True, eq=False)
class _Watched:
    """One container with probes."""

    pod: Pod
    target: Target
    health: Health
    probes: list[_Running] = field(default_factory=list)


class Prober:
    """See the module. `tell(uid, container id, health)` hears of every change."""

    def __init__(
        self, runtime: Runtime, clock: Clock, events: PodEvents, tell: Callable[[str, str, Health], None]
    ) -> None:
        self._runtime = runtime
        self._clock = clock
        self._events = events
        self._tell = tell
        self._pods: dict[str, dict[str, _Watched]] = {}
        self._random = random.Random()
        self._began = clock.now()

    def follow(self, pod: Pod, seen: SeenPod) -> None:
        """Probe what runs now, and no longer what does not."""
        uid = pod.metadata.uid or ""
        wanted = _probed(pod, seen)
        if not wanted and uid not in self._pods:
            return
        watched = self._pods.setdefault(uid, {})
        for ident in watched.keys() - wanted.keys():
            self._end(watched.pop(ident))
        for ident, (container, found) in wanted.items():
            if ident in watched:
                watched[ident].pod = pod
            else:
                watched[ident] = self._begin(pod, container, found, seen)
        if not watched:
            del self._pods[uid]

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        for watched in self._pods.pop(uid, {}).values():
            self._end(watched)

    def results(self) -> Iterator[tuple[str, dict[str, str], Mapping[str, int], Spread]]:
        """Each probe that runs: the pod's uid, what names it, how often it came out how, how long it took."""
        for uid, pod in self._pods.items():
            for watched in pod.values():
                meta = watched.pod.metadata
                labels = {
                    "container": watched.target.container.name,
                    "namespace": meta.namespace or "",
                    "pod": meta.name or "",
                }
                for running in watched.probes:
                    yield uid, {**labels, "probe_type": running.kind}, running.results, running.seconds

    def close(self) -> None:
        """End all probes."""
        for uid in list(self._pods):
            self.forget(uid)

    def _begin(self, pod: Pod, container: AnyContainer, found: SeenContainer, seen: SeenPod) -> _Watched:
        sandbox = seen.sandbox
        ip = pod.status.pod_ip or (sandbox.ips[0] if sandbox is not None and sandbox.ips else "")
        older = found.started_at < self._began
        health = _known_health(pod, container, found) if older else Health()
        health.started = health.started or (None if container.startup_probe else True)
        watched = _Watched(pod, Target(found.id, container, ip), health)
        named = (
            (STARTUP, container.startup_probe),
            (READINESS, container.readiness_probe),
            (LIVENESS, container.liveness_probe),
        )
        watched.probes = [_Running(kind, probe) for kind, probe in named if probe is not None]
        age = max(0.0, self._clock.now() - found.started_at)
        for running in watched.probes:
            delay = max(0.0, (running.probe.initial_delay_seconds or 0) - age)
            spread = float(running.probe.period_seconds or 10) if older else 0.01
            self._schedule(watched, running, delay + self._random.random() * spread)
        return watched

    def _schedule(self, watched: _Watched, running: _Running, delay: float) -> None:
        running.timer = self._clock.call_later(delay, lambda: self._fire(watched, running))

    def _fire(self, watched: _Watched, running: _Running) -> None:
        over = watched.pod.metadata.deletion_timestamp is not None and running.kind != READINESS
        if running.held or over or (running.kind == STARTUP and watched.health.started):
            return  # it has done its work
        self._schedule(watched, running, float(running.probe.period_seconds or 10))
        waits = running.kind != STARTUP and not watched.health.started
        if waits or (running.task is not None and not running.task.done()):
            return
        running.task = asyncio.create_task(self._check(watched, running))

    def _end(self, watched: _Watched) -> None:
        for running in watched.probes:
            if running.timer is not None:
                running.timer.cancel()
            if running.task is not None:
                running.task.cancel()

    async def _check(self, watched: _Watched, running: _Running) -> None:
        outcome = Outcome(None)
        try:
            for _ in range(ATTEMPTS):
                began = self._clock.monotonic()
                outcome = await self._run(watched, running.probe)
                running.seconds.add(self._clock.monotonic() - began)
                if outcome.ok is not None:
                    break
        except Exception as error:  # the edge of one probe
            _log.exception("cannot probe", container=watched.target.id, error=error)
            return
        self._judge(watched, running, outcome)

    async def _run(self, watched: _Watched, probe: Probe) -> Outcome:
        timeout, target = float(probe.timeout_seconds or 1), watched.target
        if probe.exec is not None:
            known = {v.name: v.value or "" for v in target.container.env if v.value_from is None}
            return await check_exec(self._runtime, target, [expand(w, known) for w in probe.exec.command], timeout)
        if probe.http_get is not None:
            return await check_http(self._clock, target, probe.http_get, timeout)
        if probe.tcp_socket is not None:
            return await check_tcp(self._clock, target, probe.tcp_socket, timeout)
        if probe.grpc is not None:
            return await check_grpc(self._clock, target, probe.grpc, timeout)
        return Outcome(None, f"missing probe handler for {long_name(watched.pod)}:{target.container.name}")

    def _judge(self, watched: _Watched, running: _Running, outcome: Outcome) -> None:
        """Count the result; act on it when its row is long enough."""
        result = "unknown" if outcome.ok is None else "successful" if outcome.ok else "failed"
        running.results[result] = running.results.get(result, 0) + 1
        if outcome.ok is None:
            message = f"{running.kind} probe errored and resulted in unknown state: {outcome.output}"
            self._events.tell(watched.pod, WARNING, "Unhealthy", message, watched.target.container.name)
            return
        if not outcome.ok:
            message = f"{running.kind} probe failed: {outcome.output}"
            self._events.tell(watched.pod, WARNING, "Unhealthy", message, watched.target.container.name)
        elif outcome.warning:
            message = f"{running.kind} probe warning: {outcome.output}"
            self._events.tell(watched.pod, WARNING, "ProbeWarning", message, watched.target.container.name)
        running.row = running.row + 1 if outcome.ok == running.last else 1
        running.last = outcome.ok
        enough = (running.probe.success_threshold or 1) if outcome.ok else (running.probe.failure_threshold or 3)
        if running.row < enough:
            return
        running.held = running.kind == STARTUP or (running.kind == LIVENESS and not outcome.ok)
        before = (watched.health.started, watched.health.ready, watched.health.alive)
        self._note(watched, running.kind, outcome.ok)
        if (watched.health.started, watched.health.ready, watched.health.alive) != before:
            health = watched.health
            copy = Health(health.started, health.ready, health.alive)
            self._tell(watched.pod.metadata.uid or "", watched.target.id, copy)

    def _note(self, watched: _Watched, kind: str, ok: bool) -> None:
        health = watched.health
        if kind == READINESS:
            health.ready = ok
        elif kind == LIVENESS:
            health.alive = ok
        elif ok:
            health.started = True
            for other in watched.probes:  # the others have waited for this
                if other.kind != STARTUP and other.timer is not None:
                    other.timer.cancel()
                    self._schedule(watched, other, 0.0)
        else:
            health.started, health.alive = False, False


def _known_health(pod: Pod, container: AnyContainer, found: SeenContainer) -> Health:
    """What was last told of a container, by an agent before this one."""
    old = status_named(pod, container.name)
    if old is None or not (old.container_id or "").endswith(f"//{found.id}"):
        return Health()
    return Health(started=old.started or None, ready=old.ready or None)


def _probed(pod: Pod, seen: SeenPod) -> dict[str, tuple[AnyContainer, SeenContainer]]:
    """The running containers that have probes. Init containers other than sidecars have none."""
    found = {}
    for container in seen.containers:
        spec = container_named(pod, container.name)
        if (
            spec is None
            or not container.running
            or (not is_sidecar(spec) and any(c is spec for c in pod.spec.init_containers))
        ):
            continue
        if spec.startup_probe or spec.readiness_probe or spec.liveness_probe:
            found[container.id] = (spec, container)
    return found
