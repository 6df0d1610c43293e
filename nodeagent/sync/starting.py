"""Acting: sandboxes and containers come to life."""

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial

from api import times
from api.core_v1 import Container, Pod, Secret
from kit.clock import Clock
from linux.mounts import MountError
from nodeagent.cri.errors import Refused, RuntimeFault
from nodeagent.cri.port import SeenImage
from nodeagent.images.puller import ImageProblem, Pulled, Wish
from nodeagent.model.memory import Waiting, next_hold
from nodeagent.model.seen import SeenContainer
from nodeagent.model.spec import AnyContainer, container_named, has_usual_volumes
from nodeagent.plan.actions import CreateSandbox, StartContainer, StopContainer
from nodeagent.plan.qos import container_limits, pod_limits
from nodeagent.plan.resizing import outdated
from nodeagent.probes.outcome import Target
from nodeagent.render.container import ContainerInputs, build_container, pod_directory, termination_file
from nodeagent.render.environment import build_environment
from nodeagent.render.mounts import wanted_subpaths
from nodeagent.render.network import check_fqdn, omitted
from nodeagent.render.references import environment_references, pull_references, volume_references
from nodeagent.render.sandbox import build_sandbox, log_directory
from nodeagent.render.settings import ConfigProblem
from nodeagent.report.tally import size_class
from nodeagent.sync.doors import NORMAL, WARNING, Doors
from nodeagent.sync.env_files import read_env_files
from nodeagent.sync.hooks import run_hook
from nodeagent.sync.host_files import write_hosts
from nodeagent.sync.observer import make_termination_file
from nodeagent.sync.state import PodState
from nodeagent.sync.stopping import stop_container
from nodeagent.sync.users import NoIdsLeft, apply_ids, apply_to_mounts, first_id
from nodeagent.volumes.pod import VolumeProblem
from nodeagent.volumes.resolved import driven, is_remote, waits_for_others
from proto import cri_v1_pb2 as pb

CONFIG_RETRY = 10.0
PULL_REASONS = ("ErrImagePull", "RegistryUnavailable", "SignatureValidationFailed")
NAME_REASONS = {  # why an image cannot be used, and how Events name it
    "InvalidImageName": "InspectFailed",
    "ImageInspectError": "InspectFailed",
    "ErrImageNeverPull": "ErrImageNeverPull",
}


class StartProblem(Exception):
    """A container cannot start now; `reason` is the word that statuses show. `retry_at`: not before."""

    def __init__(self, reason: str, message: str, retry_at: float) -> None:
        super().__init__(message)
        self.waiting = Waiting(reason, message)
        self.retry_at = retry_at

    @property
    def harmless(self) -> bool:
        """Whether the runtime was not asked to change anything."""
        return self.waiting.reason not in ("CreateContainerError", "RunContainerError", "PostStartHookError")


async def prepare_volumes(doors: Doors, state: PodState) -> None:
    """The cgroup, directories and volumes. What changes while we write is for the next time."""
    if not state.memory.volumes_ready and has_usual_volumes(state.pod):
        await state.take_slot(doors.slots)  # asked for sooner, it would only slow down the pods before it
    if state.memory.pod_limits is None:
        await _make_group(doors, state)  # first: a sandbox that does not wait for volumes goes into it
    state.memory.volumes_stale = False
    try:
        await _make_volumes(doors, state.pod)
    except BaseException:
        state.memory.volumes_stale = True
        raise
    state.memory.volumes_ready = True


async def _make_group(doors: Doors, state: PodState) -> None:
    """The pod's group; what still runs in it as it was before a change must fit in for a moment."""
    limits = pod_limits(state.pod)
    if outdated(state.pod, state.seen, state.memory):
        limits = replace(limits, quota=-1, memory=0)
    await doors.cgroups.limit(state.pod, limits)
    state.memory.pod_limits = limits


async def _make_volumes(doors: Doors, pod: Pod) -> None:
    if not pod.spec.volumes:
        os.makedirs(pod_directory(pod.metadata.uid or "", doors.settings), mode=0o750, exist_ok=True)
        return
    references = volume_references(pod)
    doors.objects.hold(pod, references)
    try:
        objects, tokens, claims = await asyncio.gather(
            doors.objects.sources(pod, references), doors.tokens.fetch(pod), doors.claims.fetch(pod)
        )
    except ConfigProblem as error:
        raise VolumeProblem(pod.spec.volumes[0].name, str(error)) from error
    sources = replace(objects, tokens=tokens, claims=claims)
    doors.volumes.check(pod, claims)
    await doors.drivers.publish(pod, driven(pod, claims))
    work = partial(doors.volumes.prepare, pod, sources, _stamp(doors.clock), doors.tally.stored)
    await (doors.patient(work) if waits_for_others(pod, claims) else doors.blocking(work))


