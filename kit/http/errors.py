"""What can go wrong when asking another server."""

from __future__ import annotations


class ClientError(Exception):
    """The base of what the HTTP client raises."""


class ConnectFailed(ClientError):
    """There is no connection, or it broke before an answer came."""


class TimedOut(ClientError):
    """The answer did not come in time."""


class ProtocolError(ClientError):
    """The answer is not HTTP, or it ended early."""
