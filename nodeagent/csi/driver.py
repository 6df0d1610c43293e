"""One storage driver: its calls over gRPC, and what it says it can do. Every call may raise a `DriverFault`."""

import grpc
import grpc.aio

from proto import csi_v1_calls as calls
from proto import csi_v1_pb2 as pb
from proto.call import Call, Request, Response

PATIENCE = 120.0
_OPTIONS = [
    ("grpc.enable_http_proxy", 0),
    ("grpc.default_authority", "localhost"),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_reconnect_backoff_ms", 1000),
]


class DriverFault(Exception):
    """A call failed; reads as gRPC's users are used to."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        code = "".join(part.capitalize() for part in error.code().name.split("_"))
        super().__init__(f"rpc error: code = {code} desc = {error.details()}")
        self.code = error.code()


class Door:
    """Calls to whoever listens on a unix socket."""

    def __init__(self, socket: str) -> None:
        self._channel = grpc.aio.insecure_channel(f"unix://{socket}", options=_OPTIONS)

    async def call(self, call: Call[Request, Response], request: Request, patience: float = PATIENCE) -> Response:
        """One question and its answer."""
        method = self._channel.unary_unary(
            call.path,
            request_serializer=call.request.SerializeToString,
            response_deserializer=call.response.FromString,
        )
        try:
            answer: Response = await method(request, timeout=patience)
        except grpc.aio.AioRpcError as error:
            raise DriverFault(error) from error
        return answer

    async def close(self) -> None:
        """Hang up."""
        await self._channel.close(None)


class Driver:
    """A driver that is registered."""

    def __init__(self, name: str, socket: str) -> None:
        self.name = name
        self.socket = socket
        self.info = pb.NodeGetInfoResponse()
        self._door = Door(socket)
        self._abilities: frozenset[int] | None = None

    async def introduce(self) -> None:
        """Ask who it is on this node."""
        self.info = await self._door.call(calls.NODE_GET_INFO, pb.NodeGetInfoRequest())

    async def can(self, ability: int) -> bool:
        """Whether it has one of the capabilities of nodes."""
        if self._abilities is None:
            found = await self._door.call(calls.NODE_GET_CAPABILITIES, pb.NodeGetCapabilitiesRequest())
            self._abilities = frozenset(one.rpc.type for one in found.capabilities)
        return ability in self._abilities

    async def stage(self, request: pb.NodeStageVolumeRequest) -> None:
        """Make a volume ready for all pods of the node."""
        await self._door.call(calls.NODE_STAGE_VOLUME, request)

    async def unstage(self, handle: str, path: str) -> None:
        """No pod of the node needs it any more."""
        request = pb.NodeUnstageVolumeRequest(volume_id=handle, staging_target_path=path)
        await self._door.call(calls.NODE_UNSTAGE_VOLUME, request)

    async def publish(self, request: pb.NodePublishVolumeRequest) -> None:
        """Show it to a pod."""
        await self._door.call(calls.NODE_PUBLISH_VOLUME, request)

    async def unpublish(self, handle: str, path: str) -> None:
        """Take it away from a pod."""
        request = pb.NodeUnpublishVolumeRequest(volume_id=handle, target_path=path)
        await self._door.call(calls.NODE_UNPUBLISH_VOLUME, request)

    async def expand(self, request: pb.NodeExpandVolumeRequest) -> None:
        """Let the node see that a volume has become larger."""
        await self._door.call(calls.NODE_EXPAND_VOLUME, request)

    async def stats(self, handle: str, path: str) -> pb.NodeGetVolumeStatsResponse:
        """How full a volume is that a pod has."""
        request = pb.NodeGetVolumeStatsRequest(volume_id=handle, volume_path=path)
        return await self._door.call(calls.NODE_GET_VOLUME_STATS, request)

    async def close(self) -> None:
        """Hang up."""
        await self._door.close()
