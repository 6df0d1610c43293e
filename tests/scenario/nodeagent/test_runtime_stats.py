"""What the runtime measures, where it stumbles over one pod: a server of its own plays the runtime."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from nodeagent.cri.client import GrpcRuntime
from nodeagent.cri.errors import Refused
from proto import cri_v1_calls as calls
from proto import cri_v1_pb2 as pb

READY, GONE = pb.SANDBOX_READY, pb.SANDBOX_NOTREADY
WHY = "cgroups: cgroup deleted"


class Stumbling(grpc.GenericRpcHandler):
    """Lists its sandboxes; their numbers only one by one, and not those of the broken ones."""

    def __init__(self, sandboxes: dict[str, int], broken: set[str]) -> None:
        self.answers = {
            calls.LIST_POD_SANDBOX.path: (pb.ListPodSandboxRequest, self._list),
            calls.LIST_POD_SANDBOX_STATS.path: (pb.ListPodSandboxStatsRequest, self._all),
            calls.POD_SANDBOX_STATS.path: (pb.PodSandboxStatsRequest, self._one),
        }
        self.sandboxes, self.broken = sandboxes, broken

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        kind, answer = self.answers[call.method]
        return grpc.unary_unary_rpc_method_handler(answer, kind.FromString, lambda reply: reply.SerializeToString())

    async def _list(self, request: Any, context: grpc.aio.ServicerContext) -> pb.ListPodSandboxResponse:
        return pb.ListPodSandboxResponse(items=[pb.PodSandbox(id=i, state=s) for i, s in self.sandboxes.items()])

    async def _all(self, request: Any, context: grpc.aio.ServicerContext) -> pb.ListPodSandboxStatsResponse:
        if self.broken:
            await context.abort(grpc.StatusCode.UNKNOWN, WHY)
        stats = [pb.PodSandboxStats(attributes=pb.PodSandboxAttributes(id=i)) for i in self.sandboxes]
        return pb.ListPodSandboxStatsResponse(stats=stats)

    async def _one(self, request: Any, context: grpc.aio.ServicerContext) -> pb.PodSandboxStatsResponse:
        ident = request.pod_sandbox_id
        if ident in self.broken or self.sandboxes[ident] == GONE:
            await context.abort(grpc.StatusCode.UNKNOWN, WHY)
        return pb.PodSandboxStatsResponse(stats=pb.PodSandboxStats(attributes=pb.PodSandboxAttributes(id=ident)))


@asynccontextmanager
async def runtime(folder: Path, sandboxes: dict[str, int], broken: set[str]) -> AsyncIterator[GrpcRuntime]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([Stumbling(sandboxes, broken)])
    server.add_insecure_port(f"unix://{folder}/cri.sock")
    await server.start()
    client = GrpcRuntime(f"unix://{folder}/cri.sock")
    try:
        yield client
    finally:
        await client.close()
        await server.stop(None)


@pytest.mark.parametrize(
    ("sandboxes", "broken", "told"),
    [
        ({"a": READY, "b": READY}, set[str](), {"a", "b"}),
        ({"a": READY, "b": READY, "c": GONE}, {"b"}, {"a"}),
        ({"c": GONE}, {"c"}, set[str]()),
    ],
)
async def test_one_pod_hides_no_other(
    tmp_path: Path, sandboxes: dict[str, int], broken: set[str], told: set[str]
) -> None:
    async with runtime(tmp_path, sandboxes, broken) as client:
        assert {stats.attributes.id for stats in await client.pod_stats()} == told


async def test_nothing_at_all_is_a_failure(tmp_path: Path) -> None:
    async with runtime(tmp_path, {"a": READY}, {"a"}) as client:
        with pytest.raises(Refused, match=WHY):
            await client.pod_stats()
