"""How the programs of a node are: asked through the doors that they offer to everybody."""

import asyncio
from typing import TYPE_CHECKING

from cli.errors import CliError
from cli.machine import Machine
from kit.clock import Clock, SystemClock

if TYPE_CHECKING:
    from client.http import HttpTransport

QUICK = 2.0
RESTARTS_TOO_MANY = 4
HTTP2_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))  # and an empty SETTINGS frame
HEALTH_PORTS = {"agent": 10248, "proxy": 10256}


def transport(machine: Machine) -> "HttpTransport":
    """A connection to the API server as the administrator."""
    from client import kubeconfig
    from client.http import HttpTransport

    try:
        return HttpTransport(kubeconfig.load(str(machine.layout.admin)))
    except kubeconfig.KubeconfigError as error:
        raise CliError("talk to the API server", error, "Run 'wherry up', which writes a good kubeconfig") from error


async def problem(machine: Machine, name: str) -> str:
    """What is wrong with a program; "" when it is well."""
    try:
        async with asyncio.timeout(QUICK):
            return await _ask(machine, name)
    except TimeoutError:
        return f"no answer in {QUICK:g} s"


async def _ask(machine: Machine, name: str) -> str:
    if name == "containerd":
        return await _runtime_problem(str(machine.layout.containerd_socket))
    if name == "controlplane":
        return await _api_problem(machine)
    from kit.http.client import ClientError, HttpClient

    client = HttpClient("127.0.0.1", HEALTH_PORTS[name])
    try:
        reply = await client.request("GET", "/healthz", timeout=QUICK)
        return "" if reply.status == 200 else reply.body.decode(errors="replace").strip() or f"status {reply.status}"
    except ClientError as error:
        return str(error)
    finally:
        await client.close()


async def _runtime_problem(path: str) -> str:
    """Whether a gRPC server answers: the greeting of HTTP/2, which one that hangs does not return."""
    try:
        reader, writer = await asyncio.open_unix_connection(path)
    except OSError as error:
        return f"cannot connect to {path}: {error.strerror or error}"
    try:
        writer.write(HTTP2_GREETING)
        await reader.readexactly(9)
    except (OSError, EOFError) as error:
        return f"no greeting from {path}: {error}"
    finally:
        writer.close()
    return ""


async def _api_problem(machine: Machine) -> str:
    from client.errors import ApiError

    door = transport(machine)
    try:
        await door.request("GET", "/readyz", {})
        return ""
    except ApiError as error:
        return str(error)
    finally:
        await door.close()


def wait_for(machine: Machine, name: str, seconds: float, clock: Clock | None = None) -> None:
    """Until a program is well; an error with the end of its log when it keeps ending, or takes too long."""
    asyncio.run(_wait_for(machine, name, seconds, clock or SystemClock()))


async def _wait_for(machine: Machine, name: str, seconds: float, clock: Clock) -> None:
    end = clock.monotonic() + seconds
    before = machine.services.state(name).restarts
    while said := await problem(machine, name):
        state = machine.services.state(name)
        if state.restarts - before >= RESTARTS_TOO_MANY or clock.monotonic() > end:
            raise failure(machine, name, said, ends=state.restarts > before)
        await clock.sleep(0.03)


def failure(machine: Machine, name: str, said: str, *, ends: bool) -> CliError:
    """Show the end of its log; the error to raise."""
    tail = machine.services.log_tail(name, 15)
    if tail:
        machine.say(f"--- the end of the log of {name}:\n{tail}\n---")
    reason = "it ends again and again" if ends else f"it does not become healthy: {said}"
    return CliError(f"start {name}", reason, "Its log is shown above")
