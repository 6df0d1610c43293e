"""The heads of HTTP/1 responses as bytes."""

from __future__ import annotations

from http import HTTPStatus

from kit.http.model import Headers

_REASONS = {status.value: status.phrase for status in HTTPStatus}
_STARTS: dict[tuple[int, str], bytes] = {}


def header_lines(headers: Headers) -> bytes:
    """Headers as they are sent: text that is not ASCII as UTF-8, as Go does it."""
    return "".join([f"{clean(name)}: {clean(value)}\r\n" for name, value in headers]).encode()


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
