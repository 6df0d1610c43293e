"""What a node or another server answers instead of what it was asked for, in the API's form."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from controlplane.apiserver import status
from kit.http.client import ClientError, Reply
from kit.http.relay import NotUpgraded

_MOST = 64 * 1024  # bytes of a refusal that are passed on


def upgrade_refused(reply: Reply) -> status.StatusError:
    """The error behind a refused upgrade: the Status that was sent, or an internal error that quotes what was."""
    body = reply.body[:_MOST]
    try:
        told = msgspec.json.decode(body)
    except msgspec.DecodeError:
        told = None
    if isinstance(told, dict) and told.get("kind") == "Status":
        code = told.get("code")
        details: Any = told.get("details")
        return status.StatusError(
            code if isinstance(code, int) and 400 <= code < 600 else 500,
            str(told.get("reason", "")),
            str(told.get("message", "")),
            details if isinstance(details, dict) else None,
        )
    text = body.decode(errors="replace").strip()
    return status.internal_error(f"unable to upgrade connection: {text}")


@contextmanager
def dialing() -> Iterator[None]:
    """What goes wrong on the way to an upgraded connection, in upstream's words. Raises StatusError."""
    try:
        yield
    except ClientError as error:
        raise _plain(f"error dialing backend: {error}") from None
    except NotUpgraded as error:
        raise _plain(str(error)) from None


def _plain(message: str) -> status.StatusError:
    """A failure that upstream has no reason for."""
    return status.StatusError(500, "", message)
