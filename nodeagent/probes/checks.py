"""One check of a container each: run a command, fetch a page, open a connection, ask for health. Also what hooks do."""

import asyncio

from api.core_v1 import GRPCAction, HTTPGetAction, TCPSocketAction
from kit.clock import Clock, deadline
from nodeagent.cri.errors import RuntimeFault, RuntimeTimeout
from nodeagent.cri.port import Runtime
from nodeagent.model.spans import span
from nodeagent.probes.http import FetchProblem, Page, fetch, page_of
from nodeagent.probes.outcome import MAX_OUTPUT, Outcome, Target, bracketed, dial_failure, joined, port_of

USER_AGENT = "kube-probe/1.36"


async def check_exec(runtime: Runtime, target: Target, command: list[str], timeout: float) -> Outcome:
    """A command that must end with 0."""
    try:
        result = await runtime.exec_sync(target.id, command, timeout)
    except RuntimeTimeout:
        return Outcome(False, f'command timed out: "{" ".join(command)}" timed out after {span(timeout)}')
    except RuntimeFault as error:
        return Outcome(None, error.spoken)
    text = (result.stdout + result.stderr)[:MAX_OUTPUT].decode(errors="replace")
    return Outcome(result.code == 0, text)


async def check_http(clock: Clock, target: Target, action: HTTPGetAction, timeout: float) -> Outcome:
    """A page that must answer with a status from 200 to 399."""
    page = page_for(target, action, USER_AGENT)
    if isinstance(page, str):
        return Outcome(None, page)
    try:
        async with deadline(clock, timeout):
            answer = await fetch(page)
    except TimeoutError:
        why = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        return Outcome(False, f'Get "{page.url}": {why}')
    except FetchProblem as error:
        return Outcome(False, f'Get "{page.url}": {error}')
    if not 200 <= answer.status < 400:
        return Outcome(False, f"HTTP probe failed with statuscode: {answer.status}")
    body = answer.body.decode(errors="replace")
    if answer.status >= 300:
        return Outcome(True, f"Probe terminated redirects, Response body: {body}", warning=True)
    return Outcome(True, body)


def page_for(target: Target, action: HTTPGetAction, agent: str) -> Page | str:
    """The page that an action means; text says why there is none."""
    port = port_of(target.container, action.port)
    if isinstance(port, str):
        return port
    scheme = (action.scheme or "HTTP").lower()
    return page_of(scheme, action.host or target.ip, port, action.path or "", action.http_headers, agent)


async def check_tcp(clock: Clock, target: Target, action: TCPSocketAction, timeout: float) -> Outcome:
    """A port that must accept a connection."""
    port = port_of(target.container, action.port)
    if isinstance(port, str):
        return Outcome(None, port)
    host = action.host or target.ip
    try:
        async with deadline(clock, timeout):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return Outcome(False, f"dial tcp {joined(host, port)}: i/o timeout")
    except (OSError, ValueError) as error:
        return Outcome(False, dial_failure(error, host, port))
    writer.transport.abort()
    return Outcome(True)


async def check_grpc(clock: Clock, target: Target, action: GRPCAction, timeout: float) -> Outcome:
    """A server that must say that it serves."""
    from nodeagent.probes import grpc_health  # few pods have such probes

    return await grpc_health.check_grpc(clock, target.ip, action.port, action.service or "", timeout)


__all__ = ["Outcome", "Target", "bracketed", "check_exec", "check_grpc", "check_http", "check_tcp", "page_for"]
