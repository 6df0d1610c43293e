"""Asks drivers to let the node see that volumes have become larger, and tells claims and people how it went.

It is asked for when a volume has just been shown to a pod, and again whenever the pod's volumes are looked at. Sizes are known for as
long as a volume is on the node; after a restart the claim's own size is where we begin.
"""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc

from api import kinds, quantity, times
from api.core_v1 import Pod
from client.client import Client
from client.errors import ApiError
from client.events import NORMAL, WARNING, reference
from kit.clock import Clock
from nodeagent.csi.driver import Driver, DriverFault
from nodeagent.csi.growth import Growth, begun, finished, plan_growth, refused, shown_size
from nodeagent.csi.requests import Wanted, capability
from nodeagent.report.events import Recorder
from nodeagent.volumes.resolved import Resolved
from proto import csi_v1_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable

Volume = tuple[str, str]
_CODE = grpc.StatusCode
_UNSURE = {_CODE.CANCELLED, _CODE.DEADLINE_EXCEEDED, _CODE.UNAVAILABLE, _CODE.RESOURCE_EXHAUSTED, _CODE.ABORTED}
_INFEASIBLE = {_CODE.INVALID_ARGUMENT, _CODE.OUT_OF_RANGE, _CODE.NOT_FOUND}


class NotGrown(Exception):
    """The file system is as large as it was; reads as upstream's Events do."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A volume that a pod has: how it was asked for, and where it is."""

    pod: Pod
    volume: Resolved
    wanted: Wanted
    driver: Driver
    path: str
    staged: str
    fresh: bool  # it was shown a moment ago


@dataclass(slots=True)
class _Refused(Exception):
    """The driver did not do it. `final`: it has stopped to try; `supported`: it could have."""

    reason: str
    final: bool = True
    infeasible: bool = False
    in_use: bool = False
    supported: bool = True


@dataclass(frozen=True, slots=True)
class Expansion:
    """See the module."""

    client: Client
    clock: Clock
    recorder: Recorder
    secret: "Callable[[tuple[str, str]], Awaitable[Mapping[str, str]]]"
    _sizes: dict[Volume, int] = field(default_factory=dict)
    _failed: set[Volume] = field(default_factory=set)
    _left_alone: set[Volume] = field(default_factory=set)  # they cannot grow while pods use them

    def forget(self, volume: Volume) -> None:
        """It is no longer on the node."""
        self._sizes.pop(volume, None)
        self._failed.discard(volume)
        self._left_alone.discard(volume)

    async def grow(self, shown: Shown) -> None:
        """Do what is to be done. Raises NotGrown."""
        claim, persistent, key = shown.volume.claim, shown.volume.persistent, (shown.wanted.driver, shown.wanted.handle)
        if claim is None or persistent is None or key in self._left_alone:
            return
        growth = plan_growth(claim, persistent, self._sizes.setdefault(key, shown_size(claim)), key in self._failed)
        if growth is None:
            return
        if shown.wanted.read_only:
            if shown.fresh:
                self._tell(shown, WARNING, "FileSystemResizeFailed", "failed", "requested read-only file system")
            return
        if growth.ask:
            try:
                if not await self._carry_out(shown, claim, growth):
                    return
            except ApiError as error:
                raise NotGrown(f"mountVolume.NodeExpandVolume update pvc status failed: {error}") from error
        self._sizes[key] = quantity.ceil(growth.size)

    async def _carry_out(self, shown: Shown, claim: Any, growth: Growth) -> bool:
        """Ask the driver, and tell. False if nothing was done and nothing is wrong."""
        if growth.careful and not growth.told and (patch := begun(claim)) is not None:
            claim = await self._patch(claim, patch)
        try:
            await self._ask(shown, growth.size)
        except _Refused as problem:
            return await self._settle(shown, claim, growth, problem)
        self._failed.discard((shown.wanted.driver, shown.wanted.handle))
        self._tell(shown, NORMAL, "FileSystemResizeSuccessful", "succeeded", shown.pod.spec.node_name or "")
        if not growth.told:
            await self._patch(claim, finished(claim, growth.size))
        return True

    async def _settle(self, shown: Shown, claim: Any, growth: Growth, problem: _Refused) -> bool:
        key = (shown.wanted.driver, shown.wanted.handle)
        if not problem.supported and (growth.told or not growth.careful):
            return True
        if problem.final and growth.careful:
            self._failed.add(key)
            infeasible = problem.infeasible or growth.doubtful
            now = times.format_time(self.clock.now())
            if (patch := refused(claim, problem.reason, now, infeasible=infeasible)) is not None:
                await self._patch(claim, patch)
        if problem.in_use:
            self._left_alone.add(key)
            return False
        raise NotGrown(problem.reason)

    async def _ask(self, shown: Shown, size: str) -> None:
        ability, driver, wanted = pb.NodeServiceCapability.RPC, shown.driver, shown.wanted
        try:
            if not await driver.can(ability.EXPAND_VOLUME):
                raise _Refused(f"NodeExpand is not supported by the CSI driver {wanted.driver}", supported=False)
            request = pb.NodeExpandVolumeRequest(
                volume_id=wanted.handle,
                volume_path=shown.path,
                capacity_range=pb.CapacityRange(required_bytes=quantity.ceil(size)),
                staging_target_path=shown.staged,
                volume_capability=capability(
                    wanted, None, fine_modes=await driver.can(ability.SINGLE_NODE_MULTI_WRITER)
                ),
                secrets=await self.secret(wanted.expand_secret),
            )
            await driver.expand(request)
        except ApiError as error:
            what = "/".join(wanted.expand_secret)
            reason = f"expander.NodeExpand failed to get NodeExpandSecretRef {what}: {error}"
            raise _Refused(reason) from error
        except DriverFault as error:
            reason = f"Expander.NodeExpand failed to expand the volume : {error}"
            final, in_use = error.code not in _UNSURE, error.code is _CODE.FAILED_PRECONDITION
            raise _Refused(reason, final, infeasible=error.code in _INFEASIBLE, in_use=in_use) from error

    async def _patch(self, claim: Any, patch: dict[str, Any]) -> Any:
        name, namespace = claim.metadata.name, claim.metadata.namespace
        return await self.client.patch(kinds.PERSISTENT_VOLUME_CLAIM, name, patch, namespace, subresource="status")

    def _tell(self, shown: Shown, kind: str, reason: str, how: str, more: str) -> None:
        """Both who uses it and who asked for it are told."""
        message = f'MountVolume.NodeExpandVolume {how} for volume "{shown.wanted.label}" {more}'
        claim = reference(kinds.PERSISTENT_VOLUME_CLAIM, shown.volume.claim)
        for about in (reference(kinds.POD, shown.pod), claim):
            self.recorder.record(about, kind, reason, message)