async def create_sandbox(doors: Doors, state: PodState, action: CreateSandbox) -> None:
    """The network and namespaces that the pod's containers share."""
    doors.objects.hold(state.pod, set())  # Services are read meanwhile
    if state.seen.sandbox is not None and not state.seen.sandbox.ready:
        message = "Pod sandbox changed, it will be killed and re-created."
        doors.events.tell(state.pod, NORMAL, "SandboxChanged", message)
    config = _checked_config(doors, state, action.attempt)
    os.makedirs(config.log_directory, mode=0o755, exist_ok=True)
    handler = await doors.classes.handler(state.pod)
    await state.take_slot(doors.slots)
    ident = await _run_sandbox(doors, state, config, handler)
    doors.register(ident, state.uid)
    state.seen = state.seen.with_sandbox(await doors.runtime.sandbox(ident))
    state.memory.sandbox_failures = 0


async def _run_sandbox(doors: Doors, state: PodState, config: pb.PodSandboxConfig, handler: str) -> str:
    began, failed = doors.clock.monotonic(), True
    try:
        ident = await doors.runtime.run_sandbox(config, handler)
        failed = False
    finally:
        mapped, took = state.pod.spec.host_users is False, doors.clock.monotonic() - began
        doors.tally.sandbox_made(handler, took, mapped=mapped, failed=failed)
    return ident


async def start_container(doors: Doors, state: PodState, action: StartContainer) -> None:
    """Image, configuration, create, start, postStart hook."""
    container = container_named(state.pod, action.name)
    sandbox = state.seen.sandbox
    if container is None or sandbox is None:
        return
    config = sandbox_config(doors, state, sandbox.attempt)
    try:
        image = await _image_for(doors, state, container, container, config)
        await _image_volumes(doors, state, container, config)
        spec = await _container_config(doors, state, container, action.attempt, image)
        await state.take_slot(doors.slots)
        ident = await _create(doors, state, container, sandbox.id, spec, config)
    finally:
        doors.puller.settled(state.uid)
    try:
        await doors.runtime.start_container(ident)
    except RuntimeFault as error:
        _tell_failure(doors, state, container, error.reason)
        _note_start(doors, state, container)
        await _see_failed(doors, state, ident, sandbox.id)
        raise StartProblem("RunContainerError", error.reason, 0.0) from error
    if container.name == state.pod.spec.containers[-1].name:
        state.leave_slot()  # the next pod need not wait until this one was looked at and told of
    found = replace(await doors.runtime.container(ident), sandbox_id=sandbox.id)
    _note_start(doors, state, container)
    state.seen = state.seen.with_container(found)
    doors.events.tell(state.pod, NORMAL, "Started", "Container started", container.name)
    await _post_start(doors, state, container, found)


async def _see_failed(doors: Doors, state: PodState, ident: str, sandbox_id: str) -> None:
    """What has become of one that could not be started, so that it is told at once."""
    with suppress(RuntimeFault):
        found = await doors.runtime.container(ident)
        state.seen = state.seen.with_container(replace(found, sandbox_id=sandbox_id))


def _checked_config(doors: Doors, state: PodState, attempt: int) -> pb.PodSandboxConfig:
    """The sandbox, with what is wrong with names told. Raises `Refused`."""
    try:
        config = sandbox_config(doors, state, attempt)
        check_fqdn(state.pod, doors.settings)
    except (ConfigProblem, NoIdsLeft) as error:
        raise Refused("run pod sandbox", state.pod.metadata.name or "", str(error)) from error
    for message in omitted(state.pod, doors.node()):
        doors.events.tell(state.pod, WARNING, "DNSConfigForming", message)
    return config


def sandbox_config(doors: Doors, state: PodState, attempt: int) -> pb.PodSandboxConfig:
    """The sandbox as the runtime is told of it, the same for each container in it."""
    config = build_sandbox(state.pod, attempt, doors.cgroups.parent(state.pod), doors.node())
    if state.pod.spec.host_users is False:
        apply_ids(config.linux.security_context.namespace_options, first_id(doors.settings.root_dir, state.uid))
    return config


async def _image_for(
    doors: Doors, state: PodState, container: AnyContainer, asked: AnyContainer, sandbox: pb.PodSandboxConfig
) -> SeenImage:
    """The image that is asked for on behalf of a container: its own, or one of its volumes."""
    try:
        return await _image(doors, state, asked, sandbox)
    except StartProblem as problem:
        _tell_failure(doors, state, container, problem.waiting.reason)
        raise


