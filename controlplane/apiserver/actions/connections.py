"""pods/exec, pods/attach and pods/portforward: a connection of the client's to the node of a pod.

GET and POST are alike, as clients of WebSocket can only GET; who does either must be allowed to create, or reading would be enough to run
commands. What is asked for is in the query. Three ways to the node:

    SPDY, and WebSocket of versions 1 to 4       byte for byte, as the node's runtime answers
    WebSocket of version 5 (exec, attach)        translated to SPDY (`connect/execution.py`), unless the node says that it can
    WebSocket with SPDY inside (port-forward)    unpacked (`connect/tunnel.py`), unless the node says that it can
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from api import codec, kinds
from controlplane.apiserver import options, status
from controlplane.apiserver.call import Call, Connected, Result
from controlplane.apiserver.connect.agents import Place
from controlplane.apiserver.connect.containers import container_names, named_container
from controlplane.apiserver.connect.execution import PROTOCOL, Wanted, translate
from controlplane.apiserver.connect.onward import onward
from controlplane.apiserver.connect.refusals import dialing
from controlplane.apiserver.connect.tunnel import tunnel, tunnelled
from controlplane.apiserver.steps.authorize import authorize
from kit.http import websocket
from kit.http.model import Request, Response
from kit.http.relay import pass_on, wants_upgrade, wants_websocket

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

Query = Mapping[str, list[str]]
_SPEAKS_WEBSOCKET = "ExtendWebSocketsToKubelet"  # a node's feature
_PATHS = {"exec": "exec", "attach": "attach", "portforward": "portForward"}
_NUMBER_LIMIT = 1 << 31


def connect(call: Call, core: Core) -> Result:
    """Any of the three."""
    if call.verb != "create":
        authorize(replace(call, verb="create"), core)
    if call.query.get("dryRun"):
        raise status.bad_request("dryRun is not supported")
    target = call.target
    entry = core.cache.resources[kinds.POD].entries.get(target.key)
    if entry is None:
        raise status.not_found(status.subject(kinds.POD, target.name))
    pod: Any = codec.decode(kinds.POD, entry.data)

    async def run(request: Request) -> Response | None:
        return await _connect(request, target.subresource, pod, core)

    return Connected(run)


async def _connect(request: Request, subresource: str, pod: Any, core: Core) -> Response | None:
    path = node_path(subresource, pod, request.query)
    if not pod.spec.node_name:
        raise status.bad_request(f"pod {pod.metadata.name} does not have a host assigned")
    place = await core.agents.place(pod.spec.node_name, core)
    if not wants_upgrade(request):
        raise status.bad_request("Upgrade request required")
    client = core.agents.client(place, core)
    protocols = _protocols(request, place)
    try:
        with dialing():
            if subresource == "portforward":
                if spdy := tunnelled(protocols):
                    return await tunnel(request, client, path, spdy, core.clock)
            elif PROTOCOL in protocols:
                return await translate(request, client, path, wanted(request.query), core.clock)
            return await pass_on(request, client, path, onward(request), core.clock)
    finally:
        await client.close()


def node_path(subresource: str, pod: Any, query: Query) -> str:
    """What to ask the node. Raises StatusError."""
    meta = pod.metadata
    names = [meta.namespace, meta.name]
    parameters: list[tuple[str, str]] = []
    if subresource == "portforward":
        if ports := read_ports(query):
            parameters.append(("port", ",".join(map(str, ports))))
    else:
        names.append(container_of(pod, _first(query, "container") or ""))
        chosen = wanted(query)
        if subresource == "exec":
            parameters += [("command", word) for word in query.get("command", ())]
        streams = (("error", chosen.stderr), ("input", chosen.stdin), ("output", chosen.stdout), ("tty", chosen.tty))
        parameters += [(name, "1") for name, is_wanted in streams if is_wanted]
    path = "/".join(["", _PATHS[subresource], *(quote(name, safe="") for name in names)])
    return path + (f"?{urlencode(parameters)}" if parameters else "")


def wanted(query: Query) -> Wanted:
    """Which streams the query asks for."""
    return Wanted(*(options.is_on(_first(query, name)) for name in ("stdin", "stdout", "stderr", "tty")))


def read_ports(query: Query) -> list[int]:
    """The ports in the query. Raises StatusError."""
    ports = []
    for text in (text for value in query.get("ports", ()) for text in value.split(",")):
        digits = text.removeprefix("-") if text.isascii() else ""
        if not digits.isdigit() or len(digits) > 10 or abs(int(text)) >= _NUMBER_LIMIT:
            raise status.bad_request(f'cannot read query parameter ports: "{text}" is not a number')
        ports.append(int(text))
    return ports


def container_of(pod: Any, asked: str) -> str:
    """The container that is meant. Raises StatusError."""
    if named := named_container(pod, asked):
        return named
    name, names = pod.metadata.name, " ".join(container_names(pod))
    raise status.bad_request(f"a container name must be specified for pod {name}, choose one of: [{names}]")


def _protocols(request: Request, place: Place) -> list[str]:
    """The offered subprotocols that we may have to translate; none if the node sees to them."""
    if not wants_websocket(request) or _SPEAKS_WEBSOCKET in place.features:
        return []
    return websocket.offered(request.header("sec-websocket-protocol"))


def _first(query: Query, name: str) -> str | None:
    return query[name][0] if name in query else None
