"""One check of a container each: run a command, fetch a page, open a connection. Also what lifecycle hooks do."""

import asyncio
import ssl
from dataclasses import dataclass

from api.core_v1 import Container, EphemeralContainer, HTTPGetAction, TCPSocketAction
from kit.clock import Clock, deadline
from nodeagent.cri.errors import RuntimeFault, RuntimeTimeout
from nodeagent.cri.port import Runtime

MAX_OUTPUT = 10_240
USER_AGENT = "kube-probe/1.36"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found. `ok` None: it could not be carried out, which says nothing of the container."""

    ok: bool | None
    output: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """Which container to check, and where it is."""

    id: str
    container: Container | EphemeralContainer
    ip: str


async def check_exec(runtime: Runtime, target: Target, command: list[str], timeout: float) -> Outcome:
    """A command that must end with 0."""
    try:
        result = await runtime.exec_sync(target.id, command, timeout)
    except RuntimeTimeout:
        return Outcome(False, f'command timed out: "{" ".join(command)}" timed out after {timeout:g}s')
    except RuntimeFault as error:
        return Outcome(None, str(error))
    text = (result.stdout + result.stderr)[:MAX_OUTPUT].decode(errors="replace")
    return Outcome(result.code == 0, text)


async def check_http(clock: Clock, target: Target, action: HTTPGetAction, timeout: float) -> Outcome:
    """A page that must answer with a status from 200 to 399."""
    port = port_of(target.container, action.port)
    if port is None:
        return Outcome(None, f"couldn't find port {action.port}")
    scheme = (action.scheme or "HTTP").lower()
    host = action.host or target.ip
    path = action.path or "/"
    url = f"{scheme}://{_bracketed(host)}:{port}{path if path.startswith('/') else '/' + path}"
    own = {header.name: header.value for header in action.http_headers}
    headers = {
        "Host": f"{_bracketed(host)}:{port}",
        "User-Agent": USER_AGENT,
        "Accept": "*/*",
        "Connection": "close",
        **own,
    }
    head = f"GET {path if path.startswith('/') else '/' + path} HTTP/1.1\r\n"
    request = head + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
    try:
        async with deadline(clock, timeout):
            status, body = await _fetch(host, port, scheme == "https", request.encode())
    except TimeoutError:
        return Outcome(
            False, f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
        )
    except (OSError, ValueError) as error:
        return Outcome(False, f'Get "{url}": {_failure(error, host, port)}')
    if 200 <= status < 400:
        return Outcome(True, body)
    return Outcome(False, f"HTTP probe failed with statuscode: {status}")


async def check_tcp(clock: Clock, target: Target, action: TCPSocketAction, timeout: float) -> Outcome:
    """A port that must accept a connection."""
    port = port_of(target.container, action.port)
    if port is None:
        return Outcome(None, f"couldn't find port {action.port}")
    host = action.host or target.ip
    try:
        async with deadline(clock, timeout):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return Outcome(False, f"dial tcp {_bracketed(host)}:{port}: i/o timeout")
    except OSError as error:
        return Outcome(False, f"dial tcp {_bracketed(host)}:{port}: connect: {(error.strerror or str(error)).lower()}")
    writer.transport.abort()
    return Outcome(True)


def port_of(container: Container | EphemeralContainer, port: int | str) -> int | None:
    """The number of a port that may be given by its name."""
    if isinstance(port, int):
        return port if 0 < port < 65536 else None
    if port.isdecimal():
        return int(port)
    return next((p.container_port for p in container.ports if p.name == port), None)


async def _fetch(host: str, port: int, tls: bool, request: bytes) -> tuple[int, str]:
    context = None
    if tls:
        context = ssl.SSLContext(
            ssl.PROTOCOL_TLS_CLIENT
        )  # trusts nobody in particular, and loads nobody's certificates
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        writer.write(request)
        await writer.drain()
        line = (await reader.readline()).split()
        if len(line) < 2 or not line[0].startswith(b"HTTP/") or not line[1].isdigit():
            raise ValueError("malformed HTTP response")
        while (await reader.readline()).strip():
            pass
        body = await reader.read(MAX_OUTPUT)
        return int(line[1]), body.decode(errors="replace")
    finally:
        writer.close()


def _failure(error: OSError | ValueError, host: str, port: int) -> str:
    """In the words that a kubelet uses, where it is about a connection."""
    if not isinstance(error, ConnectionRefusedError):
        return str(error)
    return f"dial tcp {_bracketed(host)}:{port}: connect: connection refused"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