async def _image(doors: Doors, state: PodState, container: AnyContainer, sandbox: pb.PodSandboxConfig) -> SeenImage:
    name = container.image or ""
    references = pull_references(state.pod)
    secrets: tuple[Secret, ...] = ()
    wish = Wish(state.uid, name, container.image_pull_policy or "IfNotPresent", secrets, sandbox)
    try:
        image = await doors.puller.present(wish)
        _count_wish(doors, wish, image)
        if image is not None:
            message = f'Container image "{name}" already present on machine and can be accessed by the pod'
            doors.events.tell(state.pod, NORMAL, "Pulled", message, container.name)
            return image
        if (held := doors.puller.held(wish)) is not None:
            doors.events.tell(state.pod, NORMAL, "BackOff", f'Back-off pulling image "{name}"', container.name)
            raise held
        if references:
            known = (await doors.objects.sources(state.pod, references)).secrets
            secrets = tuple(known.values())
            if missing := [r.name for r in state.pod.spec.image_pull_secrets if r.name and r.name not in known]:
                lacking = f"Unable to retrieve some image pull secrets ({', '.join(missing)})"
                message = f"{lacking}; attempting to pull the image may not succeed."
                doors.events.tell(state.pod, WARNING, "FailedToRetrieveImagePullSecret", message)
        state.leave_slot()
        doors.events.tell(state.pod, NORMAL, "Pulling", f'Pulling image "{name}"', container.name)
        pulled = await doors.puller.pull(replace(wish, secrets=secrets))
    except ConfigProblem as error:
        raise StartProblem("ErrImagePull", str(error), doors.clock.now() + CONFIG_RETRY) from error
    except ImageProblem as error:
        if error.reason in PULL_REASONS:
            message = f'Failed to pull image "{name}": {error.told}'
            doors.events.tell(state.pod, WARNING, "Failed", message, container.name)
        elif error.reason in NAME_REASONS:
            doors.events.tell(state.pod, WARNING, NAME_REASONS[error.reason], error.message, container.name)
        raise StartProblem(error.reason, error.message, error.retry_at) from error
    doors.events.tell(state.pod, NORMAL, "Pulled", _pulled_message(name, pulled), container.name)
    doors.tally.pull_seconds.add(pulled.seconds or 0.0, size_class(pulled.image.size))
    doors.pulled(state.uid, pulled.waited)
    return pulled.image


def _count_wish(doors: Doors, wish: Wish, image: SeenImage | None) -> None:
    present = "unknown" if wish.policy == "Always" else str(image is not None).lower()
    doors.tally.images_wanted.add(present, wish.policy.lower(), str(image is None).lower())


async def _image_volumes(doors: Doors, state: PodState, container: AnyContainer, sandbox: pb.PodSandboxConfig) -> None:
    """The images that it has as volumes: pulled as its own is, then mounted."""
    images = {volume.name: volume.image for volume in state.pod.spec.volumes if volume.image is not None}
    for name in {mount.name: None for mount in container.volume_mounts if mount.name in images}:
        source = images[name]
        doors.tally.image_volumes.add()
        asked = Container(image=source.reference, image_pull_policy=source.pull_policy)
        found = await _image_for(doors, state, container, asked, sandbox)
        try:
            await doors.image_volumes.show(state.uid, name, found.id, doors.blocking)
            doors.tally.image_volumes_mounted.add()
        except (RuntimeFault, MountError, OSError) as error:
            doors.tally.image_volumes_failed.add()
            text = f'failed to mount image volume "{name}": {error}'
            _tell_failure(doors, state, container, text)
            raise StartProblem("CreateContainerError", text, doors.clock.now() + CONFIG_RETRY) from error


async def _recursive_read_only(doors: Doors, state: PodState, container: AnyContainer) -> bool:
    """Whether the runtime can make what is mounted inside of volumes read-only too; asked only if somebody wants it."""
    if all((mount.recursive_read_only or "Disabled") == "Disabled" for mount in container.volume_mounts):
        return False
    handler = await doors.classes.handler(state.pod)
    able = {one.name for one in (await doors.runtime.status()).handlers if one.recursive_read_only}
    state.memory.recursive_read_only = handler in able
    return handler in able


def _pulled_message(name: str, pulled: Pulled) -> str:
    took = f"{(pulled.seconds or 0) * 1000:.0f}ms ({pulled.waited * 1000:.0f}ms including waiting)"
    return f'Successfully pulled image "{name}" in {took}. Image size: {pulled.image.size} bytes.'


