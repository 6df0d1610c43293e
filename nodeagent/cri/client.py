"""The real runtime: CRI v1 over gRPC on a unix socket (containerd, CRI-O).

Each call has its own time limit: none may hang for ever, and each pod has its own worker, so that a call that hangs holds
up one pod only. The channel reconnects by itself; calls made while the runtime is away fail at once with `RuntimeAway`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

import grpc
import grpc.aio

from nodeagent.cri import convert, events
from nodeagent.cri.errors import (
    AlreadyExists,
    NotFound,
    Refused,
    RuntimeAway,
    RuntimeFault,
    RuntimeTimeout,
    Unsupported,
)
from nodeagent.cri.port import (
    POD_UID,
    ExecResult,
    Owned,
    RuntimeEvent,
    RuntimeStatus,
    RuntimeVersion,
    SeenImage,
    Streams,
)
from nodeagent.model.seen import SeenContainer, SeenSandbox
from proto import cri_v1_calls as calls
from proto import cri_v1_pb2 as pb
from proto.call import Call, Request, Response

QUICK = 30.0
USUAL = 120.0
SANDBOX = 240.0
PULL = 3600.0
_KINDS: dict[grpc.StatusCode, type[RuntimeFault]] = {
    grpc.StatusCode.UNAVAILABLE: RuntimeAway,
    grpc.StatusCode.DEADLINE_EXCEEDED: RuntimeTimeout,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.UNIMPLEMENTED: Unsupported,
}
# Calls that upstream counts under other names than their own.
_OPERATIONS = {
    "RunPodSandbox": "run_podsandbox",
    "StopPodSandbox": "stop_podsandbox",
    "RemovePodSandbox": "remove_podsandbox",
    "PodSandboxStatus": "podsandbox_status",
    "ListPodSandbox": "list_podsandbox",
    "PodSandboxStats": "podsandbox_stats",
    "ListPodSandboxStats": "list_podsandbox_stats",
    "UpdateContainerResources": "update_container",
    "UpdatePodSandboxResources": "update_podsandbox_resources",
}
CODES = {"CANCELLED": "Canceled", "OK": "OK"}
_OPTIONS = [
    ("grpc.max_receive_message_length", 16 << 20),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.use_local_subchannel_pool", 1),
]


class GrpcRuntime:
    """CRI calls to whoever listens at `endpoint` (`unix:///run/...`)."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint if "://" in endpoint else f"unix://{endpoint}"
        # gRPC would use an HTTP proxy from the environment and send the socket's path as the authority.
        options = [*_OPTIONS, ("grpc.enable_http_proxy", 0), ("grpc.default_authority", "localhost")]
        self._channel = grpc.aio.insecure_channel(self.endpoint, options=options)
        self._name = ""
        self.called: Callable[[str, float, bool], object] | None = (
            None  # hears of each call: what, how long, whether it failed
        )

    async def close(self) -> None:
        await self._channel.close(None)

    async def version(self) -> RuntimeVersion:
        answer = await self._call(calls.VERSION, pb.VersionRequest(version="v1"), "", QUICK)
        self._name = answer.runtime_name
        return RuntimeVersion(answer.runtime_name, answer.runtime_version, answer.runtime_api_version)

    async def status(self) -> RuntimeStatus:
        answer = await self._call(calls.STATUS, pb.StatusRequest(), "", QUICK)
        return convert.status(answer)

    async def run_sandbox(self, config: pb.PodSandboxConfig, handler: str = "") -> str:
        request = pb.RunPodSandboxRequest(config=config, runtime_handler=handler)
        return (await self._call(calls.RUN_POD_SANDBOX, request, config.metadata.name, SANDBOX)).pod_sandbox_id

    async def stop_sandbox(self, ident: str) -> None:
        request = pb.StopPodSandboxRequest(pod_sandbox_id=ident)
        try:
            await self._call(calls.STOP_POD_SANDBOX, request, ident, USUAL)
        except NotFound:
            pass

    async def remove_sandbox(self, ident: str) -> None:
        request = pb.RemovePodSandboxRequest(pod_sandbox_id=ident)
        try:
            await self._call(calls.REMOVE_POD_SANDBOX, request, ident, USUAL)
        except NotFound:
            pass

    async def sandbox(self, ident: str) -> SeenSandbox:
        request = pb.PodSandboxStatusRequest(pod_sandbox_id=ident)
        return convert.sandbox_status((await self._call(calls.POD_SANDBOX_STATUS, request, ident, QUICK)).status)

    async def sandboxes(self, uid: str = "") -> list[Owned[SeenSandbox]]:
        chosen = pb.PodSandboxFilter(label_selector={POD_UID: uid} if uid else {})
        answer = await self._call(calls.LIST_POD_SANDBOX, pb.ListPodSandboxRequest(filter=chosen), uid, QUICK)
        return [convert.sandbox(item) for item in answer.items]

    async def create_container(self, sandbox_id: str, config: pb.ContainerConfig, sandbox: pb.PodSandboxConfig) -> str:
        request = pb.CreateContainerRequest(pod_sandbox_id=sandbox_id, config=config, sandbox_config=sandbox)
        return (await self._call(calls.CREATE_CONTAINER, request, config.metadata.name, USUAL)).container_id

    async def start_container(self, ident: str) -> None:
        await self._call(calls.START_CONTAINER, pb.StartContainerRequest(container_id=ident), ident, USUAL)

    async def stop_container(self, ident: str, grace: int) -> None:
        request = pb.StopContainerRequest(container_id=ident, timeout=grace)
        try:
            await self._call(calls.STOP_CONTAINER, request, ident, grace + USUAL)
        except NotFound:
            pass

    async def remove_container(self, ident: str) -> None:
        request = pb.RemoveContainerRequest(container_id=ident)
        try:
            await self._call(calls.REMOVE_CONTAINER, request, ident, USUAL)
        except NotFound:
            pass

    async def update_resources(self, ident: str, resources: pb.LinuxContainerResources) -> None:
        request = pb.UpdateContainerResourcesRequest(container_id=ident, linux=resources)
        await self._call(calls.UPDATE_CONTAINER_RESOURCES, request, ident, USUAL)

    async def container(self, ident: str) -> SeenContainer:
        request = pb.ContainerStatusRequest(container_id=ident)
        answer = await self._call(calls.CONTAINER_STATUS, request, ident, QUICK)
        return convert.container_status(answer.status)

    async def containers(self, uid: str = "") -> list[Owned[SeenContainer]]:
        chosen = pb.ContainerFilter(label_selector={POD_UID: uid} if uid else {})
        answer = await self._call(calls.LIST_CONTAINERS, pb.ListContainersRequest(filter=chosen), uid, QUICK)
        return [convert.container(item) for item in answer.containers]

    async def exec_sync(self, ident: str, command: list[str], timeout: float) -> ExecResult:
        request = pb.ExecSyncRequest(container_id=ident, cmd=command, timeout=max(1, int(timeout)))
        answer = await self._call(calls.EXEC_SYNC, request, ident, timeout + 5)
        return ExecResult(answer.exit_code, answer.stdout, answer.stderr)

    async def exec(self, ident: str, command: list[str], streams: Streams) -> str:
        request = pb.ExecRequest(
            container_id=ident,
            cmd=command,
            stdin=streams.stdin,
            stdout=streams.stdout,
            stderr=streams.stderr,
            tty=streams.tty,
        )
        return (await self._call(calls.EXEC, request, ident, QUICK)).url

    async def attach(self, ident: str, streams: Streams) -> str:
        request = pb.AttachRequest(
            container_id=ident, stdin=streams.stdin, stdout=streams.stdout, stderr=streams.stderr, tty=streams.tty
        )
        return (await self._call(calls.ATTACH, request, ident, QUICK)).url

    async def port_forward(self, sandbox_id: str, ports: list[int]) -> str:
        request = pb.PortForwardRequest(pod_sandbox_id=sandbox_id, port=ports)
        return (await self._call(calls.PORT_FORWARD, request, sandbox_id, QUICK)).url

    async def image(self, name: str) -> SeenImage | None:
        request = pb.ImageStatusRequest(image=pb.ImageSpec(image=name))
        answer = await self._call(calls.IMAGE_STATUS, request, name, QUICK)
        return convert.image(answer.image) if answer.image.id else None

    async def images(self) -> list[SeenImage]:
        answer = await self._call(calls.LIST_IMAGES, pb.ListImagesRequest(), "", QUICK)
        return [convert.image(item) for item in answer.images]

    async def pull(self, name: str, auth: pb.AuthConfig | None, sandbox: pb.PodSandboxConfig | None) -> str:
        request = pb.PullImageRequest(image=pb.ImageSpec(image=name), auth=auth, sandbox_config=sandbox)
        return (await self._call(calls.PULL_IMAGE, request, name, PULL)).image_ref

    async def remove_image(self, name: str) -> None:
        request = pb.RemoveImageRequest(image=pb.ImageSpec(image=name))
        await self._call(calls.REMOVE_IMAGE, request, name, USUAL)

    async def image_filesystems(self) -> list[pb.FilesystemUsage]:
        answer = await self._call(calls.IMAGE_FS_INFO, pb.ImageFsInfoRequest(), "", QUICK)
        return list(answer.image_filesystems)

    async def checkpoint(self, ident: str, location: str, seconds: int) -> None:
        request = pb.CheckpointContainerRequest(container_id=ident, location=location, timeout=seconds)
        await self._call(calls.CHECKPOINT_CONTAINER, request, ident, float(seconds or USUAL))

    async def pod_stats(self) -> list[pb.PodSandboxStats]:
        try:
            answer = await self._call(calls.LIST_POD_SANDBOX_STATS, pb.ListPodSandboxStatsRequest(), "", QUICK)
            return list(answer.stats)
        except (Refused, NotFound) as error:
            return await self._stats_one_by_one(error)

    async def _stats_one_by_one(self, error: RuntimeFault) -> list[pb.PodSandboxStats]:
        """containerd 1.6 tells of no pod at all while one of them is half gone: then who can be told of is asked for alone."""
        alive = [owned.thing.id for owned in await self.sandboxes() if owned.thing.ready]
        found = []
        for ident in alive:
            try:
                request = pb.PodSandboxStatsRequest(pod_sandbox_id=ident)
                found.append((await self._call(calls.POD_SANDBOX_STATS, request, ident, QUICK)).stats)
            except (Refused, NotFound):
                continue
        if alive and not found:
            raise error
        return found

    async def reopen_log(self, ident: str) -> None:
        await self._call(calls.REOPEN_CONTAINER_LOG, pb.ReopenContainerLogRequest(container_id=ident), ident, QUICK)

    async def events(self) -> AsyncIterator[RuntimeEvent]:
        """containerd's own stream where it is containerd, else that of CRI."""
        name = self._name or (await self.version()).name
        stream = events.from_containerd if name == "containerd" else events.from_cri
        try:
            async for event in stream(self._channel):
                yield event
        except grpc.aio.AioRpcError as error:
            raise _fault("watch events", name, error) from error
        raise RuntimeAway("watch events", name, "the stream ended")

    async def _call(self, call: Call[Request, Response], request: Request, subject: str, timeout: float) -> Response:
        # Built per call: a kept multicallable is no faster, and the type would be lost.
        method = self._channel.unary_unary(
            call.path,
            request_serializer=call.request.SerializeToString,
            response_deserializer=call.response.FromString,
        )
        seconds, failed = asyncio.get_running_loop().time, True
        began = seconds()
        try:
            answer: Response = await method(request, timeout=timeout)
            failed = False
        except grpc.aio.AioRpcError as error:
            raise _fault(_spoken(call.name), subject, error) from error
        finally:
            if self.called is not None:
                name = _OPERATIONS.get(call.name) or _spoken(call.name).replace(" ", "_")
                self.called(name, seconds() - began, failed)
        return answer


def _spoken(name: str) -> str:
    """`RunPodSandbox` as words."""
    return "".join(f" {c.lower()}" if c.isupper() else c for c in name).lstrip()


def _fault(call: str, subject: str, error: grpc.aio.AioRpcError) -> RuntimeFault:
    kind = _KINDS.get(error.code(), Refused)
    details = error.details() or error.code().name
    if kind is Refused and "not found" in details and call.startswith(("container status", "pod sandbox status")):
        kind = NotFound
    return kind(call, subject, details, CODES.get(error.code().name) or error.code().name.title().replace("_", ""))
