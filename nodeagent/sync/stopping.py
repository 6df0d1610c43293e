"""Acting: containers and sandboxes end, and what they leave is removed."""

import asyncio
import glob
import os
import shutil
from dataclasses import replace
from pathlib import Path

from kit.clock import deadline
from nodeagent.cri.errors import NotFound
from nodeagent.model.seen import PodRef, SeenContainer
from nodeagent.model.spec import AnyContainer, container_named
from nodeagent.plan.actions import RemoveContainer, RemoveSandbox, StopContainer, StopSandbox
from nodeagent.probes.outcome import Target
from nodeagent.render.sandbox import log_directory, log_file
from nodeagent.sync.cgroups import at_once
from nodeagent.sync.doors import NORMAL, WARNING, Doors
from nodeagent.sync.hooks import run_hook
from nodeagent.sync.state import PodState
from nodeagent.volumes.resolved import is_remote

MINIMUM_GRACE = 2


async def stop_container(doors: Doors, state: PodState, action: StopContainer) -> None:
    """The preStop hook, its turn among the others, then the runtime's own way of stopping, within the grace period."""
    container = container_named(state.pod, action.name)
    if container is not None:
        doors.events.tell(state.pod, NORMAL, "Killing", action.message, action.name)
    stopped = state.stopped.setdefault(action.id, asyncio.Event())
    stopped.clear()
    began = doors.clock.monotonic()
    try:
        if container is not None:
            await _pre_stop(doors, state, container, action)
        await _turn(doors, state, action, began)
        grace = max(MINIMUM_GRACE, action.grace - int(doors.clock.monotonic() - began))
        await doors.runtime.stop_container(action.id, grace)
    finally:
        stopped.set()
    try:
        found = await doors.runtime.container(action.id)
    except NotFound:
        state.seen = state.seen.without(action.id)
        return
    before = _known(state, action.id)
    state.seen = state.seen.with_container(replace(found, sandbox_id=before.sandbox_id if before else ""))


async def _pre_stop(doors: Doors, state: PodState, container: AnyContainer, action: StopContainer) -> None:
    hook = container.lifecycle.pre_stop if container.lifecycle is not None else None
    if hook is None:
        return
    sandbox = state.seen.sandbox
    ip = sandbox.ips[0] if sandbox is not None and sandbox.ips else ""
    outcome = await run_hook(doors, state.pod, hook, Target(action.id, container, ip), float(action.grace))
    if outcome is None or not outcome.ok:
        doors.events.tell(state.pod, WARNING, "FailedPreStopHook", "PreStopHook failed", action.name)


async def _turn(doors: Doors, state: PodState, action: StopContainer, began: float) -> None:
    """Wait for those that are to end before it, while there is time."""
    left = action.grace - (doors.clock.monotonic() - began)
    try:
        async with deadline(doors.clock, max(0.0, left)):
            for ident in action.after:
                await state.stopped.setdefault(ident, asyncio.Event()).wait()
    except TimeoutError:
        pass


async def stop_sandbox(doors: Doors, state: PodState, action: StopSandbox) -> None:
    """Release its network; whatever still ran in it is killed."""
    await doors.runtime.stop_sandbox(action.id)
    sandbox = next((s for s in state.seen.sandboxes if s.id == action.id), None)
    if sandbox is not None:
        state.seen = state.seen.with_sandbox(replace(sandbox, ready=False))


async def remove_sandbox(doors: Doors, state: PodState, action: RemoveSandbox) -> None:
    """Remove it and the containers in it."""
    await doors.runtime.remove_sandbox(action.id)
    state.seen = state.seen.without(action.id)
    state.forget_gone()


async def remove_container(doors: Doors, state: PodState, action: RemoveContainer) -> None:
    """Remove it and its log."""
    found = _known(state, action.id)
    await doors.runtime.remove_container(action.id)
    state.seen = state.seen.without(action.id)
    state.memory.retries.pop(action.id, None)
    state.forget_gone()
    if found is not None:
        for path in glob.glob(glob.escape(log_file(state.pod, found, doors.settings)) + "*"):
            Path(path).unlink(missing_ok=True)  # rotation may be faster


async def clean_up(doors: Doors, state: PodState) -> None:
    """Volumes, directories and the cgroup of a pod that ended."""
    uid = state.uid
    await doors.drivers.unpublish(uid)
    await doors.image_volumes.take(uid)
    if is_remote(state.pod) or not state.pod.spec.containers:  # an orphan may have anything
        work = doors.patient
    else:
        work = doors.blocking if state.pod.spec.volumes else at_once
    await work(lambda: doors.volumes.remove(uid))
    await doors.cgroups.remove(uid, work)
    doors.objects.release(uid)
    doors.tokens.release(uid)
    doors.puller.forget(uid)
    doors.probing.forget(uid)
    state.memory.cleaned = True


def forget(doors: Doors, state: PodState) -> None:
    """The last traces: logs, and what the doors keep by uid."""
    if state.pod.metadata.name:
        shutil.rmtree(log_directory(state.pod, doors.settings), ignore_errors=True)
    doors.objects.release(state.uid)
    doors.tokens.release(state.uid)
    doors.puller.forget(state.uid)
    doors.probing.forget(state.uid)
    doors.reporter.forget(state.uid)


def logged(root: str) -> list[PodRef]:
    """The pods that have left logs."""
    try:
        names = os.listdir(root)
    except FileNotFoundError:
        return []
    parts = [name.split("_") for name in names]
    return [PodRef(uid, namespace, pod) for namespace, pod, uid in (p for p in parts if len(p) == 3)]


def _known(state: PodState, ident: str) -> SeenContainer | None:
    return next((c for c in state.seen.containers if c.id == ident), None)
