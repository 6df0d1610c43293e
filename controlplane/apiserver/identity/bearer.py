"""Where a request carries a bearer token: in the Authorization header, or, from browsers' WebSockets, among the subprotocols."""

from __future__ import annotations

from collections.abc import Mapping

from controlplane.apiserver.identity.signing import decode64

PROTOCOL = "base64url.bearer.authorization.k8s.io."
BROKEN = "\x00"  # no token is valid that has this in it


def token(headers: Mapping[str, str]) -> str:
    """The token; "" if there is none, `BROKEN` if what there is cannot be one."""
    parts = headers.get("authorization", "").strip().split(" ", 2)
    if len(parts) > 1 and parts[0].lower() == "bearer" and parts[1]:
        return parts[1]
    if "websocket" in headers.get("upgrade", "").lower():
        return _of_protocols(headers.get("sec-websocket-protocol", ""))
    return ""


def _of_protocols(offered: str) -> str:
    """Exactly one may be a token, and there must be another, for the server to answer with."""
    protocols = [protocol.strip() for protocol in offered.split(",") if protocol.strip()]
    coded = [protocol.removeprefix(PROTOCOL) for protocol in protocols if protocol.startswith(PROTOCOL)]
    if not coded:
        return ""
    try:
        return decode64(coded[0]).decode() if len(coded) == 1 and len(protocols) > 1 else BROKEN
    except ValueError:
        return BROKEN
