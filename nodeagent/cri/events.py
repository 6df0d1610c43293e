"""Event streams of runtimes: containerd's own, and the one of CRI.

containerd says "exit" for every process, also for those of exec; only an exit whose process is the container's own counts.
"""

from collections.abc import AsyncIterator

import grpc.aio
from google.protobuf.timestamp_pb2 import Timestamp

from nodeagent.cri import convert
from nodeagent.cri.port import Changed, Exited, OutOfMemory, RuntimeEvent
from proto import containerd_events_calls, cri_v1_calls
from proto import containerd_events_pb2 as ev
from proto import cri_v1_pb2 as pb
from proto.call import Call, Request, Response

FILTERS = [f'topic=="/tasks/{topic}",namespace==k8s.io' for topic in ("exit", "oom", "delete")]


async def from_containerd(channel: grpc.aio.Channel) -> AsyncIterator[RuntimeEvent]:
    """Exits and kills for memory, a millisecond after they happen."""
    request = ev.SubscribeRequest(filters=FILTERS)
    async for envelope in _stream(channel, containerd_events_calls.SUBSCRIBE, request):
        event = _read(envelope)
        if event is not None:
            yield event


def _read(envelope: ev.Envelope) -> RuntimeEvent | None:
    data = envelope.event.value
    if envelope.topic == "/tasks/exit":
        ended = ev.TaskExit.FromString(data)
        own = ended.id in ("", ended.container_id)
        return Exited(ended.container_id, ended.exit_status, _seconds(ended.exited_at)) if own else None
    if envelope.topic == "/tasks/oom":
        return OutOfMemory(ev.TaskOOM.FromString(data).container_id)
    return None


def _seconds(stamp: Timestamp) -> float:
    return convert.moment(stamp.ToNanoseconds())


async def from_cri(channel: grpc.aio.Channel) -> AsyncIterator[RuntimeEvent]:
    """The stream that CRI-O and newer runtimes offer; it names containers and sandboxes alike."""
    async for event in _stream(channel, cri_v1_calls.GET_CONTAINER_EVENTS, pb.GetEventsRequest()):
        yield _read_cri(event)


def _read_cri(event: pb.ContainerEventResponse) -> RuntimeEvent:
    for found in event.containers_statuses:
        if found.id == event.container_id and found.state == pb.CONTAINER_EXITED:
            return Exited(found.id, found.exit_code, convert.moment(found.finished_at))
    return Changed(event.container_id)


async def _stream(
    channel: grpc.aio.Channel, call: Call[Request, Response], request: Request
) -> AsyncIterator[Response]:
    method = channel.unary_stream(
        call.path,
        request_serializer=call.request.SerializeToString,
        response_deserializer=call.response.FromString,
    )
    async for message in method(request):
        yield message
