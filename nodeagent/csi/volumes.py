"""Volumes of storage drivers: made ready on the node, shown to pods, and undone when pods end.

    attached -> stage (once a node, if the driver does so) -> publish (once a pod) ... unpublish -> unstage (with the last pod)

Before a driver is asked it is written down what for (`ledger`); that is struck out when the driver has undone it. So a crash at
any point leaves nothing behind: pods that are gone are cleaned up by what is written. Calls about one volume go one after
the other. Drivers must take repeated calls, so an agent that was restarted simply asks again. Volumes that may become larger are
looked at once a minute: a node may read claims, and not watch them. Pods do not notice, whatever comes of it.
"""

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from api import kinds
from api.core_v1 import Pod
from client.client import Client
from client.errors import ApiError, NotFound
from client.events import WARNING, reference
from kit import log
from kit.clock import Clock, Timer
from kit.threads import OneEach
from linux.mounts import MountError, Mounts
from nodeagent.csi import ledger
from nodeagent.csi.in_use import VolumesInUse, unique_name
from nodeagent.render.container import pod_directory
from nodeagent.render.settings import NodeSettings, Token, TokenWish
from nodeagent.report.events import Recorder
from nodeagent.volumes.ownership import change_policy, fs_group, give, half_given, marked
from nodeagent.volumes.problems import TooManyAttached, VolumeProblem
from nodeagent.volumes.resolved import Resolved

if TYPE_CHECKING:
    from nodeagent.csi.expansion import Expansion, Shown

REPUBLISH = 60.0
RESOURCE_EXHAUSTED = 8  # among gRPC's codes
LOOK_EVERY = 60.0
_log = log.get("drivers")
_PREFIX = "kubernetes.io/csi: "
_OF_DEVICES = {"MountDevice": "SetUpDevice", "SetUp": "MapPodDevice"}


class Drivers(Protocol):
    """The drivers that are registered."""

    def named(self, name: str) -> Any | None: ...

    async def ask_again(self, driver: Any) -> None: ...


class TokenDesk(Protocol):
    """Tokens of pods."""

    async def fetch(self, pod: Pod, more: tuple[TokenWish, ...] = ()) -> dict[TokenWish, Token]: ...


@dataclass(frozen=True, slots=True)
class Aids:
    """What else is needed: the API server, the kernel, the node, time, and somebody to wake."""

    client: Client
    mounts: Mounts
    node: NodeSettings
    tokens: TokenDesk
    clock: Clock
    changed: Callable[[str], object]
    recorder: Recorder
    in_use: VolumesInUse


