"""The question of grpc.health.v1 to a server in a container, in plain text, on a connection of its own."""

import grpc
import grpc.aio

from kit.clock import Clock, deadline
from nodeagent.model.spans import span
from nodeagent.probes.outcome import Outcome, joined

METHOD = "/grpc.health.v1.Health/Check"
STATES = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
_CODES = {"CANCELLED": "Canceled", "OUT_OF_RANGE": "OutOfRange", "OK": "OK"}
_OPTIONS = [
    ("grpc.primary_user_agent", "kube-probe/1.36"),
    ("grpc.enable_http_proxy", 0),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_receive_message_length", 64 << 10),
]


async def check_grpc(clock: Clock, host: str, port: int, service: str, timeout: float) -> Outcome:
    """A service that must say that it serves."""
    address = joined(host, port)
    channel = grpc.aio.insecure_channel(f"{_scheme(host)}:{address}", options=_OPTIONS)
    connected = False
    try:
        async with deadline(clock, timeout):
            await channel.channel_ready()
            connected = True
            answer: bytes = await channel.unary_unary(METHOD, None, None)(question(service))
    except TimeoutError:
        if connected:
            return Outcome(False, f"timeout: health rpc did not complete within {span(timeout)}")
        within = f"within {span(timeout)}: context deadline exceeded"
        return Outcome(False, f'timeout: failed to connect service "{address}" {within}')
    except grpc.aio.AioRpcError as error:
        return Outcome(False, _failure(error.code(), error.details() or "", timeout))
    finally:
        await channel.close(None)
    state = state_of(answer)
    if state != "SERVING":
        return Outcome(False, f'service unhealthy (responded with "{state}")')
    return Outcome(True, "service healthy")


def _failure(code: grpc.StatusCode, details: str, timeout: float) -> str:
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return f"error: this server does not implement the grpc health protocol (grpc.health.v1.Health): {details}"
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return f"timeout: health rpc did not complete within {span(timeout)}"
    name = _CODES.get(code.name) or "".join(word.capitalize() for word in code.name.split("_"))
    return f"error: health rpc probe failed: rpc error: code = {name} desc = {details}"


def question(service: str) -> bytes:
    """The request: field 1, the name of the service; empty asks for the server as a whole."""
    name = service.encode()
    length, rest = b"", len(name)
    while rest > 127:
        length += bytes((rest & 127 | 128,))
        rest >>= 7
    return b"\x0a" + length + bytes((rest,)) + name if name else b""


def state_of(answer: bytes) -> str:
    """The word for field 1 of the answer, a number; later ones count."""
    state = 0
    for position in range(0, len(answer) - 1, 2):
        if answer[position] != 0x08:
            break
        state = answer[position + 1]
    return STATES[state] if state < len(STATES) else str(state)


def _scheme(host: str) -> str:
    if ":" in host:
        return "ipv6"
    return "ipv4" if host.replace(".", "").isdigit() else "dns"
