"""Images as files: containerd's snapshots, through which the agent mounts an image that is a volume.

CRI of older containerd cannot mount images. containerd itself can: an image is a chain of layers, and a view of the last one tells what to
mount. The view is marked as needed, so that its layers outlive the image's name; it goes when the volume goes.
"""

import json
from dataclasses import dataclass
from typing import Protocol

import grpc
import grpc.aio

from nodeagent.cri.errors import Refused
from proto import cri_v1_calls as cri
from proto import cri_v1_pb2 as pb
from proto.call import Call, Request, Response

PATIENCE = 60.0
_NAMESPACE = (("containerd-namespace", "k8s.io"),)
_ROOTED = "containerd.io/gc.root"
_OPTIONS = [("grpc.enable_http_proxy", 0), ("grpc.default_authority", "localhost")]


@dataclass(frozen=True, slots=True)
class Layer:
    """One mount that shows an image."""

    kind: str
    source: str
    options: tuple[str, ...]


class ImageViews(Protocol):
    """Views of images' files."""

    async def view(self, image: str, key: str, now: str) -> list[Layer]:
        """What to mount, one upon the other, to see an image's files. The same key gives the same view. Raises Refused."""

    async def drop(self, key: str) -> None:
        """Nobody needs this view any more; fine if there is none."""


class ContainerdViews:
    """See the module. The connection is made when first needed."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint if "://" in endpoint else f"unix://{endpoint}"
        self._channel: grpc.aio.Channel | None = None
        self._snapshotter = ""

    async def view(self, image: str, key: str, now: str) -> list[Layer]:
        """See the protocol."""
        from proto import containerd_snapshots_calls as snapshots  # few nodes have volumes of images
        from proto import containerd_snapshots_pb2 as sn

        snapshotter = await self._chosen()
        try:
            parent = await self._chain(image)
            request = sn.ViewSnapshotRequest(snapshotter=snapshotter, key=key, parent=parent, labels={_ROOTED: now})
            mounts = (await self._call(snapshots.VIEW, request)).mounts
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
                raise Refused("mount image", image, error.details() or error.code().name) from error
            again = sn.MountsRequest(snapshotter=snapshotter, key=key)
            mounts = (await self._call(snapshots.MOUNTS, again)).mounts
        return [Layer(mount.type, mount.source, tuple(mount.options)) for mount in mounts]

    async def drop(self, key: str) -> None:
        """See the protocol."""
        from proto import containerd_snapshots_calls as snapshots
        from proto import containerd_snapshots_pb2 as sn

        request = sn.RemoveSnapshotRequest(snapshotter=await self._chosen(), key=key)
        try:
            await self._call(snapshots.REMOVE, request)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise Refused("remove view of an image", key, error.details() or error.code().name) from error

    async def close(self) -> None:
        """Hang up."""
        if self._channel is not None:
            await self._channel.close(None)

    async def _chosen(self) -> str:
        """The snapshotter that CRI unpacks images with."""
        if not self._snapshotter:
            try:
                answer = await self._call(cri.STATUS, pb.StatusRequest(verbose=True))
            except grpc.aio.AioRpcError as error:
                raise Refused("status", "", error.details() or error.code().name) from error
            config = json.loads(answer.info.get("config") or "{}")
            self._snapshotter = config.get("containerd", {}).get("snapshotter") or "overlayfs"
        return self._snapshotter

    async def _chain(self, image: str) -> str:
        """The name of an image's last layer with all below it."""
        request = pb.ImageStatusRequest(image=pb.ImageSpec(image=image), verbose=True)
        answer = await self._call(cri.IMAGE_STATUS, request)
        chain: str = json.loads(answer.info.get("info") or "{}").get("chainID", "")
        if not chain:
            raise Refused("mount image", image, "the runtime does not say of which layers it is made")
        return chain

    async def _call(self, call: Call[Request, Response], request: Request) -> Response:
        if self._channel is None:
            self._channel = grpc.aio.insecure_channel(self._endpoint, options=_OPTIONS)
        method = self._channel.unary_unary(
            call.path,
            request_serializer=call.request.SerializeToString,
            response_deserializer=call.response.FromString,
        )
        answer: Response = await method(request, timeout=PATIENCE, metadata=_NAMESPACE)
        return answer
