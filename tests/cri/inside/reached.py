"""Scenes: what reaches into pods from the node: probes over gRPC, ports of the host."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import grpc.aio

from api import kinds
from api.core_v1 import ContainerPort, GRPCAction, Probe
from linux.process import run_async
from nodeagent.probes.grpc_health import METHOD
from tests.cri.inside.basics import state_of
from tests.cri.stage import Stage, make_pod, shell

SERVING, NOT_SERVING = b"\x08\x01", b"\x08\x02"


class Health(grpc.GenericRpcHandler):
    """A health service whose answers the scene sets, by the question; what it was not told of it does not know."""

    def __init__(self) -> None:
        self.answers: dict[bytes, bytes] = {}

    def service(self, call: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        return grpc.unary_unary_rpc_method_handler(self._answer) if call.method == METHOD else None

    async def _answer(self, question: bytes, context: grpc.aio.ServicerContext) -> bytes:
        if question not in self.answers:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return self.answers[question]


@asynccontextmanager
async def _served(address: str, health: Health) -> AsyncIterator[int]:
    """Serve on an address that the node has for as long; the port."""
    await run_async(["ip", "address", "replace", f"{address}/32", "dev", "lo"])
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([health])
    port = server.add_insecure_port(f"{address}:0")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(None)
        await run_async(["ip", "address", "delete", f"{address}/32", "dev", "lo"])


async def probed_over_grpc(stage: Stage) -> None:
    """A service of a health server decides whether a container is ready, another whether it is restarted."""
    health = Health()
    health.answers = {b"\x0a\x05alive": SERVING, b"\x0a\x05ready": NOT_SERVING}
    async with _served(stage.config.node_address, health) as port:

        def probe(service: str) -> Probe:
            return Probe(
                grpc=GRPCAction(port=port, service=service), period_seconds=1, timeout_seconds=60, failure_threshold=1
            )

        asked = shell(
            "a",
            "trap 'exit 0' TERM; while true; do sleep 0.1; done",
            liveness_probe=probe("alive"),
            readiness_probe=probe("ready"),
        )
        await stage.create(make_pod("asked", asked, host_network=True))
        await stage.phase("asked", "Running")
        unready = 'Readiness probe failed: service unhealthy (responded with "NOT_SERVING")'
        await stage.until(lambda: unready in _told(stage), "users are told that it is not ready")
        assert not state_of(stage.pod("asked"), "a").ready
        health.answers[b"\x0a\x05ready"] = SERVING
        await stage.until(lambda: state_of(stage.pod("asked"), "a").ready, "it becomes ready")
        assert state_of(stage.pod("asked"), "a").restart_count == 0
        del health.answers[b"\x0a\x05alive"]
        await stage.until(lambda: state_of(stage.pod("asked"), "a").restart_count > 0, "it is restarted")
        dead = (
            "Liveness probe failed: error: health rpc probe failed: rpc error: code = NotFound desc = unknown service"
        )
        await stage.until(lambda: dead in _told(stage), "users are told that it is dead")
        await stage.delete("asked")


def _told(stage: Stage) -> list[str]:
    return [e.message or "" for e in stage.api.objects(kinds.EVENT) if e.reason == "Unhealthy"]


async def on_a_port_of_the_host(stage: Stage) -> None:
    """The runtime hands the port down to the network: who asks the host is answered by the pod."""
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    web = shell("web", "mkdir -p /w; echo from the pod > /w/index.html; exec httpd -f -p 8080 -h /w")
    web.ports = [ContainerPort(container_port=8080, host_port=port)]
    await stage.create(make_pod("web", web))
    pod = await stage.phase("web", "Running")
    gateway = (pod.status.pod_ip or "").rpartition(".")[0] + ".1"

    async def answers() -> bool:
        reader, writer = await asyncio.open_connection(gateway, port)
        try:
            writer.write(b"GET / HTTP/1.0\r\n\r\n")
            return b"from the pod" in await asyncio.wait_for(reader.read(), 20)
        finally:
            writer.close()

    await stage.until_async(answers, "the pod answers on the host's port")
    await stage.delete("web")
