"""What of a request's headers goes on to nodes and pods: who the client is, or wants to be, is for this server only."""

from __future__ import annotations

from controlplane.apiserver.identity.bearer import PROTOCOL
from kit.http.model import Request
from kit.http.relay import passed_headers

_IDENTITY = ("impersonate-", "x-remote-")


def onward(request: Request, *leave_out: str) -> list[tuple[str, str]]:
    """The headers, without `leave_out` (in lower case)."""
    kept = []
    for name, value in passed_headers(request, *leave_out):
        lower = name.lower()
        if lower == "sec-websocket-protocol":
            protocols = [protocol.strip() for protocol in value.split(",")]
            value = ", ".join(protocol for protocol in protocols if protocol and not protocol.startswith(PROTOCOL))
            if not value:
                continue
        if not lower.startswith(_IDENTITY):
            kept.append((name, value))
    return kept
