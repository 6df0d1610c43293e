"""The heads of HTTP/1 responses as bytes, and what a connection says about its other side."""

from __future__ import annotations

import asyncio
import hashlib
from http import HTTPStatus

from kit.http.model import Headers, Peer
from kit.http.tls import chain_of

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_STARTS: dict[tuple[int, str], bytes] = {}


def header_lines(headers: Headers) -> bytes:
    """Headers as they are sent: text that is not ASCII as UTF-8, as Go does it."""
    return "".join([f"{clean(name)}: {clean(value)}\r\n" for name, value in headers]).encode()


def peer_of(transport: asyncio.BaseTransport) -> Peer | None:
    """Common name, organizations and fingerprint of the client certificate, if there is a verified one."""
    tls = transport.get_extra_info("ssl_object")
    certificate, der = (tls.getpeercert(), tls.getpeercert(True)) if tls else (None, None)
    if not certificate:
        return None
    pairs = [pair for group in certificate.get("subject", ()) for pair in group]
    names = [value for name, value in pairs if name == "commonName"]
    organizations = tuple(value for name, value in pairs if name == "organizationName")
    fingerprint = hashlib.sha256(der).hexdigest() if der else ""
    return Peer(names[0] if names else "", organizations, fingerprint, chain_of(tls, fingerprint))


def remote_of(transport: asyncio.BaseTransport) -> str:
    """The other side's address; "" where there is none, as on a Unix socket."""
    name = transport.get_extra_info("peername")
    return name[0] if isinstance(name, tuple) else ""


def start_line(status: int, content_type: str = "") -> bytes:
    """The status line and, if there is one, the Content-Type; kept for the next time."""
    found = _STARTS.get((status, content_type))
    if found is None:
        kind = f"Content-Type: {clean(content_type)}\r\n" if content_type else ""
        found = f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}\r\n{kind}".encode()
        if len(_STARTS) < 256:
            _STARTS[status, content_type] = found
    return found


def clean(text: str) -> str:
    """Header text cannot end its line, nor hold what no header may."""
    return text if text.isprintable() else "".join([char if char.isprintable() else " " for char in text])