class CsiVolumes:
    """See the module."""

    def __init__(self, drivers: Drivers, aids: Aids) -> None:
        self._drivers = drivers
        self._aids = aids
        self._locks: weakref.WeakValueDictionary[tuple[str, str], asyncio.Lock] = weakref.WeakValueDictionary()
        self._due: dict[str, Timer] = {}  # uid -> when its volumes are to be shown once more
        self._ready: dict[tuple[str, str], tuple[Mapping[str, str], str]] = {}  # what came of attaching and staging
        self._too_small: set[str] = set()  # paths of volumes that were shown, and have not grown as they should have
        self._growing: dict[str, Shown] = {}  # path -> what may become larger while a pod has it
        self._expansion: Expansion | None = None
        # By path; either may hang, and not be over when its pod is given up.
        self._giving, self._unmounting = OneEach[bool]("fs-group"), OneEach[None]("unmount")

    async def run(self) -> None:
        """Look for volumes that have become larger until cancelled."""
        while True:
            await self._aids.clock.sleep(LOOK_EVERY)
            await self.look()

    async def look(self) -> None:
        """Let those grow that have become larger."""
        for path, shown in list(self._growing.items()):
            async with self._lock((shown.wanted.driver, shown.wanted.handle)):
                driver = self._drivers.named(shown.wanted.driver)
                if path not in self._growing or path in self._too_small or driver is None:
                    continue
                try:
                    volume = await self._read_anew(shown.volume)
                except ApiError as error:
                    _log.info("cannot look whether a volume is larger", volume=shown.wanted.label, error=error)
                    continue
                await self._grow(replace(shown, driver=driver, volume=volume))

    async def _read_anew(self, volume: Resolved) -> Resolved:
        meta, client = volume.claim.metadata, self._aids.client
        claim = await client.get(kinds.PERSISTENT_VOLUME_CLAIM, meta.name, meta.namespace)
        return replace(volume, claim=claim, persistent=await client.get(kinds.PERSISTENT_VOLUME, volume.label))

    async def publish(self, pod: Pod, volumes: list[Resolved]) -> None:
        """Show these volumes to a pod. Raises VolumeProblem."""
        from nodeagent.csi.requests import wanted_of

        for volume in volumes:
            await self._show(pod, volume, wanted_of(pod, volume))

    async def unpublish(self, uid: str) -> None:
        """Take away all that drivers show to a pod. Raises MountError."""
        if (timer := self._due.pop(uid, None)) is not None:
            timer.cancel()
        for record in list(ledger.records(self._aids.node.root_dir, uid)):
            async with self._lock(record.volume):
                await self._take(record)
        self._aids.in_use.release(uid)

    # Showing.

    async def _show(self, pod: Pod, volume: Resolved, wanted: Any) -> None:
        from nodeagent.csi.requests import lifecycle_problem

        driver = self._drivers.named(wanted.driver)
        if driver is None:
            absent = f"driver name {wanted.driver} not found in the list of registered CSI drivers"
            if wanted.inline:
                raise _problem(wanted, f"{_PREFIX}mounter.SetUpAt failed to get CSI client: {absent}")
            why = f"{_PREFIX}attacher.MountDevice failed to create newCsiDriverClient: {absent}"
            raise _problem(wanted, why, "MountDevice")
        terms = await self._terms(wanted)
        if problem := lifecycle_problem(wanted, terms):
            why = f"{_PREFIX}mounter.SetupAt failed to check volume lifecycle mode: {problem}"
            raise _problem(wanted, why)
        async with self._lock((wanted.driver, wanted.handle)):
            path = ledger.target_path(
                self._aids.node.root_dir, pod.metadata.uid or "", wanted.label, block=wanted.block
            )
            prepared = await self._prepare(pod, driver, wanted, terms, path)
            fresh = not self._is_shown(pod, wanted, path)
            if fresh or terms.republish or terms.tokens:
                await self._publish(pod, driver, wanted, terms, prepared)
            if terms.republish:
                self._show_again(pod.metadata.uid or "")
            if volume.claim is not None:
                from nodeagent.csi.expansion import Shown

                shown = Shown(pod, volume, wanted, driver, path, prepared[1], fresh=False)
                if await self._may_grow(driver, wanted):
                    self._growing[path] = shown
                await self._grow(replace(shown, fresh=fresh or path in self._too_small))

    async def _prepare(
        self, pod: Pod, driver: Any, wanted: Any, terms: Any, path: str
    ) -> tuple[Mapping[str, str], str]:
        """Attached and made ready, once a node: what the attacher left word of, and where it is."""
        attach = terms.attach and not wanted.inline
        known = self._ready.get((wanted.driver, wanted.handle))
        if attach:
            await self._name_in_use(pod, wanted)
        context = known[0] if known is not None else await self._attached(driver, wanted, terms) if attach else {}
        # Before anything is made ready: only what pods have is ever undone.
        ledger.note(path, wanted.driver, wanted.handle, attached=attach)
        if known is None:
            known = context, await self._stage(pod, driver, wanted, context)
            self._ready[wanted.driver, wanted.handle] = known
        return known

    async def _may_grow(self, driver: Any, wanted: Any) -> bool:
        """Whether it may become larger while the pod has it."""
        from proto import csi_v1_pb2 as pb

        if wanted.inline or wanted.read_only:
            return False
        return await self._can(wanted, driver, pb.NodeServiceCapability.RPC.EXPAND_VOLUME)

    def _show_again(self, uid: str) -> None:
        if (timer := self._due.get(uid)) is not None:
            timer.cancel()  # one for all its volumes
        self._due[uid] = self._aids.clock.call_later(REPUBLISH, lambda: self._aids.changed(uid))

    async def _grow(self, shown: Any) -> None:
        """A pod begins only with a volume that is as large as it should be; one that runs lives on with what it has."""
        from nodeagent.csi.expansion import Expansion, NotGrown

        if self._expansion is None:
            self._expansion = Expansion(self._aids.client, self._aids.clock, self._aids.recorder, self._secret_data)
        try:
            await self._expansion.grow(shown)
        except NotGrown as problem:
            label = shown.wanted.label
            if shown.fresh:
                self._too_small.add(shown.path)
                step = "MapVolume.MarkVolumeAsMounted" if shown.wanted.block else "MountVolume.Setup"
                raise VolumeProblem(label, str(problem), f"{step} failed while expanding volume") from problem
            text = f'NodeExpandVolume.NodeExpandVolume failed for volume "{label}" : {problem}'
            self._aids.recorder.record(reference(kinds.POD, shown.pod), WARNING, "VolumeResizeFailed", text)
        else:
            self._too_small.discard(shown.path)

    async def _terms(self, wanted: Any) -> Any:
        from nodeagent.csi.requests import Terms, terms_of

        try:
            return terms_of(await self._aids.client.get(kinds.CSI_DRIVER, wanted.driver))
        except NotFound:
            return Terms()
        except ApiError as error:
            raise _problem(wanted, f"{_PREFIX}cannot read CSIDriver {wanted.driver}: {error}") from error

    async def _name_in_use(self, pod: Pod, wanted: Any) -> None:
        name = unique_name(wanted.driver, wanted.handle)
        if not await self._aids.in_use.take(pod.metadata.uid or "", name):
            step = "Volume has not been added to the list of VolumesInUse in the node's volume status"
            raise VolumeProblem(wanted.label, "", step)

    async def _attached(self, driver: Any, wanted: Any, terms: Any) -> Mapping[str, str]:
        """What the driver's controller left word of for us, once it has attached the volume."""
        from nodeagent.csi.requests import attachment_name

        try:
            node = await self._aids.client.get(kinds.NODE, self._aids.node.name)
        except ApiError as error:
            step = "VerifyControllerAttachedVolume failed fetching node from API server"
            raise VolumeProblem(wanted.label, str(error), step) from error
        own = unique_name(wanted.driver, wanted.handle)
        if not any(one.name == own for one in node.status.volumes_attached):
            if terms.limits_change and await self._has_too_many(driver, wanted):
                raise TooManyAttached(wanted.label, wanted.name)
            raise VolumeProblem(wanted.label, "", "Volume not attached according to node status")
        name = attachment_name(wanted.handle, wanted.driver, self._aids.node.name)
        try:
            found = await self._aids.client.get(kinds.VOLUME_ATTACHMENT, name)
        except ApiError as error:
            raise _problem(wanted, str(error), "WaitForAttach") from error
        if found.metadata.deletion_timestamp is not None:
            why = f"volume attachment {name} is being deleted"
            raise _problem(wanted, why, "WaitForAttach")
        if not found.status.attached:
            failed = found.status.attach_error.message if found.status.attach_error is not None else ""
            why = failed or f"volume attachment {name} is not attached yet"
            raise _problem(wanted, why, "WaitForAttach")
        return dict(found.status.attachment_metadata)

    async def _has_too_many(self, driver: Any, wanted: Any) -> bool:
        """Whether the volume cannot be attached because of how many are; then the scheduler hears how many the driver can have."""
        from nodeagent.csi.driver import DriverFault
        from nodeagent.csi.requests import attachment_name

        name = attachment_name(wanted.handle, wanted.driver, self._aids.node.name)
        try:
            error = (await self._aids.client.get(kinds.VOLUME_ATTACHMENT, name)).status.attach_error
            if error is None or error.error_code != RESOURCE_EXHAUSTED:
                return False
            await self._drivers.ask_again(driver)
        except (ApiError, DriverFault) as error:
            _log.info("cannot look whether too many volumes are attached", volume=wanted.label, error=error)
            return False
        return True

    async def _stage(self, pod: Pod, driver: Any, wanted: Any, context: Mapping[str, str]) -> str:
        from nodeagent.csi.requests import capability
        from proto import csi_v1_pb2 as pb

        ability = pb.NodeServiceCapability.RPC
        if wanted.inline or not await self._can(wanted, driver, ability.STAGE_UNSTAGE_VOLUME):
            return ""
        path = ledger.staging_path(self._aids.node.root_dir, wanted.driver, wanted.handle)
        ledger.note(path, wanted.driver, wanted.handle)
        ledger.make(path)
        request = pb.NodeStageVolumeRequest(
            volume_id=wanted.handle,
            publish_context=context,
            staging_target_path=path,
            volume_capability=capability(
                wanted,
                await self._drivers_group(pod, wanted, driver),
                fine_modes=await self._can(wanted, driver, ability.SINGLE_NODE_MULTI_WRITER),
            ),
            secrets=await self._secret(wanted, wanted.stage_secret, "NodeStageSecretRef", "MountDevice"),
            volume_context=wanted.context,
        )
        await self._ask(wanted, "MountDevice", driver.stage(request))
        return path

    async def _publish(
        self, pod: Pod, driver: Any, wanted: Any, terms: Any, prepared: tuple[Mapping[str, str], str]
    ) -> None:
        from nodeagent.csi.requests import capability, gives_to_group, pod_facts, token_facts
        from proto import csi_v1_pb2 as pb

        aids, (context, staged), uid = self._aids, prepared, pod.metadata.uid or ""
        path = ledger.target_path(aids.node.root_dir, uid, wanted.label, block=wanted.block)
        again = self._is_shown(pod, wanted, path)
        secrets = await self._secret(wanted, wanted.publish_secret, "NodePublishSecretRef", "SetUp")
        facts = dict(wanted.context) | (pod_facts(pod, wanted) if terms.pod_info else {})
        acting = token_facts(await self._tokens(pod, wanted, terms))
        (secrets if terms.tokens_in_secrets else facts).update(acting)
        group = await self._drivers_group(pod, wanted, driver)
        fine = await self._can(wanted, driver, pb.NodeServiceCapability.RPC.SINGLE_NODE_MULTI_WRITER)
        request = pb.NodePublishVolumeRequest(
            volume_id=wanted.handle,
            publish_context=context,
            staging_target_path=staged,
            target_path=path,
            volume_capability=capability(wanted, group, fine_modes=fine),
            readonly=wanted.read_only,
            secrets=secrets,
            volume_context=facts,
        )
        owner = fs_group(pod)
        if again or group is not None or owner is None or not gives_to_group(wanted, terms, owner):
            await self._ask(wanted, "SetUp", driver.publish(request))
            return
        with marked(self._mark(pod, wanted)):
            await self._ask(wanted, "SetUp", driver.publish(request))
            try:
                await self._giving.run(path, lambda: give(path, owner, change_policy(pod)))
            except OSError as error:
                raise _problem(wanted, f"applyFSGroup failed for vol {wanted.handle}: {error}") from error

    def _mark(self, pod: Pod, wanted: Any) -> Path:
        return half_given(pod_directory(pod.metadata.uid or "", self._aids.node), wanted.label)

    def _is_shown(self, pod: Pod, wanted: Any, path: str) -> bool:
        """Whether it is there, and was given to the pod's group if it is to be."""
        return path in self._aids.mounts.below(path) and not self._mark(pod, wanted).exists()

    async def _drivers_group(self, pod: Pod, wanted: Any, driver: Any) -> int | None:
        """The group that the driver itself cares for, if it can."""
        from proto import csi_v1_pb2 as pb

        cares = await self._can(wanted, driver, pb.NodeServiceCapability.RPC.VOLUME_MOUNT_GROUP)
        return fs_group(pod) if cares else None

    async def _tokens(self, pod: Pod, wanted: Any, terms: Any) -> dict[TokenWish, Token]:
        if not terms.tokens:
            return {}
        found = await self._aids.tokens.fetch(pod, terms.tokens)
        tokens = {wish: found[wish] for wish in terms.tokens}
        if problems := [token.problem for token in tokens.values() if token.problem]:
            why = f"{_PREFIX}mounter.SetUpAt failed to get service account token attributes: {problems[0]}"
            raise _problem(wanted, why)
        return tokens

    async def _secret(self, wanted: Any, ref: tuple[str, str], what: str, step: str) -> dict[str, str]:
        try:
            return await self._secret_data(ref)
        except ApiError as error:
            raise _problem(wanted, f"fetching {what} {'/'.join(ref)} failed: {error}", step) from error

    async def _secret_data(self, ref: tuple[str, str]) -> dict[str, str]:
        namespace, name = ref
        if not name:
            return {}
        secret = await self._aids.client.get(kinds.SECRET, name, namespace)
        return {key: value.decode(errors="surrogateescape") for key, value in secret.data.items()}

    async def _can(self, wanted: Any, driver: Any, ability: int) -> bool:
        return bool(await self._ask(wanted, "MountDevice", driver.can(ability)))

    async def _ask(self, wanted: Any, step: str, question: Awaitable[Any]) -> Any:
        from nodeagent.csi.driver import DriverFault

        try:
            return await question
        except DriverFault as error:
            raise _problem(wanted, str(error), step) from error

    # Undoing.

    async def _take(self, record: ledger.Record) -> None:
        from nodeagent.csi.driver import DriverFault

        self._growing.pop(record.target, None)
        driver = self._drivers.named(record.driver)
        if driver is None:
            absent = f"driver name {record.driver} not found in the list of registered CSI drivers"
            raise MountError(f"cannot unmount {record.target}: {absent}")
        try:
            await driver.unpublish(record.handle, record.target)
            await self._unmount(record.target)
            staged = ledger.staging_path(self._aids.node.root_dir, *record.volume)
            all_records = ledger.records(self._aids.node.root_dir)
            shared = any(other.volume == record.volume and other.target != record.target for other in all_records)
            if not shared:
                self._ready.pop(record.volume, None)
                if self._expansion is not None:
                    self._expansion.forget(record.volume)
            if not shared and ledger.is_noted(staged):
                await driver.unstage(record.handle, staged)
                await self._unmount(staged)
                ledger.strike(staged)
            self._too_small.discard(record.target)
            ledger.strike(record.target)  # last: it is what we come back for
        except DriverFault as error:
            raise MountError(f"cannot unmount {record.target}: {error}") from error

    async def _unmount(self, path: str) -> None:
        """The driver has undone it; what it left mounted all the same is unmounted, and never removed."""
        for point in self._aids.mounts.below(path):
            await self._unmounting.run(point, partial(self._aids.mounts.unmount, point))

    def _lock(self, volume: tuple[str, str]) -> asyncio.Lock:
        return self._locks.setdefault(volume, asyncio.Lock())


def _problem(wanted: Any, why: str, step: str = "SetUp") -> VolumeProblem:
    """In upstream's words, which are others for devices."""
    name = f"MapVolume.{_OF_DEVICES.get(step, step)}" if wanted.block else f"MountVolume.{step}"
    return VolumeProblem(wanted.label, why, f"{name} failed")


class NoCsi:
    """Without an API server nobody knows of drivers' volumes."""

    async def publish(self, pod: Pod, volumes: list[Resolved]) -> None:
        """Nothing can be shown."""
        for volume in volumes:
            raise VolumeProblem(volume.label, "volumes of storage drivers need an API server")

    async def unpublish(self, uid: str) -> None:
        """Nothing was shown."""
