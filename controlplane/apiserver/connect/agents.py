"""The way to agents: where a node's agent listens, and the certificate that it knows the API server by."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from api import codec, kinds
from controlplane.apiserver import status
from controlplane.apiserver.connect.addresses import allowed, refuse_api
from kit.http.client import HttpClient

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

AGENT_PORT = 10250
_ADDRESSES = ("InternalIP", "ExternalIP", "Hostname")

Resolve = Callable[[str], Awaitable[str]]


async def resolve(host: str) -> str:
    """The address to connect to, looked up once. Nodes say themselves where they are: not here, and not beside us. Raises StatusError."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
        address = ipaddress.ip_address(str(found[0][4][0]).partition("%")[0])
    except (OSError, ValueError) as error:
        raise status.internal_error(f"cannot look up {host}: {error}") from None
    return str(allowed(address))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node's agent listens, and what the node says that its agent can do."""

    node: str
    host: str
    port: int
    features: tuple[str, ...] = ()


class Agents:
    """Connects to agents with our client certificate."""

    def __init__(self, tls: ssl.SSLContext | None, resolve: Resolve = resolve) -> None:
        self.tls = tls
        self.resolve = resolve

    async def place(self, name: str, core: Core) -> Place:
        """Where the agent of a node is; its address is looked up and allowed. Raises StatusError."""
        entry = core.cache.resources[kinds.NODE].entries.get(name)
        if entry is None:
            raise status.not_found(status.subject(kinds.NODE, name))
        node: Any = codec.decode(kinds.NODE, entry.data)
        known = {address.type: address.address for address in reversed(node.status.addresses)}
        host = next((known[type_] for type_ in _ADDRESSES if type_ in known), "")
        if not host:
            raise status.internal_error(f'no preferred addresses found for node "{name}"; known addresses: []')
        endpoints = node.status.daemon_endpoints
        endpoint = endpoints.kubelet_endpoint if endpoints else None
        port = (endpoint.port if endpoint else 0) or AGENT_PORT
        address = await self.resolve(host)
        refuse_api(address, port, core)
        return Place(name, address, port, tuple(node.status.declared_features))

    def client(self, place: Place, core: Core) -> HttpClient:
        """A client for one agent; its user closes it."""
        return HttpClient(place.host, place.port, self.tls, clock=core.clock)