async def _container_config(
    doors: Doors, state: PodState, container: AnyContainer, attempt: int, image: SeenImage
) -> pb.ContainerConfig:
    pod, node = state.pod, doors.settings
    ips = _ips(doors, state)
    try:
        sources = await doors.objects.sources(pod, environment_references(pod))
        sources = replace(sources, files=await read_env_files(doors, pod, container))
        environment = build_environment(pod, container, sources, ips, node)
        subpaths = await _subpaths(doors, pod, container, environment)
        inputs = ContainerInputs(
            attempt=attempt,
            image=image,
            environment=environment,
            volumes=doors.volumes.places(pod),
            subpaths=subpaths,
            recursive_read_only=await _recursive_read_only(doors, state, container),
            hosts_file=write_hosts(pod, ips, node),
            target_id=_target_id(state, container),
        )
        config = build_container(pod, container, inputs, node)
        if pod.spec.host_users is False:
            first = first_id(node.root_dir, state.uid)
            apply_ids(config.linux.security_context.namespace_options, first)
            shown = {mount.mount_path for mount in container.volume_mounts}
            apply_to_mounts([m for m in config.mounts if m.container_path in shown], first)
        if container.termination_message_path:
            make_termination_file(termination_file(pod, container.name, attempt, node))
        os.makedirs(f"{log_directory(pod, node)}/{container.name}", mode=0o755, exist_ok=True)
    except ConfigProblem as error:
        _tell_failure(doors, state, container, str(error))
        retry = doors.clock.now() + CONFIG_RETRY
        raise StartProblem("CreateContainerConfigError", str(error), retry) from error
    return config


async def _subpaths(
    doors: Doors, pod: Pod, container: AnyContainer, environment: Mapping[str, str]
) -> Mapping[int, str]:
    wanted = wanted_subpaths(container, environment)
    if not wanted:
        return {}
    found: dict[int, str] = {}
    beside = doors.patient if is_remote(pod) else doors.blocking
    await beside(lambda: found.update(doors.volumes.subpaths(pod, container.name, wanted)))
    return found


async def _create(
    doors: Doors,
    state: PodState,
    container: AnyContainer,
    sandbox_id: str,
    spec: pb.ContainerConfig,
    config: pb.PodSandboxConfig,
) -> str:
    try:
        ident = await doors.runtime.create_container(sandbox_id, spec, config)
    except RuntimeFault as error:
        _tell_failure(doors, state, container, error.reason)
        raise StartProblem("CreateContainerError", error.reason, doors.clock.now() + 1.0) from error
    doors.register(ident, state.uid)
    state.memory.applied[ident] = container_limits(state.pod, container)
    doors.events.tell(state.pod, NORMAL, "Created", "Container created", container.name)
    return ident


def _note_start(doors: Doors, state: PodState, container: AnyContainer) -> None:
    """A start, even one that failed, moves the back-off on; a good one ends the reasons for waiting."""
    memory = state.memory
    memory.waiting.pop(container.name, None)
    memory.retries.pop(container.name, None)
    dead = next((c for c in state.seen.overlay(state.exits).containers if c.name == container.name and c.exited), None)
    if dead is not None:
        memory.restarts[container.name] = next_hold(
            memory.restarts.get(container.name), dead.finished_at, memory.policy
        )


async def _post_start(doors: Doors, state: PodState, container: AnyContainer, found: SeenContainer) -> None:
    hook = container.lifecycle.post_start if container.lifecycle is not None else None
    if hook is None:
        return
    state.leave_slot()
    ips = _ips(doors, state)
    outcome = await run_hook(doors, state.pod, hook, Target(found.id, container, ips[0] if ips else ""))
    if outcome is None or outcome.ok:
        return
    doors.events.tell(state.pod, WARNING, "FailedPostStartHook", "PostStartHook failed", container.name)
    grace = max(2, state.pod.spec.termination_grace_period_seconds or 2)
    await stop_container(doors, state, StopContainer(found.id, found.name, grace, "FailedPostStartHook"))
    state.dirty = True
    raise StartProblem("PostStartHookError", outcome.output, 0.0)


def _ips(doors: Doors, state: PodState) -> tuple[str, ...]:
    sandbox = state.seen.sandbox
    if state.pod.spec.host_network:
        return doors.settings.host_ips
    return sandbox.ips if sandbox is not None else ()


def _target_id(state: PodState, container: AnyContainer) -> str:
    target = getattr(container, "target_container_name", None)
    found = state.seen.current(target) if target else None
    return found.id if found is not None else ""


def _tell_failure(doors: Doors, state: PodState, container: AnyContainer, reason: str) -> None:
    doors.events.tell(state.pod, WARNING, "Failed", f"Error: {reason}", container.name)


def _stamp(clock: Clock) -> str:
    """A name for a version of a volume's contents: the time, to the microsecond."""
    return times.format_micro_time(clock.now()).translate(str.maketrans("-T:", "___")).rstrip("Z")
