"""A small storage driver for tests: its volumes are directories, which it mounts as real drivers do. Notes every call.

Run in a process of its own it serves the node's part of CSI and registers with an agent: `python -m tests.storage_driver ROOT FOLDER`.
"""

import asyncio
import json
import os
import stat
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from linux.mounts import KernelMounts, Mounts
from proto import csi_v1_calls as csi
from proto import csi_v1_pb2 as pb
from proto import plugin_registration_v1_calls as registration
from proto import plugin_registration_v1_pb2 as reg
from proto.call import Call

NAME = "disks.wherry.local"
ABILITY = pb.NodeServiceCapability.RPC


class StorageDriver:
    """Volumes are directories below `folder`; `abilities` are what it says it can do."""

    def __init__(
        self, folder: Path, mounts: Mounts, abilities: tuple[Any, ...] = (ABILITY.STAGE_UNSTAGE_VOLUME,)
    ) -> None:
        self.folder = folder
        self.mounts = mounts
        self.abilities = abilities
        self.calls: list[tuple[str, Any]] = []
        self.told: list[reg.RegistrationStatus] = []
        self.broken: dict[str, str | tuple[grpc.StatusCode, str]] = {}  # name of a call -> what it fails with
        self.limit = 4
        self.condition: pb.VolumeCondition | None = None
        self.device = ""  # what its volumes are, when they are asked for as devices
        self._server: grpc.aio.Server | None = None
        folder.mkdir(parents=True, exist_ok=True)

    async def start(self, socket: str, registry: str = "") -> None:
        """Listen; with a registry, make itself known there as well."""
        self._server = grpc.aio.server()
        self._socket = socket
        answers: dict[Any, Callable[[Any], Any]] = {
            csi.NODE_GET_INFO: self._info,
            csi.NODE_GET_CAPABILITIES: self._abilities,
            csi.NODE_STAGE_VOLUME: self._stage,
            csi.NODE_UNSTAGE_VOLUME: self._unstage,
            csi.NODE_PUBLISH_VOLUME: self._publish,
            csi.NODE_UNPUBLISH_VOLUME: self._unpublish,
            csi.NODE_EXPAND_VOLUME: self._expand,
            csi.NODE_GET_VOLUME_STATS: self._stats,
            registration.GET_INFO: self._introduce,
            registration.NOTIFY_REGISTRATION_STATUS: self._registered,
        }
        handlers: dict[str, dict[str, Any]] = {}
        for call, answer in answers.items():
            service, _, name = call.path.strip("/").partition("/")
            handlers.setdefault(service, {})[name] = grpc.unary_unary_rpc_method_handler(
                self._noted(call, answer), call.request.FromString, call.response.SerializeToString
            )
        for service, methods in handlers.items():
            self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))
        for path in (socket, *([registry] if registry else [])):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).unlink(missing_ok=True)
            self._server.add_insecure_port(f"unix://{path}")
        await self._server.start()

    async def stop(self) -> None:
        """Go, with the sockets."""
        if self._server is not None:
            await self._server.stop(None)

    def names(self) -> list[str]:
        """What was asked of it, in order."""
        asked = {"NodeStageVolume", "NodeUnstageVolume", "NodePublishVolume", "NodeUnpublishVolume", "NodeExpandVolume"}
        return [name for name, _ in self.calls if name in asked]

    def asked(self, call: str) -> list[Any]:
        """The requests of one call."""
        return [request for name, request in self.calls if name == call]

    def _noted(self, call: Call[Any, Any], answer: Callable[[Any], Any]) -> Callable[[Any, Any], Awaitable[Any]]:
        async def handle(request: Any, context: Any) -> Any:
            self.calls.append((call.name, request))
            if call.name in self.broken:
                how = self.broken[call.name]
                await context.abort(*((grpc.StatusCode.INTERNAL, how) if isinstance(how, str) else how))
            return answer(request) or call.response()

        return handle

    def _introduce(self, _: Any) -> reg.PluginInfo:
        return reg.PluginInfo(type="CSIPlugin", name=NAME, endpoint=self._socket, supported_versions=["1.0.0"])

    def _registered(self, status: reg.RegistrationStatus) -> None:
        self.told.append(status)

    def _info(self, _: Any) -> pb.NodeGetInfoResponse:
        topology = pb.Topology(segments={"topology.wherry.local/rack": "r1"})
        return pb.NodeGetInfoResponse(node_id="node-7", max_volumes_per_node=self.limit, accessible_topology=topology)

    def _abilities(self, _: Any) -> pb.NodeGetCapabilitiesResponse:
        found = [pb.NodeServiceCapability(rpc=ABILITY(type=one)) for one in self.abilities]
        return pb.NodeGetCapabilitiesResponse(capabilities=found)

    def _stage(self, request: pb.NodeStageVolumeRequest) -> None:
        disk = self.folder / request.volume_id
        disk.mkdir(exist_ok=True)
        if request.staging_target_path not in self.mounts.below(request.staging_target_path):
            self.mounts.bind_alone(str(disk), request.staging_target_path)

    def _unstage(self, request: pb.NodeUnstageVolumeRequest) -> None:
        self.mounts.unmount(request.staging_target_path)

    def _publish(self, request: pb.NodePublishVolumeRequest) -> None:
        source = request.staging_target_path or str(self.folder / request.volume_id)
        os.makedirs(source, exist_ok=True)
        (self.folder / "context.json").write_text(json.dumps(dict(request.volume_context)))
        if request.volume_capability.HasField("block"):
            Path(request.target_path).touch()
            self.mounts.bind_alone(self.device, request.target_path)
            return
        os.makedirs(request.target_path, exist_ok=True)
        if request.target_path not in self.mounts.below(request.target_path):
            self.mounts.bind_alone(source, request.target_path, readonly=request.readonly)

    def _unpublish(self, request: pb.NodeUnpublishVolumeRequest) -> None:
        self.mounts.unmount(request.target_path)
        if os.path.isdir(request.target_path):
            os.rmdir(request.target_path)
        else:
            Path(request.target_path).unlink(missing_ok=True)

    def _expand(self, request: pb.NodeExpandVolumeRequest) -> pb.NodeExpandVolumeResponse:
        return pb.NodeExpandVolumeResponse(capacity_bytes=request.capacity_range.required_bytes)

    def _stats(self, request: pb.NodeGetVolumeStatsRequest) -> pb.NodeGetVolumeStatsResponse:
        usage = pb.VolumeUsage
        found = [usage(unit=usage.BYTES, total=1000, used=300, available=700)]
        if not stat.S_ISBLK(os.stat(request.volume_path).st_mode):
            found.append(usage(unit=usage.INODES, total=50, used=7, available=43))
        return pb.NodeGetVolumeStatsResponse(usage=found, volume_condition=self.condition)


async def serve(root: str, folder: str) -> None:
    """Register with the agent whose directory is `root`, and serve until killed."""
    driver = StorageDriver(Path(folder), KernelMounts())
    await driver.start(f"{root}/plugins/{NAME}/csi.sock", f"{root}/plugins_registry/{NAME}-reg.sock")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], sys.argv[2]))
