"""pods/log: what a container wrote, fetched from the agent of its node and relayed as it comes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from api import codec, kinds
from controlplane.apiserver import options, status
from controlplane.apiserver.call import Call, Relayed
from controlplane.apiserver.connect.containers import container_names, named_container
from kit.http.client import ClientError, Incoming

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

HEAD_SECONDS = 20.0
_PASSED_ON = ("sinceTime", "stream")
_NUMBERS = ("sinceSeconds", "tailLines", "limitBytes")
_SWITCHES = ("follow", "previous", "timestamps")
_DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"
_REASONS = {400: "BadRequest", 403: "Forbidden", 404: "NotFound", 500: "InternalError", 503: "ServiceUnavailable"}
_MOST_REFUSAL = 64 * 1024  # bytes of an agent's refusal that are passed on


async def log(call: Call, core: Core) -> Relayed:
    """GET of a log: begin to relay. Raises StatusError."""
    target = call.target
    entry = core.cache.resources[kinds.POD].entries.get(target.key)
    if entry is None:
        raise status.not_found(status.subject(kinds.POD, target.name))
    pod: Any = codec.decode(kinds.POD, entry.data)
    path = log_path(pod, call)
    if not pod.spec.node_name:
        return Relayed(_nothing())
    client = core.agents.client(await core.agents.place(pod.spec.node_name, core), core)
    stack = AsyncExitStack()
    stack.push_async_callback(client.close)
    try:
        incoming = await stack.enter_async_context(client.stream("GET", path, timeout=HEAD_SECONDS))
        if incoming.status != 200:
            raise await _refusal(incoming)
    except status.StatusError:
        await stack.aclose()
        raise
    except ClientError as error:
        await stack.aclose()
        raise status.internal_error(f"cannot get logs from node {pod.spec.node_name}: {error}") from error
    return Relayed(_chunks(incoming, stack))


def log_path(pod: Any, call: Call) -> str:
    """What to ask the agent. Raises StatusError for options that make no sense."""
    query: dict[str, str] = {name: call.query[name] for name in _PASSED_ON if call.query.get(name)}
    for name in _NUMBERS:
        if name in call.query:
            query[name] = str(options.number(call.query, name))
    query |= {name: "true" for name in _SWITCHES if options.boolean(call.query, name)}
    container = _container(pod, call.query.get("container", ""))
    names = "/".join(quote(part, safe="") for part in (pod.metadata.namespace, pod.metadata.name, container))
    return f"/containerLogs/{names}" + (f"?{urlencode(query)}" if query else "")


def _container(pod: Any, asked: str) -> str:
    if named := named_container(pod, asked):
        return named
    spec, chosen = pod.spec, str(pod.metadata.annotations.get(_DEFAULT_CONTAINER, ""))
    if chosen in container_names(pod):
        return chosen
    names = " ".join(c.name for c in spec.containers)
    message = f"a container name must be specified for pod {pod.metadata.name}, choose one of: [{names}]"
    if spec.init_containers:
        message += f" or one of the init containers: [{' '.join(c.name for c in spec.init_containers)}]"
    raise status.bad_request(message)


async def _refusal(incoming: Incoming) -> status.StatusError:
    """What the agent says, if it says no; anything else it may not answer."""
    text = b""
    async for piece in incoming:
        text += piece
        if len(text) > _MOST_REFUSAL:
            break
    code = incoming.status if incoming.status in _REASONS else 500
    return status.StatusError(code, _REASONS[code], text[:_MOST_REFUSAL].decode(errors="replace").strip())


async def _chunks(incoming: Incoming, stack: AsyncExitStack) -> AsyncGenerator[bytes, None]:
    try:
        async for chunk in incoming:
            yield chunk
    finally:
        await stack.aclose()


async def _nothing() -> AsyncGenerator[bytes, None]:
    yield b""
