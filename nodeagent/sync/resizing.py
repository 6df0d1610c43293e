"""Acting: running containers are given other limits."""

from dataclasses import replace

from kit import log
from linux.cgroup import CgroupError
from nodeagent.cri.errors import NotFound, RuntimeAway, RuntimeFault
from nodeagent.cri.port import POD_UID
from nodeagent.model.memory import ResizeNote
from nodeagent.model.seen import Limits
from nodeagent.model.spec import container_named
from nodeagent.plan import qos
from nodeagent.plan.actions import ResizePod
from nodeagent.plan.resizing import widest
from nodeagent.render.container import build_resources
from nodeagent.sync.allocations import summary
from nodeagent.sync.doors import WARNING, Doors
from nodeagent.sync.state import PodState
from proto import cri_v1_pb2 as pb

RETRY = 10.0
_log = log.get("resize")


class ResizeProblem(Exception):
    """It cannot be done as things are."""


async def resize(doors: Doors, state: PodState, action: ResizePod) -> None:
    """The pod's group as wide as before and after together, then its containers, then the group as it is to be."""
    wanted = qos.pod_limits(state.pod)
    before = state.memory.pod_limits or replace(wanted, quota=-1, memory=0)
    began, success = doors.clock.monotonic(), "false"
    try:
        await _check_use(doors, state, action, before, wanted)
        await doors.cgroups.limit(state.pod, widest(before, wanted))
        for ident, name in action.containers:
            await _resize_container(doors, state, ident, name)
        await doors.cgroups.limit(state.pod, wanted)
        state.memory.pod_limits = wanted
        state.memory.resize_retry = 0.0
        success = "true"
    except RuntimeAway:
        raise
    except (RuntimeFault, CgroupError, ResizeProblem) as error:
        _failed(doors, state, error.reason if isinstance(error, RuntimeFault) else str(error))
    finally:
        doors.tally.resize_milliseconds.add((doors.clock.monotonic() - began) * 1000, success)


async def _resize_container(doors: Doors, state: PodState, ident: str, name: str) -> None:
    container = container_named(state.pod, name)
    if container is None:
        return
    await doors.runtime.update_resources(ident, build_resources(state.pod, container, doors.settings))
    state.memory.applied[ident] = qos.container_limits(state.pod, container)
    known = next((c for c in state.seen.containers if c.id == ident), None)
    try:
        found = await doors.runtime.container(ident)
    except NotFound:
        return
    state.seen = state.seen.with_container(replace(found, sandbox_id=known.sandbox_id if known else ""))


async def _check_use(doors: Doors, state: PodState, action: ResizePod, before: Limits, wanted: Limits) -> None:
    """Memory that is in use cannot be taken away: the kernel would kill."""
    shrinking = {}
    for ident, name in action.containers:
        container = container_named(state.pod, name)
        found = next((c for c in state.seen.containers if c.id == ident), None)
        limit = qos.container_limits(state.pod, container).memory if container is not None else 0
        has = state.memory.applied.get(ident, found.limits if found else None)
        if limit and has is not None and (not has.memory or limit < has.memory):
            shrinking[ident] = (name, limit)
    whole = bool(wanted.memory) and (not before.memory or wanted.memory < before.memory)
    if not shrinking and not whole:
        return
    uses = [s for s in await doors.runtime.pod_stats() if s.attributes.labels.get(POD_UID) == state.uid]
    problems = []
    for stats in uses:
        used = stats.linux.memory.usage_bytes.value or stats.linux.memory.working_set_bytes.value
        if whole and used >= wanted.memory:
            problems.append(f"attempting to set pod memory limit ({wanted.memory}) below current usage ({used})")
        problems += [_too_small(one, *shrinking[one.attributes.id]) for one in _too_big(stats, shrinking)]
    if problems:
        text = problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]"
        raise ResizeProblem(f"cannot decrease memory limits: {text}")


def _too_big(stats: pb.PodSandboxStats, limits: dict[str, tuple[str, int]]) -> list[pb.ContainerStats]:
    return [
        one
        for one in stats.linux.containers
        if one.attributes.id in limits and _used(one) >= limits[one.attributes.id][1]
    ]


def _too_small(stats: pb.ContainerStats, name: str, limit: int) -> str:
    return f'attempting to set container "{name}" memory limit ({limit}) below current usage ({_used(stats)})'


def _used(stats: pb.ContainerStats) -> int:
    return int(stats.memory.usage_bytes.value or stats.memory.working_set_bytes.value)


def _failed(doors: Doors, state: PodState, reason: str) -> None:
    memory = state.memory
    memory.resize_retry = doors.clock.now() + RETRY
    generation = memory.resize_progress.generation if memory.resize_progress else state.pod.metadata.generation or 0
    note = ResizeNote("Error", reason, generation)
    if memory.resize_progress != note:
        memory.resize_progress = note
        text = f"Pod resize error: {summary(state.pod, generation, reason)}"
        doors.events.tell(state.pod, WARNING, "ResizeError", text)
        _log.warning("cannot resize", pod=str(state.uid), error=reason)
