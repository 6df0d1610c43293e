"""Where a request to a proxy subresource goes: the address of a pod, of a pod behind a service, or of a node.

The name in the path may say more than a name: `NAME`, `NAME:PORT` or `SCHEME:NAME:PORT`, and an empty scheme is http.
"""

from __future__ import annotations

import ipaddress
import random
import re
import ssl
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from api import codec, kinds
from controlplane.apiserver import status
from controlplane.apiserver.call import Target
from controlplane.apiserver.connect.addresses import refusal, refuse_api
from kit.http.tls import client_context

if TYPE_CHECKING:
    from controlplane.apiserver.core import Core

_PROXIED = re.compile(rb"/api/v1/(?:namespaces/[^/?]+/(?:pods|services)|nodes)/[^/?]+/proxy(?:[/?]|$)")
_SCHEMES = frozenset({"", "http", "https"})


@dataclass(frozen=True, slots=True)
class Location:
    """A server to pass requests on to. `authority` is how its own links would name it."""

    scheme: str
    address: str
    port: int
    authority: str
    tls: ssl.SSLContext | None = None


def is_proxied(target: bytes) -> bool:
    """Whether a request's target is a proxy subresource, whose bodies pass through however long they are."""
    return _PROXIED.match(target) is not None


@cache
def strangers() -> ssl.SSLContext:
    """TLS to pods: they are reached by address, so no name can be checked; and they are not told who we are."""
    return client_context(verify=False)


def split_name(kind: str, name: str) -> tuple[str, str, str]:
    """Scheme, name and port. Raises StatusError."""
    parts = name.split(":")
    if len(parts) < 3:
        parts = ["", *parts, ""][:3]
    if len(parts) > 3 or parts[0] not in _SCHEMES or not parts[1]:
        raise status.bad_request(f'invalid {kind} request "{name}"')
    return parts[0], parts[1], parts[2]


async def locate(target: Target, core: Core) -> Location:
    """Where a call to a proxy subresource goes. Raises StatusError."""
    if target.kind is kinds.NODE:
        return await _node(target, core)
    if target.kind is kinds.POD:
        return await _pod(target, core)
    return await _service(target, core)


async def _node(target: Target, core: Core) -> Location:
    scheme, name, port = split_name("node", target.name)
    place = await core.agents.place(name, core)
    if port in ("", str(place.port)):
        return Location("https", place.host, place.port, _authority(place.host, str(place.port)), core.agents.tls)
    return _location(scheme, place.host, port, core)


async def _pod(target: Target, core: Core) -> Location:
    scheme, name, port = split_name("pod", target.name)
    entry = core.cache.resources[kinds.POD].entries.get(f"{target.namespace}/{name}")
    if entry is None:
        raise status.not_found(status.subject(kinds.POD, name))
    pod: Any = codec.decode(kinds.POD, entry.data)
    if not port:
        port = next((str(c.ports[0].container_port) for c in pod.spec.containers if c.ports), "")
    addresses = [one.ip for one in pod.status.pod_ips] or [pod.status.pod_ip]
    return _location(scheme, await _allowed(addresses[0] or "", core), port, core)


async def _service(target: Target, core: Core) -> Location:
    scheme, name, port = split_name("service", target.name)
    key = f"{target.namespace}/{name}"
    if port.isascii() and port.isdigit():
        port = _port_name(key, name, int(port), core)
    entry = core.cache.resources[kinds.ENDPOINTS].entries.get(key)
    if entry is None:
        raise status.not_found(status.subject(kinds.ENDPOINTS, name))
    endpoints: Any = codec.decode(kinds.ENDPOINTS, entry.data)
    if not endpoints.subsets:
        raise _unavailable(f'no endpoints available for service "{name}"')
    for subset in random.sample(endpoints.subsets, len(endpoints.subsets)):
        number = next((one.port for one in subset.ports if (one.name or "") == port), None)
        if number is None:
            continue
        for address in random.sample(subset.addresses, len(subset.addresses)):
            if _is_pod(address, target.namespace, core):
                return _location(scheme, await _allowed(address.ip, core), str(number), core)
    raise _unavailable(f'no endpoints available for service "{target.name}"')


def _port_name(key: str, name: str, number: int, core: Core) -> str:
    """What the service calls its port of that number; endpoints go by names."""
    entry = core.cache.resources[kinds.SERVICE].entries.get(key)
    if entry is None:
        raise status.not_found(status.subject(kinds.SERVICE, name))
    service: Any = codec.decode(kinds.SERVICE, entry.data)
    for port in service.spec.ports:
        if port.port == number:
            return port.name or ""
    raise _unavailable(f'no service port {number} found for service "{name}"')


def _is_pod(address: Any, namespace: str, core: Core) -> bool:
    """Whether an endpoint is a pod that has this address; anybody may write anything into endpoints."""
    reference = address.target_ref
    if reference is None or reference.namespace != namespace:
        return False
    entry = core.cache.resources[kinds.POD].entries.get(f"{namespace}/{reference.name}")
    if entry is None:
        return False
    pod: Any = codec.decode(kinds.POD, entry.data)
    return any(one.ip == address.ip for one in pod.status.pod_ips)


async def _allowed(address: str, core: Core) -> str:
    """The address, if it is one and not ours. Raises StatusError."""
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise refusal() from None
    return await core.agents.resolve(address)


def _location(scheme: str, address: str, port: str, core: Core) -> Location:
    tls = strangers() if scheme == "https" else None
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
        raise _unavailable(f"error trying to reach service: dial tcp: lookup tcp/{port}: unknown port")
    number = int(port) if port else 443 if tls else 80
    refuse_api(address, number, core)
    return Location(scheme or "http", address, number, _authority(address, port), tls)


def _authority(address: str, port: str) -> str:
    shown = f"[{address}]" if ":" in address else address
    return f"{shown}:{port}" if port else shown


def _unavailable(message: str) -> status.StatusError:
    return status.StatusError(503, "ServiceUnavailable", message)
